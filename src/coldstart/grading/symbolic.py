"""The only module that calls math-verify. It can hang or crash on hostile input: run it in a worker of the pool.

    >>> equal("3/7", r"\\frac{3}{7}")
    'equal'

math-verify's own timers use signals (and fail silently off the main thread), so they are off; the pool's wall limit
takes their place. ``verify`` is called as (gold, target): the order matters for sets, intervals and assignments.
"""

import logging
import re
from functools import cache, lru_cache
from math import isfinite

MAX_LENGTH = 400
MAX_DEPTH = 40


def obstacle(text: str) -> str | None:
    """Why ``text`` is not worth handing to a parser, or None."""
    if len(text) > MAX_LENGTH:
        return f"longer than {MAX_LENGTH} characters"
    if re.search(r"(?<!_)\d\s+\d|[)\]]\s+\d", text):
        return "two numbers side by side"  # "(1) 20" would be read as 21
    if re.search(r"\d[eE][-+]?\d|\d\.\d+\.\d", text):
        return "not a formula"  # 1e9 would be read as 9 times Euler's number, 1.2.3 as a product
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return f"nested deeper than {MAX_DEPTH}" if deepest > MAX_DEPTH else None


def equal(gold: str, target: str) -> str:
    """``equal``, ``different``, or which side does not parse: ``gold`` or ``answer``."""
    parsed_gold = _parse(gold)
    if not parsed_gold:
        return "gold"
    parsed_target = _parse(target)
    if not parsed_target:
        return "answer"
    verify = _math_verify()[1]
    if _differ_in_case(gold, target):
        return "different"
    same = verify(list(parsed_gold), list(parsed_target), timeout_seconds=None)
    return "equal" if same else "different"


def parses(text: str) -> bool:
    """Whether math-verify makes a formula of ``text``."""
    return bool(_parse(text))


def value(text: str) -> float | None:
    """The real number that a formula without variables stands for, or None."""
    from sympy import Expr

    for expression in _parse(text):
        if not isinstance(expression, Expr) or not expression.is_number:
            continue
        try:
            number = complex(expression.evalf(15))
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
            continue  # what sympy raises where a formula has no number for a value
        if number.imag == 0 and isfinite(number.real):
            return number.real
    return None


def _differ_in_case(one: str, other: str) -> bool:
    """Whether two formulas name other variables that are the same without case, which math-verify ignores."""
    first, second = (set(re.sub(r"\\[A-Za-z]+", "", text)) for text in (one, other))
    letters = [{letter for letter in side if letter.isalpha()} for side in (first, second)]
    return letters[0] != letters[1] and {c.lower() for c in letters[0]} == {c.lower() for c in letters[1]}


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple:
    """The sympy objects in ``text``; strings that math-verify falls back to are no formula and are left out.

    math-verify's search for plain numbers is off: where the formula itself does not parse it would take the first
    number inside, and "1 - 1/e" would equal "1 + 1/e".
    """
    parse, _, formulas = _math_verify()
    text = re.sub(r"\{\s+", "{", text)  # "\\frac{1}{ e }" would not parse
    found = parse(f"${text}$", [formulas], parsing_timeout=None, fallback_mode="no_fallback")
    return tuple(item for item in found if not isinstance(item, str))


@cache
def _math_verify() -> tuple:
    """Imported on first use: it takes seconds, and most answers never need it."""
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns about the timers that are off on purpose
    from math_verify import LatexExtractionConfig, parse, verify

    return parse, verify, LatexExtractionConfig()
