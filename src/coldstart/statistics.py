"""Means with bootstrap intervals: a resample draws problems, with all their seeds and samples.

Problems that belong together (the versions of one problem) are one cluster, and drawn together.

One set of resamples serves all arms of a benchmark, so that differences between arms are paired by problem.

    >>> low, high = interval(resampled_means(np.array([[0.0], [1.0]] * 50), 500, "demo")[:, 0], 0.95)
    >>> 0.3 < low < 0.5 < high < 0.7
    True
"""

import hashlib

import numpy as np
from scipy import stats


def resampled_means(values: np.ndarray, resamples: int, key: str) -> np.ndarray:
    """Means of each column over resampled rows: (problems, columns) -> (resamples, columns).

    The draws depend on ``key`` and the number of problems alone: the same table comes out on every machine.
    """
    count = len(values)
    seed = int.from_bytes(hashlib.sha256(f"{key}/{count}".encode()).digest()[:8], "big")
    random = np.random.default_rng(seed)
    parts = []
    for start in range(0, resamples, 500):  # weights of 500 resamples at a time: memory stays small
        size = min(500, resamples - start)
        weights = random.multinomial(count, np.full(count, 1 / count), size=size)
        parts.append(weights @ values / count)
    return np.concatenate(parts)


def cluster_sums(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums by cluster, and the clusters' sizes as the last column: (problems, columns) -> (clusters, columns + 1).

    ``clusters`` numbers each problem's cluster from 0.
    """
    sums = np.zeros((clusters.max() + 1, values.shape[1] + 1))
    np.add.at(sums, clusters, np.column_stack([values, np.ones(len(values))]))
    return sums


def interval(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """The percentile interval of a bootstrap distribution."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def share_interval(per_problem: np.ndarray, resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """As ``interval``, but where all problems agree on 0 or 1, which no resample can vary, the exact binomial one."""
    if per_problem.min() == per_problem.max() and per_problem[0] in (0.0, 1.0):
        exact = stats.binomtest(int(per_problem.sum()), len(per_problem)).proportion_ci(confidence, "exact")
        return float(exact.low), float(exact.high)
    return interval(resampled, confidence)
