"""Read and write Parquet artifacts: the schema is checked both ways, and a file appears only when it is complete.

Files are written under a temporary name beside their target and renamed at the end; each carries its kind and its
provenance in the Parquet file metadata (keys ``coldstart.kind`` and ``coldstart.provenance``).

    python -c "from coldstart.artifacts import read_provenance; print(read_provenance('results/data/train.parquet'))"
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coldstart.errors import UserError
from coldstart.schemas import SCHEMAS

KIND = b"coldstart.kind"
PROVENANCE = b"coldstart.provenance"


def read_table(path: str | Path, kind: str, columns: list[str] | None = None) -> pa.Table:
    """Read one artifact of ``kind`` whole; raises UserError if it is missing, unreadable or of another shape."""
    with _open(path, kind) as file:
        return file.read(columns=columns).replace_schema_metadata(None)


def read_rows(path: str | Path, kind: str, columns: list[str] | None = None) -> list[dict]:
    """The rows of one artifact as dictionaries."""
    return read_table(path, kind, columns).to_pylist()


def iter_rows(path: str | Path, kind: str, columns: list[str] | None = None, batch_size: int = 256) -> Iterator[dict]:
    """The rows of one artifact, streamed: memory stays that of one batch."""
    with _open(path, kind) as file:
        for batch in file.iter_batches(batch_size=batch_size, columns=columns):
            yield from batch.to_pylist()


def count_rows(path: str | Path, kind: str) -> int:
    """Number of rows, from the file's footer."""
    with _open(path, kind) as file:
        return file.metadata.num_rows


def read_provenance(path: str | Path) -> dict:
    """The provenance written with an artifact."""
    metadata = pq.read_metadata(path).metadata or {}
    if PROVENANCE not in metadata:
        raise UserError(f"{path}: no provenance in this file; it was not written by coldstart")
    return json.loads(metadata[PROVENANCE])


def write_rows(path: str | Path, kind: str, rows: list[dict], provenance: dict) -> None:
    """Write ``rows`` as one artifact of ``kind``."""
    with table_writer(path, kind) as writer:
        writer.write(rows)
        writer.provenance = provenance


class TableWriter:
    """Appends rows to one artifact; set ``provenance`` before the ``with`` block ends."""

    def __init__(self, file: pq.ParquetWriter, path: Path, kind: str) -> None:
        self._file, self._path, self._kind = file, path, kind
        self.rows = 0
        self.provenance: dict | None = None

    def write(self, rows: list[dict]) -> None:
        """Append rows; raises UserError naming the column and the row if one does not fit the schema."""
        if not rows:
            return
        schema = SCHEMAS[self._kind]
        for number, row in enumerate(rows, self.rows):
            _check_row(row, schema, self._kind, f"{self._path}: row {number}")
        self._file.write_table(pa.Table.from_pylist(rows, schema=schema))
        self.rows += len(rows)


@contextmanager
def table_writer(path: str | Path, kind: str) -> Iterator[TableWriter]:
    """Open an artifact for streaming; it takes its name when the block ends well, and leaves nothing otherwise."""
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, SCHEMAS[kind], compression="zstd") as file:
        writer = TableWriter(file, Path(path), kind)
        yield writer
        if writer.provenance is None:
            raise ValueError(f"{path}: written without provenance")
        file.add_key_value_metadata({KIND: kind, PROVENANCE: json.dumps(writer.provenance, sort_keys=True)})


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` if the block ends well, else delete it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """The same for a folder: a temporary one beside ``path`` takes its place if the block ends well, else it goes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_folder(path)
    remove(temporary)
    temporary.mkdir()
    try:
        yield temporary
        remove(path)
        os.replace(temporary, path)
    finally:
        remove(temporary)


def temporary_folder(path: Path) -> Path:
    """The name under which ``new_folder`` makes a folder: the same for every process that writes into it."""
    return path.with_name(f".{path.name}.tmp")


def remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (CSV, Markdown, JSON) atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _open(path: str | Path, kind: str) -> Iterator[pq.ParquetFile]:
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a Parquet file of kind '{kind}'")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({error})") from error
    with file:
        _check_schema(file, kind, path)
        yield file


def _check_schema(file: pq.ParquetFile, kind: str, path: Path) -> None:
    found, wanted = file.schema_arrow, SCHEMAS[kind]
    written = (file.metadata.metadata or {}).get(KIND, kind.encode()).decode()
    if written != kind:
        raise UserError(f"{path}: this file is of kind '{written}', but '{kind}' was expected here")
    for field in wanted:
        if field.name not in found.names:
            raise UserError(f"{path}: column '{field.name}' is missing (kind '{kind}'; found {', '.join(found.names)})")
        actual = found.field(field.name).type
        if actual != field.type:
            raise UserError(f"{path}: column '{field.name}' has type {actual}, but kind '{kind}' needs {field.type}")


def _check_row(row: dict, schema: pa.Schema, kind: str, where: str) -> None:
    unknown = set(row) - set(schema.names)
    if unknown:
        raise UserError(f"{where}: unknown column '{sorted(unknown)[0]}' for kind '{kind}'")
    for field in schema:
        if row.get(field.name) is None and not field.nullable:
            raise UserError(f"{where}: column '{field.name}' is empty, but kind '{kind}' needs a value")
