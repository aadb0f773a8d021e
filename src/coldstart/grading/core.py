"""``grade`` and its parts: a problem becomes a ``Spec``, a response becomes candidates, and a rule compares them.

The package's docstring (``coldstart.grading``) says what the verdicts mean.
"""

from dataclasses import dataclass
from functools import lru_cache

from coldstart.grading import normalise, rules, symbolic
from coldstart.grading.extract import MAX_ANSWER, Extraction, extract
from coldstart.grading.spec import Spec

GRADER_VERSION = "1.0"


@dataclass(frozen=True)
class Grade:
    """A verdict with what it rests on; ``extracted`` and ``normalised`` are None if no answer was found."""

    verdict: str
    extracted: str | None
    normalised: str | None
    reason: str


def grade(problem: dict, response: str) -> Grade:
    """Grade one completion. Never raises on any text; may run long on hostile formulas, which the pool cuts short."""
    spec = make_spec(problem)
    result = compare(spec, extract(response, spec.answer_type), use_symbolic=True)
    if result is None:
        raise AssertionError("the symbolic comparison always decides")
    return result


def gold_problem(problem: dict) -> str | None:
    """Why this problem's gold cannot be graded against, or None. May call math-verify: see ``grade``."""
    spec = make_spec(problem)
    fault = rules.gold_fault(spec)
    if fault or spec.answer_type != "expression":
        return fault
    text = rules.units.strip(normalise.plain(spec.answer))
    if normalise.is_prose(text) or normalise.parse_number(text) or symbolic.parses(text):
        return None
    return f"math-verify cannot parse the gold {spec.answer!r}"


def make_spec(problem: dict) -> Spec:
    """The part of a problem that a verdict depends on."""
    kind = problem["answer_type"]
    if kind not in rules.RULES:
        raise ValueError(f"unknown answer_type {kind!r}; known: {', '.join(rules.RULES)}")
    options = problem.get("options")
    tolerance = problem.get("tolerance")
    question = (problem.get("question") or "").lower()
    return Spec(
        answer=problem["answer"],
        answer_type=kind,
        options=() if options is None else tuple(options),
        tolerance=None if tolerance is None or tolerance != tolerance else float(tolerance),
        unit=problem.get("unit") or "",
        percent="percent" in question or "%" in question,
    )


def compare(spec: Spec, found: Extraction, use_symbolic: bool) -> Grade | None:
    """Judge what was extracted; None if only math-verify can tell and ``use_symbolic`` is False."""
    fault = _gold_fault(spec)
    if fault:
        return Grade("unparseable_gold", None, None, fault)
    if not found.candidates:
        return Grade("no_answer", None, None, "no box, no explicit statement, and the response is not only an answer")
    last: Grade | None = None
    for candidate in found.candidates:
        verdict = _judge(spec, candidate, use_symbolic)
        if verdict is None:
            return None
        if verdict.verdict == "unparseable_answer" and found.where == "whole":
            return Grade(
                "no_answer", None, None, "nothing is stated explicitly, and the response is not only an answer"
            )
        if verdict.verdict != "unparseable_answer":
            return verdict
        last = last or verdict
    return last


@lru_cache(maxsize=65536)
def _gold_fault(spec: Spec) -> str | None:
    return rules.gold_fault(spec)


@lru_cache(maxsize=65536)
def _judge(spec: Spec, candidate: str, use_symbolic: bool) -> Grade | None:
    """One candidate's grade; equal answers to equal golds are judged once."""
    shown = normalise.sanitise(candidate)[:MAX_ANSWER]
    if len(candidate) > MAX_ANSWER:
        return Grade("unparseable_answer", shown, None, f"the answer is longer than {MAX_ANSWER} characters")
    verdict = rules.decide(spec, candidate, use_symbolic)
    if verdict is None:
        return None
    return Grade(verdict.verdict, shown, verdict.normalised[:MAX_ANSWER], verdict.reason)
