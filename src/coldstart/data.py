"""Import a training set or a benchmark: images resized once, lengths measured, every bad row counted.

Reads one source of the config (testbed recipe, local file, Hub id), writes problems (all columns of that schema) and
dropped (row, id, why, detail): every row of the source is in one of the two. Nothing is truncated. The stage stops,
and writes nothing, if more than data.max_drop_share of a source had to be dropped.

    coldstart data --config config.yaml --source benchmarks.choice --processor testbed/student \\
        --problems problems.parquet --dropped dropped.parquet
"""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from coldstart import provenance
from coldstart.artifacts import TableWriter, table_writer
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.folders import source_files
from coldstart.images import fit, load_image, to_png
from coldstart.lengths import Meter, load_meter
from coldstart.progress import Progress
from coldstart.prompts import IMAGE_MARK, LETTERS, render, reserved_tokens, user_text
from coldstart.sources import located, read_source
from coldstart.sources.files import expected_rows
from coldstart.sources.rows import Drop, RowError

ROW_GROUP = 64  # rows written at a time: later stages read as little at a time
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the stage's options."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON")
    parser.add_argument("--source", required=True, help="'train', or 'benchmarks.NAME'")
    parser.add_argument("--processor", required=True, help="model whose processor measures lengths: folder or hub id")
    parser.add_argument("--problems", required=True, type=Path, help="file to write")
    parser.add_argument("--dropped", required=True, type=Path, help="file for the rows that were not taken")


def run(args: argparse.Namespace) -> None:
    """Import all sources that ``--source`` stands for."""
    config = load_config(args.config, "data")
    sources, place = choose_sources(config, args.source)
    meter = load_meter(args.processor)
    check_budget(config["images"], meter, args.processor)
    sources = {name: located(source, _key(place, name)) for name, source in sources.items()}
    inputs = {key: file for name, source in sources.items() for key, file in input_files(name, source, place).items()}
    record = provenance.start("data", config, {**inputs, "tokenizer": meter.folder / "tokenizer.json"})
    counts: dict[str, dict[str, int]] = {}
    importer = Importer(config, meter)
    with table_writer(args.problems, "problems") as kept, table_writer(args.dropped, "dropped") as dropped:
        for name, source in sources.items():
            counts[name] = importer.take(name, source, _key(place, name), kept, dropped)
        kept.provenance = dropped.provenance = provenance.finish(record, rows=kept.rows, by_source=counts)
    for name, reasons in counts.items():
        print(f"data {name}: " + ", ".join(f"{count} {why}" for why, count in reasons.items()), file=sys.stderr)


def choose_sources(config: dict, wanted: str) -> tuple[dict[str, dict], str]:
    """(name -> source, their key in the config) for 'train' or 'benchmarks.NAME'."""
    if wanted == "train":
        return config["data"]["train"], "data.train"
    kind, _, name = wanted.partition(".")
    if kind != "benchmarks" or name not in config["benchmarks"]:
        known = ", ".join(["train", *(f"benchmarks.{key}" for key in config["benchmarks"])])
        raise UserError(f"--source {wanted}: not in the config; it has {known}")
    return {name: config["benchmarks"][name]}, wanted


def input_files(name: str, source: dict, place: str) -> dict[str, Path]:
    """What provenance records of a local source: its file, or each file that is read of its folder."""
    if not source.get("path"):
        return {}
    path = Path(source["path"]).expanduser()
    if not path.is_dir():
        return {name: path}
    files = source_files(path, source["config"], source["split"], _key(place, name))
    return {f"{name}/{file.relative_to(path)}": file for file in files}


def _key(place: str, name: str) -> str:
    """A source's key in the config."""
    return f"{place}.{name}" if place == "data.train" else place


def check_budget(budget: dict, meter: Meter, processor: str) -> None:
    """Refuse a pixel budget outside the processor's own range: it would resize every image a second time."""
    if budget["min_pixels"] > budget["max_pixels"]:
        raise UserError("images.min_pixels is more than images.max_pixels")
    for key in ("min_pixels", "max_pixels"):
        if not meter.min_pixels <= budget[key] <= meter.max_pixels:
            raise UserError(
                f"images.{key}={budget[key]} is outside the range of {processor}'s own processor "
                f"({meter.min_pixels} to {meter.max_pixels}), which would resize images a second time"
            )


