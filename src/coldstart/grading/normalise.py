"""Texts and numbers in one form, so that most answers compare without a computer algebra system.

    >>> plain(r"$\\textbf{B}$.")
    'B'
    >>> parse_number("1,234.50 dollars").value == Fraction("1234.5")
    True

Nothing here is specific to one data set, nothing raises on any text, and every function is linear in its input.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from coldstart.grading import units

REMEMBERED = 500  # characters of a text whose plain form is kept: options, golds and answers come again and again
MAX_EXPONENT = 300  # 1e300 is a number, 1e999999999 is an attack
MAX_DIGITS = 300  # of one number; Python's float ends at 308 and its int() of a text at 4300

_CHARACTERS: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
_CHARACTERS |= dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\u00ad"), "-")
_CHARACTERS |= dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t\n\r\f\v~"), " ")
_CHARACTERS |= dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_CHARACTERS |= {code: None for code in [*range(9), *range(0x0E, 0x20), *range(0x7F, 0xA0)]}  # control characters
_CHARACTERS |= dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u2032"), "'")
_CHARACTERS |= dict.fromkeys(map(ord, "\u201c\u201d\u2033"), '"')
_CHARACTERS |= {ord("\u00d7"): r"\times ", ord("\u00b7"): r"\cdot ", ord("\u22c5"): r"\cdot ", ord("\u00f7"): "/"}
_CHARACTERS |= {ord("\u03c0"): r"\pi ", ord("\u221e"): r"\infty ", ord("\u2248"): r"\approx ", ord("\u00b1"): r"\pm "}
_CHARACTERS |= {ord("\u2264"): r"\le ", ord("\u2265"): r"\ge ", ord("\u2260"): r"\ne ", ord("\u2044"): "/"}
_CHARACTERS |= {ord("\u00b2"): "^2", ord("\u00b3"): "^3", ord("\u00ba"): "\u00b0", ord("\u2103"): "\u00b0C"}
_CHARACTERS |= {ord("\u222a"): r"\cup ", ord("\u2229"): r"\cap ", ord("\u2205"): r"\emptyset "}
_CHARACTERS |= {
    ord(c): f" {n}/{d}" for c, n, d in zip("½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞", "11213123411357", "23344555568888", strict=True)
}

# vowels and tones of Devanagari, Thai, ... stand in marks, which \w leaves out
_MARKS = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
_ROOT = re.compile(r"√\s*(\d+(?:\.\d+)?|[A-Za-z]|\([^()]*\)|\{[^{}]*\})")
_WRAPPERS = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|mathrm|mathbf|mathsf|mathit|boldsymbol|bm|mbox|hbox|boxed|fbox|underline"
    r"|operatorname|emph)\*?\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"[\\${}*√]")  # without one of these only the last two of the patterns below can match
_SIMPLE = [
    (re.compile(r"\\left(?![a-zA-Z])|\\right(?![a-zA-Z])|\\displaystyle\b|\\[bB]ig{1,2}[lr]?(?![a-zA-Z])"), ""),
    (re.compile(r"\\(?:bf|rm|it|sf|tt)(?![a-zA-Z])"), " "),
    (re.compile(r"\\[,;:! ]|\\q?quad\b|\\newline\b|\\\\$"), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[dtc]frac\b"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degrees?\b|\\textdegree\b"), "°"),
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"\\([%&#])"), r"\1"),
    (re.compile(r"\\?\$"), " "),
    (re.compile(r"(?<![\w)\]}])\*\*|\*\*(?![\w(\\{-])"), " "),
    (re.compile(r"`+|\s+"), " "),
    (re.compile(r"^[\s=:]+|[\s.,;:]+$"), ""),
]


@dataclass(frozen=True)
class Number:
    """An exact number as written: its value, the decimals shown (None for a fraction), percent sign and unit."""

    value: Fraction
    decimals: int | None
    percent: bool
    unit: str


def sanitise(text: str) -> str:
    """Drop control and zero-width characters and unify look-alikes; a lone surrogate becomes U+FFFD."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = text.translate(_CHARACTERS)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def plain(text: str) -> str:
    """The text without LaTeX and Markdown decoration; applying it twice changes nothing more."""
    return _plain(text) if len(text) > REMEMBERED else _plain_once(text)


