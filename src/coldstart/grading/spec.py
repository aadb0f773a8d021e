"""What a rule works on and what it returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """What a verdict depends on besides the answer; ``percent``: the question asks for a percentage."""

    answer: str
    answer_type: str
    options: tuple[str, ...]
    tolerance: float | None
    unit: str
    percent: bool


@dataclass(frozen=True)
class Verdict:
    """A rule's decision about one candidate."""

    verdict: str
    normalised: str
    reason: str
