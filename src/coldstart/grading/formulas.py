r"""Are two formulas equal? By the numbers they stand for where both are simple; by math-verify everywhere else.

    >>> same(r"2\sqrt{3}", r"\sqrt{12}", use_symbolic=False)
    'equal'
    >>> same(r"\frac{a+b}{2}", r"\frac{a-b}{2}", use_symbolic=False)
    'different'

Most wrong formulas are wrong by far: numbers show it in microseconds, a computer algebra system takes tens of
milliseconds. Simple is what can be read in one way only: numbers, single letters, \pi, \frac, \sqrt, brackets, + - * /
and powers. Whatever can be read in two ways ("a/bc", "2\frac12", "f(x)", "2^10", the letters e and i, a unit) is left
to math-verify, and so is what is neither clearly equal nor clearly different. Letters get three sets of values; equal
values at three points are no proof, so formulas with letters are only ever found different here.
"""

import re
from functools import lru_cache
from math import isfinite, pi

from coldstart.grading import symbolic, units

CLEAR = 1e-3  # relative distance from which two values are different; math-verify rounds to six decimals
EXACT = 1e-12  # relative distance up to which two numbers are the same
POINTS = 3
MAX_POWER = 1e6  # of a value: nothing that is larger is computed with floats
AMBIGUOUS = frozenset("deiCEINOQS")  # letters that sympy reads as something else than a variable

_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|\\(frac|sqrt|pi|times|cdot)(?![a-zA-Z])|([A-Za-z]+)|([-+*/^(){}\[\]]))"
)
_RANGE = re.compile(r"\s*[\d.]+\s*-+\s*[\d.]+\s*")  # "0.2 - 0.4" may be a range


def same(gold: str, target: str, use_symbolic: bool) -> str | None:
    """``equal``, ``different``, ``gold`` or ``answer`` (see symbolic.equal); None if only math-verify can tell."""
    outcome = by_numbers(gold, target)
    if outcome is None and use_symbolic:
        return symbolic.equal(gold, target)
    return outcome


def by_numbers(one: str, other: str) -> str | None:
    """``equal`` or ``different`` where the values of both formulas decide, else None."""
    first, second = _values(one), _values(other)
    if first is None or second is None:
        return None
    apart = max(abs(a - b) / max(1.0, abs(a), abs(b)) for a, b in zip(first[0], second[0], strict=True))
    if apart > CLEAR:
        return "different"
    return "equal" if apart <= EXACT and not first[1] and not second[1] else None


def value(text: str) -> float | None:
    """The number that a simple formula without letters stands for, or None."""
    found = _values(text)
    return None if found is None or found[1] else found[0][0]


class _NotSimpleError(Exception):
    """The formula is none of those that are read here."""


