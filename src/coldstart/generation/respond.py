"""Answer problems with a model, in batches that survive a kill; shared by ``distill`` and ``generate``.

Reads problems (id, question, options, images, prompt_tokens, image_tokens), writes responses (one row a sample). Every
finished batch is a Parquet file in the work folder, named by the hash of all that determines it: the model's content,
the prompts and images, the sampling, the seeds and the code. A second run takes what is there and generates only the
rest, so a killed job repeats at most one batch; with everything there, no model is loaded.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from coldstart import provenance
from coldstart.artifacts import iter_rows, read_rows, read_table, table_writer, write_rows
from coldstart.errors import UserError
from coldstart.generation import Engine, Request, Sampling, sample_seed
from coldstart.lengths import load_meter
from coldstart.progress import Progress
from coldstart.prompts import decode_images, render
from coldstart.provenance import code_hash, text_hash
from coldstart.reuse import model_hash

COLUMNS = ["id", "question", "options", "images", "prompt_tokens", "image_tokens"]
READ_AHEAD = 16  # problems with their images that are in memory beside the current batch


@dataclass(frozen=True)
class Job:
    """What to ask of whom: all that determines the responses, apart from the problems."""

    name: str  # the model as the user gave it
    model: str  # the folder it lies in
    engine: dict
    prompt: dict
    sampling: Sampling
    samples: int
    max_model_len: int
    seed: int

    def key(self) -> str:
        """Hash of the job, the model's content and the generating code included; batch size does not belong to it."""
        facts = {
            "model": model_hash(self.model),
            "engine": {name: value for name, value in self.engine.items() if name != "batch_size"},
            "prompt": self.prompt,
            "sampling": asdict(self.sampling),
            "samples": self.samples,
            "max_model_len": self.max_model_len,
            "seed": self.seed,
            "code": code_hash("coldstart.generation.respond"),
        }
        return text_hash(json.dumps(facts, sort_keys=True))


class LazyEngine:
    """Loads the model when the first prompt needs it, once for all files of a run; frees it when the block ends."""

    def __init__(self, opener: Callable[[], Engine]) -> None:
        self._opener = opener
        self._engine: Engine | None = None

    def get(self) -> Engine:
        """The engine, loaded now if it was not yet."""
        if self._engine is None:
            self._engine = self._opener()
        return self._engine

    def __enter__(self) -> "LazyEngine":
        return self

    def __exit__(self, *failure) -> None:
        if self._engine is not None:
            self._engine.close()


def problem_ids(path: Path) -> list[str]:
    """The ids of a file of problems, in order."""
    return read_table(path, "problems", ["id"]).column("id").to_pylist()


def most_images(path: Path) -> int:
    """The most images that one problem of the file has; at least 1, which engines want."""
    counts = (len(row["images"]) for row in iter_rows(path, "problems", ["images.list.element.path"], 4096))
    return max(counts, default=1) or 1


def respond(path: Path, wanted: set[str], job: Job, engine: LazyEngine, work: Path, label: str) -> list[Path]:
    """Answer the ``wanted`` problems of a file; returns the files of the finished batches, in the problems' order."""
    per_batch = max(1, job.engine["batch_size"] // job.samples)
    meter = load_meter(job.model)
    key, parts, found, tokens, spent = job.key(), [], 0, 0, 0.0
    with Progress(label, total=len(wanted) * job.samples) as bar:
        for batch in _batches(path, wanted, per_batch):
            prompts = [render(meter, problem, job.prompt) for problem in batch]
            part = work / f"{_batch_key(key, batch, prompts)}.parquet"
            parts.append(part)
            count = len(batch) * job.samples
            if part.is_file():
                found += count
                bar.advance(count, note=f"{found} from an earlier run")
                continue
            images = [_checked_images(problem, meter, job.name) for problem in batch]
            started = time.monotonic()
            rows = _answer(batch, prompts, images, job, engine.get())
            spent += time.monotonic() - started
            write_rows(part, "responses", rows, {"job": key})
            tokens += sum(row["completion_tokens"] for row in rows)
            bar.advance(count, note=f"{tokens / max(spent, 1e-9):.0f} tok/s")
    return parts


def join_parts(parts: list[Path], output: Path, record: dict, facts: dict) -> None:
    """Write finished batches as one artifact; ``record`` is the stage's started provenance, ``facts`` go into it."""
    tokens = 0
    with table_writer(output, "responses") as writer:
        for part in parts:
            rows = read_rows(part, "responses")
            tokens += sum(row["completion_tokens"] for row in rows)
            writer.write(rows)
        writer.provenance = provenance.finish(record, **facts, responses=writer.rows, completion_tokens=tokens)


def remove_parts(parts: list[Path]) -> None:
    """Delete batch files that their joined artifact has replaced, with what a kill left beside them."""
    for part in parts:
        part.unlink(missing_ok=True)
        for leftover in part.parent.glob(f".{part.name}.tmp-*"):
            leftover.unlink(missing_ok=True)


def asked_hash(path: Path, wanted: set[str], job: Job) -> str:
    """Hash of what the ``wanted`` problems of a file ask and show, in their order; not of the file around them."""
    meter, digest = load_meter(job.model), hashlib.sha256()
    for batch in _batches(path, wanted, READ_AHEAD):
        digest.update(_batch_key("", batch, [render(meter, problem, job.prompt) for problem in batch]).encode())
    return digest.hexdigest()


def _batches(path: Path, wanted: set[str], size: int) -> Iterator[list[dict]]:
    batch: list[dict] = []
    for row in iter_rows(path, "problems", COLUMNS, batch_size=READ_AHEAD):
        if row["id"] in wanted:
            batch.append(row)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def _batch_key(job_key: str, batch: list[dict], prompts: list[str]) -> str:
    digest = hashlib.sha256(job_key.encode())
    for problem, prompt in zip(batch, prompts, strict=True):
        digest.update(json.dumps([problem["id"], prompt]).encode())
        for image in problem["images"]:
            digest.update(hashlib.sha256(image["bytes"]).digest())
    return digest.hexdigest()[:32]


def _checked_images(problem: dict, meter, model: str) -> list:
    """The problem's images; raises UserError if the model's own processor would resize one of them a second time."""
    images = decode_images(problem)
    for image in images:
        size = (image.height, image.width)
        again = meter.resized(*size)
        if again != size:
            raise UserError(
                f"problem {problem['id']}: {model} would resize its {size[1]}x{size[0]} image again, to "
                f"{again[1]}x{again[0]}. Choose images.min_pixels and images.max_pixels within the model's range "
                f"({meter.min_pixels} to {meter.max_pixels}) and import the data anew"
            )
    return images


def _answer(batch: list[dict], prompts: list[str], images: list[list], job: Job, engine: Engine) -> list[dict]:
    requests, rows = [], []
    sampling = json.dumps({"engine": job.engine["name"], "dtype": job.engine["dtype"], **asdict(job.sampling)})
    for problem, prompt, pictures in zip(batch, prompts, images, strict=True):
        for index in range(job.samples):
            seed = sample_seed(job.seed, problem["id"], index)
            name = f"{problem['id']}#{index}"
            requests.append(Request(name, prompt, pictures, seed))
            rows.append(
                {
                    "id": name,
                    "problem_id": problem["id"],
                    "sample_index": index,
                    "model": job.name,
                    "prompt": prompt,
                    "seed": seed,
                    "sampling": sampling,
                }
            )
    for row, completion in zip(rows, engine.generate(requests, job.sampling), strict=True):
        row["response"] = completion.text
        row["finish_reason"] = completion.finish_reason
        row["completion_tokens"] = completion.tokens
    return rows
