r"""The rule for choice: which one option does an answer name, by its letter or by its text?

    >>> option_letter(r"\text{(B)}\ 7 cm", ("6 cm", "7 cm"))
    'B'

Never a guess: two letters, a letter whose option says something else, or a text that fits two options name none.
"""

import re

from coldstart.grading import formulas, symbolic, units
from coldstart.grading.normalise import is_prose, latex_key, parse_number, plain, takes_back, text_key
from coldstart.grading.spec import Spec, Verdict

_LETTER = re.compile(r"(?:[(\[{]|\\\{)?\s*([A-Za-z])\s*(?:[)\]}]|\\\})?[.:]?")
_SECOND_LETTER = re.compile(
    r"(?:(?:^|[\s,/&])(?:and|or)\b|[,/&])\s*(?:maybe\s+|perhaps\s+|possibly\s+)?(?:option\s+)?(?:\([A-Za-z]\)|[A-Z](?![\w']))|^\s*\([A-Z]\)"
)
_DENIED = re.compile(
    r"\W*(?:(?:is|was|would\s+be|must\s+be|can)\s+)?(?:(?:clearly|definitely|also)\s+)?"
    r"(?:not|never|no(?=\W*$)|incorrect|wrong|false|eliminated|excluded|impossible|ruled\s+out|cannot|can't|isn't|wasn't)\b",
    re.IGNORECASE,
)
_REASONS = r"because|since|as|which|for|due|given|in|with"


def choice_rule(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """The letter that a candidate names; ``unparseable_answer`` if it names none or more than one."""
    gold = gold_letter(spec)
    letter = option_letter(candidate, spec.options)
    if letter is None:
        text = plain(candidate)
        if not _is_formula(text) or not spec.options:
            return Verdict("unparseable_answer", text[:200], "names neither a letter nor exactly one option")
        number = parse_number(text)
        open_options = [
            (n, option)
            for n, option in enumerate(spec.options)
            if not (number and parse_number(option)) and _is_formula(units.strip(plain(option)))
        ]
        if not open_options:
            return Verdict("unparseable_answer", text, "equals none of the options")
        wanted = _formula(text)
        outcomes = {n: formulas.same(_formula(plain(option)), wanted, use_symbolic) for n, option in open_options}
        if None in outcomes.values():
            return None
        equal = [n for n, outcome in outcomes.items() if outcome == "equal"]
        if len(equal) != 1:
            return Verdict("unparseable_answer", text, f"equals {len(equal)} of the options")
        letter = chr(ord("A") + equal[0])
    if spec.options and ord(letter) - ord("A") >= len(spec.options):
        return Verdict("wrong", letter, f"there are only {len(spec.options)} options")
    return Verdict("correct" if letter == gold else "wrong", letter, f"option {letter}")


def option_letter(candidate: str, options: tuple[str, ...]) -> str | None:
    """The one letter that ``candidate`` names, by letter or by text; None if none, several, or in contradiction."""
    text = plain(candidate)
    if takes_back(text) and text not in options:
        return None
    text = re.sub(
        r"^(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)\s+(?:is\s+)?)+", "", text, flags=re.IGNORECASE
    )
    bare = _LETTER.fullmatch(text)
    if bare:
        return bare[1].upper()
    whole = _option_of(text, options)
    led = re.match(r"\(\s*([A-Za-z])\s*\)(.*)|([A-Z])\s*[.:)](.*)|([A-Z])\s*(?:-\s|,\s)(.*)", text, re.DOTALL)
    led = led or re.match(rf"([A-Z])\s+((?:{_REASONS})\b.*)|([B-HJ-Z])\s+(.*)", text, re.DOTALL)
    if led is None:
        return whole or _option_at_head(text, options)
    letter, rest = [group for group in led.groups() if group is not None]
    second = _LETTER.fullmatch(rest.strip(" ,;/&"))
    if _SECOND_LETTER.search(rest) or (second and second[1].upper() != letter.upper()):
        return None  # "B and C", "(A), (C)", "A, B"; but "(B) B" is one
    rest = rest.lstrip(" ,;:-")
    named = whole or _option_of(rest, options)
    if named is None and (_DENIED.match(rest) or re.search(rf"\bnot\s+\(?{letter}\b", rest) or rest.endswith("?")):
        return None  # "B is wrong", "B. The answer is not B", "B is right?"
    place = ord(letter.upper()) - ord("A")
    if named is None and place < len(options):
        stated, listed = parse_number(rest), parse_number(options[place])
        if stated and listed and stated.value != listed.value:
            return None  # "(D) 140" where D is 20
    return None if named and named != letter.upper() else letter.upper()


def gold_letter(spec: Spec) -> str | None:
    """The letter of a choice gold, which may also be given as an option's text."""
    text = plain(spec.answer)
    match = re.fullmatch(r"\(?([A-Za-z])\)?", text)
    return match[1].upper() if match else _option_of(text, spec.options)


def _option_of(text: str, options: tuple[str, ...]) -> str | None:
    """The letter of the only option that ``text`` is."""
    text = plain(text)
    if not text:
        return None
    for same in (_same_words, _same_number):
        found = [n for n, option in enumerate(options) if same(text, plain(option))]
        if found:
            return chr(ord("A") + found[0]) if len(found) == 1 else None
    return None


def _option_at_head(text: str, options: tuple[str, ...]) -> str | None:
    """ "Yes, there are fewer": an option's text, then a stop or a reason."""
    low = text.casefold()
    heads = [(plain(option).casefold(), n) for n, option in enumerate(options)]
    stop = re.compile(r"\s*(?:[,;:(]|[.](?!\d)|-\s|(?:because|since|as)\b)")
    found = [(head, n) for head, n in heads if head and low.startswith(head) and stop.match(low, len(head))]
    if not found:
        return None
    longest = max(len(head) for head, _ in found)
    named = [n for head, n in found if len(head) == longest]
    second = re.sub(r"^\W+", "", low[longest:]).rstrip(" .")
    if second in {head for head, n in heads if n not in named}:
        return None  # "green, blue"
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def _same_words(text: str, option: str) -> bool:
    if latex_key(text) == latex_key(option):
        return True
    return text_key(text) == text_key(option) and not (_is_formula(text) or _is_formula(option))


def _same_number(text: str, option: str) -> bool:
    one, other = parse_number(text), parse_number(option)
    if one is None or other is None or (one.percent != other.percent and other.percent):
        return False
    return one.value == other.value and units.same(one.unit, other.unit)


def _formula(text: str) -> str:
    """A formula as math-verify reads it: without its unit, and a ratio as a fraction."""
    text = units.strip(text)
    ratio = re.fullmatch(r"([^:]+):([^:]+)", text)
    return rf"\frac{{{ratio[1].strip()}}}{{{ratio[2].strip()}}}" if ratio else text


def _is_formula(text: str) -> bool:
    """Whether a text is for a computer algebra system rather than for a dictionary."""
    return (
        bool(text)
        and re.search(r"[\d\\]|^\w$", text) is not None
        and not is_prose(text)
        and not symbolic.obstacle(text)
    )
