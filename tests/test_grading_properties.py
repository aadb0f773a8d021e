"""Properties of the grader on made-up text: it never raises, is stable, and its golds grade themselves correct."""

import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from coldstart.grading import GradingPool, gold_problem, grade
from coldstart.grading.core import compare, find_answer, make_spec
from coldstart.grading.normalise import latex_key, parse_number, plain, text_key
from coldstart.grading.units import same
from coldstart.schemas import ANSWER_TYPES, VERDICTS

COLOURS = ["red", "green", "blue", "dark blue"]
GOLDS = {"choice": "B", "text": "red", "list": "[1, 2]"}  # other types: "5"

# Hostile input: every one of these must end at once, in process, without an exception.
HOSTILE = {
    "a megabyte of braces": "{" * 1_000_000,
    "a megabyte of closed braces": "\\boxed{" + "{}" * 500_000,
    "a thousand nested boxes": "\\boxed{" * 1000 + "5" + "}" * 1000,
    "a hundred thousand boxes": "\\boxed{5}" * 100_000,
    "NUL bytes": "\0" * 1000 + "\\boxed{5}",
    "lone surrogates": "\ud800\udfff" * 500 + "\\boxed{\udc00}",
    "a megabyte of the word answer": "the answer is " * 75_000,
    "a megabyte of dollars": "$" * 1_000_000,
    "a long number": "\\boxed{" + "9" * 100_000 + "}",
    "a long answer": "The answer is " + "x" * 1_000_000,
    "many equals signs": "\\boxed{" + "x=" * 700 + "}",
    "deep parentheses": "\\boxed{" + "(" * 700 + ")" * 700 + "}",
    "nothing but white space": " \n" * 100_000,
    "thinking tags": "<think>" * 50_000 + "</think>",
    "answer tags": "<answer>" * 50_000,
    "letters on lines": "A\n" * 50_000,
    "a megabyte of sentences": "So there are 6 of them, that is 6. " * 30_000,
    "one long sentence": "so 6 is " * 120_000,
    "bold marks": "**" * 400_000,
    "many unfinished boxes": "\\boxed{" * 100_000,
    "code fences": "```" * 300_000,
}


def hostile_problem(kind):
    return {"answer": GOLDS.get(kind, "5"), "answer_type": kind, "options": COLOURS if kind == "choice" else []}


