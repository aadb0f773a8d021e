r"""The one judgement of the project: does this response give the gold answer? Filter, reward and evaluation use it.

    >>> grade({"answer": "3/7", "answer_type": "expression"}, r"so it is \boxed{\frac{3}{7}}").verdict
    'correct'

``grade`` is pure. It reads of a problem: answer, answer_type and, where they are given, options, tolerance, unit and
question (to see whether a percentage is asked for, and which sentence of a response in prose repeats it); of a response
the completion alone. Verdicts:

    correct             the stated answer is the gold answer
    wrong               an answer of the right kind is stated, and it is another one
    no_answer           nothing is stated (see extract.py)
    unparseable_answer  something is stated that is no single answer of this type ("5 or 6", words for a number)
    unparseable_gold    the gold itself is at fault; such a row is never credited
    timeout             the row's worker was killed at its limit or died (only from the pool, see pool.py)

Most rows are decided by exact rules (rules.py) in microseconds; only formulas reach math-verify, which may hang. Where
responses come from a model, use ``grade_all`` or a ``GradingPool``, not ``grade``.
"""

from coldstart.grading.core import GRADER_VERSION, Explanation, Grade, explain, gold_problem, grade
from coldstart.grading.pool import GradingPool, grade_all

__all__ = ["GRADER_VERSION", "Explanation", "Grade", "GradingPool", "explain", "gold_problem", "grade", "grade_all"]
