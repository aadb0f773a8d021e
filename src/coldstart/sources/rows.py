"""Checks of one row's values that all sources share: each raises RowError, which drops the row with a reason.

from coldstart.sources.rows import text
text({"question": 5}, "question")   # RowError: wrong_type
"""

import json
import re
from dataclasses import dataclass

from coldstart.prompts import LETTERS

INTEGER = re.compile(r"[-+\u2212]?\d{1,3}(,\d{3})+|[-+\u2212]?\d+")
DECIMAL = re.compile(r"[-+\u2212]?(\d[\d,]*)?\.\d+")


@dataclass(frozen=True)
class Drop:
    """Why a row is not taken: a short reason to count by, and what exactly was wrong."""

    why: str
    detail: str
    id: str | None = None


class RowError(Exception):
    """Raised while one row is read; carries its Drop."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(f"{why}: {detail}")
        self.drop = Drop(why, detail)


def text(row: dict, column: str) -> str:
    """A column that must hold non-empty text."""
    value = row.get(column)
    if value is None:
        raise RowError("empty_value", f"column '{column}' is empty")
    if not isinstance(value, str):
        raise RowError("wrong_type", f"column '{column}' holds {_shown(value)}, not text")
    if not value.strip():
        raise RowError("empty_value", f"column '{column}' is blank")
    return value


def scalar_text(value: object, column: str, why_empty: str = "empty_value") -> str:
    """Text or a number as text (JSON files often hold golds and ids as numbers)."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(why_empty, f"column '{column}' is empty")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError("wrong_type", f"column '{column}' holds {_shown(value)}, not text or a number")
    return value.strip() if isinstance(value, str) else str(value)


def text_list(value: object, column: str) -> list[str]:
    """A list of texts; none and an empty list both mean no options."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise RowError("wrong_type", f"column '{column}' holds {_shown(value)}, not a list")
    return [scalar_text(item, column) for item in value]


def image_list(value: object, column: str) -> list:
    """An image or a list of images, as a list; what is in them is checked when they are decoded."""
    if value is None:
        return []
    items = list(value) if isinstance(value, list | tuple) else [value]
    for item in items:
        if item is not None and not isinstance(item, str | bytes | dict):
            raise RowError("wrong_type", f"column '{column}' holds {_shown(item)}, not an image, bytes or a path")
    return [item for item in items if item is not None]


def choice_letter(answer: str, options: list[str]) -> str:
    """The letter of a choice gold: a letter that has an option, or the text of exactly one option."""
    letter = answer.strip().strip("().").upper()
    if len(letter) == 1 and letter in LETTERS and (not options or LETTERS.index(letter) < len(options)):
        return letter
    same = [index for index, option in enumerate(options) if option.strip() == answer.strip()]
    if len(same) == 1:
        return LETTERS[same[0]]
    raise RowError("bad_gold", f"the gold answer '{answer}' names none of the {len(options)} options")


def gold_type(answer: str) -> str:
    """Type of a free-form gold, from the gold alone: integer, decimal, or expression."""
    plain = answer.strip().strip("$").strip()
    if INTEGER.fullmatch(plain):
        return "integer"
    return "decimal" if DECIMAL.fullmatch(plain) else "expression"


def _shown(value: object) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 40 else shown[:37] + '...'}"


def mapping(value: object, column: str) -> dict:
    """A struct column, or the same as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise RowError("wrong_type", f"column '{column}' holds no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RowError("wrong_type", f"column '{column}' holds {_shown(value)}, not a mapping")
    return value
