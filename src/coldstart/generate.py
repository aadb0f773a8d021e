"""Answer benchmarks with one model; the model is loaded once for all of them.

Reads problems (see coldstart.generation.respond), writes responses, `eval.samples` rows a problem, to
OUTPUT_DIR/BENCHMARK/responses.parquet. Each benchmark's responses are also kept in the work folder under the hash of
what determines them (model, problems, config, seed), so that a killed job or an added benchmark repeats nothing; with
every benchmark there, no model is loaded.

    coldstart generate --config config.yaml --model testbed/student --seed 0 --work results/work/generate \\
        --benchmark choice=results/data/benchmarks/choice/problems.parquet --output-dir results/eval/tiny/seed0/base
"""

import argparse
import sys
from pathlib import Path

from coldstart import provenance
from coldstart.config import load_config
from coldstart.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the stage's options."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON")
    parser.add_argument("--model", required=True, help="the model: folder or Hugging Face id")
    parser.add_argument("--seed", required=True, type=int, help="run seed")
    parser.add_argument("--work", required=True, type=Path, help="folder for what is finished")
    parser.add_argument(
        "--benchmark", required=True, action="append", nargs="+", metavar="NAME=FILE", help="problems (Parquet)"
    )
    parser.add_argument("--output-dir", required=True, type=Path, help="folder to write NAME/responses.parquet into")


def run(args: argparse.Namespace) -> None:
    """Answer every benchmark."""
    config = load_config(args.config, "generate")
    benchmarks = parse_benchmarks([item for group in args.benchmark for item in group])
    from coldstart.generation import Sampling, open_engine
    from coldstart.generation.respond import (
        Job,
        LazyEngine,
        join_parts,
        most_images,
        problem_ids,
        remove_parts,
        respond,
    )
    from coldstart.hub import resolve_model
    from coldstart.reuse import put, rows_hash

    settings = config["eval"]
    model = str(resolve_model(args.model))
    sampling = Sampling(settings["temperature"], settings["top_p"], settings["max_tokens"])
    max_model = config["lengths"]["max_model"]
    job = Job(
        args.model, model, config["engine"], config["prompt"], sampling, settings["samples"], max_model, args.seed
    )
    finished = {
        name: args.work / f"{provenance.text_hash(job.key() + rows_hash(path))[:32]}.responses.parquet"
        for name, path in benchmarks.items()
    }
    with LazyEngine(
        lambda: open_engine(model, job.engine, max_model, args.seed, max(map(most_images, benchmarks.values())))
    ) as engine:
        for name, path in benchmarks.items():
            if finished[name].is_file():
                print(f"generate {name}: taken from {finished[name]}", file=sys.stderr)
                continue
            ids = problem_ids(path)
            if not ids:
                raise UserError(f"{path}: no problems in this file (benchmark {name})")
            record = provenance.start("generate", config, {"problems": path, "model": model}, args.seed)
            parts = respond(path, set(ids), job, engine, args.work, f"generate {name}")
            facts = {"benchmark": name, "problems": len(ids), "model": args.model}
            join_parts(parts, finished[name], record, facts)
            remove_parts(parts)
    for name, responses in finished.items():
        put(responses, args.output_dir / name / "responses.parquet")


def parse_benchmarks(items: list[str]) -> dict[str, Path]:
    """NAME=FILE items as a mapping; raises UserError on a malformed or repeated one, or a missing file."""
    found: dict[str, Path] = {}
    for item in items:
        name, separator, path = item.partition("=")
        if not name or not separator or not path or "/" in name:
            raise UserError(f"--benchmark {item}: expected NAME=FILE")
        if name in found:
            raise UserError(f"--benchmark {item}: '{name}' is given twice")
        if not Path(path).is_file():
            raise UserError(f"--benchmark {item}: no such file")
        found[name] = Path(path)
    return found
