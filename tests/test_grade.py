"""coldstart grade: the steps of one verdict, as a reader sees them."""

import io
import sys

import pytest

from coldstart.cli import main

OPTIONS = ["--options", "red", "green", "blue"]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (
            ["--gold", "7", "--type", "integer", "--response", "<think>\\boxed{3}</think> so\nit is \\boxed{7.0} m"],
            ["the last complete box", "'7.0' at line 2, column 7", "compared '7' with the gold '7'", "exact value"],
        ),
        (
            ["--gold", "B", "--type", "choice", *OPTIONS, "--response", "So the ball is green."],
            ["the whole response", "names neither a letter", "answer 2   'green'", "verdict    correct: option B"],
        ),
        (
            ["--gold", "3.14", "--type", "decimal", "--tolerance", "0.001", "--response", "The answer is 3.15."],
            ["an explicit statement", "tolerance 0.001", "verdict    wrong"],
        ),
        (["--gold", "5", "--type", "integer", "--response", "dunno"], ["none: no box", "verdict    no_answer"]),
        (["--gold", "", "--type", "integer", "--response", "5"], ["verdict    unparseable_gold: the gold is empty"]),
        (
            ["--gold", "5", "--type", "integer", "--unit", "cm", "--response", "\\boxed{5 m}"],
            ["unit 'cm'", "unit 'm' instead of 'cm'", "verdict    wrong"],
        ),
    ],
)
def test_the_steps_are_shown(arguments, shown, capsys):
    assert main(["grade", *arguments]) == 0
    out = capsys.readouterr().out
    assert [part for part in shown if part not in out] == [], out


def test_the_response_may_come_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("I add them.\n#### 5\n"))
    assert main(["grade", "--gold", "5", "--type", "integer", "--response", "-"]) == 0
    out = capsys.readouterr().out
    assert "at line 2, column 1" in out and "verdict    correct" in out


def test_a_choice_needs_its_options(capsys):
    assert main(["grade", "--gold", "green", "--type", "choice", "--response", "B"]) == 2
    assert "a choice needs --options" in capsys.readouterr().err


@pytest.mark.slow
def test_a_formula_that_hangs_is_a_timeout(monkeypatch, capsys):
    monkeypatch.setattr("coldstart.grade.LIMIT", 2.0)
    assert main(["grade", "--gold", "x+1", "--type", "expression", "--response", r"\boxed{9^{9^{9^9}}}"]) == 0
    assert "verdict    timeout" in capsys.readouterr().out
