"""Rows by the config's own column mapping, and rows that are in the problem schema already.

Columns read: those that ``columns`` of the source names (format 'columns'), or those of the problem schema (format
'problems': id, question, images, options, answer, answer_type; tolerance, unit and metadata where present). An
invented row for the default mapping: {"question": "How many cats?", "images": [{"bytes": ...}], "answer": "3"}.
By mapping, the gold is taken out of the answer column by the rules of golds.py; docs/data.md has a mapping a data set.

    coldstart data --config '{"data": {"train": {"mine": {"path": "mine.jsonl"}}}}' --source train ...
"""

from collections.abc import Callable

from coldstart.schemas import ANSWER_TYPES
from coldstart.sources.conversation import question_and_answer
from coldstart.sources.golds import choice_gold, clean_gold, index_gold, infer_type
from coldstart.sources.rows import RowError, choice_letter, image_list, scalar_text, text, text_list
from coldstart.sources.rows import mapping as mapping_of

PROBLEM_COLUMNS = ["id", "question", "images", "options", "answer", "answer_type"]


def mapping(source: dict) -> tuple[list[str], Callable[[dict], dict]]:
    """(columns that must exist, function from a row to problem fields) for one source."""
    columns, default_type = source["columns"], source["answer_type"]
    used = {field: column for field, column in columns.items() if column}
    if "messages" in used:  # the conversation asks, and answers unless a column for that is named
        del used["question"]
        if used["answer"] == "answer":
            del used["answer"]
    if "answer_index" in used:
        used.pop("answer", None)

    def to_problem(row: dict) -> dict:
        values = {field: row.get(column) for field, column in used.items()}
        if "messages" in used:
            question, answered = question_and_answer(values["messages"], used["messages"])
            values.setdefault("answer", answered)
        else:
            question = text(row, used["question"])
        options = text_list(values.get("options"), used.get("options", "options"))
        if "answer_index" in used:
            gold = index_gold(values["answer_index"], options, used["answer_index"])
        else:
            place = used.get("answer") or used["messages"]
            gold = clean_gold(scalar_text(values["answer"], place, why_empty="empty_gold"))
        answer_type = infer_type(gold, options, question) if default_type == "infer" else default_type
        if "answer_type" in used:
            answer_type = _answer_type(values["answer_type"], used["answer_type"])
        return {
            "id": scalar_text(values["id"], used["id"]) if "id" in used else None,
            "question": question,
            "images": image_list(values.get("images"), used.get("images", "images")),
            "options": options,
            "answer": choice_gold(gold, options) if answer_type == "choice" else gold,
            "answer_type": answer_type,
            "tolerance": _number(values.get("tolerance"), used.get("tolerance", "tolerance")),
            "unit": scalar_text(values["unit"], used["unit"]) if values.get("unit") else None,
            "metadata": {},
        }

    return list(used.values()), to_problem


def from_problem(row: dict) -> dict:
    """A row of the problem schema; lengths are measured anew."""
    answer_type = _answer_type(row["answer_type"], "answer_type")
    options = text_list(row["options"], "options")
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    return {
        "id": scalar_text(row["id"], "id"),
        "question": text(row, "question"),
        "images": image_list(row["images"], "images"),
        "options": options,
        "answer": choice_letter(answer, options) if answer_type == "choice" else answer,
        "answer_type": answer_type,
        "tolerance": _number(row.get("tolerance"), "tolerance"),
        "unit": scalar_text(row["unit"], "unit") if row.get("unit") else None,
        "metadata": {} if row.get("metadata") is None else mapping_of(row["metadata"], "metadata"),
    }


def _answer_type(value: object, column: str) -> str:
    if not isinstance(value, str) or value not in ANSWER_TYPES:
        raise RowError("unknown_answer_type", f"column '{column}' holds {value!r}; known: {', '.join(ANSWER_TYPES)}")
    return value


def _number(value: object, column: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError("wrong_type", f"column '{column}' holds {value!r}, not a number")
    return float(value)
