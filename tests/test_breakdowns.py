"""The breakdown stage: it agrees with the main table, covers every cell, and refuses what does not fit."""

import csv
import json
from pathlib import Path

import pytest

from coldstart.artifacts import write_rows
from coldstart.breakdowns import summary
from coldstart.cli import main
from coldstart.grouping import Graded, Score, accuracy, by, groups, per_run
from test_filter import made_by, problem
from test_tables import grades

CONFIG = {
    "arms": ["base", "sft"],
    "seeds": [0, 1],
    "tables": {"bootstrap": 500},
    "benchmarks": {
        "easy": {"testbed": {"families": ["choice"], "n": 4}},
        "versions": {"path": "v.parquet", "format": "mathverse"},
    },
}
RIGHT = {  # benchmark -> arm -> per problem, the verdicts of both seeds
    "easy": {
        "base": {"e0": "10", "e1": "11", "e2": "00", "e3": "01"},
        "sft": {"e0": "11", "e1": "11", "e2": "11", "e3": "11"},
    },
    "versions": {"base": {"v0": "11", "v1": "00", "v2": "10"}, "sft": {"v0": "00", "v1": "00", "v2": "00"}},
}  # fmt: skip


@pytest.fixture
def grid(tmp_path: Path) -> dict[str, str]:
    """Two arms, two seeds, a testbed benchmark of 4 problems and one of 2 problems in 3 versions."""
    family = {"e0": "a", "e1": "a", "e2": "b", "e3": "b"}
    easy = [problem(name, metadata=json.dumps({"family": family[name], "kind": "count"})) for name in family]
    easy[3]["answer_type"] = "text"
    versions = [
        problem(name, metadata=json.dumps({"problem": number, "version": version, "subject": "s", "subfield": "f"}))
        for name, number, version in (("v0", "1", "Lite"), ("v1", "1", "Only"), ("v2", "2", "Lite"))
    ]
    write_rows(tmp_path / "easy.parquet", "problems", easy, made_by())
    write_rows(tmp_path / "versions.parquet", "problems", versions, made_by())
    found = {}
    for benchmark, arms in RIGHT.items():
        for arm, marks in arms.items():
            for seed in (0, 1):
                name = f"tiny/seed{seed}/{arm}/{benchmark}"
                right = {key: [mark[seed] == "1"] for key, mark in marks.items()}
                found[name] = grades(tmp_path / f"{name}.parquet", right)
    return found


def run(folder: Path, grid: dict[str, str], config: dict = CONFIG) -> int:
    command = ["breakdowns", "--config", json.dumps(config), "--output", str(folder / "breakdowns.csv"), "--problems"]
    command += [f"{name}={folder / name}.parquet" for name in RIGHT]
    return main([*command, "--grades", *(f"{name}={path}" for name, path in grid.items())])