@lru_cache(maxsize=65536)
def _plain_once(text: str) -> str:
    return _plain(text)


def _plain(text: str) -> str:
    text = sanitise(text)
    if text.isalnum():
        return text
    decorated = _DECORATION.search(text) is not None
    patterns = _SIMPLE if decorated else _SIMPLE[-2:]
    for _ in range(50):  # decorations nest; each round removes at least one layer
        before = text
        if decorated:
            text = _WRAPPERS.sub(r" \1 ", _ROOT.sub(r"\\sqrt{\1}", text))
        for pattern, replacement in patterns:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    return text


@lru_cache(maxsize=8192)
def text_key(text: str) -> str:
    """What two texts must share to be the same: no case, articles, punctuation or spacing."""
    for _ in range(10):  # what is taken away may lay open more of the same
        before, text = text, _words(text)
        if text == before:
            break
    return text


def _words(text: str) -> str:
    text = plain(text).casefold()
    words = re.sub(r"(?<=\d)[,](?=\d{3})|'", "", text)
    words = re.sub(rf"(?<!\d)[.]|[.](?!\d)|[^\w\s.%°/+^<>=#{_MARKS}-]|(?<=\w)-|-(?!\d)|_", " ", words)
    split = words.split()
    # an article stands before something: "class A" ends in a name
    kept = [word for word in split[:-1] if word not in ("a", "an", "the")] + split[-1:]
    return " ".join(kept) or text


@lru_cache(maxsize=8192)
def latex_key(text: str) -> str:
    """What two formulas must share to be the same letter by letter."""
    text = re.sub(r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*", plain(text))
    text = re.sub(r"([\^_])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"\\(le|ge|ne)q(?![a-zA-Z])", r"\\\1", text)
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?:[ ]\d{3})+(?![ ]?\d)|\d+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d+|\.(?!\d))?|\.\d+)"
_FORMS = re.compile(
    rf"""(?P<sign>[-+]?)\s*(?:[€£¥₹]\s*)?(?:
      (?P<whole>\d+)\s*(?:and\s+)?(?:\\frac\{{(?P<mnum>\d+)\}}\{{(?P<mden>\d+)\}}|(?<=\s)(?P<mnum2>\d+)\s*/\s*(?P<mden2>\d+))
    | \\frac\s*\{{\s*(?P<num>[-+]?\s*{_DECIMAL})\s*\}}\s*\{{\s*(?P<den>[-+]?\s*{_DECIMAL})\s*\}}
    | (?P<num2>{_DECIMAL})\s*/\s*(?P<den2>{_DECIMAL})
    | (?P<mantissa>{_DECIMAL})(?:\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*\{{?\s*(?P<power>[-+]?\d{{1,9}})\s*\}}?
                               |[eE](?P<exponent>[-+]?\d{{1,9}})(?![\w]))?
    )""",
    re.VERBOSE,
)
_LEAD = re.compile(
    r"^(?:approximately|approx\.?|about|around|roughly|nearly|exactly|only|equal to|a total of|\\approx|\\sim|[≈~])\s*",
    re.IGNORECASE,
)
# fmt: off
_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# fmt: on
_WORD_NUMBER = re.compile(
    rf"^(?:(?P<minus>minus|negative)\s+)?(?:(?P<tens>{'|'.join(_TENS)})(?:[\s-]+(?P<ones>{'|'.join(_ONES[1:10])}))?"
    rf"|(?P<small>{'|'.join(sorted(_ONES, key=len, reverse=True))}))(?![\w-])",
    re.IGNORECASE,
)
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SCALE = re.compile(rf"^\s*({'|'.join(_SCALES)})\b", re.IGNORECASE)


@lru_cache(maxsize=8192)
def parse_number(text: str) -> Number | None:
    """The number that ``text`` states and nothing else but a unit; None for anything longer, vaguer or symbolic."""
    side = last_side(plain(text))
    found = None if side is None else number_head(side)
    if found is None:
        return None
    number, rest = found
    rest = rest.strip()
    if rest and not units.is_unit(rest):
        return None
    return Number(number.value, number.decimals, number.percent, rest)


