"""Distillation: a stable choice of problems, rows that do not depend on shards, a shard that survives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from coldstart.artifacts import read_provenance, read_rows
from coldstart.cli import main
from coldstart.distill import parse_shard, select
from coldstart.errors import UserError
from training_helpers import kept_only, write

CONFIG = {
    "engine": {"name": "transformers", "batch_size": 8},
    "lengths": {"max_prompt": 96, "max_model": 128},
    "distill": {"problems": 14, "samples": 2, "temperature": 1.0, "top_p": 0.9, "max_tokens": 12},
    "grpo": {"max_tokens": 12},
    "eval": {"max_tokens": 12},
    "data": {"train": {"t": {"testbed": {"families": ["perception", "choice"], "n": 20}}}},
}


@pytest.fixture(scope="module")
def train(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty training problems."""
    folder = tmp_path_factory.mktemp("train")
    files = ["--problems", str(folder / "problems.parquet"), "--dropped", str(folder / "dropped.parquet")]
    arguments = ["--config", json.dumps(CONFIG), "--source", "train", "--processor", str(tiny_model)]
    assert main(["data", *arguments, *files]) == 0
    return folder / "problems.parquet"


def arguments(train: Path, model: Path, folder: Path, shard: str, config: dict = CONFIG) -> list[str]:
    fixed = ["distill", "--config", json.dumps(config), "--problems", str(train), "--model", str(model), "--seed", "3"]
    return [*fixed, "--shard", shard, "--work", str(folder / "work"), "--responses", str(folder / f"{shard}.parquet")]


def by_id(*files: Path) -> dict[str, dict]:
    return {row["id"]: row for file in files for row in read_rows(file, "responses")}


