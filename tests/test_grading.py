"""The grader, case by case: each line says why it is here. The pool has its own file (test_grading_pool.py)."""

import io
import math
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coldstart.grading import GRADER_VERSION, gold_problem, grade
from coldstart.grading.core import compare, make_spec
from coldstart.grading.extract import boxes, extract
from coldstart.grading.normalise import latex_key, parse_number, plain, text_key
from coldstart.schemas import ANSWER_TYPES, VERDICTS

COLOURS = ("red", "green", "blue", "dark blue")
LENGTHS = ("6 cm", "7 cm", "8 m", "9 cm")
C, W, N, U, G = "correct", "wrong", "no_answer", "unparseable_answer", "unparseable_gold"

# (gold, options, response, verdict, why the case is here)
CHOICE = [
    ("B", COLOURS, r"\boxed{B}", C, "the plain case"),
    ("B", COLOURS, r"\boxed{C}", W, "another letter"),
    ("B", COLOURS, r"\boxed{(B)}", C, "parentheses"),
    ("B", COLOURS, r"\boxed{B.}", C, "full stop"),
    ("B", COLOURS, r"\boxed{B)}", C, "half a parenthesis"),
    ("B", COLOURS, r"\boxed{b}", C, "lower case in a box"),
    ("B", COLOURS, r"\boxed{\text{B}}", C, "text command"),
    ("B", COLOURS, r"\boxed{\textbf{(B)}\ \text{green}}", C, "AMC style"),
    ("B", COLOURS, r"$\boxed{\mathrm{B}}$", C, "roman in dollars"),
    ("B", COLOURS, r"\boxed{green}", C, "the option's text"),
    ("B", COLOURS, r"\boxed{Green.}", C, "the option's text in another case"),
    ("B", COLOURS, r"\boxed{B: green}", C, "letter and text"),
    ("B", COLOURS, r"\boxed{B. green}", C, "letter, stop and text"),
    ("B", COLOURS, r"\boxed{(B), green}", C, "letter, comma and text"),
    ("B", COLOURS, r"\boxed{B - green}", C, "letter, dash and text"),
    ("B", COLOURS, r"\boxed{option B}", C, "the word option"),
    ("B", COLOURS, r"\boxed{B: red}", U, "letter and text contradict each other"),
    ("B", COLOURS, r"\boxed{B and C}", U, "two letters are a hedge"),
    ("B", COLOURS, r"\boxed{B or C}", U, "two letters are a hedge"),
    ("B", COLOURS, r"\boxed{A, B}", U, "two letters are a hedge"),
    ("B", COLOURS, r"\boxed{(A) (B)}", U, "two letters are a hedge"),
    ("B", COLOURS, r"\boxed{(A), (B)}", U, "two letters are a hedge"),
    ("B", COLOURS, r"\boxed{E}", W, "a letter beyond the options is an answer, and wrong"),
    ("B", COLOURS, r"\boxed{purple}", U, "no option"),
    ("C", COLOURS, r"\boxed{blue}", C, "blue is not dark blue"),
    ("D", COLOURS, r"\boxed{dark blue}", C, "longest text"),
    ("B", COLOURS, "The answer is B.", C, "statement"),
    ("B", COLOURS, "The answer is (B).", C, "statement in parentheses"),
    ("B", COLOURS, "The answer is **(B) green**.", C, "Markdown"),
    ("B", COLOURS, "The correct answer is:\n\n(B) green", C, "statement on its own line"),
    ("B", COLOURS, "Answer: B", C, "colon"),
    ("B", COLOURS, "**Answer:** B", C, "Markdown around the word"),
    ("B", COLOURS, "ANSWER: B", C, "capitals"),
    ("B", COLOURS, "Answer: green", C, "text after a colon"),
    ("B", COLOURS, "The correct option is B", C, "the word option"),
    ("B", COLOURS, "the answer to the question is B", C, "words between"),
    ("B", COLOURS, "I would choose B.", C, "choose"),
    ("B", COLOURS, "So (B) is correct.", C, "is correct"),
    ("B", COLOURS, "The answer is (B). Angle A is the right angle.", C, "right is not always correct"),
    ("B", COLOURS, "(B) B", C, "the same letter twice is one answer"),
    ("B", COLOURS, "B is the right answer.", C, "is the right answer"),
    ("B", COLOURS, "(C) is not correct, so the answer is B", C, "a denial states nothing"),
    ("B", COLOURS, "The answer is not B.", N, "a denial states nothing"),
    ("B", COLOURS, "The answer is C. No wait, the answer is B.", C, "the last statement wins"),
    ("B", COLOURS, "The answer is B. No wait, the answer is C.", W, "the last statement wins"),
    (
        "B",
        COLOURS,
        r"\boxed{B} ... I made a slip, so the answer is (C).",
        W,
        "a later statement beats a box for choice",
    ),
    ("B", COLOURS, r"\boxed{27} squares. The answer is: (B)", C, "a box that names no option is passed over"),
    ("B", COLOURS, r"The answer is \boxed{B}", C, "a statement that introduces a box"),
    ("B", COLOURS, r"\boxed{A} then \boxed{B}", C, "several boxes: the last"),
    ("B", COLOURS, "B", C, "nothing but the letter"),
    ("B", COLOURS, "(B)", C, "nothing but the letter"),
    ("B", COLOURS, "B. green", C, "nothing but the option"),
    ("B", COLOURS, "Looking closely.\nB\nThat is clear.", C, "one line that is only a letter"),
    ("B", COLOURS, "(A)\n(B)\n(C)", N, "a listing of the options is no answer"),
    ("A", COLOURS, "The answer is a matter of taste.", U, "an article is no letter (OPD-V#2)"),
    ("A", COLOURS, "A bird in the hand is worth two in the bush, said Ann.", N, "an article is no letter"),
    ("B", COLOURS, "Between red and green I see both.", N, "mentioning options states nothing"),
    ("A", COLOURS, "Answer", N, "the A of Answer is no letter (OPD-V#2)"),
    ("B", ("yes", "no"), "I did not notice anything.", N, "the no inside notice (VLMEvalKit#73)"),
    ("B", ("Yes", "No"), "The answer is **No**, there are more.", C, "option text before an explanation"),
    ("A", ("Yes", "No"), "The answer is **No**, there are more.", W, "option text before an explanation"),
    ("B", LENGTHS, r"\boxed{7\,\text{cm}}", C, "option with a unit in LaTeX"),
    ("B", LENGTHS, r"\boxed{(B) 70 cm}", U, "the letter's option holds another number"),
    ("B", LENGTHS, r"\boxed{7}", C, "option's number without the unit"),
    ("C", LENGTHS, r"\boxed{8\text{ cm}}", U, "another unit than the option's"),
    ("B", ("$\\pi$", "$1.5 \\pi$", "$2\\pi$"), r"\boxed{1.5\pi}", C, "formula up to spacing"),
    ("B", ("$\\pi$", "$1.5 \\pi$", "$2\\pi$"), r"\boxed{\frac{3}{2}\pi}", C, "formula by math-verify"),
    ("B", ("$\\pi$", "$1.5 \\pi$", "$2\\pi$"), r"\boxed{3\pi}", U, "formula that equals no option"),
    ("D", ("$2: 1$", "$\\sqrt{3}: 1$", "$3: 2$", "$\\sqrt{2}: 1$"), r"\boxed{\sqrt{2}-1}", U, "minus is not a ratio"),
    ("B", ("20", "21"), r"\boxed{(1) 20}", U, "latex2sympy would read (1) 20 as 21"),
    ("B", ("4 and 9", "5 and 9"), r"\boxed{(B) 5 and 9}", C, "an option that holds 'and'"),
    ("B", ("135°", "140°"), r"\boxed{140^\circ}", C, "degrees"),
    ("B", ("1/2", "0.25"), r"\boxed{\frac{1}{4}}", C, "number by value"),
    ("A", ("4", "4"), r"\boxed{4}", U, "two options with one text: nothing is unique"),
    ("B", (), r"\boxed{B}", C, "letters without options"),
    ("(B)", COLOURS, r"\boxed{B}", C, "gold in parentheses"),
    ("green", COLOURS, r"\boxed{B}", C, "gold given as the option's text"),
    ("F", COLOURS, r"\boxed{F}", G, "gold beyond the options is never credited"),
    ("purple", COLOURS, r"\boxed{purple}", G, "gold that is no option is never credited"),
    ("", COLOURS, r"\boxed{}", G, "empty gold"),
    ("B", COLOURS, "", N, "empty response"),
]

