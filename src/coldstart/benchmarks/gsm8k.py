"""GSM8K (openai/gsm8k, config main; splits train 7,473, test 1,319 rows; licence MIT): text only.

A check that language reasoning was not lost. Columns read: question str, answer str (a solution that ends in "####" and
the number). One invented row in the dataset's own types:

    {"question": "Ann has 1,000 pens and buys 200. How many has she?", "answer": "1000 + 200 = <<1000+200=1200>>1200\\n#### 1,200"}

The official grade-school-math code compares the number behind "####" without commas, exactly. There is no official
breakdown; accuracy is shown by the number of calculation marks (<<...>>) of the solution, a measure of its length.
Verified: the 1,319 rows of the test file.
"""  # noqa: E501

import re

from coldstart.grouping import Graded, Score, by
from coldstart.sources.rows import RowError, gold_type, text

HUB, CONFIG, SPLIT = "openai/gsm8k", "main", "test"
COLUMNS = ["question", "answer"]
GOLD = re.compile(r"####\s*(-?[\d,.]+)\s*$")


def to_problem(row: dict) -> dict:
    """Problem fields of one row; there is no id column, so the id is a hash of the content."""
    solution = text(row, "answer")
    gold = GOLD.search(solution)
    if gold is None:
        raise RowError("bad_gold", f"the answer does not end in '#### number': {solution[-40:]!r}")
    answer = gold[1].replace(",", "")
    return {
        "id": None,
        "question": text(row, "question").strip(),
        "images": [],
        "options": [],
        "answer": answer,
        "answer_type": gold_type(answer),
        "tolerance": None,
        "unit": None,
        "metadata": {"steps": solution.count("<<")},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By number of calculations."""
    return by(rows, "steps")
