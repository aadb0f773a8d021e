r"""Geometry3K (hiyouga/geometry3k; splits train 2,101, validation 300, test 601 rows; licence MIT).

Columns read: images list[image], problem str (with <image> where the image stands), answer str (the value), and id if
there is one (int64). Newer versions also have choices and ground_truth (a letter), which are not read. One invented row
in the dataset's own types:

    {"images": [{"bytes": b"...", "path": None}], "problem": "<image>Find x.", "answer": "6 \\sqrt { 3 }"}

The gold is free-form, as in EasyR1's and the paper's use of this set; its type is inferred from the gold alone. The
official Geometry3K task (lupantech/InterGPS) is a choice of four and is not comparable. There is no official breakdown:
accuracy is shown by type of answer. Verified: columns, types, splits and licence of the dataset card. Not verified:
rows.
"""

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import gold_type, image_list, scalar_text, text

HUB, CONFIG, SPLIT = "hiyouga/geometry3k", None, "test"
COLUMNS = ["images", "problem", "answer"]


def to_problem(row: dict) -> dict:
    """Problem fields of one row; without an id column the id is a hash of the content."""
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    kind = gold_type(answer)
    return {
        "id": None if row.get("id") is None else scalar_text(row["id"], "id"),
        "question": text(row, "problem").strip(),
        "images": image_list(row["images"], "images"),
        "options": [],
        "answer": answer,
        "answer_type": kind,
        "tolerance": None,
        "unit": None,
        "metadata": {"answer_type": kind},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By type of answer."""
    return by(rows, "answer_type")
