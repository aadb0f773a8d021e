"""The filter: every response is accounted for, the choice of traces is stated and stable, bad input is refused."""

import random
from collections import Counter

import pytest

from coldstart import provenance
from coldstart.artifacts import read_provenance, read_rows, write_rows
from coldstart.cli import main
from coldstart.filter import sort_out, spread
from coldstart.grading import Grade

CONFIG = '{"filter": {"max_per_problem": 2, "min_kept": 1}, "grading": {"timeout": 5, "workers": 1}}'
PIXEL = {"bytes": b"image", "path": None}


def problem(name: str, answer: str = "7", kind: str = "integer", **more) -> dict:
    row = {
        "id": name,
        "source": "demo",
        "question": f"How many in {name}?",
        "images": [PIXEL],
        "options": [],
        "answer": answer,
        "answer_type": kind,
        "prompt_tokens": 30,
        "image_tokens": 9,
        "metadata": "{}",
    }
    return {**row, **more}


def response(name: str, sample: int, text: str, finish: str = "stop", tokens: int = 10) -> dict:
    return {
        "id": f"{name}#{sample}",
        "problem_id": name,
        "sample_index": sample,
        "model": "teacher",
        "prompt": "p",
        "response": text,
        "finish_reason": finish,
        "completion_tokens": tokens,
        "seed": 1,
        "sampling": "{}",
    }


def made_by(**facts) -> dict:
    return provenance.finish(provenance.start("test", {}, {}), **facts)


@pytest.fixture
def world(tmp_path):
    """Three problems; four samples each for two of them, in two shards."""
    problems = [problem("p0"), problem("p1", answer="B", kind="choice", options=["red", "blue"]), problem("p2")]
    write_rows(tmp_path / "problems.parquet", "problems", problems, made_by())
    first = [
        response("p0", 0, r"three and four, \boxed{7}", tokens=5),
        response("p0", 1, r"it is \boxed{8}"),
        response("p0", 2, "three  and four,\n \\boxed{7}", tokens=5),
        response("p0", 3, r"cut \boxed{7} off", finish="length"),
    ]
    second = [
        response("p1", 0, r"\boxed{B}", tokens=3),
        response("p1", 1, r"blue: \boxed{B}", tokens=6),
        response("p1", 2, r"it is blue: \boxed{B}", tokens=9),
        response("p1", 3, "no idea"),
    ]
    write_rows(tmp_path / "1.parquet", "responses", first, made_by(shard="1-of-2"))
    write_rows(tmp_path / "2.parquet", "responses", second, made_by(shard="2-of-2"))
    return tmp_path


def run(folder, responses=("1.parquet", "2.parquet"), config=CONFIG) -> int:
    outputs = ["--rows", "rows.parquet", "--rejected", "rejected.parquet", "--pass-rates", "rates.parquet"]
    paths = [str(folder / word) if word.endswith(".parquet") else word for word in outputs]
    given = [str(folder / name) for name in responses]
    return main(
        ["filter", "--config", config, "--problems", str(folder / "problems.parquet"), "--responses", *given, *paths]
    )


def test_every_response_is_accounted_for(world, capsys):
    assert run(world) == 0
    rows, rejected = read_rows(world / "rows.parquet", "sft_rows"), read_rows(world / "rejected.parquet", "rejected")
    assert [row["id"] for row in rows] == ["p0#0", "p1#0", "p1#2"]
    assert {row["id"]: row["why"] for row in rejected} == {
        "p0#1": "wrong",
        "p0#2": "duplicate",
        "p0#3": "unfinished",
        "p1#1": "over_limit",
        "p1#3": "no_answer",
    }
    assert all(row["reason"] for row in rejected)
    rates = {row["problem_id"]: row for row in read_rows(world / "rates.parquet", "pass_rates")}
    assert rates["p0"] == {
        "problem_id": "p0",
        "source": "demo",
        "answer_type": "integer",
        "samples": 4,
        "correct": 3,
        "kept": 1,
        "pass_rate": 0.75,
    }
    assert set(rates) == {"p0", "p1"}, "a problem that was not asked has no pass rate"
    printed = capsys.readouterr().out
    assert "kept                        3   37.5%" in printed and "total                       8" in printed


def test_rows_carry_what_training_needs(world):
    assert run(world) == 0
    first = read_rows(world / "rows.parquet", "sft_rows")[0]
    assert first == {
        "id": "p0#0",
        "problem_id": "p0",
        "source": "demo",
        "question": "How many in p0?",
        "options": [],
        "images": [PIXEL],
        "completion": r"three and four, \boxed{7}",
        "completion_tokens": 5,
        "prompt_tokens": 30,
        "pass_rate": 0.75,
    }
    facts = read_provenance(world / "rows.parquet")
    assert facts["facts"]["responses"] == 8 and facts["facts"]["counts"]["kept"] == 3
    assert set(facts["inputs"]) == {"problems", "responses0", "responses1"}