# (gold, response, verdict, why)
INTEGER = [
    ("7", r"\boxed{7}", C, "the plain case"),
    ("7", r"\boxed{8}", W, "another number"),
    ("7", r"\boxed{ 7 }", C, "spaces"),
    ("7", r"\boxed{07}", C, "leading zero"),
    ("7", r"\boxed{7.0}", C, "a whole number written as a decimal"),
    ("7", r"\boxed{7.4}", W, "never rounded"),
    ("7", r"\boxed{$7$}", C, "dollars in the box"),
    ("7", r"\boxed{\text{7}}", C, "text command"),
    ("7", r"\boxed{\boxed{7}}", C, "nested boxes"),
    ("7", r"\fbox{7}", C, "fbox"),
    ("7", r"\boxed 7", C, "box without braces"),
    ("7", r"first \boxed{3}, then \boxed{7}", C, "several boxes: the last"),
    ("3", r"first \boxed{3}, then \boxed{7}", W, "several boxes: the last"),
    ("7", r"\boxed{7} and then \boxed{9", C, "an unfinished box is ignored"),
    ("7", r"so it is \boxed{7", N, "an unfinished box alone is nothing"),
    ("7", r"\boxed{}", N, "an empty box"),
    ("7", r"\boxed{seven}", C, "number word"),
    ("12", r"\boxed{Twelve}", C, "number word, capital"),
    ("25", r"\boxed{twenty-five}", C, "compound number word"),
    ("-5", r"\boxed{minus five}", C, "negative number word"),
    ("1234", r"\boxed{1,234}", C, "thousands separator"),
    ("1234", r"\boxed{1{,}234}", C, "LaTeX thousands separator"),
    ("1234567", r"\boxed{1,234,567}", C, "two separators"),
    ("1234567", r"\boxed{1\,234\,567}", C, "thin spaces as separators"),
    ("1234", r"\boxed{1 234}", C, "space as separator"),
    ("1,234", r"\boxed{1234}", C, "separator in the gold"),
    ("12", r"\boxed{1,2}", U, "a comma that separates nothing known"),
    ("-3", r"\boxed{-3}", C, "minus"),
    ("-3", "\\boxed{\u22123}", C, "unicode minus"),
    ("-3", "\\boxed{\u20133}", C, "en dash as minus"),
    ("-3", r"\boxed{3}", W, "sign"),
    ("3", r"\boxed{+3}", C, "plus sign"),
    ("42", "\\boxed{\uff14\uff12}", C, "full-width digits"),
    ("5", r"\boxed{5 apples}", C, "counted things"),
    ("5", r"\boxed{5 \text{ cm}}", C, "unit the problem does not ask for"),
    ("5", r"\boxed{5~\mathrm{cm}^2}", C, "unit with a power"),
    ("5", r"\boxed{5 \text{ square units}}", C, "unit in words"),
    ("5", r"\boxed{5x}", W, "a variable is no unit"),
    ("5", r"\boxed{5\pi}", W, "a factor is no unit"),
    ("5", r"\boxed{5 or 6}", U, "a hedge"),
    ("5", r"\boxed{5, 6}", U, "two numbers"),
    ("5", r"\boxed{4 < 5}", W, "an inequality is no integer"),
    ("5", r"\boxed{x = 5}", C, "equation"),
    ("5", r"\boxed{2 + 3 = 5}", C, "sum with its value"),
    ("7", r"\boxed{x=5, y=7}", U, "two unknowns"),
    ("5", r"\boxed{x = 4 \text{ or } x = 5}", U, "two solutions"),
    ("90", r"\boxed{90^\circ}", C, "degrees"),
    ("90", r"\boxed{90^{\circ}}", C, "degrees in braces"),
    ("90", r"\boxed{\angle ABC = 90^\circ}", C, "named angle"),
    ("25", r"\boxed{25\%}", C, "percent sign where the question asks for percent", {"question": "What percent is it?"}),
    ("25", r"\boxed{25\%}", W, "percent sign where nothing asks for percent"),
    ("25", r"\boxed{0.25}", W, "a fraction where percent is asked for", {"unit": "%"}),
    ("5", r"\boxed{\$5}", C, "currency"),
    ("5", r"\boxed{5 dollars}", C, "currency word"),
    ("8", r"\boxed{2^3}", C, "a formula is evaluated"),
    ("4", r"\boxed{\sqrt{16}}", C, "a root is evaluated"),
    ("2", r"\boxed{\frac{10}{5}}", C, "a fraction that is whole"),
    ("120", r"\boxed{5!}", C, "factorial; the mark is no punctuation"),
    ("3000", r"\boxed{3 \times 10^3}", C, "scientific notation"),
    ("2000", r"\boxed{2 thousand}", C, "scale word"),
    ("5", r"\boxed{5 cm}", C, "the problem's unit", {"unit": "cm"}),
    ("5", r"\boxed{5 centimetres}", C, "the problem's unit in full", {"unit": "cm"}),
    ("5", r"\boxed{5 m}", W, "another unit than the problem's", {"unit": "cm"}),
    ("5", r"\boxed{5 cm^2}", W, "area instead of length", {"unit": "cm"}),
    ("5", r"\boxed{cat}", U, "words"),
    ("5", r"\boxed{none}", U, "words"),
    ("5", r"\boxed{\infty}", U, "no number"),
    ("5", "The answer is 5.", C, "statement"),
    ("5", "The answer is 5 apples because 2 + 3 = 5.", C, "statement before its reason"),
    ("5", "The answer is **5**.", C, "Markdown"),
    ("5", "The final answer is $5$.", C, "dollars"),
    ("5", r"The final answer is \(5\).", C, "parentheses of LaTeX"),
    ("5", "Answer: 5", C, "colon"),
    ("5", "So the answer is 2 + 3 = 5.", C, "sum in a statement"),
    ("5", "The answer is 5 or 6.", U, "hedge in a statement"),
    ("5", "The answer is 3 or 5.", U, "hedge in a statement"),
    ("5", "The answer is not 5.", N, "denial"),
    ("5", "The answer isn't 5.", N, "denial"),
    ("5", "The answer is 4. No, the answer is 5.", C, "last statement"),
    ("5", "The answer is hard to see.", N, "a statement of nothing"),
    ("5", "The answer is 5. I hope the answer is helpful.", C, "a later remark states nothing"),
    ("5", "<answer>5</answer>", C, "answer tag"),
    ("5", "2 + 3\n#### 5", C, "GSM8K's mark"),
    ("5", "2 + 3 is\nA: 5", C, "question-and-answer line"),
    ("5", "5", C, "nothing but the number"),
    ("5", "5.", C, "nothing but the number"),
    ("5", "five", C, "nothing but the word"),
    ("5", "I count 5", N, "a number in running text is no answer"),
    ("5", "2 plus 3 makes 5.", N, "a number in running text is no answer"),
    ("5", "1\n2\n5", N, "a list of numbers is no answer"),
    ("5", r"<think>\boxed{4}</think>\boxed{5}", C, "only what follows the thinking counts"),
    ("5", r"<think>\boxed{5}</think> I am done.", N, "a box inside the thinking is no answer"),
    ("5", r"<think>I get \boxed{5}", N, "unclosed thinking states nothing"),
    ("5", r"\boxed{4}</think>The answer is 5", C, "the template opened the block"),
    ("5", "\\boxed{5\u0000}", C, "NUL byte"),
    ("5", "\\boxed{5\u200b}", C, "zero-width space"),
    ("5", "\\boxed{\ud800}", U, "lone surrogate"),
    ("x", r"\boxed{x}", G, "gold is no number"),
    ("2.5", r"\boxed{2.5}", G, "gold is no integer"),
    ("", r"\boxed{5}", G, "empty gold"),
]