@lru_cache(maxsize=65536)
def _values(text: str) -> tuple[tuple[float, ...], bool] | None:
    """The values of a formula at all points, and whether it has letters; None if it is not simple."""
    try:
        tokens = _tokens(text)
        letters = any(kind == "letter" for kind, _ in tokens)
        values = tuple(_Reader(tokens, point).whole() for point in range(POINTS if letters else 1))
    except (_NotSimpleError, ArithmeticError, RecursionError):
        return None
    if not all(isinstance(number, float) and isfinite(number) and abs(number) < MAX_POWER**2 for number in values):
        return None
    return (values if letters else values * POINTS), letters


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token; kinds: number, command, letter, sign."""
    tokens: list[tuple[str, str]] = []
    place, text = 0, text.rstrip()
    if not text or len(text) > symbolic.MAX_LENGTH or _RANGE.fullmatch(text):
        raise _NotSimpleError
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _NotSimpleError
        number, command, letters, sign = match.groups()
        if letters:
            if units.canonical(letters) or AMBIGUOUS & set(letters) or len(letters) > 2:
                raise _NotSimpleError
            tokens += [("letter", letter) for letter in letters]
        else:
            tokens.append(("number", number) if number else ("command", command) if command else ("sign", sign))
        place = match.end()
    return tokens


class _Reader:
    """Reads tokens once, with letters at one point, and computes as it goes."""

    def __init__(self, tokens: list[tuple[str, str]], point: int) -> None:
        self.tokens, self.point, self.place = tokens, point, 0

    def whole(self) -> float:
        """The value of all tokens."""
        result = self.sum()
        if self.place != len(self.tokens):
            raise _NotSimpleError
        return result

    def next(self) -> str:
        """The next token's text, or "" behind the last."""
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    def take(self, wanted: str) -> None:
        """Step over a sign."""
        if self.kind() != "sign" or self.next() != wanted:
            raise _NotSimpleError
        self.place += 1

    def sum(self) -> float:
        """Terms with + and - between them; a sign may stand in front."""
        sign = 1.0
        if self.kind() == "sign" and self.next() in "+-":
            sign = -1.0 if self.next() == "-" else 1.0
            self.place += 1
        result = sign * self.term()
        while self.kind() == "sign" and self.next() in "+-":
            sign = -1.0 if self.next() == "-" else 1.0
            self.place += 1
            result += sign * self.term()
        return result

    def term(self) -> float:
        """Factors; nothing may follow a quotient written with a slash: "a/bc" has two readings."""
        result, before = self.power()
        while True:
            kind, text = self.kind(), self.next()
            if text in ("times", "cdot", "*") and kind in ("command", "sign"):
                self.place += 1
                factor, before = self.power()
                result *= factor
            elif kind == "sign" and text == "/":
                self.place += 1
                result /= self.power()[0]
                kind, text = self.kind(), self.next()
                if kind and not (kind == "sign" and text in ("+", "-", ")", "}", "]")):
                    raise _NotSimpleError
                return result
            elif kind in ("letter", "command", "number") or (kind == "sign" and text in ("(", "{")):
                self.check_neighbours(before, kind, text)
                factor, before = self.power()
                result *= factor
            else:
                return result

    def check_neighbours(self, before: str, kind: str, text: str) -> None:
        """Refuse factors side by side that could be something else than a product."""
        mixed_number = before == "number" and text == "frac"
        call = before == "letter" and text in ("(", "{")
        if kind == "number" or mixed_number or call or text == "{":
            raise _NotSimpleError

    def power(self) -> tuple[float, str]:
        """An atom with or without an exponent, and what it is: number, letter, pi, or group."""
        base, what = self.atom()
        if not (self.kind() == "sign" and self.next() == "^"):
            return base, what
        self.place += 1
        if self.kind() == "sign" and self.next() == "{":
            self.place += 1
            exponent = self.sum()
            self.take("}")
        elif self.kind() == "letter" or (self.kind() == "number" and len(self.next()) == 1):
            exponent, _ = self.atom()
        else:
            raise _NotSimpleError
        if (
            self.next() == "^"
            or (base < 0 and exponent != int(exponent))
            or abs(exponent) > 64
            or abs(base) > MAX_POWER
        ):
            raise _NotSimpleError
        return float(base**exponent), "group"

    def atom(self) -> tuple[float, str]:
        """One number, letter, bracket, fraction or root, and what it is."""
        kind, text = self.kind(), self.next()
        self.place += 1
        if kind == "number":
            return float(text), "number"
        if kind == "letter":
            return 0.6 + ((ord(text) * 37 + self.point * 101) % 199) / 97, "letter"
        if kind == "sign" and text in ("(", "{"):
            inner = self.sum()
            self.take(")" if text == "(" else "}")
            return inner, "group"
        if text == "pi" and kind == "command":
            return pi, "pi"
        if text == "frac" and kind == "command":
            above = self.group()
            return above / self.group(), "group"
        if text == "sqrt" and kind == "command":
            return self.root(), "group"
        raise _NotSimpleError

    def root(self) -> float:
        degree = 2.0
        if self.next() == "[":
            self.take("[")
            degree = self.sum()
            self.take("]")
        inside = self.group()
        if inside < 0 or degree <= 0:
            raise _NotSimpleError
        return inside ** (1 / degree)

    def group(self) -> float:
        """What stands in braces."""
        self.take("{")
        inner = self.sum()
        self.take("}")
        return inner
