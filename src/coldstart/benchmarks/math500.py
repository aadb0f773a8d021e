r"""MATH-500 (HuggingFaceH4/MATH-500; split test, 500 rows; licence MIT, that of MATH): text only.

A check that language reasoning was not lost. Columns read: problem str, answer str (LaTeX), subject str, level int64,
unique_id str. One invented row in the dataset's own types:

    {"problem": "What is $\\frac{1}{2} + \\frac{1}{4}$?", "solution": "...", "answer": "\\frac{3}{4}",
     "subject": "Prealgebra", "level": 2, "unique_id": "test/prealgebra/1.json"}

The gold's type is inferred from the gold alone; formulas are compared by math-verify. Scores: accuracy by subject and
by level. Verified: columns and golds of all 500 rows, from a public copy of the file.
"""

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import gold_type, scalar_text, text

HUB, CONFIG, SPLIT = "HuggingFaceH4/MATH-500", None, "test"
COLUMNS = ["problem", "answer", "subject", "level", "unique_id"]


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    return {
        "id": scalar_text(row["unique_id"], "unique_id"),
        "question": text(row, "problem").strip(),
        "images": [],
        "options": [],
        "answer": answer,
        "answer_type": gold_type(answer),
        "tolerance": None,
        "unit": None,
        "metadata": {"subject": row["subject"], "level": row["level"]},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By subject and level."""
    return [*by(rows, "subject"), *by(rows, "level")]
