"""Scores over the graded problems of one arm on one benchmark: accuracies of groups, and ratios of sums in general.

A benchmark's ``breakdowns`` takes a list of ``Graded`` and returns a list of ``Score``. Every score is a ratio of two
sums over clusters (problems that belong together, such as the versions of one problem), so that one bootstrap over
clusters serves all of them (``coldstart.breakdowns``).

    >>> rows = [Graded("a", "a", "integer", {"level": 1}, (True, False)), Graded("b", "b", "integer", {"level": 2}, (True, True))]
    >>> [(score.value, score.share, score.n) for score in by(rows, "level")]
    [('1', 0.5, 1), ('2', 1.0, 1)]
"""  # noqa: E501

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Graded:
    """One problem with what came of it: ``correct`` holds a verdict per run, a run being one seed's n-th sample."""

    id: str
    cluster: str
    answer_type: str
    metadata: dict
    correct: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """Share of the runs that were right."""
        return sum(self.correct) / len(self.correct)


@dataclass(frozen=True)
class Score:
    """``sum(points) / sum(out_of)``, both by cluster; ``n`` is the number of problems or groups it rests on."""

    breakdown: str
    value: str
    points: dict[str, float]
    out_of: dict[str, float]
    n: int

    @property
    def share(self) -> float | None:
        """The score, between 0 and 1 for shares; None if there is nothing to divide by."""
        total = sum(self.out_of.values())
        return sum(self.points.values()) / total if total else None


def accuracy(rows: list[Graded], breakdown: str, value: str, weight: Callable[[Graded], float] | None = None) -> Score:
    """Accuracy over ``rows``, each problem counted once or by ``weight``."""
    points: dict[str, float] = {}
    out_of: dict[str, float] = {}
    for row in rows:
        counted = weight(row) if weight else 1.0
        points[row.cluster] = points.get(row.cluster, 0.0) + counted * row.accuracy
        out_of[row.cluster] = out_of.get(row.cluster, 0.0) + counted
    return Score(breakdown, value, points, out_of, len(rows))


def by(rows: list[Graded], key: str, name: str | None = None) -> list[Score]:
    """Accuracy by the values of a metadata key, sorted; a list of values counts its problem under each of them.

    Problems without the key stand under "(none)", so that no problem is left out.
    """
    return [accuracy(found, name or key, value) for value, found in groups(rows, key).items()]


def groups(rows: list[Graded], key: str) -> dict[str, list[Graded]]:
    """The problems by the values of a metadata key, in the values' order."""
    found: dict[str, list[Graded]] = {}
    for row in rows:
        values = row.metadata.get(key)
        for value in values if isinstance(values, list) else [values]:
            found.setdefault("(none)" if value is None else str(value), []).append(row)
    return dict(sorted(found.items()))


def per_run(rows: list[Graded], rule: Callable[[list[bool]], float]) -> float:
    """Mean over the runs of what ``rule`` makes of the verdicts of ``rows`` in one run."""
    runs = list(zip(*(row.correct for row in rows), strict=True))
    return sum(rule(list(run)) for run in runs) / len(runs)
