"""Rows of a local Parquet or JSONL file, or of a folder of Parquet files as the Hub serves them; streamed.

from coldstart.sources.files import open_files
columns, rows = open_files(Path("data/"), "data.train.mine.path")
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coldstart.errors import UserError
from coldstart.sources.rows import Drop
from coldstart.sources.sheets import open_csv, open_json

BATCH = 64


def open_files(path: Path, place: str) -> tuple[list[str], Iterator[tuple[int, dict | Drop]]]:
    """(columns, rows numbered from 0) of ``path``; ``place`` is the source's key in the config, for messages."""
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
        if not files:
            raise UserError(f"{path}: no *.parquet file in this folder (from {place}.path in the config)")
        return _columns(files), _parquet_rows(files)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder (from {place}.path in the config)")
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


def expected_rows(path: Path) -> int:
    """Number of rows of ``path``, for a progress bar; 0 if there is nothing to read."""
    if path.suffix in (".jsonl", ".ndjson") and path.is_file():
        with open(path, "rb") as file:
            return sum(1 for line in file if line.strip())
    files = path.rglob("*.parquet") if path.is_dir() else [path] if path.is_file() else []
    return sum(pq.read_metadata(file).num_rows for file in files if file.suffix == ".parquet")


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