DECIMAL = [
    ("3.14", r"\boxed{3.14}", C, "the plain case"),
    ("3.14", r"\boxed{3.14159}", C, "more decimals round to the gold"),
    ("3.14", r"\boxed{3.145}", C, "the bound is included"),
    ("3.14", r"\boxed{3.146}", W, "beyond the rounding"),
    ("3.14", r"\boxed{3.1}", W, "fewer decimals"),
    ("3.14", r"\boxed{3.15}", W, "another value"),
    ("3.14", r"\boxed{3.15}", C, "within the tolerance, bound included", {"tolerance": 0.01}),
    ("3.14", r"\boxed{3.1501}", W, "just beyond the tolerance", {"tolerance": 0.01}),
    ("3.14", r"\boxed{3.14159}", W, "tolerance zero is exact", {"tolerance": 0.0}),
    ("3.14", r"\boxed{3.14159}", C, "tolerance NaN is none", {"tolerance": math.nan}),
    ("0.5", r"\boxed{.5}", C, "no leading zero"),
    ("0.5", r"\boxed{0.50}", C, "trailing zero"),
    ("0.5", r"\boxed{1/2}", C, "fraction"),
    ("0.43", r"\boxed{\frac{3}{7}}", C, "fraction that rounds to the gold"),
    ("0.43", r"\boxed{\dfrac37}", C, "fraction without braces"),
    ("2.5", r"\boxed{2\frac{1}{2}}", C, "mixed number"),
    ("2.5", r"\boxed{2 1/2}", C, "mixed number in plain text"),
    ("2.5", "\\boxed{2\u00bd}", C, "mixed number, one character"),
    ("1.41", r"\boxed{\sqrt{2}}", C, "a formula is evaluated"),
    ("6.28", r"\boxed{2\pi}", C, "a formula is evaluated"),
    ("6.28", r"\boxed{3\pi}", W, "a formula is evaluated"),
    ("6.28", r"\boxed{2\pi r}", U, "a formula with a variable"),
    ("-4.3", "\\boxed{\u22124.3}", C, "unicode minus"),
    ("131253.5", r"\boxed{131,253.5}", C, "thousands separator and decimals"),
    ("0.00012", r"\boxed{1.2 \times 10^{-4}}", C, "scientific notation"),
    ("0.00012", r"\boxed{1.2e-4}", C, "exponent notation"),
    ("1.2", r"\boxed{1.2e999999999}", U, "an attack, not a number"),
    ("1.2", r"\boxed{1.2 \text{ cm}}", C, "unit"),
    ("1.2", r"\boxed{\approx 1.2}", C, "about"),
    ("1.2", r"\boxed{x \approx 1.2}", C, "about, with a name"),
    ("1.2", "The answer is approximately 1.2 metres.", C, "about, in words"),
    ("1.2", "The answer is 1.2. That is all.", C, "the decimal point ends no sentence"),
    ("25.5", r"\boxed{25.5\%}", C, "percent in the unit", {"unit": "%"}),
    ("25%", r"\boxed{0.25}", C, "gold written with the sign"),
    ("25%", r"\boxed{25}", C, "gold written with the sign"),
    ("5", r"\boxed{5.4}", W, "a gold without decimals is not rounded to"),
    ("abc", r"\boxed{1.2}", G, "gold is no number"),
    ("1.2", r"\boxed{1.2.3}", U, "a version is no number"),
    ("0.5", r"\boxed{1/0}", U, "division by zero"),
]

