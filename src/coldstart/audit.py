"""Check the data before anything is spent on it: bad golds, and benchmarks that overlap the training set.

Reads problems (all but metadata) of the training set and of every benchmark, streamed; writes one JSON summary.
A gold is good if ``\\boxed{gold}`` is graded correct. Two rows overlap if they have the same id, or the same question
(white space, case and look-alike characters aside), options and images (decoded pixels).

    coldstart audit --config config.yaml --train results/data/train/problems.parquet \\
        --benchmark choice=results/data/benchmarks/choice/problems.parquet --output results/audit/summary.json
"""

import argparse
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass, field

from PIL import Image, UnidentifiedImageError

from coldstart import provenance
from coldstart.artifacts import count_rows, iter_rows, write_text
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.grading import GRADER_VERSION, GradingPool
from coldstart.grading.normalise import sanitise
from coldstart.progress import Progress

COLUMNS = ["id", "question", "images", "options", "answer", "answer_type", "tolerance", "unit"]
SHOWN = 20  # ids listed in the summary
BATCH = 256


@dataclass
class Audited:
    """What one data set was found to hold."""

    path: str
    rows: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)  # content hash -> first id
    duplicates: list[str] = field(default_factory=list)
    bad_golds: list[dict] = field(default_factory=list)
    answer_types: Counter = field(default_factory=Counter)

    def summary(self) -> dict:
        """The part that is written."""
        return {
            "path": self.path,
            "rows": self.rows,
            "answer_types": dict(self.answer_types),
            "bad_golds": len(self.bad_golds),
            "first_bad_golds": self.bad_golds[:SHOWN],
            "duplicates": len(self.duplicates),
            "first_duplicates": self.duplicates[:SHOWN],
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses grading")
    parser.add_argument("--train", required=True, help="the training problems")
    parser.add_argument("--benchmark", action="append", default=[], metavar="NAME=FILE", help="a benchmark; repeatable")
    parser.add_argument("--output", required=True, help="output: the summary as JSON")


def run(args: argparse.Namespace) -> None:
    """Audit the training set and every benchmark; raises UserError where the run should not go on."""
    config = load_config(args.config, "audit")
    benchmarks = dict(parse_benchmark(text) for text in args.benchmark)
    record = provenance.start("audit", config, {"train": args.train, **benchmarks})
    grading = config["grading"]
    total = sum(count_rows(path, "problems") for path in [args.train, *benchmarks.values()])
    with GradingPool(grading["timeout"], grading["workers"]) as pool, Progress("audit", total) as bar:
        train = audit_file(args.train, pool, bar)
        check_golds("train", train, grading["max_bad_share"])
        found = {}
        for name, path in benchmarks.items():
            found[name] = audit_file(path, pool, bar)
            check_golds(name, found[name], grading["max_bad_share"])
            check_overlap(name, found[name], train)
    summary = {
        "train": train.summary(),
        "benchmarks": {name: {**audited.summary(), "overlap_with_train": 0} for name, audited in found.items()},
        "provenance": provenance.finish(record, grader=GRADER_VERSION, rows=total),
    }
    write_text(args.output, json.dumps(summary, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    for name, audited in {"train": train, **found}.items():
        print(f"{name}: {audited.rows} rows, {len(audited.bad_golds)} bad golds, {len(audited.duplicates)} duplicates")


def parse_benchmark(text: str) -> tuple[str, str]:
    """``NAME=FILE`` in its parts."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UserError(f"--benchmark {text}: expected NAME=FILE, as in choice=problems.parquet")
    return name, path


def audit_file(path: str, pool: GradingPool, bar: Progress) -> Audited:
    """Read one problem file row by row and grade every gold against itself."""
    audited = Audited(path)
    batch: list[dict] = []
    for row in iter_rows(path, "problems", COLUMNS, batch_size=BATCH):
        if row["id"] in audited.ids:
            raise UserError(f"{path}: rows {audited.ids[row['id']]} and {audited.rows}: the same id '{row['id']}'")
        audited.ids[row["id"]] = audited.rows
        key = content_key(row, path)
        if audited.contents.setdefault(key, row["id"]) != row["id"]:
            audited.duplicates.append(row["id"])
        audited.answer_types[row["answer_type"]] += 1
        audited.rows += 1
        batch.append({name: row[name] for name in COLUMNS if name != "images"})
        if len(batch) == BATCH:
            _grade_golds(batch, audited, pool, bar)
            batch = []
    _grade_golds(batch, audited, pool, bar)
    if not audited.rows:
        raise UserError(f"{path}: no problems in this file; look at what the import dropped, beside it")
    return audited


def content_key(row: dict, path: str) -> str:
    """A hash of what a row shows to a reader: its question, options and decoded images."""
    digest = hashlib.sha256(_words(row["question"]).encode())
    for option in row["options"]:
        digest.update(b"\0option\0" + _words(option).encode())
    for number, image in enumerate(row["images"]):
        digest.update(b"\0image\0" + pixel_hash(image["bytes"], f"{path}: row '{row['id']}', image {number}"))
    return digest.hexdigest()


def pixel_hash(data: bytes | None, where: str) -> bytes:
    """A hash of an image's pixels, whatever file format holds them."""
    try:
        with Image.open(io.BytesIO(data or b"")) as image:
            pixels = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{where}: not a readable image ({error}); import the data again") from error
    return hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes()).digest()


def check_golds(name: str, audited: Audited, max_bad_share: float) -> None:
    """Raise UserError if more golds than allowed do not grade themselves correct."""
    if len(audited.bad_golds) > max_bad_share * audited.rows:
        first = audited.bad_golds[0]
        raise UserError(
            f"{audited.path}: {len(audited.bad_golds)} of {audited.rows} golds of {name} cannot be graded, more than "
            f"grading.max_bad_share = {max_bad_share:g} allows. First: row {first['row']}, id '{first['id']}', "
            f"answer_type {first['answer_type']}, gold {first['gold']!r}: {first['reason']}. "
            "Correct the answer or its answer_type in the source, or leave the row out"
        )


def check_overlap(name: str, audited: Audited, train: Audited) -> None:
    """Raise UserError if a benchmark shares rows with the training set."""
    same = {first for key, first in audited.contents.items() if key in train.contents}
    same |= audited.ids.keys() & train.ids.keys()
    if same:
        first = sorted(same, key=audited.ids.__getitem__)[:5]
        raise UserError(
            f"{audited.path}: {len(same)} rows of benchmark '{name}' are also in the training set {train.path} "
            f"(first ids: {', '.join(first)}). Remove them from data.train, or take another split or seed"
        )


def _grade_golds(batch: list[dict], audited: Audited, pool: GradingPool, bar: Progress) -> None:
    pairs = [(row, f"\\boxed{{{row['answer']}}}") for row in batch]
    for row, grade in zip(batch, pool.grade(pairs, bar), strict=True):
        if grade.verdict != "correct":
            audited.bad_golds.append(
                {
                    "row": audited.ids[row["id"]],
                    "id": row["id"],
                    "answer_type": row["answer_type"],
                    "gold": row["answer"],
                    "reason": f"{grade.verdict}: {grade.reason}",
                }
            )


def _words(text: str) -> str:
    return " ".join(sanitise(text).casefold().split())
