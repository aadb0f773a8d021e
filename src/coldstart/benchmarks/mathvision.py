"""MathVision (MathLLMs/MathVision; splits test, 3,040 rows, and testmini, 304 rows; licence MIT).

Columns read: id str, question str, options list[str], decoded_image image, answer str (the option's letter, or a
free-form value), level int64, subject str. One invented row in the dataset's own types:

    {"id": "7", "question": "How many ducks?\\n<image1>", "options": [], "image": "images/7.jpg", "level": 2,
     "decoded_image": {"bytes": b"...", "path": None}, "answer": "4", "solution": None, "subject": "counting"}

A row has one image, which shows all its parts; its text marks them as <image1>, <image2>, ... With several marks they
are kept as words, so that "<image1> fits into <image2>" stays readable. Options A to E that only repeat their letters
stand for parts of the image and are kept. A free-form gold's type is inferred from the gold alone.

Scores: accuracy by subject, by level, and by both, as in the official evaluation/evaluate.py (mathllm/MATH-V), which
counts a letter or the option's own text. Verified against that code and against the Hub's testmini Parquet file.
"""

import re

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import choice_letter, gold_type, image_list, scalar_text, text, text_list

HUB, CONFIG, SPLIT = "MathLLMs/MathVision", None, "test"
COLUMNS = ["id", "question", "options", "decoded_image", "answer", "level", "subject"]
MARK = re.compile(r"<image(\d+)>")


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    options = [_plain(option, keep=True) for option in text_list(row["options"], "options")]
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    question = text(row, "question")
    lettered = not options and re.fullmatch(r"[A-E]", answer) is not None
    kind = "choice" if options or lettered else gold_type(answer)
    return {
        "id": scalar_text(row["id"], "id"),
        "question": _plain(question, keep=len(MARK.findall(question)) > 1),
        "images": image_list(row["decoded_image"], "decoded_image"),
        "options": options,
        "answer": choice_letter(answer, options) if kind == "choice" else answer,
        "answer_type": kind,
        "tolerance": None,
        "unit": None,
        "metadata": {
            "subject": row["subject"],
            "level": row["level"],
            "subject_level": f"{row['subject']} {row['level']}",
        },
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By subject, level and both."""
    return [*by(rows, "subject"), *by(rows, "level"), *by(rows, "subject_level", "subject and level")]


def _plain(question: str, keep: bool) -> str:
    """The text with its image marks taken out, or written as words."""
    return MARK.sub(r"(image \1)" if keep else "", question).strip()
