r"""One rule an answer type: is this stated answer the gold answer?

Each rule takes a ``Spec`` and one candidate and returns ``Verdict(verdict, normalised, reason)``, or None where only
math-verify can tell and ``use_symbolic`` is False. A rule never credits an answer that states two things ("5 or 6").

    choice      a letter, "(B)", "B.", "B. 7 cm", or the text of exactly one option; letter and text must not disagree
    integer     exact value: separators, number words, trailing units; 5.0 is 5, 5.4 is not; formulas are evaluated
    decimal     within ``tolerance``, bounds included; without one, equal when rounded to the gold's decimals
    expression  by letters, as exact numbers, by value, or by math-verify; a gold made of words is compared as text
    list        the same elements in order; in any order if the gold stands in braces
    text        without case, articles and punctuation; yes and no may be followed by an explanation
Percent: "25%" and "25" agree where the gold or the unit has the sign or the question asks for percent; "25%" and
"0.25" agree only where the gold itself is written with the sign. Known units that differ from the problem's are wrong.
"""

import re
from fractions import Fraction

from coldstart.grading import formulas, symbolic, units
from coldstart.grading.choice import choice_rule, gold_letter
from coldstart.grading.normalise import Number, is_prose, latex_key, parse_number, plain, takes_back, text_key
from coldstart.grading.spec import Spec, Verdict

_NUMERIC = re.compile(r"\d|\\pi|\be\b")
_NO_ONE_NUMBER = re.compile(r"[,;]|\b(?:or|and)\b|\\pm|\d['_]")
_DATE = re.compile(r"^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}-\d{1,2}-\d{4})$")
_BASE = re.compile(r"\d\s*_")
ROUNDING = Fraction(1, 10**6)  # as math-verify: 0.333333 is 1/3