@pytest.mark.parametrize("kind", ANSWER_TYPES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends(kind, name):
    problem = hostile_problem(kind)
    spec = make_spec(problem)
    found = compare(spec, find_answer(spec, problem, HOSTILE[name]), use_symbolic=False)
    if found is not None:
        assert found.verdict in VERDICTS
        assert found.verdict != "correct" or "boxed{5}" in HOSTILE[name] or "thousand nested" in name
        (found.extracted or "").encode()  # must be storable


# What a model may emit, in fragments, so that the fuzzer reaches the rules behind the extraction.
# fmt: off
FRAGMENTS = st.sampled_from([
    "\\boxed{", "}", "{", "\\frac", "\\sqrt", "^", "_", "1", "2", "3.5", "1,000", "-", "", "+", "/", "=", "<", ",", ";",
    "x", "y", "\\pi", "%", "^\\circ", "\\text{", "B", "(B)", "B.", "or", "and", "the", "answer", "is", "Answer:", "yes",
    "no", "cm", "$", "**", "\\(", "\\)", "\n", "<think>", "</think>", "\ud800", "\0", "\u00bd", "\u2212", "\u00b2",
    "\uff15",
])
# fmt: on
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(FRAGMENTS, max_size=14).map(" ".join),
    st.lists(FRAGMENTS, max_size=10).map("".join),
    st.lists(FRAGMENTS, max_size=8).map(lambda parts: "\\boxed{" + "".join(parts) + "}"),
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@QUICK
@given(gold=TEXTS, response=TEXTS, kind=st.sampled_from(ANSWER_TYPES), unit=st.sampled_from([None, "cm", "%"]))
def test_never_raises_and_is_stable(gold, response, kind, unit):
    problem = {"answer": gold, "answer_type": kind, "options": COLOURS, "unit": unit}
    spec = make_spec(problem)
    first = compare(spec, find_answer(spec, problem, response), use_symbolic=False)
    assert first == compare(spec, find_answer(spec, problem, response), use_symbolic=False)
    assert first is None or (first.verdict in VERDICTS and first.reason)


@QUICK
@given(text=TEXTS)
def test_normalisation_is_idempotent(text):
    assert plain(plain(text)) == plain(text)
    assert text_key(text_key(text)) == text_key(text)
    assert latex_key(latex_key(text)) == latex_key(text)


@QUICK
@given(value=st.integers(-(10**12), 10**12), separators=st.booleans())
def test_an_integer_gold_grades_itself_correct(value, separators):
    shown = f"{value:,}" if separators else str(value)
    problem = {"answer": str(value), "answer_type": "integer"}
    assert grade(problem, f"so \\boxed{{{shown}}}").verdict == "correct"
    assert grade(problem, f"\\boxed{{{value + 1}}}").verdict == "wrong"
    assert grade(problem, f"The answer is {shown}.").verdict == "correct"


@QUICK
@given(value=st.decimals(-(10**6), 10**6, places=3), off=st.integers(-2, 2))
def test_a_decimal_gold_follows_its_tolerance(value, off):
    problem = {"answer": str(value), "answer_type": "decimal", "tolerance": 0.001}
    answer = value + off * type(value)("0.001")
    assert (grade(problem, f"\\boxed{{{answer}}}").verdict == "correct") == (abs(off) <= 1)


@QUICK
@given(top=st.integers(-50, 50), bottom=st.integers(1, 50), factor=st.integers(1, 9))
def test_equal_fractions_are_equal_both_ways(top, bottom, factor):
    one, other = f"\\frac{{{top}}}{{{bottom}}}", f"{top * factor}/{bottom * factor}"
    for gold, answer in ((one, other), (other, one)):
        assert grade({"answer": gold, "answer_type": "expression"}, f"\\boxed{{{answer}}}").verdict == "correct"


@QUICK
@given(words=st.lists(st.from_regex(r"[A-Za-z]{1,9}", fullmatch=True), min_size=1, max_size=4))
def test_a_text_gold_grades_itself_correct(words):
    gold = " ".join(words)
    assert grade({"answer": gold, "answer_type": "text"}, f"\\boxed{{{gold}}}").verdict == "correct"


@QUICK
@given(letter=st.sampled_from("ABCD"), form=st.sampled_from(["{}", "({})", "{}.", r"\text{{{}}}", "**{}**"]))
def test_a_letter_grades_itself_correct(letter, form):
    problem = {"answer": letter, "answer_type": "choice", "options": COLOURS}
    assert grade(problem, f"\\boxed{{{form.format(letter)}}}").verdict == "correct"
    assert grade(problem, f"The answer is {form.format(letter)}").verdict == "correct"


@pytest.mark.slow
def test_hostile_text_ends_within_the_limit_of_the_pool():
    """Every hostile text and formula of every type, through one worker; the rows between them keep their verdicts."""
    towers = [
        r"\boxed{9^{9^{9^9}}}",
        r"\boxed{\frac{1}{9^{9^{9^9}}}}",
        r"\boxed{9!!!!!!!}",
        r"\boxed{\sum_{i=1}^{10^{99}} i}",
    ]
    rows, bad = [], []
    for kind in ANSWER_TYPES:
        for text in [*HOSTILE.values(), *(towers if kind == "expression" else towers[:1])]:
            bad.append(len(rows))
            rows += [(hostile_problem(kind), text), ({"answer": "x+1", "answer_type": "expression"}, r"\boxed{1+x}")]
    began = time.monotonic()
    with GradingPool(3.0, 2) as pool:
        grades = pool.grade(rows)
    assert len(grades) == len(rows) == 2 * len(bad)
    assert {grades[place + 1].verdict for place in bad} == {"correct"}
    assert {grades[place].verdict for place in bad} <= set(VERDICTS)
    assert time.monotonic() - began < 240


SIDES = st.sampled_from(
    [
        "1/2",
        r"\frac{1}{2}",
        "0.5",
        "2",
        "-2",
        r"\sqrt{4}",
        "2 cm",
        "20 mm",
        r"\frac{4}{2}",
        "x+1",
        "1+x",
        "x",
        "X",
    ]
)


@QUICK
@given(one=SIDES, other=SIDES)
def test_equality_of_numbers_is_symmetric(one, other):
    """Percent is left out: a sign in the gold says that percent is asked for, one in the answer does not."""
    there = grade({"answer": one, "answer_type": "expression"}, f"\\boxed{{{other}}}").verdict == "correct"
    back = grade({"answer": other, "answer_type": "expression"}, f"\\boxed{{{one}}}").verdict == "correct"
    assert there == back


@QUICK
@given(one=st.text(max_size=12), other=st.text(max_size=12))
def test_text_and_units_are_symmetric(one, other):
    assert same(one, other) == same(other, one)
    there = grade({"answer": one, "answer_type": "text"}, f"\\boxed{{{other}}}").verdict == "correct"
    back = grade({"answer": other, "answer_type": "text"}, f"\\boxed{{{one}}}").verdict == "correct"
    # a gold of yes or no may be answered with an explanation; a brace or an empty side makes no box
    if (
        text_key(one) not in ("yes", "no", "")
        and text_key(other) not in ("yes", "no", "")
        and not set("{}\\") & set(one + other)
    ):
        assert there == back


@QUICK
@given(gold=TEXTS, kind=st.sampled_from(["integer", "decimal", "list", "text"]))
def test_a_gold_without_fault_grades_itself_correct(gold, kind):
    problem = {"answer": gold, "answer_type": kind, "options": [], "question": ""}
    assume(gold.count("{") == gold.count("}") and "\\" not in gold and "<" not in gold)
    assume(gold_problem(problem) is None and (parse_number(gold) or kind in ("text", "list")))
    assert grade(problem, f"\\boxed{{{gold}}}").verdict == "correct"