def read(path: Path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_agrees_with_the_main_table(tmp_path: Path, grid: dict[str, str], capsys: pytest.CaptureFixture) -> None:
    assert run(tmp_path, grid) == 0
    outputs = [word for name in ("csv", "markdown", "long") for word in (f"--{name}", str(tmp_path / f"main.{name}"))]
    given = [f"{name}={path}" for name, path in grid.items()]
    problems = [f"{name}={tmp_path / name}.parquet" for name in RIGHT]
    command = ["tables", "--config", json.dumps(CONFIG), "--grades", *given, *outputs]
    assert main([*command, "--problems", *problems]) == 0
    table = {(row["arm"], row["benchmark"], row["metric"]): row for row in read(tmp_path / "main.long")}
    found = [row for row in read(tmp_path / "breakdowns.csv") if row["breakdown"] == "all"]
    assert len(found) == 4
    for row in found:
        same = table[row["arm"], row["benchmark"], "accuracy"]
        assert (row["score"], row["n"], row["seeds"]) == (same["value"], same["n_problems"], same["seeds"])
        assert (row["low"], row["high"]) == (same["low"], same["high"]), "the same clusters, the same resamples"
    assert main(command) == 2  # intervals that take versions for independent problems are refused
    assert "--problems lack versions: its problems belong together by 'problem'" in capsys.readouterr().err
    assert main([*command, "--problems", problems[0], problems[0].replace("easy=", "versions=")]) == 2
    assert "problem 'e0' has no 'problem' in its metadata" in capsys.readouterr().err


def test_values_by_hand(tmp_path: Path, grid: dict[str, str]) -> None:
    assert run(tmp_path, grid) == 0
    rows = read(tmp_path / "breakdowns.csv")
    assert [row["arm"] for row in rows] == sorted(row["arm"] for row in rows), "arms in the config's order"
    table = {(row["arm"], row["benchmark"], row["breakdown"], row["value"]): row for row in rows}
    assert len(table) == len(rows) == 2 * (1 + 2 + 2 + 1 + 1 + 3 + 1 + 1)
    expected = {
        ("easy", "answer_type", "integer"): (50, 3),
        ("easy", "answer_type", "text"): (50, 1),
        ("easy", "family", "a"): (75, 2),
        ("easy", "family", "b"): (25, 2),
        ("easy", "kind", "count"): (50, 4),
        ("versions", "all", "all"): (50, 3),
        ("versions", "version", "Lite"): (75, 2),
        ("versions", "version", "Only"): (0, 1),
        ("versions", "version", "(mean)"): (37.5, 3),
    }
    for key, (score, n) in expected.items():
        assert (float(table["base", *key]["score"]), int(table["base", *key]["n"])) == (score, n), key
    zero = table["sft", "versions", "all", "all"]  # two clusters, none right: the exact interval of 0 of 2
    assert float(zero["score"]) == float(zero["low"]) == 0 and float(zero["high"]) == pytest.approx(84.19, abs=0.01)


def test_what_does_not_fit_is_refused(tmp_path: Path, grid: dict[str, str], capsys: pytest.CaptureFixture) -> None:
    assert run(tmp_path, grid, {**CONFIG, "benchmarks": {"easy": CONFIG["benchmarks"]["easy"]}}) == 2
    assert "benchmark 'versions'" in capsys.readouterr().err
    bad = {**CONFIG["benchmarks"], "easy": {"path": "e.parquet", "format": "dynamath"}}
    assert run(tmp_path, grid, {**CONFIG, "benchmarks": bad}) == 2
    assert "problem 'e0' has no 'seed_question' in its metadata" in capsys.readouterr().err
    grades(tmp_path / "tiny/seed1/sft/easy.parquet", {"e0": [True], "e9": [True]})
    assert run(tmp_path, grid) == 2
    assert "seed1/sft/easy.parquet: grades other problems than" in capsys.readouterr().err
    grades(tmp_path / "tiny/seed1/sft/easy.parquet", {"e0": [True, True], **{f"e{n}": [True] for n in (1, 2, 3)}})
    assert run(tmp_path, grid) == 2
    assert "its problems have 2 to 3 samples" in capsys.readouterr().err
    assert not (tmp_path / "breakdowns.csv").exists()


def graded(name: str, correct: tuple[bool, ...] = (True,), **metadata) -> Graded:
    return Graded(name, str(metadata.get("cluster", name)), "integer", metadata, correct)


def test_no_problem_is_left_out_of_a_breakdown() -> None:
    rows = [
        graded("a", level=1),
        graded("b", level=None),
        graded("c"),
        graded("d", level=[1, 2]),
        graded("e", level=10),
    ]
    assert {value: [row.id for row in found] for value, found in groups(rows, "level").items()} == {
        "(none)": ["b", "c"], "1": ["a", "d"], "10": ["e"], "2": ["d"],
    }  # fmt: skip
    assert [score.n for score in by(rows, "level")] == [2, 2, 1, 1]


def test_runs_and_weights() -> None:
    rows = [graded("a", (True, False)), graded("b", (True, True))]
    assert per_run(rows, all) == 0.5 and per_run(rows, any) == 1
    assert accuracy(rows, "x", "y").share == 0.75
    assert accuracy(rows, "x", "y", weight=lambda row: 3.0 if row.id == "a" else 1.0).share == 0.625


def test_clusters_are_resampled_whole() -> None:
    """Ten versions of each of 40 problems, all right or all wrong: as uncertain as 40 problems, not as 400."""
    settings = {"bootstrap": 2000, "confidence": 0.95}
    rows = [graded(f"{n}-{version}", (n < 20,), cluster=n) for n in range(40) for version in range(10)]
    apart = [Graded(row.id, row.id, "integer", {}, row.correct) for row in rows]
    low, high = map(float, summary(accuracy(rows, "all", "all"), "key", settings)[1:])
    narrow, wide = map(float, summary(accuracy(apart, "all", "all"), "key", settings)[1:])
    assert high - low == pytest.approx(2 * 196 * 0.5 / 40**0.5, abs=3)
    assert wide - narrow == pytest.approx(2 * 196 * 0.5 / 400**0.5, abs=1)


def test_a_score_with_nothing_to_divide_by_is_empty() -> None:
    settings = {"bootstrap": 100, "confidence": 0.95}
    assert summary(Score("strict", "RM", {"g": 0.0}, {"g": 0.0}, 1), "key", settings) == ["", "", ""]
    half = summary(Score("strict", "RM", {"g": 0.0, "h": 1.0}, {"g": 0.0, "h": 2.0}, 2), "key", settings)
    assert half[0] == "50.0000"
