"""Sample chains of thought from the teacher: one shard of the training problems.

Reads problems (see coldstart.generation.respond) and excluded (id), writes responses, `distill.samples` rows a
problem. Which problems are taken depends on the seed and their ids alone, and a sample's seed on run seed, problem and
index: any number of shards gives the same rows. A killed shard goes on from its last finished batch; a finished one is
given again at once while nothing changes that determines it (coldstart.reuse).

    coldstart distill --config config.yaml --problems results/data/train/problems.parquet --model testbed/teacher \\
        --excluded results/audit/excluded.parquet --seed 0 --shard 1-of-2 --work results/work/distill \\
        --responses results/distill/seed0/1-of-2.parquet
"""

import argparse
import re
from pathlib import Path

from coldstart import provenance, reuse
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.exclusion import excluded_ids


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the stage's options."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON")
    parser.add_argument("--problems", required=True, type=Path, help="training problems (Parquet)")
    parser.add_argument("--excluded", type=Path, help="problems to leave out: what the audit wrote")
    parser.add_argument("--model", required=True, help="the teacher: folder or Hugging Face id")
    parser.add_argument("--seed", required=True, type=int, help="run seed")
    parser.add_argument("--shard", default="1-of-1", help="which part of the problems, like 1-of-2")
    parser.add_argument("--work", required=True, type=Path, help="folder for finished batches and shards")
    parser.add_argument("--responses", required=True, type=Path, help="file to write")


def run(args: argparse.Namespace) -> None:
    """Answer one shard."""
    config = load_config(args.config, "distill")
    part, of = parse_shard(args.shard)
    from coldstart.generation import Sampling, open_engine
    from coldstart.generation.respond import (
        Job,
        LazyEngine,
        asked_hash,
        join_parts,
        most_images,
        problem_ids,
        respond,
    )
    from coldstart.hub import resolve_model

    settings, lengths = config["distill"], config["lengths"]
    model = str(resolve_model(args.model))
    excluded = excluded_ids(args.excluded)
    ids = [problem for problem in problem_ids(args.problems) if problem not in excluded]
    chosen = select(ids, settings["problems"], args.seed)
    if not chosen:
        raise UserError(
            f"{args.problems}: no problems in this file{' that the audit did not exclude' * bool(excluded)}"
        )
    inputs = {"problems": args.problems, "model": model} | ({"excluded": args.excluded} if args.excluded else {})
    record = provenance.start("distill", config, inputs, args.seed)
    sampling = Sampling(settings["temperature"], settings["top_p"], settings["max_tokens"])
    job = Job(
        args.model,
        model,
        config["engine"],
        config["prompt"],
        sampling,
        settings["samples"],
        lengths["max_model"],
        args.seed,
    )
    wanted = set(chosen[part - 1 :: of])
    code = provenance.code_hash("coldstart.distill")
    name = reuse.key(job=job.key(), asked=asked_hash(args.problems, wanted, job), code=code)
    work = reuse.open_folder(args.work, name, args.responses)
    if reuse.give(work, args.responses):
        return
    with LazyEngine(
        lambda: open_engine(model, job.engine, job.max_model_len, args.seed, most_images(args.problems))
    ) as engine:
        parts = respond(args.problems, wanted, job, engine, work, f"distill {args.shard}")
    facts = {"shard": args.shard, "problems": len(wanted), "of_problems": len(chosen), "excluded": len(excluded)}
    facts["model"] = args.model
    join_parts(parts, args.responses, record, facts)
    reuse.keep(work, args.responses)


def parse_shard(text: str) -> tuple[int, int]:
    """'2-of-3' as (2, 3)."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {text}: expected a form like 1-of-2")
    return int(match[1]), int(match[2])


def select(ids: list[str], count: int | None, seed: int) -> list[str]:
    """The ids to distil, in file order: the first ``count`` of an order that a hash of seed and id gives.

    More problems later keep the chosen ones chosen, and a problem keeps its place whatever else is in the file.
    """
    if count is None or count >= len(ids):
        return ids
    ranked = sorted(ids, key=lambda problem: provenance.text_hash(f"{seed}\0{problem}"))
    chosen = set(ranked[:count])
    return [problem for problem in ids if problem in chosen]
