"""``grade`` and its parts: a problem becomes a ``Spec``, a response becomes candidates, and a rule compares them.

The package's docstring (``coldstart.grading``) says what the verdicts mean.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from coldstart.grading import normalise, rules, symbolic
from coldstart.grading.extract import MAX_ANSWER, Extraction, extract
from coldstart.grading.spec import Spec, Verdict

GRADER_VERSION = "2.2"


@dataclass(frozen=True)
class Grade:
    """A verdict with what it rests on; ``extracted`` and ``normalised`` are None if no answer was found."""

    verdict: str
    extracted: str | None
    normalised: str | None
    reason: str


@dataclass(frozen=True)
class Explanation:
    """A grade and the steps that led to it; ``gold``: as it was compared; ``judged``: each candidate's verdict."""

    spec: Spec
    found: Extraction
    gold: str
    judged: tuple[tuple[str, Verdict], ...]
    grade: Grade


def grade(problem: dict, response: str) -> Grade:
    """Grade one completion. Never raises on any text; may run long on hostile formulas, which the pool cuts short."""
    return explain(problem, response).grade


def explain(problem: dict, response: str) -> Explanation:
    """The same judgement with its steps: what was extracted, and what became of each candidate."""
    spec = make_spec(problem)
    found = find_answer(spec, problem, response)
    judged: list[tuple[str, Verdict]] = []
    result = compare(spec, found, use_symbolic=True, judged=judged)
    if result is None:
        raise AssertionError("the symbolic comparison always decides")
    return Explanation(spec, found, rules.gold_form(spec), tuple(judged), result)


def find_answer(spec: Spec, problem: dict, response: str) -> Extraction:
    """The answers that a response states to this problem."""
    return extract(response, spec.answer_type, problem.get("question") or "", spec.options)


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


def compare(
    spec: Spec, found: Extraction, use_symbolic: bool, judged: list[tuple[str, Verdict]] | None = None
) -> Grade | None:
    """Judge what was extracted; None if only math-verify can tell and ``use_symbolic`` is False.

    ``judged`` receives every candidate that was looked at, with its verdict.
    """
    fault = _gold_fault(spec)
    if fault:
        return Grade("unparseable_gold", None, None, fault)
    first: Grade | None = None
    for candidate in found.candidates:
        verdict = _judge(spec, candidate, use_symbolic)
        if verdict is None:
            return None
        if judged is not None:
            judged.append((candidate, verdict))
        shown = normalise.sanitise(candidate)[:MAX_ANSWER]
        if verdict.verdict != "unparseable_answer":
            return Grade(verdict.verdict, shown, verdict.normalised, verdict.reason)
        normalised = verdict.normalised if len(candidate) <= MAX_ANSWER else None
        first = first or Grade("unparseable_answer", shown, normalised, verdict.reason)
    if first is None or found.where in ("whole", "prose"):
        return Grade("no_answer", None, None, "no box, no explicit statement, and no sentence that states one result")
    return first


@lru_cache(maxsize=65536)
def _gold_fault(spec: Spec) -> str | None:
    return rules.gold_fault(spec)


@lru_cache(maxsize=65536)
def _judge(spec: Spec, candidate: str, use_symbolic: bool) -> Verdict | None:
    """One candidate's verdict; equal answers to equal golds are judged once."""
    if len(candidate) > MAX_ANSWER:
        return Verdict("unparseable_answer", "", f"the answer is longer than {MAX_ANSWER} characters")
    verdict = rules.decide(spec, candidate, use_symbolic)
    return None if verdict is None else replace(verdict, normalised=verdict.normalised[:MAX_ANSWER])
