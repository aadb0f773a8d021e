"""DynaMath (DynaMath/DynaMath_Sample; splits sample_variant1 to sample_variant10, 501 rows each; Apache-2.0).

The same 501 seed questions with other numbers, shapes and colours in each split; all ten are read. Columns read: id str
(the seed question), question str (with its choices), decoded_image image, ground_truth str, answer_type str (float,
int, multiple choice or text), subject str, knowledge_level str. One invented row in the dataset's own types:

    {"id": "7", "question": "Is f even? Choices: (A) Yes (B) No", "image": "images/7.png", "ground_truth": "A",
     "decoded_image": {"bytes": b"...", "path": None}, "answer_type": "multiple choice", "subject": "algebra",
     "knowledge_level": "high school"}

Numbers have the official tolerance of 0.001 (evaluation/opensource_json_eval.py, DynaMath/DynaMath); a text gold counts
there if it occurs anywhere in the short answer, here if it is the answer. Choices stay in the question.

Scores: average accuracy, worst case (the share of seed questions with every variant right) and their ratio, the
reasoning robustness, over all and by subject and level, as defined in the paper (arXiv 2411.00836). Seed questions are
resampled with all their variants; a variant that was dropped does not count against its seed. Verified: that code, the
golds and types of the official dataset/dataset.json (one variant), the columns, types, splits and files of the dataset
card. Not verified: that ids agree between the splits.
"""

from coldstart.grouping import Graded, Score, by, groups, per_run
from coldstart.sources.rows import RowError, choice_letter, image_list, scalar_text, text

VARIANTS = 10
HUB, CONFIG = "DynaMath/DynaMath_Sample", None
SPLIT = "+".join(f"sample_variant{number}" for number in range(1, VARIANTS + 1))
CLUSTER = "seed_question"
COLUMNS = ["id", "question", "decoded_image", "ground_truth", "answer_type", "subject", "knowledge_level"]
TYPES = {"float": "decimal", "int": "decimal", "multiple choice": "choice", "text": "text", "single answer": "text"}


def to_problem(row: dict) -> dict:
    """Problem fields of one row; ``split`` is the split it was read from."""
    kind = TYPES.get(row["answer_type"])
    if kind is None:
        raise RowError("unknown_answer_type", f"answer_type {row['answer_type']!r}; known: {', '.join(TYPES)}")
    answer = scalar_text(row["ground_truth"], "ground_truth", why_empty="empty_gold")
    seed = scalar_text(row["id"], "id")
    return {
        "id": f"{seed}-{row['split']}" if row.get("split") else seed,
        "question": text(row, "question").strip(),
        "images": image_list(row["decoded_image"], "decoded_image"),
        "options": [],
        "answer": choice_letter(answer, []) if kind == "choice" else answer,
        "answer_type": kind,
        "tolerance": 0.001 if kind == "decimal" else None,
        "unit": None,
        "metadata": {
            "seed_question": seed,
            "variant": row.get("split"),
            "subject": " ".join((row["subject"] or "").split()) or None,
            "level": row["knowledge_level"],
        },
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """Worst case and robustness over all, by subject and by level; accuracy by subject, level and variant."""
    scores = _worst(rows, "all")
    for key in ("subject", "level"):
        scores += by(rows, key)
        for value, found in groups(rows, key).items():
            scores += _worst(found, value)
    return [*scores, *by(rows, "variant")]


def _worst(rows: list[Graded], value: str) -> list[Score]:
    seeds = groups(rows, "seed_question")
    worst = {seed: per_run(found, all) for seed, found in seeds.items()}
    average = {seed: sum(row.accuracy for row in found) / len(found) for seed, found in seeds.items()}
    ones = dict.fromkeys(seeds, 1.0)
    return [
        Score("worst case", value, worst, ones, len(seeds)),
        Score("robustness", value, worst, average, len(seeds)),
    ]
