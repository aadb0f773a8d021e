"""Generation for benchmarks: one engine for all of them, and nothing is answered twice."""

import json
from pathlib import Path

import pytest

import coldstart.generation
from coldstart.artifacts import count_rows, read_provenance, read_rows
from coldstart.cli import main
from coldstart.errors import UserError
from coldstart.generate import parse_benchmarks

SIZES = {"perception": 6, "choice": 5, "ood": 4}
CONFIG = {
    "engine": {"name": "vllm", "batch_size": 4},
    "lengths": {"max_prompt": 96, "max_model": 128},
    "distill": {"max_tokens": 10},
    "grpo": {"max_tokens": 10},
    "eval": {"samples": 2, "temperature": 0.8, "max_tokens": 10},
    "benchmarks": {name: {"testbed": {"families": [name], "n": size, "split": "test"}} for name, size in SIZES.items()},
}


@pytest.fixture(scope="module")
def benchmarks(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, found = tmp_path_factory.mktemp("benchmarks"), {}
    for name in SIZES:
        found[name] = folder / f"{name}.parquet"
        files = ["--problems", str(found[name]), "--dropped", str(folder / f"{name}.dropped.parquet")]
        source = ["--source", f"benchmarks.{name}", "--processor", str(tiny_model)]
        assert main(["data", "--config", json.dumps(CONFIG), *source, *files]) == 0
    return found


@pytest.mark.slow
def test_one_engine_answers_all_and_nothing_twice(
    benchmarks: dict[str, Path], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict] = []
    original = coldstart.generation.open_engine

    class Breaking:
        """The real engine, until it has answered ``allowed`` batches."""

        def __init__(self, engine, allowed: int) -> None:
            self.engine, self.allowed = engine, allowed

        def generate(self, requests, sampling):
            opened[-1]["requests"] += len(requests)
            if self.allowed == 0:
                raise RuntimeError("the engine broke")
            self.allowed -= 1
            return self.engine.generate(requests, sampling)

        def close(self) -> None:
            self.engine.close()

    def opener(allowed: int):
        def open_engine(*arguments):
            opened.append({"requests": 0})
            return Breaking(original(*arguments), allowed)

        return open_engine

    def run(names: list[str], out: str, allowed: int = 99, config: dict = CONFIG, seed: str = "5") -> int:
        monkeypatch.setattr(coldstart.generation, "open_engine", opener(allowed))
        asked = [f"{name}={benchmarks[name]}" for name in names]
        fixed = ["generate", "--config", json.dumps(config), "--model", str(tiny_model), "--seed", seed]
        return main(
            [*fixed, "--work", str(tmp_path / "work"), "--benchmark", *asked, "--output-dir", str(tmp_path / out)]
        )

    # breaks in the second benchmark, with 3 batches of the first and 1 of the second finished
    with pytest.raises(RuntimeError, match="the engine broke"):
        run(["perception", "choice"], "a", allowed=4)
    assert not (tmp_path / "a").exists()
    assert run(["perception", "choice"], "a") == 0
    assert [entry["requests"] for entry in opened] == [12 + 4 + 4, 6]
    rows = {
        name: read_rows(tmp_path / "a" / name / "responses.parquet", "responses") for name in ("perception", "choice")
    }
    for name, found in rows.items():
        problems = read_rows(benchmarks[name], "problems", ["id"])
        assert [row["id"] for row in found] == [f"{p['id']}#{k}" for p in problems for k in (0, 1)]
        assert all(0 < row["completion_tokens"] <= 10 and row["finish_reason"] in ("stop", "length") for row in found)
    facts = read_provenance(tmp_path / "a" / "choice" / "responses.parquet")["facts"]
    assert (facts["benchmark"], facts["problems"], facts["responses"]) == ("choice", 5, 10)

    # the same again opens no engine; an added benchmark is the only one answered; a changed setting answers anew
    assert run(["perception", "choice"], "b") == 0 and len(opened) == 2
    assert read_rows(tmp_path / "b" / "choice" / "responses.parquet", "responses") == rows["choice"]
    assert run(["ood", "perception", "choice"], "c") == 0 and opened[2:] == [{"requests": 8}]
    assert {name: count_rows(tmp_path / "c" / name / "responses.parquet", "responses") for name in SIZES} == {
        name: 2 * size for name, size in SIZES.items()
    }
    greedy = {**CONFIG, "eval": {**CONFIG["eval"], "samples": 1, "temperature": 0}}
    assert run(["ood"], "d", config=greedy) == 0 and opened[3:] == [{"requests": 4}]
    assert not list((tmp_path / "work").glob("*.tmp-*"))


@pytest.mark.parametrize(
    "items,message",
    [(["x"], "NAME=FILE"), (["=f"], "NAME=FILE"), (["a/b=f"], "NAME=FILE"), (["a=/no/such"], "no such file")],
)
def test_malformed_benchmarks(items: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_benchmarks(items)


def test_benchmark_given_twice(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(UserError, match="given twice"):
        parse_benchmarks([f"a={tmp_path / 'f'}"] * 2)