EXPRESSION = [
    (r"\frac{3}{7}", r"\boxed{\frac{3}{7}}", C, "the plain case"),
    (r"\frac{3}{7}", r"\boxed{3/7}", C, "slash"),
    (r"\frac{3}{7}", r"\boxed{\dfrac{6}{14}}", C, "not in lowest terms"),
    (r"\frac{3}{7}", r"\boxed{0.428571}", C, "six decimals, as math-verify has it"),
    (r"\frac{3}{7}", r"\boxed{0.43}", W, "two decimals are not the fraction"),
    (r"\frac{3}{7}", r"\boxed{\frac{7}{3}}", W, "inverse"),
    (r"$\frac{3}{7}$", r"\boxed{\frac37}", C, "gold in dollars"),
    ("3/7", r"\boxed{\frac{3}{7}}", C, "gold as text"),
    ("0.5", r"\boxed{\frac12}", C, "decimal gold"),
    (r"\sqrt{2}", r"\boxed{\sqrt{2}}", C, "math-verify parses no bare gold"),
    (r"\sqrt{2}", r"\boxed{2^{1/2}}", C, "power"),
    (r"\sqrt{8}", r"\boxed{2\sqrt{2}}", C, "simplified root"),
    (r"\sqrt{8}", "\\boxed{2\u221a2}", C, "root sign"),
    (r"\frac{1}{\sqrt{2}}", r"\boxed{\frac{\sqrt{2}}{2}}", C, "rationalised"),
    (r"2\pi", "\\boxed{2\u03c0}", C, "pi sign"),
    (r"2\pi", r"\boxed{2 \cdot \pi}", C, "dot"),
    (r"12\pi", r"\boxed{12\pi \text{ cm}^2}", C, "unit behind a formula"),
    (r"12\pi", r"\boxed{A = 12\pi}", C, "named value"),
    (r"12\pi", r"\boxed{12}", W, "factor missing"),
    ("x^2+2x+1", r"\boxed{(x+1)^2}", C, "algebraically equal"),
    ("x^2+2x+1", r"\boxed{(x-1)^2}", W, "algebraically different"),
    ("x+1", r"\boxed{1+x}", C, "order"),
    ("x+1", r"\boxed{y+1}", W, "another variable"),
    ("(3,-4)", r"\boxed{(3, -4)}", C, "point"),
    ("(3,-4)", r"\boxed{(-4, 3)}", W, "point in another order"),
    ("(3,-4)", r"\boxed{\left(3,-4\right)}", C, "left and right"),
    (r"\{1,2\}", r"\boxed{\{2,1\}}", C, "a set has no order"),
    ("[0,1)", r"\boxed{[0,1)}", C, "interval"),
    ("[0,1)", r"\boxed{(0,1]}", W, "other ends of the interval"),
    ("x=5", r"\boxed{5}", C, "gold is an assignment"),
    ("5", r"\boxed{x=5}", C, "answer is an assignment"),
    ("x>3", r"\boxed{3<x}", C, "flipped inequality"),
    ("90", r"\boxed{90^\circ}", C, "degrees"),
    (r"90^\circ", r"\boxed{90}", C, "degrees in the gold"),
    (r"7.41\%", r"\boxed{7.41\%}", C, "bare math-verify fails on this (pitfalls 2)"),
    ("3.1416", r"\boxed{3.1416}", C, "bare math-verify fails on this (pitfalls 2)"),
    ("yes", r"\boxed{yes}", C, "words are compared as text"),
    ("yes", r"\boxed{eys}", W, "math-verify would multiply e*s*y"),
    ("north", r"\boxed{North}", C, "words are compared as text"),
    ("5", r"\boxed{the cat}", U, "words for a formula"),
    ("x+1", r"\boxed{it is unclear}", U, "words for a formula"),
    (r"\frac{1}{2", r"\boxed{\frac{1}{2}}", G, "unbalanced gold is never credited (open-r1#293)"),
    ("", r"\boxed{1}", G, "empty gold"),
    (r"\frac{", r"\boxed{\frac{}", N, "the gold's fault shows also where nothing is boxed", {}, G),
    ("2", r"The answer is $\sqrt{4}$.", C, "statement in dollars"),
    ("1,2", r"\boxed{1} and \boxed{2}", C, "boxes joined by and"),
    ("x+1", "x+1", C, "nothing but the formula"),
    ("x+1", "I think it might be about x+1 or so", N, "a formula in running text is no answer"),
    ("2^{10}", r"\boxed{1024}", C, "power evaluated"),
    (r"\frac{a}{b}", r"\boxed{a/b}", C, "symbolic fraction"),
    ("0.333333", r"\boxed{\frac13}", C, "six decimals of the gold"),
    (r"\binom{5}{2}", r"\boxed{10}", C, "binomial"),
    (r"\log_2 8", r"\boxed{3}", C, "logarithm"),
    (r"3\sqrt{5}", r"\boxed{\sqrt{45}}", C, "root by value"),
    (r"\frac{\pi}{4}", r"\boxed{45^\circ}", W, "radians are not degrees"),
]

