"""LogicVista (lscpku/LogicVista, a Parquet copy of Yijia-Xiao/LogicVista; split test, 448 rows; Apache-2.0).

Columns read: id str, question str (with its options, if they are not in the image), answer str (a letter, letters such
as "A, C", or a number), skill list[str], broad_capability list[str], specific_capability list[str], image image. One
invented row in the dataset's own types:

    {"id": "v1_3", "question": "Which comes next? Select from A, B and C. (A) A (B) B (C) C", "answer": "B",
     "reasoning": "...", "skill": ["inductive"], "broad_capability": ["diagram"], "specific_capability": ["3d shape"],
     "imagesource": "...", "sourcelink": "...", "liscenced": "true", "image": {"bytes": b"...", "path": None}}

Several letters are a set: all of them are asked for, in any order. Scores: accuracy by reasoning skill (inductive,
deductive, numerical, spatial, mechanical) and broad capability, as in the official eval/analyze_accuracy.py, after a
language model has extracted the letters; by specific capability beside them. The official row of diagrams that also
need OCR is not made. Verified: that code, and the question, answer and skill of all 448 rows of the official
data/dataset.json (one is empty and is dropped). Not verified: the column types of the Parquet copy; its names are as
others describe them, and a text is taken where a list is expected.
"""

import re

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import choice_letter, gold_type, image_list, scalar_text, text, text_list

HUB, CONFIG, SPLIT = "lscpku/LogicVista", None, "test"
KEYS = ("skill", "broad_capability", "specific_capability")
COLUMNS = ["question", "answer", "image", *KEYS]


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    letters = re.findall(r"[A-Z]", answer) if re.fullmatch(r"[A-Z](\s*,\s*[A-Z])*", answer) else []
    if len(letters) == 1:
        answer, kind = choice_letter(answer, []), "choice"
    elif letters:
        answer, kind = "{" + ", ".join(letters) + "}", "list"
    else:
        kind = gold_type(answer)
    return {
        "id": None if row.get("id") is None else scalar_text(row["id"], "id"),
        "question": text(row, "question").strip(),
        "images": image_list(row["image"], "image"),
        "options": [],
        "answer": answer,
        "answer_type": kind,
        "tolerance": None,
        "unit": None,
        "metadata": {key: _names(row[key], key) for key in KEYS},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By skill and capability."""
    return [score for key in KEYS for score in by(rows, key)]


def _names(value: object, column: str) -> list[str]:
    return text_list([value] if isinstance(value, str) else value, column)
