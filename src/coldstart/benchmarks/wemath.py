"""We-Math (We-Math/We-Math; split testmini, 1,740 rows: 360 two-step and 165 three-step groups; CC BY-NC 4.0).

Columns read: ID str (the group), question str, option str (all options in one text), answer str (letter), image_path
image, key str (the step within its group), "knowledge concept" str. One invented row in the dataset's own types:

    {"ID": "2steps_9", "split": "testmini", "knowledge concept": "Angles", "question": "The angle is ( )",
     "option": "A. 30;B. 60; C. No correct answer", "answer": "B", "image_path": {"bytes": b"...", "path": None},
     "key": "2steps_1", "question number": 9, "knowledge concept description": "..."}

A group has one row a step and one for the whole problem ("..._multi"), so the id joins ID and key.

Scores, as in the official evaluation/four_dimensional_metrics.py (We-Math/We-Math), for every group with all its rows:

    IK  insufficient knowledge      some step wrong, whole problem wrong
    IG  inadequate generalization   all steps right, whole problem wrong
    CM  complete mastery            whole problem right, and all steps (strict) or any step (loose) right
    RM  rote memorization           whole problem right, and some step (strict) or every step (loose) wrong
    score                           (groups - IG / 2 - RM - IK) / groups

IK, IG and CM are shares of the groups; RM is reported as RM / (CM + RM), as there. The official code divides by 525,
the number of groups of testmini; here it is the number of groups that are complete. Beside them stands plain accuracy
by kind of step (one_step, two_step, three_step). Verified against that code and the Hub's testmini Parquet file.
"""

import re

from coldstart.grouping import Graded, Score, by, groups, per_run
from coldstart.prompts import LETTERS
from coldstart.sources.rows import RowError, choice_letter, image_list, scalar_text, text

HUB, CONFIG, SPLIT = "We-Math/We-Math", None, "testmini"
CLUSTER = "group"
COLUMNS = ["ID", "question", "option", "answer", "image_path", "key", "knowledge concept"]
# an option starts at the beginning or after a semicolon or line break: "A. 300, 400;B. 400, 300; C. ..."
START = re.compile(r"(?:^|[;\n])\s*([A-Z])\s*[.:)]\s*")


def to_problem(row: dict) -> dict:
    """Problem fields of one row."""
    options = split_options(text(row, "option"))
    answer = scalar_text(row["answer"], "answer", why_empty="empty_gold")
    group, step = scalar_text(row["ID"], "ID"), scalar_text(row["key"], "key")
    return {
        "id": f"{group}-{step}",
        "question": text(row, "question").strip(),
        "images": image_list(row["image_path"], "image_path"),
        "options": options,
        "answer": choice_letter(answer, options),
        "answer_type": "choice",
        "tolerance": None,
        "unit": None,
        "metadata": {"group": group, "step": step, "kind": _kind(step), "concept": row["knowledge concept"]},
    }


def breakdowns(rows: list[Graded]) -> list[Score]:
    """Strict and loose four-way scores over complete groups, and accuracy by kind of step."""
    complete = {group: steps for group, found in groups(rows, "group").items() if (steps := _in_order(found))}
    parts = {group: _parts(steps) for group, steps in complete.items()}
    ones = dict.fromkeys(parts, 1.0)
    scores = [*by(rows, "kind", "step")]
    for mode in ("strict", "loose"):
        mastery, rote = f"CM {mode}", f"RM {mode}"
        score = {group: part[mastery] + part["IG"] / 2 for group, part in parts.items()}
        scores.append(Score(mode, "score", score, ones, len(parts)))
        for value in ("IK", "IG"):
            scores.append(Score(mode, value, {group: part[value] for group, part in parts.items()}, ones, len(parts)))
        mastered = {group: part[mastery] for group, part in parts.items()}
        memorised = {group: part[rote] for group, part in parts.items()}
        solved = {group: mastered[group] + memorised[group] for group in parts}
        scores.append(Score(mode, "CM", mastered, ones, len(parts)))
        scores.append(Score(mode, "RM", memorised, solved, len(parts)))
    return scores


def _in_order(found: list[Graded]) -> list[Graded] | None:
    """A group's steps in order and its whole problem last; None if one of them is not there."""
    by_step = {row.metadata["step"]: row for row in found}
    count = next((int(step[0]) for step in by_step if re.match(r"\d+steps_", step)), 0)
    wanted = [f"{count}steps_{part}" for part in (*range(1, count + 1), "multi")]
    return [by_step[step] for step in wanted] if count and set(wanted) == set(by_step) else None


def _parts(steps: list[Graded]) -> dict[str, float]:
    """The four conditions of one group, each as a share of the runs."""
    return {
        "IK": per_run(steps, lambda right: not right[-1] and not all(right[:-1])),
        "IG": per_run(steps, lambda right: not right[-1] and all(right[:-1])),
        "CM strict": per_run(steps, lambda right: right[-1] and all(right[:-1])),
        "CM loose": per_run(steps, lambda right: right[-1] and any(right[:-1])),
        "RM strict": per_run(steps, lambda right: right[-1] and not all(right[:-1])),
        "RM loose": per_run(steps, lambda right: right[-1] and not any(right[:-1])),
    }


def _kind(step: str) -> str:
    """one_step for a step of a problem, two_step and three_step for the whole one."""
    return {"2steps_multi": "two_step", "3steps_multi": "three_step"}.get(step, "one_step")


def split_options(option: str) -> list[str]:
    """The options of one text, in order; raises RowError if their letters do not run A, B, C, ..."""
    starts = list(START.finditer(option))
    ends = [match.start() for match in starts][1:] + [len(option)] * bool(starts)
    letters = "".join(match[1] for match in starts)
    texts = [option[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
    if not starts or letters != LETTERS[: len(starts)] or starts[0].start() != 0 or not all(texts):
        raise RowError("bad_options", f"options cannot be told apart in {option[:80]!r}")
    return texts