def last_side(text: str) -> str | None:
    """What stands behind the last equals sign (``x = 5`` -> ``5``); None if several quantities are stated."""
    parts = re.split(r"\\approx(?![a-zA-Z])|(?<![<>!:])=", text)
    if len(parts) == 1:
        return text
    if re.search(r"[,;]|\b(?:or|and)\b", "".join(parts[:-1])):
        return None
    return parts[-1].strip()


def number_head(text: str) -> tuple[Number, str] | None:
    """The number that plain ``text`` begins with, and what follows it."""
    text = text.strip()
    while (shorter := _LEAD.sub("", text)) != text:
        text = shorter
    if len(text) > 1 and text[0] + text[-1] in ("()", "[]", "{}") and not re.search(r"[(\[{,]", text[1:-1]):
        text = text[1:-1].strip()
    match = _FORMS.match(text)
    if match:
        if match.end() > MAX_DIGITS:
            return None
        value, decimals = _value(match)
    else:
        match = _WORD_NUMBER.match(text)
        if match is None:
            return None
        value, decimals = _word_value(match), 0
    if value is None:
        return None
    rest = text[match.end() :]
    scale = _SCALE.match(rest)
    if scale:
        value, decimals, rest = value * _SCALES[scale[1].lower()], None, rest[scale.end() :]
    percent = re.match(r"\s*(?:%|percent\b|per cent\b)", rest, re.IGNORECASE)
    if percent:
        rest = rest[percent.end() :]
    return Number(value, decimals, bool(percent), ""), rest


def _value(match: re.Match) -> tuple[Fraction | None, int | None]:
    sign = -1 if match["sign"] == "-" else 1
    if match["whole"]:
        part = _ratio(match["mnum"] or match["mnum2"], match["mden"] or match["mden2"])
        if part is None or part >= 1:  # "2 5/3" is no mixed number
            return None, None
        return sign * (int(match["whole"]) + part), None
    if match["num"] or match["num2"]:
        ratio = _ratio(match["num"] or match["num2"], match["den"] or match["den2"])
        return (None, None) if ratio is None else (sign * ratio, None)
    power = int(match["power"] or match["exponent"] or 0)
    if abs(power) > MAX_EXPONENT:
        return None, None
    digits = match["mantissa"]
    return sign * _fraction(digits) * Fraction(10) ** power, max(len(digits.partition(".")[2]) - power, 0)


def _ratio(numerator: str, denominator: str) -> Fraction | None:
    below = _fraction(denominator)
    return None if below == 0 else _fraction(numerator) / below


def _fraction(digits: str) -> Fraction:
    return Fraction(re.sub(r"[, ]", "", digits).rstrip("."))


def _word_value(match: re.Match) -> Fraction:
    small, tens = match["small"], match["tens"]
    value = _ONES.index(small.lower()) if small else 20 + 10 * _TENS.index(tens.lower())
    if match["ones"]:
        value += _ONES.index(match["ones"].lower())
    return Fraction(-value if match["minus"] else value)


_TAKEN_BACK = re.compile(
    r"\W*(?:yes|no)(?:\s*\?|\W+(?:(?:wait|actually|sorry|but|or|and)\W+)*(?:yes|no)\b"
    r"|\W+(?:sorry\W+)?(?:but\W+)?i(?:\s+am|'m)?\s+(?:cannot|can't|can\s+(?:help|assist)|unable"
    r"|not\s+able|not\s+sure)\b)",
    re.IGNORECASE,
)


def takes_back(text: str) -> bool:
    """Whether a text that opens with yes or no asks, says the other word at once, or speaks of its author's abilities.

    "Yes?", "No. Actually, yes." and "No, I cannot see the image." answer nothing.
    """
    return _TAKEN_BACK.match(sanitise(text)) is not None


# fmt: off
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log",
              "exp", "max", "min", "lim", "mod", "gcd", "lcm", "det", "sqrt", "frac", "inf", "abs", "deg", "and", "cup",
              "cap"}
# fmt: on


def is_prose(text: str) -> bool:
    """Whether plain ``text`` holds words: a computer algebra system would read "yes" as the product e*s*y."""
    words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", re.sub(r"\\[a-zA-Z]+", " ", text))
    return any(word.lower() not in _FUNCTIONS for word in words) or "\ufffd" in text