class Importer:
    """Turns rows of sources into problems; remembers the ids it has seen."""

    def __init__(self, config: dict, meter: Meter) -> None:
        self._config, self._meter = config, meter
        self._seen: dict[str, str] = {}

    def take(self, name: str, source: dict, place: str, kept: TableWriter, dropped: TableWriter) -> dict[str, int]:
        """Import one source; returns how many rows were kept and dropped, by reason."""
        folder, rows = read_source(name, source, place)
        counts: Counter[str] = Counter(kept=0)
        first: list[str] = []
        # threads: Pillow and tokenizers work outside Python's lock
        with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(f"data {name}", total=_size(source)) as bar:
            while chunk := list(islice(rows, ROW_GROUP)):
                imported = pool.map(lambda row: self._import(name, row[1], folder), chunk)
                problems, drops = [], []
                for (number, fields), found in zip(chunk, imported, strict=True):
                    if not isinstance(found, Drop) and not isinstance(fields, Drop):
                        found = self._unless_repeated(found, f"{name} row {number}", fields["id"] is not None)
                    if isinstance(found, Drop):
                        counts[found.why] += 1
                        drops.append({"row": number, "id": found.id, "why": found.why, "detail": found.detail})
                        if len(first) < SHOWN:
                            first.append(f"row {number}: {found.why}: {found.detail}")
                    else:
                        counts["kept"] += 1
                        problems.append(found)
                kept.write(problems)
                dropped.write(drops)
                bar.advance(len(chunk))
        self._check_share(place, counts, first)
        return dict(counts)

    def _import(self, name: str, fields: dict | Drop, folder: Path | None) -> dict | Drop:
        """One row as a problem, or why it cannot be one."""
        if isinstance(fields, Drop):
            return fields
        try:
            budget, factor = self._config["images"], self._meter.factor
            pictures = [fit(load_image(image, folder), budget, factor) for image in fields["images"]]
            problem = self._composed(name, fields, [to_png(picture) for picture in pictures])
            sizes = [(picture.height, picture.width) for picture in pictures]
            return problem | self._lengths(problem, sizes)
        except RowError as error:
            return replace(error.drop, id=fields["id"])

    def _composed(self, name: str, fields: dict, images: list[bytes]) -> dict:
        problem = {
            "source": name,
            **{key: fields[key] for key in ("question", "options", "answer", "answer_type", "tolerance", "unit")},
            "images": [{"bytes": image, "path": None} for image in images],
            "metadata": json.dumps(fields["metadata"], sort_keys=True, ensure_ascii=False),
        }
        problem["id"] = f"{name}/{content_id(problem) if fields['id'] is None else fields['id']}"
        if len(problem["options"]) > len(LETTERS):
            raise RowError("too_many_options", f"{len(problem['options'])} options, but only {len(LETTERS)} letters")
        marks = user_text(problem, self._config["prompt"]).count(IMAGE_MARK)
        if marks not in (0, len(images)):
            raise RowError("image_count", f"the text has {marks} {IMAGE_MARK} mark(s), the row {len(images)} image(s)")
        return problem

    def _lengths(self, problem: dict, sizes: list[tuple[int, int]]) -> dict:
        reserved = reserved_tokens([problem["question"], *problem["options"]], self._meter.special_tokens)
        if reserved:
            raise RowError("control_token", f"the text holds {reserved[0]}, which the tokenizer reads as a command")
        prompt = render(self._meter, problem, self._config["prompt"])
        tokens, image_tokens = self._meter.prompt_tokens(prompt, sizes)
        longest = self._config["lengths"]["max_prompt"]
        if tokens > longest:
            raise RowError("prompt_too_long", f"{tokens} tokens; lengths.max_prompt is {longest}")
        return {"prompt_tokens": tokens, "image_tokens": image_tokens}

    def _unless_repeated(self, problem: dict, where: str, given: bool) -> dict | Drop:
        earlier = self._seen.setdefault(problem["id"], where)
        if earlier == where:
            return problem
        if given:
            raise UserError(f"the id '{problem['id']}' stands twice: in {earlier} and in {where}; ids must be unique")
        return Drop("repeated_row", f"the same content as {earlier}", problem["id"])

    def _check_share(self, place: str, counts: Counter, first: list[str]) -> None:
        total, limit = counts.total(), self._config["data"]["max_drop_share"]
        if not total:
            raise UserError(f"{place}: this source has no rows")
        share = 1 - counts["kept"] / total
        if share > limit or not counts["kept"]:
            reasons = ", ".join(f"{count} {why}" for why, count in counts.most_common() if why != "kept")
            raise UserError(
                f"{place}: {share:.0%} of {total} rows had to be dropped ({reasons}), more than "
                f"data.max_drop_share={limit} allows. The first:\n  " + "\n  ".join(first)
            )


def content_id(problem: dict) -> str:
    """An id from what the problem says and shows, for rows without one."""
    digest = hashlib.sha256(json.dumps([problem["question"], problem["options"], problem["answer"]]).encode())
    for image in problem["images"]:
        digest.update(hashlib.sha256(image["bytes"]).digest())
    return digest.hexdigest()[:16]


def _size(source: dict) -> int:
    """Rows expected, for the progress bar; 0 if only reading will tell."""
    if source.get("testbed"):
        rows = source["testbed"]["n"]
    else:
        path = Path(source["path"]).expanduser() if source.get("path") else None
        rows = expected_rows(path, source["config"], source["split"]) if path else 0
    return min(rows, source["limit"] or rows)