LIST = [
    ("[2014, 2016]", r"\boxed{[2014, 2016]}", C, "the plain case"),
    ("[2014, 2016]", r"\boxed{2014, 2016}", C, "no brackets"),
    ("[2014, 2016]", r"\boxed{2014 \text{ and } 2016}", C, "and"),
    ("[2014, 2016]", r"\boxed{2014}, \boxed{2016}", C, "a box an element"),
    ("[2014, 2016]", r"\boxed{[2016, 2014]}", W, "order matters in brackets"),
    ("{2014, 2016}", r"\boxed{\{2016, 2014\}}", C, "order does not matter in braces"),
    ("[2014, 2016]", r"\boxed{2014}", W, "an element is missing"),
    ("[2014, 2016]", r"\boxed{[2014, 2016, 2018]}", W, "an element too many"),
    ("[1/2, 3]", r"\boxed{[\frac{1}{2}, 3]}", C, "elements by value"),
    (r"[\sqrt{8}, 3]", r"\boxed{[2\sqrt{2}, 3]}", C, "elements by math-verify"),
    ("[(1,2), (3,4)]", r"\boxed{[(1,2), (3,4)]}", C, "nested commas"),
    ("[1, 2]", "The answer is [1, 2].", C, "statement"),
    ("[1, 2]", "[1, 2]", C, "nothing but the list"),
    ("a, b", r"\boxed{a; b}", C, "semicolons"),
    ("red, blue", r"\boxed{Red, Blue}", C, "words"),
    ("[1, 2]", "I saw 1 and 2.", N, "running text"),
]

