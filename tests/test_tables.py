"""The tables: values against hand-computed ones, intervals against theory, incomplete grids refused."""

import csv
import math

import numpy as np
import pytest

from coldstart import statistics
from coldstart.artifacts import write_rows
from coldstart.cli import main
from test_filter import made_by

CONFIG = """{arms: [base, sft], seeds: [0, 1], tables: {bootstrap: 1000},
    benchmarks: {easy: {hub: a/easy}, hard: {hub: a/hard}}}"""


def grades(path, correct: dict[str, list[bool]], finish: str = "stop", tokens: int = 10) -> str:
    rows = [
        {
            "id": f"{name}#{sample}",
            "problem_id": name,
            "sample_index": sample,
            "verdict": "correct" if right else "no_answer",
            "extracted": None,
            "normalised": None,
            "reason": "r",
            "finish_reason": finish,
            "completion_tokens": tokens,
            "grader": "1.0",
        }
        for name, samples in correct.items()
        for sample, right in enumerate(samples)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, "grades", rows, made_by())
    return str(path)


@pytest.fixture
def grid(tmp_path) -> dict[str, str]:
    """Two arms, two seeds, two benchmarks: easy has 4 problems with 2 samples, hard 10 with 1."""
    easy = {
        "base": [[1, 0], [1, 1], [0, 0], [0, 1]],  # seed 0: 4 of 8
        "sft": [[1, 1], [1, 1], [1, 0], [0, 1]],  # seed 0: 6 of 8
    }
    found = {}
    for arm in ("base", "sft"):
        for seed in (0, 1):
            rows = easy[arm] if seed == 0 else [[1, 1]] * 4  # seed 1: all right
            name = f"tiny/seed{seed}/{arm}/easy"
            found[name] = grades(
                tmp_path / f"{name}.parquet", {f"e{n}": [bool(x) for x in row] for n, row in enumerate(rows)}
            )
            name = f"tiny/seed{seed}/{arm}/hard"
            right = {"base": 2, "sft": 5}[arm]
            found[name] = grades(tmp_path / f"{name}.parquet", {f"h{n}": [n < right] for n in range(10)}, "length", 20)
    return found


def run(tmp_path, grid, config=CONFIG) -> int:
    given = [f"{name}={path}" for name, path in grid.items()]
    outputs = ["--csv", "main.csv", "--markdown", "main.md", "--long", "long.csv"]
    paths = [word if word.startswith("--") else str(tmp_path / word) for word in outputs]
    return main(["tables", "--config", config, "--grades", *given, *paths])


def read(path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_values_match_those_by_hand(tmp_path, grid, capsys):
    assert run(tmp_path, grid) == 0
    base, sft = read(tmp_path / "main.csv")
    assert (base["student"], base["arm"], base["seeds"]) == ("tiny", "base", "2")
    assert float(base["easy"]) == 75.0 and float(sft["easy"]) == 87.5
    assert float(base["hard"]) == 20.0 and float(sft["hard"]) == 50.0
    assert float(base["average"]) == 47.5 and float(sft["average"]) == 68.75
    assert (base["easy_n"], base["hard_n"], base["average_n"]) == ("4", "10", "14")
    assert base["easy_delta"] == base["average_delta"] == ""
    assert float(sft["easy_delta"]) == 12.5 and float(sft["average_delta"]) == 21.25
    for row in (base, sft):
        for name in ("easy", "hard", "average"):
            assert float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"])
    assert capsys.readouterr().out.startswith("| student | arm")


def test_the_markdown_is_readable(tmp_path, grid):
    assert run(tmp_path, grid) == 0
    lines = (tmp_path / "main.md").read_text().splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "student",
        "arm",
        "easy (n=4)",
        "hard (n=10)",
        "average (n=14)",
        "delta vs base",
    ]
    assert len({len(line) for line in lines[:4]}) == 1, "columns are aligned"
    assert "| 20.0 [" in lines[2] and "+21.2 [" in lines[3].replace("+21.3", "+21.2")
    assert "2 seed(s)" in lines[5]


def test_the_long_table_is_tidy(tmp_path, grid):
    assert run(tmp_path, grid) == 0
    rows = read(tmp_path / "long.csv")
    assert len(rows) == 3 * (4 + 5), "base has four metrics, sft a delta too, on two benchmarks and the average"
    table = {(row["arm"], row["benchmark"], row["metric"]): row for row in rows}
    assert len(table) == len(rows)
    easy = table["sft", "easy", "accuracy"]
    assert (easy["n_problems"], easy["n_samples"], easy["seeds"]) == ("4", "16", "2")
    assert float(table["base", "easy", "no_answer"]["value"]) == 25.0
    assert float(table["base", "hard", "unfinished"]["value"]) == 100.0
    assert float(table["base", "average", "unfinished"]["value"]) == 50.0
    assert float(table["base", "average", "completion_tokens"]["value"]) == 15.0
    delta = table["sft", "hard", "delta"]
    assert float(delta["value"]) == 30.0 and 0 <= float(delta["low"]) <= 30 <= float(delta["high"]) <= 60


