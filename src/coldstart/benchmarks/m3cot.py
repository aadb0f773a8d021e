"""M3CoT (LightChen2333/M3CoT; splits train 7,863, validation 1,108, test 2,318 rows; CC BY-SA 4.0).

Columns read: id str, question str, choices list[str], context str (may be empty), answer str (letter), image image,
domain str, topic str. One invented row in the dataset's own types:

    {"id": "geometry-1", "category": "Shapes", "image_id": "12", "question": "Which shape is round?",
     "choices": ["a square", "a circle"], "context": "", "answer": "B", "rationale": "...", "split": "test",
     "image": {"bytes": b"...", "path": None}, "domain": "mathematics", "topic": "geometry"}

A context stands before the question, as in the official utils/data.py (LightChen233/M3CoT). Scores: accuracy by domain
and by topic, as in the official utils/metric.py, which takes the last letter in brackets, else the last choice whose
text occurs anywhere in the response; here only an explicit statement counts. Verified: that code, the columns and types
of the dataset card, and question, choices, answer, domain and topic of real rows in the official outputs.
"""

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import choice_letter, image_list, scalar_text, text, text_list

HUB, CONFIG, SPLIT = "LightChen2333/M3CoT", None, "test"
COLUMNS = ["id", "question", "choices", "context", "answer", "image", "domain", "topic"]


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    options = text_list(row["choices"], "choices")
    parts = [(row["context"] or "").strip(), text(row, "question").strip()]
    return {
        "id": scalar_text(row["id"], "id"),
        "question": "\n".join(part for part in parts if part),
        "images": image_list(row["image"], "image"),
        "options": options,
        "answer": choice_letter(scalar_text(row["answer"], "answer", why_empty="empty_gold"), options),
        "answer_type": "choice",
        "tolerance": None,
        "unit": None,
        "metadata": {"domain": row["domain"], "topic": row["topic"]},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By domain and topic."""
    return [*by(rows, "domain"), *by(rows, "topic")]