TEXT = [
    ("yes", r"\boxed{yes}", C, "the plain case"),
    ("yes", r"\boxed{Yes.}", C, "case and stop"),
    ("yes", r"\boxed{\text{Yes}}", C, "text command"),
    ("yes", r"\boxed{no}", W, "the opposite"),
    ("no", "No, there are more of them.", C, "an explanation follows", {}, C),
    ("no", r"\boxed{No, there are more}", C, "an explanation follows"),
    ("no", r"\boxed{notice}", W, "the no inside notice"),
    ("no", r"\boxed{yes or no}", W, "a hedge"),
    ("the cat", r"\boxed{cat}", C, "article"),
    ("cat", r"\boxed{A cat}", C, "article"),
    ("dark blue", r"\boxed{dark-blue}", C, "hyphen"),
    ("blue", r"\boxed{dark blue}", W, "more words"),
    ("blue", r"\boxed{blue or green}", W, "a hedge"),
    ("3", r"\boxed{three}", C, "number word"),
    ("3.5", r"\boxed{35}", W, "the point in a number is no punctuation"),
    ("-5 degrees", r"\boxed{5 degrees}", W, "the sign of a number is no punctuation"),
    (
        "o'clock",
        "\\boxed{o\u2019clock}",
        C,
        "curly apostrophe",
    ),
    ("red", "The answer is red.", C, "statement"),
    ("red", "red", C, "nothing but the word"),
    ("red", "I see a red cube and a green one next to each other here.", N, "running text"),
    ("", r"\boxed{x}", G, "empty gold"),
]

