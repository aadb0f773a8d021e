"""Scoring: a grade a response, in order; incomplete or foreign responses are refused."""

from collections import Counter

import pytest

from coldstart.artifacts import read_provenance, read_rows, write_rows
from coldstart.cli import main
from coldstart.grading import GRADER_VERSION
from test_filter import made_by, problem, response


@pytest.fixture
def world(tmp_path):
    problems = [
        problem("p0"),
        problem("p1", answer="0.5", kind="decimal", tolerance=0.01),
        problem("p2", "yes", "text"),
    ]
    write_rows(tmp_path / "problems.parquet", "problems", problems, made_by())
    rows = [
        response("p1", 0, r"\boxed{0.509}", tokens=11),
        response("p1", 1, r"\boxed{0.52}"),
        response("p0", 0, r"\boxed{7 or 8}"),
        response("p0", 1, "so it goes on", finish="length", tokens=64),
        response("p2", 0, "Yes, it is."),
        response("p2", 1, r"\boxed{No}"),
    ]
    write_rows(tmp_path / "responses.parquet", "responses", rows, made_by())
    return tmp_path


def run(folder, config="{}") -> int:
    command = ["score", "--config", config]
    for option in ("problems", "responses", "grades"):
        command += [f"--{option}", str(folder / f"{option}.parquet")]
    return main(command)


def test_grades_of_every_response_in_order(world, capsys):
    assert run(world, '{"grading": {"workers": 1}}') == 0
    rows = read_rows(world / "grades.parquet", "grades")
    assert [(row["id"], row["verdict"]) for row in rows] == [
        ("p1#0", "correct"),
        ("p1#1", "wrong"),
        ("p0#0", "unparseable_answer"),
        ("p0#1", "no_answer"),
        ("p2#0", "correct"),
        ("p2#1", "wrong"),
    ]
    assert rows[0] == {
        "id": "p1#0",
        "problem_id": "p1",
        "sample_index": 0,
        "verdict": "correct",
        "extracted": "0.509",
        "normalised": "0.509",
        "reason": "tolerance 0.01",
        "finish_reason": "stop",
        "completion_tokens": 11,
        "grader": GRADER_VERSION,
    }
    assert rows[3]["extracted"] is None and rows[3]["finish_reason"] == "length" and rows[3]["completion_tokens"] == 64
    assert "accuracy 33.3% of 6 responses" in capsys.readouterr().out
    facts = read_provenance(world / "grades.parquet")["facts"]
    assert facts["counts"] == dict(Counter(row["verdict"] for row in rows)) and facts["accuracy"] == pytest.approx(
        1 / 3
    )


def test_an_unanswered_problem_is_refused(world, capsys):
    rows = read_rows(world / "responses.parquet", "responses")
    write_rows(world / "responses.parquet", "responses", [row for row in rows if row["problem_id"] != "p0"], made_by())
    assert run(world) == 2
    message = capsys.readouterr().err
    assert "1 of 3 problems are unanswered, first 'p0'" in message and "responses.parquet" in message
    assert not (world / "grades.parquet").exists()


def test_a_bad_gold_is_refused_unless_allowed(world, capsys):
    problems = read_rows(world / "problems.parquet", "problems")
    problems[0]["answer"] = "plenty"
    write_rows(world / "problems.parquet", "problems", problems, made_by())
    assert run(world) == 2
    assert "'plenty'" in capsys.readouterr().err and not (world / "grades.parquet").exists()
    assert run(world, '{"grading": {"max_bad_share": 0.5}}') == 0
    verdicts = Counter(row["verdict"] for row in read_rows(world / "grades.parquet", "grades"))
    assert verdicts["unparseable_gold"] == 2 and verdicts["correct"] == 2


def test_a_problem_file_with_one_id_twice_is_refused(world, capsys):
    problems = read_rows(world / "problems.parquet", "problems")
    write_rows(world / "problems.parquet", "problems", [*problems, problems[0]], made_by())
    assert run(world) == 2
    assert "id 'p0' occurs twice" in capsys.readouterr().err