def test_the_same_input_gives_the_same_bytes(tmp_path, grid):
    assert run(tmp_path, grid) == 0
    before = (tmp_path / "main.csv").read_bytes(), (tmp_path / "long.csv").read_bytes()
    assert run(tmp_path, dict(reversed(grid.items()))) == 0
    after = (tmp_path / "main.csv"), (tmp_path / "long.csv")
    assert sorted(read(after[1]), key=str) == sorted(csv.DictReader(before[1].decode().splitlines()), key=str)
    assert run(tmp_path, grid) == 0
    assert (after[0].read_bytes(), after[1].read_bytes()) == before


def test_arms_are_in_the_order_of_the_config_and_base_may_be_missing(tmp_path, grid):
    only = {name: path for name, path in grid.items() if "/sft/" in name}
    assert run(tmp_path, only) == 0
    (row,) = read(tmp_path / "main.csv")
    assert row["arm"] == "sft" and row["average_delta"] == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda grid: grid.pop("tiny/seed1/sft/hard"), "arm sft has no grades for hard, seed 1"),
        (
            lambda grid: grid.update({"tiny/seed0/grpo/easy": grid["tiny/seed0/sft/easy"]}),
            "arm 'grpo' is not in the config",
        ),
        (lambda grid: grid.update({"tiny/seed0/sft": "x.parquet"}), "expected STUDENT/seedS/ARM/BENCHMARK=FILE"),
        (
            lambda grid: grid.update({name.replace("hard", "other"): grid.pop(name) for name in list(grid)[1::2]}),
            "benchmark 'other', which is not among the config's benchmarks",
        ),
        (lambda grid: grid.update({"tiny/seed0/base/easy": "gone.parquet"}), "gone.parquet: no such file"),
    ],
)
def test_an_incomplete_grid_is_refused(tmp_path, grid, capsys, change, message):
    change(grid)
    assert run(tmp_path, grid) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "main.csv").exists() and not (tmp_path / "long.csv").exists()


def test_arms_that_answered_other_problems_are_refused(tmp_path, grid, capsys):
    grades(tmp_path / "tiny/seed1/sft/easy.parquet", {f"e{n}": [True, True] for n in (0, 1, 2, 9)})
    assert run(tmp_path, grid) == 2
    message = capsys.readouterr().err
    assert "seed1/sft/easy.parquet" in message and "2 differ, first 'e3'" in message


def test_uneven_samples_are_refused(tmp_path, grid, capsys):
    grades(
        tmp_path / "tiny/seed1/sft/easy.parquet",
        {"e0": [True], "e1": [True, True], "e2": [True, True], "e3": [True, True]},
    )
    assert run(tmp_path, grid) == 2
    assert "problem 'e0' has 1 samples, others have 2" in capsys.readouterr().err


def test_the_interval_has_the_width_that_theory_says():
    values = np.array([[1.0]] * 300 + [[0.0]] * 700)
    drawn = statistics.resampled_means(values, 4000, "theory")[:, 0]
    low, high = statistics.interval(drawn, 0.95)
    error = math.sqrt(0.3 * 0.7 / 1000)
    assert low == pytest.approx(0.3 - 1.96 * error, abs=0.003) and high == pytest.approx(0.3 + 1.96 * error, abs=0.003)


def test_samples_of_one_problem_are_no_independent_evidence():
    """Ten copies of each answer must not narrow the interval: problems are resampled, not samples."""
    one = np.array([[1.0]] * 30 + [[0.0]] * 70)
    low, high = statistics.interval(statistics.resampled_means(one, 2000, "key")[:, 0], 0.95)
    assert high - low > 0.15


def test_clusters_are_drawn_whole_and_weigh_by_their_size():
    """Clusters of 1 and 3 problems: a draw of both gives 3/4, of the large one alone 1, of the small one alone 0."""
    sums = statistics.cluster_sums(np.array([[0.0], [1.0], [1.0], [1.0]]), np.array([0, 1, 1, 1]))
    assert sums.tolist() == [[0, 1], [3, 3]]
    drawn = statistics.resampled_means(sums, 500, "key")
    assert set((drawn[:, 0] / drawn[:, 1]).tolist()) == {0.0, 0.75, 1.0}


def test_a_benchmark_with_no_right_answer_has_an_exact_interval():
    zero = np.zeros(100)
    low, high = statistics.share_interval(zero, np.zeros(1000), 0.95)
    assert low == 0 and high == pytest.approx(0.0362, abs=0.0002)