def test_the_order_of_the_shards_does_not_matter(world):
    assert run(world) == 0
    before = read_rows(world / "rows.parquet", "sft_rows")
    assert run(world, responses=("2.parquet", "1.parquet")) == 0
    assert read_rows(world / "rows.parquet", "sft_rows") == before


@pytest.mark.parametrize(
    ("count", "limit", "places"),
    [
        (0, 2, []),
        (1, 2, [0]),
        (2, 2, [0, 1]),
        (3, 1, [1]),
        (4, 1, [1]),
        (5, 2, [0, 4]),
        (5, 3, [0, 2, 4]),
        (9, 4, [0, 3, 5, 8]),
    ],
)
def test_kept_traces_are_spread_over_the_lengths(count, limit, places):
    assert spread(count, limit) == places


def test_accounting_holds_for_any_mixture():
    random.seed(0)
    for _ in range(50):
        rows, grades = [], []
        for name in "abc":
            for sample in range(random.randint(1, 8)):
                text = f"t{random.randint(0, 3)}"
                rows.append(response(name, sample, text, random.choice(["stop", "length"]), random.randint(1, 9)))
                grades.append(Grade(random.choice(["correct", "wrong", "timeout"]), None, None, "r"))
        limit = random.randint(1, 3)
        why = sort_out(rows, grades, limit)
        kept = Counter(row["problem_id"] for row, reason in zip(rows, why, strict=True) if reason is None)
        assert all(count <= limit for count in kept.values())
        for row, grade, reason in zip(rows, grades, why, strict=True):
            assert reason is not None or (grade.verdict == "correct" and row["finish_reason"] == "stop")
        shuffled = list(range(len(rows)))
        random.shuffle(shuffled)
        again = sort_out([rows[n] for n in shuffled], [grades[n] for n in shuffled], limit)
        assert [again[shuffled.index(n)] for n in range(len(rows))] == why


def _refused(folder, capsys, **kwargs) -> str:
    assert run(folder, **kwargs) == 2
    left = [
        path.name
        for path in folder.iterdir()
        if path.name not in ("problems.parquet", "1.parquet", "2.parquet", "3.parquet")
    ]
    assert not left, "nothing half-written"
    return capsys.readouterr().err


def test_too_few_kept_is_refused(world, capsys):
    message = _refused(world, capsys, config=CONFIG.replace('"min_kept": 1', '"min_kept": 4'))
    assert "only 3 of 8 traces" in message and "filter.min_kept = 4" in message and "wrong 1" in message


def test_a_shard_given_twice_is_refused(world, capsys):
    message = _refused(world, capsys, responses=("1.parquet", "2.parquet", "1.parquet"))
    assert "'p0#0' is already in" in message


def test_a_missing_shard_is_refused(world, capsys):
    message = _refused(world, capsys, responses=("1.parquet",))
    assert "2-of-2" in message and "missing" in message


def test_a_missing_sample_is_refused(world, capsys):
    rows = [response("p1", n, r"\boxed{B}") for n in (0, 1, 3)]
    write_rows(world / "3.parquet", "responses", rows, made_by())
    message = _refused(world, capsys, responses=("3.parquet",))
    assert "problem 'p1' has 3 of 4 samples" in message


def test_a_foreign_response_is_refused(world, capsys):
    write_rows(world / "3.parquet", "responses", [response("zebra", 0, "x")], made_by())
    message = _refused(world, capsys, responses=("3.parquet",))
    assert "3.parquet" in message and "'zebra'" in message and "problems.parquet" in message


def test_no_responses_are_refused(world, capsys):
    write_rows(world / "3.parquet", "responses", [], made_by())
    assert "no responses" in _refused(world, capsys, responses=("3.parquet",))


def test_a_share_of_bad_golds_is_refused(world, capsys):
    bad = [problem("p0", answer="many"), problem("p1")]
    write_rows(world / "problems.parquet", "problems", bad, made_by())
    message = _refused(world, capsys, responses=("1.parquet", "2.parquet"))
    assert "4 of 8 responses ended as unparseable_gold" in message and "'p0#0'" in message and "'many'" in message
    assert "grading.max_bad_share = 0.02" in message


def test_a_file_of_another_kind_is_refused(world, capsys):
    assert "is of kind 'problems'" in _refused(world, capsys, responses=("problems.parquet",))
