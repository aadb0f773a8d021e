"""Rewards of GRPO: accuracy by the one grader, and an optional format reward. Only the completion's text is graded.

A completion whose gold cannot be parsed gets no reward at all (None): TRL then leaves it out of its group. One whose
grading ran into the time limit gets 0. Both are counted, and a run with too many of them stops.

    python -c "from coldstart.training.rewards import well_formed; print(well_formed(r'so \\boxed{4}'))"
"""

from collections.abc import Callable

from coldstart.errors import UserError
from coldstart.grading import GradingPool

BAD_VERDICTS = ("unparseable_gold", "timeout")
MIN_GRADED = 200  # completions graded before the share of bad ones says anything

Reward = Callable[..., list[float | None]]


def accuracy_reward(pool: GradingPool, max_bad_share: float) -> Reward:
    """1 for a correct answer, 0 for any other."""
    counts = {"graded": 0, "bad": 0}

    def accuracy(completions, problem, log_metric, **columns) -> list[float | None]:
        grades = pool.grade([(row, text_of(answer)) for row, answer in zip(problem, completions, strict=True)])
        bad = [grade for grade in grades if grade.verdict in BAD_VERDICTS]
        counts["graded"] += len(grades)
        counts["bad"] += len(bad)
        if counts["graded"] >= MIN_GRADED and counts["bad"] > max_bad_share * counts["graded"]:
            raise UserError(
                f"grpo: {counts['bad']} of {counts['graded']} completions ended as unparseable_gold or timeout "
                f"(grading.max_bad_share: {max_bad_share}), the last as {bad[-1].verdict if bad else 'either'}: mend "
                "the golds (coldstart audit lists them), or raise grading.timeout or grading.max_bad_share"
            )
        log_metric("grading/no_answer", sum(grade.verdict == "no_answer" for grade in grades) / len(grades))
        return [None if grade.verdict == "unparseable_gold" else float(grade.verdict == "correct") for grade in grades]

    return accuracy


def format_reward(eos: int) -> Reward:
    """1 for a completion that holds exactly one ``\\boxed{...}`` and was ended by the model itself, else 0."""

    def format(completions, completion_ids, **columns) -> list[float | None]:
        pairs = zip(completions, completion_ids, strict=True)
        return [float(well_formed(text_of(answer)) and ids[-1] == eos) for answer, ids in pairs]

    return format


def text_of(completion: list[dict]) -> str:
    """The text of a completion as TRL hands it over: a conversation of one assistant's turn."""
    return completion[-1]["content"]


def well_formed(text: str) -> bool:
    """Whether a text holds exactly one box, and that box is closed."""
    if text.count("\\boxed{") != 1:
        return False
    depth = 0
    for character in text[text.index("\\boxed{") + len("\\boxed") :]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return True
    return False