BY_TYPE = {"integer": INTEGER, "decimal": DECIMAL, "expression": EXPRESSION, "list": LIST, "text": TEXT}


def _cases():
    for gold, options, response, verdict, why in CHOICE:
        yield "choice", gold, {"options": list(options)}, response, verdict, why
    for kind, cases in BY_TYPE.items():
        for gold, response, verdict, why, *more in cases:
            extra = more[0] if more else {}
            yield kind, gold, extra, response, more[1] if len(more) > 1 else verdict, why


CASES = list(_cases())


@pytest.mark.parametrize(("kind", "gold", "extra", "response", "verdict", "why"), CASES)
def test_case(kind, gold, extra, response, verdict, why):
    found = grade({"answer": gold, "answer_type": kind, **extra}, response)
    assert found.verdict == verdict, f"{why}: {found}"
    assert found.reason


def test_the_table_covers_what_it_says():
    verdicts = Counter(verdict for *_, verdict, _ in CASES)
    kinds = Counter(kind for kind, *_ in CASES)
    assert len(CASES) >= 290
    assert set(kinds) == set(ANSWER_TYPES) and min(kinds.values()) >= 16
    assert set(verdicts) == set(VERDICTS) - {"timeout"} and min(verdicts.values()) >= 10
    assert all(why for *_, why in CASES)


