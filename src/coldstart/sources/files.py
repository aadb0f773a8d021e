"""Rows of a local Parquet or JSONL file, of a folder of them as the Hub serves it, or of a saved dataset; streamed.

A folder's rows carry the split they are from under "split", unless they have such a column.

from coldstart.sources.files import open_files
columns, rows = open_files(Path("data/"), "data.train.mine.path")
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coldstart.errors import UserError
from coldstart.folders import is_saved, local_files, source_files
from coldstart.sources.rows import Drop
from coldstart.sources.sheets import open_csv, open_json

BATCH = 64


def open_files(
    path: Path, place: str, config: str | None = None, split: str | None = None
) -> tuple[list[str], Iterator[tuple[int, dict | Drop]]]:
    """(columns, rows numbered from 0) of ``path``; ``place`` is the source's key in the config, for messages."""
    if path.is_dir() and is_saved(path):
        from coldstart.sources.hub import open_saved

        return open_saved(path, split, place)
    if path.is_dir():
        return _folder(local_files(path, config, split, place), place)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file or folder (from {place}.path in the config). Correct it, or leave it out to "
            "read the data set from the Hub; `coldstart fetch` fetches that ahead"
        )
    if path.suffix == ".parquet":
        return _columns([path]), _parquet_rows([path])
    if path.suffix in (".jsonl", ".ndjson"):
        return _json_columns(path), _json_rows(path)
    if path.suffix in (".csv", ".tsv"):
        return open_csv(path)
    if path.suffix == ".json":
        return open_json(path)
    raise UserError(
        f"{path}: unknown kind of file; give .parquet, .jsonl, .json, .csv or .tsv, or a folder ({place}.path)"
    )


def expected_rows(path: Path, config: str | None = None, split: str | None = None) -> int:
    """Number of rows of ``path``, for a progress bar; 0 if only reading will tell."""
    if not path.exists():
        return 0
    return sum(map(_count, source_files(path, config, split, "source")))


def _count(path: Path) -> int:
    if path.suffix in (".jsonl", ".ndjson"):
        with open(path, "rb") as file:
            return sum(1 for line in file if line.strip())
    return pq.read_metadata(path).num_rows if path.suffix == ".parquet" else 0


def _folder(files: list[tuple[str | None, Path]], place: str) -> tuple[list[str], Iterator[tuple[int, dict | Drop]]]:
    """(columns, rows) of several files, numbered through."""
    columns = _columns([path for _, path in files]) if all(path.suffix == ".parquet" for _, path in files) else None
    return columns or open_files(files[0][1], place)[0], _split_rows(files, place)


def _split_rows(files: list[tuple[str | None, Path]], place: str) -> Iterator[tuple[int, dict | Drop]]:
    number = 0
    for split, path in files:
        for _, row in open_files(path, place)[1]:
            yield number, {"split": split, **row} if split and isinstance(row, dict) else row
            number += 1


def _columns(files: list[Path]) -> list[str]:
    first = _schema(files[0])
    for file in files[1:]:
        missing = set(first) - set(_schema(file))
        if missing:
            raise UserError(f"{file}: column '{sorted(missing)[0]}' of {files[0].name} is missing in this file")
    return first


def _schema(file: Path) -> list[str]:
    try:
        return pq.read_schema(file).names
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file}: not a readable Parquet file ({error})") from error


def _parquet_rows(files: list[Path]) -> Iterator[tuple[int, dict]]:
    number = 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    yield number, row
                    number += 1


def _json_columns(path: Path) -> list[str]:
    """Keys of the first row that is an object: every row is expected to have them."""
    return next((list(row) for _, row in _json_rows(path) if isinstance(row, dict)), [])


def _json_rows(path: Path) -> Iterator[tuple[int, dict | Drop]]:
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = (line for line in file if line.strip())
        for number, line in enumerate(lines):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                yield number, Drop("bad_json", f"not a JSON object: {error}")
                continue
            if not isinstance(row, dict):
                yield number, Drop("bad_json", f"a JSON object was expected, not {type(row).__name__}")
                continue
            yield number, row
