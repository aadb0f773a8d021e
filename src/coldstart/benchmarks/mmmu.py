"""MMMU (lmms-lab/MMMU, one config with all subjects; splits dev 150, validation 900, test 10,500 without golds).

Licence Apache-2.0 (MMMU/MMMU). Columns read: id str, question str (with marks <image 1>, <image 2>, ...), options str
(a Python list as text, "[]" if open), image_1 .. image_7 image, answer str (letter, value, or a list of values as
text), question_type str (multiple-choice or open), subfield str, topic_difficulty str. One invented row in the
dataset's own types:

    {"id": "validation_Art_5", "question": "Who painted <image 1>?", "options": "['Monet', \\"O'Keeffe\\"]",
     "explanation": "", "image_1": {"bytes": b"...", "path": None}, "image_2": None, ..., "image_7": None,
     "img_type": "['Paintings']", "answer": "A", "topic_difficulty": "Easy", "question_type": "multiple-choice",
     "subfield": "Painting"}

Every mark in question and options becomes <image>, and the images follow in the marks' order, one that is marked twice
twice; an image without a mark comes first. Of an open gold with several accepted values (3 of the 900) the first
counts.

Scores: accuracy by subject (part of the id), by the six disciplines, and over all problems, as in the official
eval/main_eval_only.py and data_utils.py (MMMU-Benchmark/MMMU). That code guesses a letter at random where it finds none
and accepts an open gold anywhere in the response; here neither counts. Verified: that code, its answer_dict_val.json
(847 choices, 53 open), the columns and types of the dataset card; rows with images were not seen.
"""

import ast
import re

from coldstart.grouping import Graded, Score, by
from coldstart.prompts import IMAGE_MARK
from coldstart.sources.rows import RowError, choice_letter, gold_type, image_list, scalar_text, text, text_list

HUB, CONFIG, SPLIT = "lmms-lab/MMMU", None, "validation"
IMAGES = [f"image_{number}" for number in range(1, 8)]
COLUMNS = ["id", "question", "options", *IMAGES, "answer", "question_type", "subfield", "topic_difficulty"]
MARK = re.compile(r"<image (\d)>")
DISCIPLINES = {
    "Art and Design": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Science": "Biology Chemistry Geography Math Physics",
    "Health and Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy "
    "Public_Health",
    "Humanities and Social Science": "History Literature Sociology Psychology",
    "Tech and Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power "
    "Materials Mechanical_Engineering",
}
DISCIPLINE = {subject: name for name, subjects in DISCIPLINES.items() for subject in subjects.split()}


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    name = scalar_text(row["id"], "id")
    subject = "_".join(name.split("_")[1:-1])
    choice = row["question_type"] == "multiple-choice"
    options = text_list(_literal(row["options"], "options"), "options") if choice else []
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    if not choice and answer.startswith("["):
        answer = text_list(_literal(answer, "answer"), "answer")[0]
    question, options, images = _with_images(row, text(row, "question").strip(), options)
    return {
        "id": name,
        "question": question,
        "images": images,
        "options": options,
        "answer": choice_letter(answer, options) if choice else answer,
        "answer_type": "choice" if choice else gold_type(answer),
        "tolerance": None,
        "unit": None,
        "metadata": {
            "subject": subject,
            "discipline": DISCIPLINE.get(subject),
            "difficulty": row["topic_difficulty"],
            "subfield": row["subfield"],
        },
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """By discipline, subject and difficulty."""
    return [*by(rows, "discipline"), *by(rows, "subject"), *by(rows, "difficulty")]


def _with_images(row: dict, question: str, options: list[str]) -> tuple[str, list[str], list]:
    """(question, options, images): marks as this project writes them, images in their order."""
    marked = [f"image_{number}" for number in MARK.findall("\n".join([question, *options]))]
    found = {name: image_list(row[name], name) for name in IMAGES}
    missing = next((name for name in marked if not found.get(name)), None)
    if missing:
        raise RowError("missing_image", f"the text marks {missing}, but that column is empty")
    first = [name for name in IMAGES if found[name] and name not in marked]
    question = IMAGE_MARK * len(first) + MARK.sub(IMAGE_MARK, question)
    options = [MARK.sub(IMAGE_MARK, option) for option in options]
    return question, options, [found[name][0] for name in [*first, *marked]]


def _literal(value: object, column: str) -> object:
    """A Python literal written as text."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError) as error:
        raise RowError("bad_options", f"column '{column}' holds no Python list: {error}") from error