def test_only_formulas_reach_math_verify():
    """Every case that needs no algebra is decided without it; the count keeps the fast path from eroding."""
    undecided = []
    for kind, gold, extra, response, *_ in CASES:
        spec = make_spec({"answer": gold, "answer_type": kind, **extra})
        if compare(spec, extract(response, kind), use_symbolic=False) is None:
            undecided.append((kind, gold, response))
    assert 20 <= len(undecided) <= 55, undecided
    assert not [case for case in undecided if case[0] == "text"]


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
        found = gold_problem({"answer": gold, "answer_type": kind, "options": list(COLOURS)})
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
}


@pytest.mark.parametrize("kind", ANSWER_TYPES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends(kind, name):
    golds = {"choice": "B", "text": "red", "list": "[1, 2]"}
    problem = {
        "answer": golds.get(kind, "5"),
        "answer_type": kind,
        "options": list(COLOURS) if kind == "choice" else [],
    }
    spec = make_spec(problem)
    found = compare(spec, extract(HOSTILE[name], kind), use_symbolic=False)
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
    problem = {"answer": gold, "answer_type": kind, "options": list(COLOURS), "unit": unit}
    spec = make_spec(problem)
    first = compare(spec, extract(response, kind), use_symbolic=False)
    assert first == compare(spec, extract(response, kind), use_symbolic=False)
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
    problem = {"answer": letter, "answer_type": "choice", "options": list(COLOURS)}
    assert grade(problem, f"\\boxed{{{form.format(letter)}}}").verdict == "correct"
    assert grade(problem, f"The answer is {form.format(letter)}").verdict == "correct"


def test_extracted_text_is_storable(tmp_path):
    import pyarrow as pa

    found = grade({"answer": "5", "answer_type": "integer"}, "\\boxed{\ud800 5}")
    pq.write_table(pa.table({"extracted": [found.extracted]}), io.BytesIO())
    assert found.extracted == "\ufffd 5" or found.extracted == "? 5"
