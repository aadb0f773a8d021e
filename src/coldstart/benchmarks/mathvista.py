"""MathVista (AI4Math/MathVista; splits testmini, 1,000 rows with golds, and test, 5,141 without; CC BY-SA 4.0).

Columns read: pid str, question str, decoded_image image, choices list[str] (null for free-form), unit str, precision
float64, answer str (the TEXT of the right choice, or the value), question_type str (multi_choice or free_form),
answer_type str (text, integer, float or list), metadata struct. One invented row in the dataset's own types:

    {"pid": "3", "question": "How tall is the tree?", "image": "images/3.jpg", "choices": None, "unit": "m",
     "decoded_image": {"bytes": b"...", "path": None}, "precision": 1.0, "answer": "4.2", "answer_type": "float",
     "question_type": "free_form", "query": "...", "metadata": {"category": "general-vqa", "context": "natural image",
     "grade": "high school", "img_height": 9, "img_width": 9, "language": "english", "source": "IQTest",
     "skills": ["arithmetic reasoning"], "split": "testmini", "task": "math word problem"}}

The unit joins the question as "(Unit: m)", as in the official evaluation/build_query.py (lupantech/MathVista). There
the answer is first extracted by a language model; a float is then rounded to ``precision`` decimals and compared, which
is a tolerance of half a unit of the last decimal; an integer is cut at its point (3.7 counts as 3) and a text replaced
by the nearest choice in edit distance, neither of which this project does. One choice row of testmini, whose gold is
the text of two choices, is dropped. ``metadata`` may also be JSON text.

Scores: accuracy by the keys of the official evaluation/calculate_score.py. Columns and values verified against the
testmini annotations (golds, types, precision, metadata); the type of the image column is from the dataset card.
"""

from coldstart.grouping import Graded, Score, by
from coldstart.prompts import LETTERS
from coldstart.sources.rows import RowError, image_list, mapping, scalar_text, text, text_list

HUB, CONFIG, SPLIT = "AI4Math/MathVista", None, "testmini"
COLUMNS = [
    "pid", "question", "decoded_image", "choices", "unit", "precision", "answer", "question_type", "answer_type",
    "metadata",
]  # fmt: skip
KEYS = ("task", "skills", "source", "category", "context", "grade", "language", "question_type", "answer_type")
TYPES = {"integer": "integer", "float": "decimal", "list": "list", "text": "text"}


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    options = text_list(row["choices"], "choices") if row["question_type"] == "multi_choice" else []
    if not options and row["answer_type"] not in TYPES:
        raise RowError("unknown_answer_type", f"answer_type {row['answer_type']!r}; known: {', '.join(TYPES)}")
    if options and options.count(answer) != 1:
        raise RowError("bad_gold", f"the gold answer '{answer}' is {options.count(answer)} of the choices")
    question = text(row, "question").strip()
    details = mapping(row["metadata"], "metadata")
    kinds = {"question_type": row["question_type"], "answer_type": row["answer_type"]}
    return {
        "id": scalar_text(row["pid"], "pid"),
        "question": f"{question} (Unit: {row['unit']})" if row["unit"] else question,
        "images": image_list(row["decoded_image"], "decoded_image"),
        "options": options,
        "answer": LETTERS[options.index(answer)] if options else answer,
        "answer_type": "choice" if options else TYPES[row["answer_type"]],
        "tolerance": _tolerance(row["precision"]) if row["answer_type"] == "float" else None,
        "unit": row["unit"] or None,
        "metadata": {**{key: details.get(key) for key in KEYS}, **kinds},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By task, skill and the other official keys; a problem counts under each of its skills."""
    return [score for key in KEYS for score in by(rows, key)]


def _tolerance(precision: float | None) -> float | None:
    """Half a unit of the last decimal."""
    return None if precision is None else 0.5 * 10.0 ** -int(precision)
