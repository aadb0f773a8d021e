"""We-Math (We-Math/We-Math; split testmini, 1,740 rows: 360 two-step and 165 three-step groups; for research use).

Columns read: ID str (the group), question str, option str (all options in one text), answer str (letter), image_path
image, key str (the step within its group), "knowledge concept" str. One invented row in the dataset's own types:

    {"ID": "2steps_9", "split": "testmini", "knowledge concept": "Angles", "question": "The angle is ( )",
     "option": "A. 30;B. 60; C. No correct answer", "answer": "B", "image_path": {"bytes": b"...", "path": None},
     "key": "2steps_1", "question number": 9, "knowledge concept description": "..."}

A group has one row a step and one for the whole problem ("..._multi"), so the id joins ID and key.
"""

import re

from coldstart.prompts import LETTERS
from coldstart.sources.rows import RowError, choice_letter, image_list, scalar_text, text

COLUMNS = ["ID", "question", "option", "answer", "image_path", "key", "knowledge concept"]
# an option starts at the beginning or after a semicolon or line break: "A. 300, 400;B. 400, 300; C. ..."
START = re.compile(r"(?:^|[;\n])\s*([A-Z])\s*[.:)]\s*")


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    options = split_options(text(row, "option"))
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    group, step = scalar_text(row["ID"], "ID"), scalar_text(row["key"], "key")
    return {
        "id": f"{group}-{step}",
        "question": text(row, "question").strip(),
        "images": image_list(row["image_path"], "image_path"),
        "options": options,
        "answer": choice_letter(answer, options),
        "answer_type": "choice",
        "tolerance": None,
        "unit": None,
        "metadata": {"group": group, "step": step, "concept": row["knowledge concept"]},
    }


def split_options(option: str) -> list[str]:
    """The options of one text, in order; raises RowError if their letters do not run A, B, C, ..."""
    starts = list(START.finditer(option))
    ends = [match.start() for match in starts][1:] + [len(option)] * bool(starts)
    letters = "".join(match[1] for match in starts)
    texts = [option[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
    if not starts or letters != LETTERS[: len(starts)] or starts[0].start() != 0 or not all(texts):
        raise RowError("bad_options", f"options cannot be told apart in {option[:80]!r}")
    return texts