def decide(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """Apply the rule of the problem's type."""
    return RULES[spec.answer_type](spec, candidate, use_symbolic)


def gold_form(spec: Spec) -> str:
    """The gold in the form in which its rule compares it, for explanations."""
    if spec.answer_type == "choice":
        return gold_letter(spec) or ""
    if spec.answer_type == "list":
        return "[" + ", ".join(_elements(spec.answer)) + "]"
    if spec.answer_type == "text":
        return text_key(spec.answer)
    number = parse_number(spec.answer)
    return _show(number) if number else plain(spec.answer)


def gold_fault(spec: Spec) -> str | None:
    """Why the gold cannot be right as it stands, without a computer algebra system; None if nothing is wrong."""
    gold = spec.answer
    if not plain(gold):
        return "the gold is empty"
    if spec.tolerance is not None and not 0 <= spec.tolerance < float("inf"):
        return f"the tolerance {spec.tolerance} is no distance"
    if spec.answer_type == "choice":
        letter = gold_letter(spec)
        count = len(spec.options)
        if letter is None:
            return f"the gold {gold!r} is neither a letter nor the text of exactly one option"
        if count and ord(letter) - ord("A") >= count:
            return f"the gold is {letter}, but there are only {count} options"
    if spec.answer_type in ("integer", "decimal"):
        number = parse_number(gold)
        if number is None:
            return f"the gold {gold!r} is not a number"
        if spec.answer_type == "integer" and number.value.denominator != 1:
            return f"the gold {gold!r} is not an integer"
    if spec.answer_type in ("expression", "list") and (gold.count("{") != gold.count("}")):
        return f"the gold {gold!r} has unbalanced braces"
    if spec.answer_type == "expression" and parse_number(gold) is None and not is_prose(units.strip(plain(gold))):
        obstacle = symbolic.obstacle(plain(gold))
        return f"the gold {gold[:80]!r} is no formula: {obstacle}" if obstacle else None
    return None


def number_rule(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """Integer and decimal."""
    gold = parse_number(spec.answer)
    number = parse_number(candidate)
    text = plain(candidate)
    if gold is None:
        return Verdict("unparseable_gold", text, f"the gold {spec.answer!r} is not a number")
    if number is not None:
        normalised = _show(number)
        unit = spec.unit or gold.unit
        if number.unit and unit and not units.same(number.unit, unit):
            return Verdict("wrong", normalised, f"unit {number.unit!r} instead of {unit!r}")
        value = _percent_value(gold, number, spec)
        if value is None:
            return Verdict("wrong", normalised, "a percentage, which the problem does not ask for")
        return _judge(spec, gold, value, normalised)
    if is_prose(text) or symbolic.obstacle(text) or _NO_ONE_NUMBER.search(text) or not _NUMERIC.search(text):
        return Verdict("unparseable_answer", text, "not one number")
    if not units.same(units.trailing(text), spec.unit or gold.unit):
        return Verdict("wrong", text, f"unit {units.trailing(text)!r} instead of {(spec.unit or gold.unit)!r}")
    if spec.answer_type == "integer":
        return _formulas(spec.answer, text, use_symbolic)
    formula = units.strip(text)
    found = formulas.value(formula)
    if found is None:
        if not use_symbolic:
            return None
        found = symbolic.value(formula)
    if found is None:
        return Verdict("unparseable_answer", text, "not one number")
    return _judge(spec, gold, Fraction(found), f"{found:.10g}")


def expression_rule(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """Formulas: by letters, by exact numbers, then by math-verify."""
    gold_text, text = plain(spec.answer), plain(candidate)
    if latex_key(gold_text) == latex_key(text):
        return Verdict("correct", text, "the same expression letter by letter")
    gold, number = parse_number(gold_text), parse_number(text)
    if gold is not None and number is not None:
        unit = spec.unit or gold.unit
        if number.unit and unit and not units.same(number.unit, unit):
            return Verdict("wrong", _show(number), f"unit {number.unit!r} instead of {unit!r}")
        value = _percent_value(gold, number, spec)
        if value is None:
            return Verdict("wrong", _show(number), "a percentage, which the problem does not ask for")
        inexact = gold.decimals or number.decimals
        same = value == gold.value or bool(inexact and abs(value - gold.value) <= ROUNDING / 2)
        return Verdict("correct" if same else "wrong", _show(number), "compared as exact numbers")
    if is_prose(units.strip(gold_text)):
        return text_rule(spec, candidate, use_symbolic)
    if _DATE.search(gold_text) or _DATE.search(text):
        return Verdict("wrong", text, "another date")  # math-verify subtracts: 2020-03-05 would be 2012
    given, wanted = units.trailing(text), spec.unit or units.trailing(gold_text)
    if not units.same(given, wanted):
        return Verdict("wrong", text, f"unit {given!r} instead of {wanted!r}")
    text = units.strip(text)
    side = re.split(r"(?<![<>!:])=", text)
    if is_prose(text) and len(side) > 1 and "=" not in gold_text and not re.search(r"[,;]", "".join(side[:-1])):
        text = units.strip(side[-1].strip())  # "Area = 5\pi"
    if is_prose(text):
        return Verdict("unparseable_answer", text, "words where an expression was expected")
    obstacle = symbolic.obstacle(text)
    if obstacle:
        return Verdict("unparseable_answer", text[:200], f"the answer is {obstacle}")
    if not text:
        return Verdict("unparseable_answer", text, "empty")
    if (_BASE.search(gold_text) is None) != (_BASE.search(text) is None):
        return Verdict("wrong", text, "another number base")  # math-verify drops the base
    return _formulas(units.strip(gold_text), text, use_symbolic)


def list_rule(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """Element by element; a gold in braces is a set."""
    gold, found = _elements(spec.answer), _elements(candidate)
    normalised = "[" + ", ".join(found) + "]"
    if len(gold) != len(found):
        return Verdict("wrong", normalised, f"{len(found)} elements instead of {len(gold)}")
    if re.match(r"\s*\\?\{", plain(spec.answer)):
        return _same_set(spec, gold, found, normalised, use_symbolic)
    undecided = False
    for wanted, given in zip(gold, found, strict=True):
        verdict = expression_rule(_element(spec, wanted), given, use_symbolic)
        if verdict is None:
            undecided = True
        elif verdict.verdict != "correct":
            return Verdict(verdict.verdict, normalised, f"element {given!r} against {wanted!r}: {verdict.reason}")
    return None if undecided else Verdict("correct", normalised, "all elements agree")


def _same_set(spec: Spec, gold: list[str], found: list[str], normalised: str, use_symbolic: bool) -> Verdict | None:
    left = list(found)
    for wanted in gold:
        for given in left:
            verdict = expression_rule(_element(spec, wanted), given, use_symbolic)
            if verdict is None:
                return None
            if verdict.verdict == "correct":
                left.remove(given)
                break
        else:
            return Verdict("wrong", normalised, f"element {wanted!r} is missing")
    return Verdict("correct", normalised, "all elements agree, in any order")


def text_rule(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """Words."""
    gold, text = text_key(spec.answer), text_key(candidate)
    if gold == text:
        return Verdict("correct", text, "the same text")
    words = re.findall(r"[a-z]+|[,.;:]", candidate.lower())[:2]
    if (
        gold in ("yes", "no")
        and words
        and words[0] in ("yes", "no")
        and (len(words) == 1 or words[1] not in ("or", "and"))
        and not takes_back(candidate)
    ):
        return Verdict("correct" if words[0] == gold else "wrong", words[0], "yes or no")
    wanted, number = parse_number(spec.answer), parse_number(candidate)
    if (
        wanted is not None
        and number is not None
        and wanted.value == number.value
        and units.same(wanted.unit, number.unit)
    ):
        return Verdict("correct", _show(number), "the same number")
    return Verdict("wrong", text, "another text")


RULES = {
    "choice": choice_rule,
    "integer": number_rule,
    "decimal": number_rule,
    "expression": expression_rule,
    "list": list_rule,
    "text": text_rule,
}


def _judge(spec: Spec, gold: Number, value: Fraction, normalised: str) -> Verdict:
    distance = abs(value - gold.value)
    if spec.answer_type == "integer" or (spec.tolerance is None and not gold.decimals):
        allowed, rule = Fraction(0), "exact value"
    elif spec.tolerance is not None:
        allowed, rule = Fraction(repr(float(spec.tolerance))), f"tolerance {spec.tolerance:g}"
    else:
        allowed, rule = Fraction(1, 2 * 10 ** (gold.decimals or 0)), f"rounded to {gold.decimals} decimals"
    return Verdict("correct" if distance <= allowed else "wrong", normalised, rule)


def _percent_value(gold: Number, number: Number, spec: Spec) -> Fraction | None:
    """The answer in the gold's terms; None if it is a percentage where none was asked for."""
    asked = gold.percent or units.canonical(spec.unit) == "%" or spec.percent
    if number.percent and not asked:
        return None
    if gold.percent and not number.percent and number.value * 100 == gold.value:
        return gold.value  # gold 25%, answer 0.25
    return number.value


def _formulas(gold: str, text: str, use_symbolic: bool) -> Verdict | None:
    outcome = formulas.same(gold, text, use_symbolic)
    if outcome is None:
        return None
    if outcome == "gold":
        return Verdict("unparseable_gold", text, f"math-verify cannot parse the gold {gold!r}")
    if outcome == "answer":
        return Verdict("unparseable_answer", text, "math-verify cannot parse the answer")
    return Verdict("correct" if outcome == "equal" else "wrong", text, f"compared as formulas: {outcome}")


def _element(spec: Spec, gold: str) -> Spec:
    return Spec(gold, "expression", (), None, spec.unit, spec.percent)


def _elements(text: str) -> list[str]:
    """Split at top-level commas, semicolons and "and"; one pair of outer brackets is dropped."""
    text = plain(re.sub(r"\\([{}])", r"\1", text.replace("{,}", "")))
    if text[:1] in "([{" and text[-1:] in ")]}" and text:
        text = text[1:-1]
    parts, depth, current = [], 0, ""
    for token in re.split(r"([,;(){}\[\]]|\band\b)", text):
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if token in (",", ";", "and") and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += token
    return [part.strip() for part in [*parts, current] if part.strip()]


def _show(number: Number) -> str:
    sign = "%" if number.percent else ""
    value = number.value
    if value.denominator == 1 or number.decimals is None:
        return f"{value}{sign}"
    return f"{float(value):.12g}{sign}"
