"""One pass over a file of problems: what the checks need of each row, a few hundred bytes of it, images streamed.

Columns read: all of problems but metadata. Nothing is written.

    with GradingPool(5.0, 2) as pool, Progress("audit", 62) as bar:
        found = scan("train", "results/data/train/problems.parquet", Pictures(), pool, bar)
"""

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from coldstart.artifacts import iter_rows
from coldstart.audit.overlap import tokens
from coldstart.audit.pictures import Picture, Pictures, describe
from coldstart.errors import UserError
from coldstart.grading import GradingPool
from coldstart.grading.normalise import sanitise
from coldstart.progress import Progress

COLUMNS = [
    "id",
    "source",
    "question",
    "images",
    "options",
    "answer",
    "answer_type",
    "tolerance",
    "unit",
    "prompt_tokens",
]
BATCH = 64  # rows held with their images at a time


@dataclass
class Row:
    """What is kept of one problem."""

    id: str
    text: bytes  # hash of question and options, white space, case and look-alike characters aside
    words: tuple[str, ...]
    pictures: tuple[int, ...]  # numbers in Pictures; -1 for an image that cannot be read
    answer: str
    bad_gold: str = ""
    bad_image: str = ""

    @property
    def content(self) -> tuple[bytes, tuple[int, ...]]:
        """What the problem says and shows; equal for the same problem."""
        return self.text, self.pictures


@dataclass
class Scan:
    """One file of problems."""

    name: str
    path: str
    rows: list[Row] = field(default_factory=list)
    answer_types: Counter = field(default_factory=Counter)
    sources: Counter = field(default_factory=Counter)
    prompt_tokens: list[int] = field(default_factory=list)
    images: int = 0


def scan(name: str, path: str, pictures: Pictures, pool: GradingPool, bar: Progress, min_side: int) -> Scan:
    """Read one file; raises UserError if it is empty or an id stands in it twice."""
    found = Scan(name, path)
    places: dict[str, int] = {}
    known: dict[bytes, int | str] = {}  # hash of an encoded image -> its number, or what is wrong with it
    rows = iter_rows(path, "problems", COLUMNS, batch_size=BATCH)
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # Pillow and hashlib work outside Python's lock
        while batch := list(islice(rows, BATCH)):
            for row in batch:
                number = len(places)
                if places.setdefault(row["id"], number) != number:
                    raise UserError(f"{path}: rows {places[row['id']]} and {number}: the same id '{row['id']}'")
            encoded = {_digest(image): image["bytes"] for row in batch for image in row["images"]}
            new = [digest for digest in encoded if digest not in known]
            for digest, picture in zip(new, threads.map(describe, (encoded[d] for d in new)), strict=True):
                known[digest] = pictures.add(picture) if isinstance(picture, Picture) else picture
            found.rows += [_row(row, known, pictures, min_side) for row in batch]
            _grade(batch, found.rows[-len(batch) :], pool, bar)
            found.answer_types.update(row["answer_type"] for row in batch)
            found.sources.update(row["source"] for row in batch)
            found.prompt_tokens += [row["prompt_tokens"] for row in batch]
            found.images += sum(len(row["images"]) for row in batch)
    if not found.rows:
        raise UserError(f"{path}: no problems in this file; look at what the import dropped, beside it")
    return found


def _row(row: dict, known: dict[bytes, int | str], pictures: Pictures, min_side: int) -> Row:
    seen = [known[_digest(image)] for image in row["images"]]
    wrong = ""
    for number, picture in enumerate(seen):
        if isinstance(picture, str):
            wrong = wrong or f"image {number} cannot be read: {picture}"
        elif min(pictures[picture].width, pictures[picture].height) < min_side:
            size = f"{pictures[picture].width}x{pictures[picture].height}"
            wrong = wrong or f"image {number} has {size} pixels; images.min_side is {min_side}"
    text = hashlib.sha256("\0".join(map(_plain, [row["question"], *row["options"]])).encode()).digest()
    numbers = tuple(picture if isinstance(picture, int) else -1 for picture in seen)
    return Row(
        row["id"], text, tokens(row["question"], row["options"]), numbers, _plain(row["answer"]), bad_image=wrong
    )


def _grade(batch: list[dict], rows: list[Row], pool: GradingPool, bar: Progress) -> None:
    """Note every gold that is not graded correct as an answer to its own problem."""
    pairs = [
        ({name: row[name] for name in COLUMNS if name != "images"}, f"\\boxed{{{row['answer']}}}") for row in batch
    ]
    for row, (problem, _), grade in zip(rows, pairs, pool.grade(pairs, bar), strict=True):
        if grade.verdict != "correct":
            gold = f"answer_type {problem['answer_type']}, gold {problem['answer']!r}"
            row.bad_gold = f"{gold}: {grade.verdict}: {grade.reason}"


def _digest(image: dict) -> bytes:
    return hashlib.sha256(image["bytes"] or b"").digest()


def _plain(text: str) -> str:
    return " ".join(sanitise(text).casefold().split())
