"""Formulas by their numbers: values, what is refused, and never another verdict than math-verify's."""

from math import pi, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldstart.grading import symbolic
from coldstart.grading.formulas import by_numbers, value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"2\sqrt{3}", 2 * sqrt(3)),
        (r"\frac{3\sqrt{2}}{2}+\pi", 1.5 * sqrt(2) + pi),
        (r"\sqrt[3]{27}", 3.0),
        (r"-2^2", -4.0),
        (r"(-2)^2", 4.0),
        (r"2^{-1}", 0.5),
        (r"8 \times 2 \cdot 11", 176.0),
        (r"1/4 + 1", 1.25),
        (r"\pi(3\sqrt{3}+2)", pi * (3 * sqrt(3) + 2)),
        (r"\frac{1}{\frac{1}{2}}", 2.0),
        (r"(1+\sqrt{5})(1-\sqrt{5})", -4.0),
    ],
)
def test_values(text, expected):
    assert value(text) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (r"2\frac{1}{2}", "a mixed number or a product"),
        ("1/2x", "(1/2)x or 1/(2x)"),
        ("f(x)", "a call or a product"),
        ("2^10", "LaTeX reads 2^1 0"),
        ("2e", "Euler's number or a letter"),
        ("3i", "imaginary or a letter"),
        ("5cm", "a unit"),
        ("5 m", "a unit"),
        ("(1) 20", "two numbers"),
        ("2 3", "two numbers"),
        ("0.2 - 0.4", "a range or a difference"),
        (r"\sqrt{-4}", "no real number"),
        (r"\frac{1}{0}", "no number"),
        ("9^{9^{9^9}}", "too large"),
        ("x=5", "an equation"),
        ("1,2", "a list"),
        (r"\sin x", "a function"),
        ("x_1", "an index"),
        ("(1,2)", "a point or an interval"),
        ("", "nothing"),
        ("(" * 300, "unbalanced"),
        ("2^{3", "unbalanced"),
        (r"\frac{1}", "half a fraction"),
        ("a^b^c", "two readings"),
    ],
)
def test_what_is_not_simple_is_left_to_math_verify(text, why):
    assert value(text) is None and by_numbers(text, "3") is None and by_numbers("3", text) is None, why


@pytest.mark.parametrize(
    ("one", "other", "outcome"),
    [
        (r"2\sqrt{3}", r"\sqrt{12}", "equal"),
        (r"2\sqrt{3}", r"3\sqrt{2}", "different"),
        (r"\frac{a+b}{2}", r"\frac{a-b}{2}", "different"),
        (r"\frac{a+b}{2}", r"\frac{b+a}{2}", None),  # equal at three points is no proof
        ("x", "X", "different"),
        (r"\pi", "3.1416", None),  # closer than math-verify's six decimals need
        (r"\pi", "3.2", "different"),
    ],
)
def test_outcomes(one, other, outcome):
    assert by_numbers(one, other) == outcome
    assert by_numbers(other, one) == outcome


NUMBERS = st.integers(0, 12).map(str) | st.sampled_from(["0.5", "1.25", "10.2"])
ATOMS = NUMBERS | st.sampled_from([r"\pi", "a", "b", "x", r"\sqrt{2}"])
FORMULAS = st.recursive(
    ATOMS,
    lambda part: st.one_of(
        st.builds(r"{} + {}".format, part, part),
        st.builds(r"{} - ({})".format, part, part),
        st.builds(r"\frac{{{}}}{{{}}}".format, part, part),
        st.builds(r"\sqrt{{{}}}".format, part),
        st.builds(r"{} \cdot ({})".format, part, part),
        st.builds(r"({})^2".format, part),
        st.builds(r"3({})".format, part),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(one=FORMULAS, other=FORMULAS)
def test_never_another_verdict_than_math_verify(one, other):
    for gold, target in ((one, other), (one, one), (one, f"{one} + 0")):
        outcome = by_numbers(gold, target)
        if outcome is not None:
            assert outcome == symbolic.equal(gold, target), (gold, target)
