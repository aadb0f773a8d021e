"""The grader, case by case: a file of cases an answer type (grading_cases/*.jsonl), each saying why it is there.

A case: gold, response, verdict, why, and where it needs them options, tolerance, unit, question and (extraction) type.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from coldstart.grading import grade
from coldstart.grading.core import compare, find_answer, make_spec
from coldstart.schemas import ANSWER_TYPES, VERDICTS

FOLDER = Path(__file__).with_name("grading_cases")
FILES = [*ANSWER_TYPES, "extraction"]


def read_cases() -> list:
    found = []
    for name in FILES:
        for number, line in enumerate((FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(), start=1):
            case = json.loads(line)
            found.append(pytest.param(case | {"type": case.get("type", name)}, id=f"{name}:{number}"))
    return found


CASES = read_cases()


def problem_of(case: dict) -> dict:
    return {**case, "answer": case["gold"], "answer_type": case["type"]}


@pytest.mark.parametrize("case", CASES)
def test_case(case):
    found = grade(problem_of(case), case["response"])
    assert found.verdict == case["verdict"], f"{case['why']}: {case['gold']!r}, {case['response']!r}: {found}"
    assert found.reason


def test_the_cases_cover_what_they_say():
    cases = [parameter.values[0] for parameter in CASES]
    verdicts = Counter(case["verdict"] for case in cases)
    kinds = Counter(case["type"] for case in cases)
    assert len(cases) >= 550
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(FILES)
    assert set(kinds) == set(ANSWER_TYPES) and min(kinds.values()) >= 25
    assert set(verdicts) == set(VERDICTS) - {"timeout"} and min(verdicts.values()) >= 10
    assert all(case["why"] for case in cases)
    known = {"type", "gold", "response", "verdict", "why", "options", "tolerance", "unit", "question"}
    assert [case for case in cases if set(case) - known] == []
    facts = ("type", "gold", "response", "options", "tolerance", "unit", "question")
    assert max(Counter(repr([case.get(key) for key in facts]) for case in cases).values()) == 1, "a case stands twice"


def test_only_formulas_reach_math_verify():
    """Every case that needs no algebra is decided without it; the count keeps the fast path from eroding."""
    undecided = []
    for case in (parameter.values[0] for parameter in CASES):
        problem = problem_of(case)
        spec = make_spec(problem)
        if compare(spec, find_answer(spec, problem, case["response"]), use_symbolic=False) is None:
            undecided.append((case["type"], case["gold"], case["response"]))
    assert 25 <= len(undecided) <= 45, undecided
    assert not [case for case in undecided if case[0] == "text"]