@pytest.mark.slow
def test_any_number_of_shards_gives_the_same_rows(train: Path, tiny_model: Path, tmp_path: Path) -> None:
    shards = ["1-of-1", "1-of-3", "2-of-3", "3-of-3"]
    for shard in shards:
        config = {**CONFIG, "engine": {"name": "transformers", "batch_size": 8 if shard == "1-of-1" else 5}}
        assert main(arguments(train, tiny_model, tmp_path, shard, config)) == 0
    whole = by_id(tmp_path / "1-of-1.parquet")
    dealt = by_id(*(tmp_path / f"{shard}.parquet" for shard in shards[1:]))
    assert whole == dealt and len(whole) == 14 * 2
    assert len({row["seed"] for row in whole.values()}) == 28 and len({row["response"] for row in whole.values()}) > 20
    assert [len(read_rows(tmp_path / f"{n}-of-3.parquet", "responses")) for n in (1, 2, 3)] == [10, 10, 8]
    for row in whole.values():
        assert row["id"] == f"{row['problem_id']}#{row['sample_index']}" and row["model"] == str(tiny_model)
        assert row["prompt"].count("<|image_pad|>") == 1 and "<|" not in row["response"]
        assert json.loads(row["sampling"]) == {
            "engine": "transformers", "dtype": "float32", "temperature": 1.0, "top_p": 0.9, "max_tokens": 12
        }  # fmt: skip
    left = [path.name for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert sorted(set(left)) == ["owner", "result", "result.sha256"] and len(left) == 3 * 4
    record = read_provenance(tmp_path / "2-of-3.parquet")
    assert record["seed"] == 3 and set(record["inputs"]) == {"problems", "model"}
    tokens = sum(row["completion_tokens"] for row in read_rows(tmp_path / "2-of-3.parquet", "responses"))
    assert (record["facts"]["responses"], record["facts"]["completion_tokens"]) == (10, tokens)


@pytest.mark.slow
def test_a_killed_shard_repeats_at_most_one_batch(train: Path, tiny_model: Path, tmp_path: Path) -> None:
    config = {**CONFIG, "engine": {"name": "transformers", "batch_size": 2}}
    command = [sys.executable, "-m", "coldstart", *arguments(train, tiny_model, tmp_path, "1-of-1", config)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    work = tmp_path / "work"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(work.glob("*/*.parquet"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {part.name: part.read_bytes() for part in work.glob("*/*.parquet")}
    assert 2 <= len(finished) < 14 and not (tmp_path / "1-of-1.parquet").exists()

    answered = []
    with pytest.MonkeyPatch.context() as patch:
        from coldstart.generation.transformers import TransformersEngine

        generate = TransformersEngine.generate
        patch.setattr(
            TransformersEngine, "generate", lambda self, r, s: answered.extend(x.id for x in r) or generate(self, r, s)
        )
        assert main(command[3:]) == 0
    kept = len(finished)
    assert len(answered) == 2 * (14 - kept)
    rows = by_id(tmp_path / "1-of-1.parquet")
    assert len(rows) == 28 and Counter(row["problem_id"] for row in rows.values()).most_common(1)[0][1] == 2
    (tmp_path / "fresh").mkdir()
    assert main(arguments(train, tiny_model, tmp_path / "fresh", "1-of-1", config)) == 0
    assert by_id(tmp_path / "fresh" / "1-of-1.parquet") == rows
    assert kept_only(work)


@pytest.mark.slow
def test_an_exclusion_list_costs_only_what_it_changes(train: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Its samples are generated again only if the problems that are asked change, and are the same file otherwise."""
    from coldstart.generation.transformers import TransformersEngine

    ids = [row["id"] for row in read_rows(train, "problems")]
    chosen = select(ids, CONFIG["distill"]["problems"], 3)
    outside = next(name for name in ids if name not in chosen)
    output = tmp_path / "1-of-1.parquet"

    def run(*left_out: str) -> tuple[int, bytes]:
        rows = [{"id": name, "why": "contamination", "detail": "x"} for name in left_out]
        excluded = write(tmp_path / "excluded.parquet", "excluded", rows)
        output.unlink(missing_ok=True)  # as Snakemake does before it runs the job
        assert main([*arguments(train, tiny_model, tmp_path, "1-of-1"), "--excluded", str(excluded)]) == 0
        return output.stat().st_ino, output.read_bytes()

    first = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersEngine, "generate", lambda *_: pytest.fail("it generates"))
        assert run(outside) == run("not/here") == first
    second = run(outside, chosen[0])
    assert second[1] != first[1] and kept_only(tmp_path / "work")
    asked = {row["problem_id"] for row in read_rows(output, "responses")}
    # problems stay chosen, and the next one of the order takes the place of an excluded one
    assert set(chosen) - asked == {chosen[0]} and len(asked) == len(chosen) and outside not in asked
    assert read_provenance(output)["facts"]["excluded"] == 2


@pytest.mark.slow
def test_another_setting_takes_no_old_batch(train: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Batches of one setting that lie in the work folder are not taken for another's; an empty shard is a file too."""
    from coldstart.generation import Sampling
    from coldstart.generation.respond import Job, LazyEngine, problem_ids, respond

    engine = {"name": "transformers", "dtype": "float32", "batch_size": 4}
    prompt = {"system": None, "suffix": "", "option_format": "({letter}) {text}"}

    def run(**change) -> list[str]:
        wanted = {"sampling": Sampling(1.0, 1.0, 8), "samples": 1, "max_model_len": 128, "seed": 0, "prompt": prompt}
        job = Job(str(tiny_model), str(tiny_model), engine, **{**wanted, **change})
        asked = []

        class Spy:
            def generate(self, requests, sampling):
                from coldstart.generation import Completion

                asked.append(len(requests))
                return [Completion("x", "stop", 1) for _ in requests]

            def close(self) -> None: ...

        with LazyEngine(Spy) as lazy:
            parts = respond(train, set(problem_ids(train)[:4]), job, lazy, tmp_path, "test")
        return [part.name for part in parts] + [f"asked {count}" for count in asked]

    first = run()
    assert len(first) == 2 and first[1] == "asked 4"
    assert run() == first[:1]
    changes = [
        {"seed": 1}, {"samples": 2}, {"sampling": Sampling(0.5, 1.0, 8)}, {"prompt": {**prompt, "suffix": "Think."}}
    ]  # fmt: skip
    names = {first[0]} | {run(**change)[0] for change in changes}
    assert len(names) == 1 + len(changes)
    assert main(arguments(train, tiny_model, tmp_path, "15-of-20")) == 0
    assert read_rows(tmp_path / "15-of-20.parquet", "responses") == []


@pytest.mark.slow
def test_an_image_that_the_model_would_resize_again_is_refused(train: Path, tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    narrow = tmp_path / "narrow"
    shutil.copytree(tiny_model, narrow)
    settings = json.loads((narrow / "processor_config.json").read_text())
    settings["image_processor"]["size"]["longest_edge"] = 3136
    (narrow / "processor_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"would resize its .* image again, to 56x56.*images.max_pixels"):
        from coldstart import distill
        from coldstart.cli import argparse

        parser = argparse.ArgumentParser()
        distill.add_arguments(parser)
        distill.run(parser.parse_args(arguments(train, narrow, tmp_path, "1-of-1")[1:]))
    assert not (tmp_path / "1-of-1.parquet").exists()


def test_the_choice_of_problems_is_stable() -> None:
    ids = [f"p{n}" for n in range(200)]
    chosen = select(ids, 50, seed=0)
    assert len(chosen) == 50 and chosen == [name for name in ids if name in set(chosen)]
    assert set(select(ids, 20, seed=0)) < set(chosen)
    assert set(select(ids[::-1], 50, seed=0)) == set(chosen)
    assert len(set(select(ids, 50, seed=1)) & set(chosen)) < 30
    assert len(set(select([*ids, "new"], 50, seed=0)) & set(chosen)) >= 49
    assert select(ids, None, 0) == select(ids, 500, 0) == ids


def test_shards() -> None:
    assert parse_shard("2-of-3") == (2, 3)
    for text in ("0-of-2", "3-of-2", "1/2", "one", ""):
        with pytest.raises(UserError, match="--shard"):
            parse_shard(text)
