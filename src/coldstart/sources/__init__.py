"""Where problems come from. Every source yields ``(row number, fields or Drop)``; nothing here imports torch.

Fields: id (or None: a hash of the content), question, images, options, answer, answer_type, tolerance, unit, metadata.
An image is whatever ``coldstart.images.load_image`` takes: bytes, a path, a ``{"bytes", "path"}`` mapping, a picture.

    from coldstart.sources import read_source
    for number, fields in read_source("train", {"path": "mine.parquet", "format": "columns", ...}, "data.train"): ...
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from coldstart import benchmarks
from coldstart.errors import UserError
from coldstart.sources import columns
from coldstart.sources.rows import Drop, RowError

Rows = Iterator[tuple[int, dict | Drop]]


def located(source: dict, place: str) -> dict:
    """The source with its benchmark's defaults, and a Hub data set as the folder its files were fetched into."""
    source = benchmarks.with_defaults(source)
    if source.get("hub"):
        from coldstart.sources.hub import snapshot

        folder = snapshot(source, place)
        if folder is not None:
            return {**source, "path": str(folder)}
    return source


def read_source(name: str, source: dict, place: str) -> tuple[Path | None, Rows]:
    """(folder that image paths are relative to, rows) of a ``located`` source; ``place`` is its key in the config."""
    if source.get("testbed"):
        from coldstart.testbed.world import problems

        recipe = source["testbed"]
        generated = problems(recipe["families"], recipe["n"], recipe["split"], recipe["seed"])
        pictured: Iterator[dict] = ({**problem, "images": [problem["image"]]} for problem in generated)
        return None, islice(enumerate(pictured), source["limit"])
    folder, found, rows = _open(source, place)
    if source["format"] == "columns":
        needed, adapt = columns.mapping(source)
        keys = {column: f"{place}.columns.{field}" for field, column in source["columns"].items() if column}
    else:
        needed, adapt = _adapter(source["format"])
        keys = dict.fromkeys(needed, f"{place}.format")
    if not found:
        raise UserError(f"{source.get('path') or source.get('hub')}: this source has no rows (from {place})")
    missing = next((column for column in needed if column not in found), None)
    if missing is not None:
        raise UserError(
            f"{source.get('path') or source.get('hub')}: column '{missing}' is missing; it has {', '.join(found)}. "
            f"The column is asked for by {keys[missing]} in the config: change that key"
        )
    return folder, _adapted(islice(rows, source["limit"]), adapt)


def _adapter(kind: str) -> tuple[list[str], Callable[[dict], dict]]:
    """(columns that must exist, function from a row to problem fields) of a format other than 'columns'."""
    if kind == "problems":
        return columns.PROBLEM_COLUMNS, columns.from_problem
    module = benchmarks.load(kind)
    return module.COLUMNS, module.to_problem


def _open(source: dict, place: str) -> tuple[Path | None, list[str], Rows]:
    """(folder of image paths, columns, rows) of a local or a hub source."""
    if source.get("path"):
        from coldstart.sources.files import open_files

        path = Path(source["path"]).expanduser()
        return path if path.is_dir() else path.parent, *open_files(path, place, source["config"], source["split"])
    from coldstart.sources.hub import open_hub

    return None, *open_hub(source, place)


def _adapted(rows: Rows, adapt: Callable[[dict], dict]) -> Rows:
    for number, row in rows:
        if isinstance(row, Drop):
            yield number, row
            continue
        try:
            yield number, adapt(row)
        except RowError as error:
            yield number, error.drop
