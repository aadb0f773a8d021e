"""MathVerse (AI4Math/MathVerse; config and split testmini, 3,940 rows: 788 problems in 5 versions; licence MIT).

The same 788 problems as text alone are config and split testmini_text_only; they do not count in the official score.
Columns read: sample_index str, problem_index str, problem_version str, question str, image image (an empty text in
testmini_text_only), answer str, question_type str (multi-choice or free-form), metadata struct. One invented row in the
dataset's own types:

    {"sample_index": "6", "problem_index": "2", "problem_version": "Text Dominant", "question": "As shown, angle A = 40.
     Angle B is ()\\nChoices:\\nA:40\\nB:50", "image": {"bytes": b"...", "path": None}, "answer": "B",
     "question_type": "multi-choice", "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry",
     "subfield": "Angle"}, "query_wo": "...", "query_cot": "...", "question_for_eval": "..."}

Choices stand in the question and become options where their letters run A, B, ... at line starts. The version "Vision
Only" has its question and choices in the image and an empty text. Golds with a unit or a name ("Area $=9.4 cm^2$") keep
them; if they state a decimal, they are compared as one.

Scores: accuracy by problem version, their mean, by subject and subfield; "all" pools the five versions, as in the
official evaluation/score_answer_s2.py (ZrrSkywalker/MathVerse). There is no official rule for single answers: there a
language model extracts and judges them. Problems are resampled with all their versions. Verified: that code, the
README, and the real rows of testmini_text_only (788: all free-form golds grade themselves correct; two rows with two
right letters are dropped). Not verified: the Parquet type of the columns (taken from those rows), and that the text
of "Vision Only" is empty; one that is not would be asked as it stands.
"""

import re

from coldstart.grading.normalise import parse_number
from coldstart.grouping import Graded, Score, accuracy, by, groups
from coldstart.prompts import LETTERS
from coldstart.sources.rows import RowError, choice_letter, gold_type, image_list, mapping, scalar_text

HUB, CONFIG, SPLIT = "AI4Math/MathVerse", "testmini", "testmini"
CLUSTER = "problem"
COLUMNS = [
    "sample_index", "problem_index", "problem_version", "question", "image", "answer", "question_type", "metadata",
]  # fmt: skip
CHOICES = re.compile(r"\n\s*Choices?:\s*\n")
LINE = re.compile(r"(?:^|\n)\s*([A-Z])\s*[:.]")
IN_IMAGE = {
    "multi-choice": "Answer the question shown in the image with the letter of the right choice.",
    "free-form": "Answer the question shown in the image.",
}


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    kind = row["question_type"]
    if kind not in IN_IMAGE:
        raise RowError("unknown_answer_type", f"question_type {kind!r}; known: {', '.join(IN_IMAGE)}")
    question, options = split_choices((row["question"] or "").strip())
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    details = mapping(row["metadata"], "metadata")
    return {
        "id": scalar_text(row["sample_index"], "sample_index"),
        "question": question or IN_IMAGE[kind],
        "images": image_list(row["image"] or None, "image"),
        "options": options,
        "answer": choice_letter(answer, options) if kind == "multi-choice" else answer,
        "answer_type": "choice" if kind == "multi-choice" else _free_type(answer),
        "tolerance": None,
        "unit": None,
        "metadata": {
            "problem": scalar_text(row["problem_index"], "problem_index"),
            "version": row["problem_version"],
            **{key: details.get(key) for key in ("subject", "subfield", "source")},
        },
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By version, the mean of the versions, by subject and subfield."""
    sizes = {version: len(found) for version, found in groups(rows, "version").items()}
    mean = accuracy(rows, "version", "(mean)", weight=lambda row: 1 / sizes[str(row.metadata["version"])])
    return [*by(rows, "version"), mean, *by(rows, "subject"), *by(rows, "subfield")]


def split_choices(question: str) -> tuple[str, list[str]]:
    """(question, choices); no choices if their letters do not run A, B, ... or one of them is empty."""
    stem, *rest = CHOICES.split(question)
    starts = list(LINE.finditer(rest[0])) if len(rest) == 1 else []
    ends = [*[match.start() for match in starts][1:], len(rest[0])] if starts else []
    texts = [rest[0][match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
    in_order = "".join(match[1] for match in starts) == LETTERS[: len(starts)]
    return (stem.strip(), texts) if len(starts) > 1 and in_order and all(texts) else (question, [])


def _free_type(answer: str) -> str:
    number = parse_number(answer)
    return "decimal" if number is not None and number.decimals else gold_type(answer)
