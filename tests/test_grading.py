"""The parts of the grader: golds, boxes, numbers, explanations. Its cases are in test_grading_cases.py."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coldstart.grading import GRADER_VERSION, explain, gold_problem, grade
from coldstart.grading.extract import boxes
from coldstart.grading.normalise import parse_number

COLOURS = ["red", "green", "blue", "dark blue"]


def test_gold_problem_names_the_fault():
    cases = {
        ("choice", "F"): "only 4 options",
        ("choice", "purple"): "neither a letter",
        ("integer", "2.5"): "not an integer",
        ("integer", "many"): "not a number",
        ("decimal", ""): "empty",
        ("expression", r"\frac{1"): "unbalanced",
        ("expression", "x" + "+x" * 500): "longer than",
        ("expression", r"\frac{3}{7}"): None,
        ("expression", r"\sqrt{2}"): None,
        ("expression", "north"): None,
        ("list", "[1, 2]"): None,
        ("text", "yes"): None,
        ("choice", "B"): None,
        ("integer", "1,234"): None,
    }
    for (kind, gold), part in cases.items():
        found = gold_problem({"answer": gold, "answer_type": kind, "options": COLOURS})
        assert (found is None) if part is None else (found is not None and part in found), (kind, gold, found)


def test_unknown_answer_type_is_a_programming_error():
    with pytest.raises(ValueError, match="unknown answer_type 'prose'"):
        grade({"answer": "1", "answer_type": "prose"}, "1")


def test_boxes_keep_order_and_unwrap_nested_ones():
    text = r"\boxed{1} { \boxed{a {b} \{ c} } \boxed{\boxed{\boxed{3}}} \boxed{x \boxed{4} y} \boxed{open"
    assert [content for _, _, content in boxes(text)] == ["1", r"a {b} \{ c", "3", r"x \boxed{4} y"]


def test_numbers_are_exact():
    cases = {
        "1,234.50": "2469/2",
        "-3/4": "-3/4",
        r"-\frac{3}{4}": "-3/4",
        "1.5e3": "1500",
        "two thirds": None,
        "1,23": None,
        "1,2345": None,
        "3-4": None,
        "12:30": None,
        "10%": "10",
    }
    for text, value in cases.items():
        number = parse_number(text)
        assert (None if number is None else str(number.value)) == value, text


def test_version_is_written_down():
    assert GRADER_VERSION.count(".") == 1


def test_extracted_text_is_storable():
    found = grade({"answer": "5", "answer_type": "integer"}, "\\boxed{\ud800 5}")
    pq.write_table(pa.table({"extracted": [found.extracted]}), io.BytesIO())
    assert found.extracted == "\ufffd 5" or found.extracted == "? 5"


def test_an_explanation_holds_every_step():
    problem = {"answer": "B", "answer_type": "choice", "options": COLOURS}
    response = "First (A).\nThe answer is B. I hope the answer is helpful."
    told = explain(problem, response)
    assert told.grade == grade(problem, response)
    assert (told.found.where, told.gold, told.grade.verdict) == ("statement", "B", "correct")
    assert [candidate for candidate, _ in told.judged] == ["helpful", "B. I hope the answer is helpful"]
    assert [verdict.verdict for _, verdict in told.judged] == ["unparseable_answer", "correct"]
    assert [response[start:].split()[0] for start in told.found.starts] == ["answer", "answer"]


@pytest.mark.parametrize(
    ("response", "kind", "where", "at"),
    [
        (r"<think>\boxed{4}</think> so \boxed{5}", "integer", "box", r"\boxed{5}"),
        ("x\nThe answer is 5.", "integer", "statement", "answer"),
        ("  5", "integer", "whole", "5"),
        ("There are 3 red ones. So there are 5 in all. I hope this helps!", "integer", "prose", "So there"),
    ],
)
def test_places_point_into_the_response(response, kind, where, at):
    found = explain({"answer": "5", "answer_type": kind}, response).found
    assert found.where == where
    assert response[found.starts[0] :].startswith(at)
