"""Units of measure: is this text a unit, and are two units the same?

    >>> same("centimetres", "cm"), same("cm", "m"), same("apples", "cm")
    (True, False, True)

A word that is no known unit ("apples") says nothing about the quantity, so it agrees with everything.
"""

import re

_NAMES = {
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "km": "km kilometer kilometers kilometre kilometres",
    "in": "inch inches",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "mi": "mi mile miles",
    "mg": "mg milligram milligrams",
    "g": "g gram grams",
    "kg": "kg kilogram kilograms",
    "oz": "oz ounce ounces",
    "lb": "lb lbs pound pounds",
    "ml": "ml mL milliliter milliliters millilitre millilitres",
    "l": "l L liter liters litre litres",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years yr yrs",
    "%": "% percent",
    "°": "° deg degree degrees",
    "rad": "rad radian radians",
    "$": "$ dollar dollars usd USD",
    "cent": "cent cents ¢",
    "€": "€ euro euros",
}
_CANONICAL = {name: unit for unit, names in _NAMES.items() for name in names.split()}
_OTHER_LETTERS = set("KCFVWNJA")  # single letters that are units but never converted; x, n, k are variables
# what makes another number, or a second one, of what stands before it
# fmt: off
_NO_UNITS = {"or", "and", "to", "nor", "not", "plus", "minus", "times", "than", "over", "through", "versus", "vs", "i",
             "e", "point", "pi", "half", "halves", "third", "thirds", "quarter", "quarters", "fourth", "fourths",
             "fifth", "fifths", "sixth", "sixths", "seventh", "sevenths", "eighth", "eighths", "ninth", "ninths",
             "tenth", "tenths", "hundredth", "hundredths", "thousandth", "thousandths", "squared", "cubed", "doubled",
             "tripled", "halved", "factorial", "root", "choose", "dot", "below", "above", "is", "wrong", "incorrect",
             "false", "cannot", "if", "maybe", "perhaps", "followed"}
# fmt: on
_SHAPE = re.compile(r"(?:[A-Za-z°%$€¢µ][A-Za-z.']*(?:\s*\^\s*\{?[23]\}?|[23](?!\d))?(?:\s*[-/·]\s*|\s+|$)){1,6}")


def is_unit(text: str) -> bool:
    """Whether what follows a number may be a unit or a counted thing: a few words, no number, no second answer."""
    text = text.strip().replace("{", "").replace("}", "")
    if not text.isascii() and re.fullmatch(r"[^\W\d_]{1,4}", text):
        return True  # one word of a script without spaces
    if not _SHAPE.fullmatch(text):
        return False
    words = re.findall(r"[A-Za-z°%$€¢µ]+", text)
    if any(word.lower() in _NO_UNITS for word in words):
        return False
    return all(len(word) > 1 or word in _CANONICAL or word in _OTHER_LETTERS or word == "a" for word in words)


def canonical(text: str) -> str | None:
    """The short name of a known unit with its power (``square meters`` -> ``m^2``); None for anything else."""
    text = re.sub(r"[\s{}().]+", " ", text).strip()
    power = ""
    named = re.match(r"(?:(square|sq)|(cubic|cu))\s+", text, re.IGNORECASE)
    if named:
        power, text = ("^2" if named[1] else "^3"), text[named.end() :]
    written = re.search(r"\s?\^?\s?([23])$", text)
    if written and not power:
        power, text = f"^{written[1]}", text[: written.start()]
    unit = _CANONICAL.get(text) or _CANONICAL.get(text.lower())
    return unit + power if unit else None


def same(one: str, other: str) -> bool:
    """False only if both are known units and differ."""
    first, second = canonical(one), canonical(other)
    return first is None or second is None or first == second


def trailing(text: str) -> str:
    """The unit that ``strip`` takes off, or ""."""
    return text[len(strip(text)) :].strip()


def strip(text: str) -> str:
    """A formula without a known unit at its end (``5\\pi cm^2`` -> ``5\\pi``)."""
    match = re.search(r"(?:^|(?<=[\d)}\s]))\s*([A-Za-z°]{1,12}(?:\s*\^\s*\{?[23]\}?)?)\s*$", text)
    if match is None or match.start() == 0 or canonical(match[1]) is None:
        return text
    if len(match[1]) == 1 and match[1] != "°":
        return text  # a lone letter behind a formula is more likely a variable
    shorter = re.sub(r"\s+(?:square|sq|cubic|cu)$", "", text[: match.start()].rstrip(), flags=re.IGNORECASE)
    return shorter or text
