"""What filter and score share: match responses to problems, grade them in a pool, and refuse a run of bad rows.

Reads problems (all but images) and responses; the callers write what comes out.
"""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from coldstart.artifacts import PROVENANCE, read_provenance, read_rows
from coldstart.errors import UserError
from coldstart.grading.core import Grade
from coldstart.grading.pool import grade_all
from coldstart.progress import Progress

PROBLEM_COLUMNS = ["id", "source", "question", "options", "answer", "answer_type", "tolerance", "unit"]
RESPONSE_COLUMNS = ["id", "problem_id", "sample_index", "response", "finish_reason", "completion_tokens"]


def read_problems(path: str | Path) -> dict[str, dict]:
    """Problems by id, without their images."""
    problems: dict[str, dict] = {}
    for row in read_rows(path, "problems", PROBLEM_COLUMNS):
        if row["id"] in problems:
            raise UserError(f"{path}: id '{row['id']}' occurs twice; ids must be unique")
        problems[row["id"]] = row
    if not problems:
        raise UserError(f"{path}: no problems in this file")
    return problems


def read_responses(paths: list[str], problems: dict[str, dict], problems_path: str) -> list[dict]:
    """Responses of all files, checked: ids unique, problems known, and every answered problem has all its samples."""
    rows: list[dict] = []
    seen: dict[str, str] = {}
    for path in paths:
        for row in read_rows(path, "responses", RESPONSE_COLUMNS):
            if row["id"] in seen:
                raise UserError(f"{path}: response '{row['id']}' is already in {seen[row['id']]}; give each shard once")
            if row["problem_id"] not in problems:
                raise UserError(
                    f"{path}: response '{row['id']}' answers problem '{row['problem_id']}', which is not in "
                    f"{problems_path}; give the problems that the responses were made from"
                )
            seen[row["id"]] = path
            rows.append(row)
    if not rows:
        raise UserError(f"{', '.join(paths)}: no responses")
    _check_shards(paths)
    _check_samples(rows, paths)
    return rows


def grade_rows(label: str, problems: dict[str, dict], rows: list[dict], grading: dict) -> list[Grade]:
    """A grade a row, in order; raises UserError if too many golds are bad or too many workers were killed."""
    with Progress(label, total=len(rows)) as bar:
        pairs = ((problems[row["problem_id"]], row["response"]) for row in rows)
        grades = grade_all(pairs, grading["timeout"], grading["workers"], bar)
    bad = [(row, grade) for row, grade in zip(rows, grades, strict=True) if is_bad(grade)]
    if len(bad) > grading["max_bad_share"] * len(rows):
        row, grade = bad[0]
        raise UserError(
            f"{len(bad)} of {len(rows)} responses ended as unparseable_gold or timeout, more than "
            f"grading.max_bad_share = {grading['max_bad_share']:g} allows. First: response '{row['id']}', gold "
            f"{problems[row['problem_id']]['answer']!r}: {grade.verdict}, {grade.reason}. "
            "Mend the golds, raise grading.timeout, or allow a larger share"
        )
    return grades


def is_bad(grade: Grade) -> bool:
    """Whether a verdict says nothing about the response."""
    return grade.verdict in ("unparseable_gold", "timeout")


def _check_shards(paths: list[str]) -> None:
    """All shards of a run must be there; files that carry no provenance are taken as they are."""
    given = set()
    for path in paths:
        if PROVENANCE in (pq.read_metadata(path).metadata or {}):
            shard = read_provenance(path)["facts"].get("shard")
            if shard:
                given.add(shard)
    wanted = {f"{n}-of-{shard.split('-')[2]}" for shard in given for n in range(1, int(shard.split("-")[2]) + 1)}
    if wanted != given:
        missing = ", ".join(sorted(wanted - given))
        raise UserError(f"{', '.join(paths)}: shard {missing} is missing; give all shards of one run")


def _check_samples(rows: list[dict], paths: list[str]) -> None:
    samples: dict[str, set[int]] = {}
    for row in rows:
        if row["sample_index"] in samples.setdefault(row["problem_id"], set()):
            raise UserError(f"{', '.join(paths)}: problem '{row['problem_id']}' has sample {row['sample_index']} twice")
        samples[row["problem_id"]].add(row["sample_index"])
    sizes = Counter(len(indices) for indices in samples.values())
    full = max(max(indices) for indices in samples.values()) + 1
    if set(sizes) != {full}:
        problem = next(name for name, indices in samples.items() if len(indices) != full)
        raise UserError(
            f"{', '.join(paths)}: problem '{problem}' has {len(samples[problem])} of {full} samples; "
            "the shards do not cover the run: give all of them, or make the missing one again"
        )
