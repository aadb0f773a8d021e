"""Rows of CSV, TSV and JSON files.

CSV cells are text, an empty one is no value; a cell that starts with ``[`` or ``{`` and is JSON is taken as that JSON,
so that a cell can hold several options or images: ``["a.png", "b.png"]``. The first line names the columns. A JSON file
holds one list of objects, as LLaMA-Factory's data sets do, and is read whole.

    from coldstart.sources.sheets import open_csv
    columns, rows = open_csv(Path("mine.csv"))
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from coldstart.errors import UserError
from coldstart.sources.rows import Drop

MAX_CELL = 1 << 28  # characters: an image as base64 passes the reader's own limit of 131,072


def open_csv(path: Path) -> tuple[list[str], Iterator[tuple[int, dict | Drop]]]:
    """(columns, rows numbered from 0) of a CSV or TSV file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        columns = next(_reader(file, path), [])
    return columns, _csv_rows(path, columns)


def open_json(path: Path) -> tuple[list[str], Iterator[tuple[int, dict | Drop]]]:
    """(columns of the first object, rows numbered from 0) of a JSON file; raises UserError if it holds no list."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not a JSON file ({error}); one object a line belongs in a .jsonl file") from error
    if not isinstance(rows, list):
        raise UserError(f"{path}: a list of objects was expected, not {type(rows).__name__}")
    bad = "a JSON object was expected, not {}"
    checked = [row if isinstance(row, dict) else Drop("bad_json", bad.format(type(row).__name__)) for row in rows]
    return next((list(row) for row in checked if isinstance(row, dict)), []), iter(enumerate(checked))


def _reader(file, path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_CELL)
    return csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")


def _csv_rows(path: Path, columns: list[str]) -> Iterator[tuple[int, dict | Drop]]:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = _reader(file, path)
        next(lines, None)
        for number, cells in enumerate(line for line in lines if line):
            if len(cells) != len(columns):
                yield number, Drop("bad_csv", f"{len(cells)} cells, but the first line names {len(columns)} columns")
            else:
                yield number, dict(zip(columns, map(_value, cells), strict=True))


def _value(cell: str) -> object:
    if not cell:
        return None
    if cell[0] in "[{":
        try:
            return json.loads(cell)
        except json.JSONDecodeError:  # a text that only begins like JSON: "[1, 2) is the interval"
            return cell
    return cell
