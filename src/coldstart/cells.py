"""Which files a table is made of: ``STUDENT/seedS/ARM/BENCHMARK=FILE`` and ``BENCHMARK=FILE``, and what they must hold.

Reads problems (id, answer_type, metadata). Shared by tables, breakdowns and judge-report.

    >>> parse_source("tiny/seed0/sft/choice=g.parquet").arm
    'sft'
"""

import json
from dataclasses import dataclass

from coldstart.artifacts import read_table
from coldstart.errors import UserError

PROBLEM_COLUMNS = ["id", "answer_type", "metadata"]


@dataclass(frozen=True)
class Source:
    """One grades file and what it belongs to."""

    student: str
    seed: int
    arm: str
    benchmark: str
    path: str


def parse_source(text: str, option: str = "--grades") -> Source:
    """``STUDENT/seedS/ARM/BENCHMARK=FILE`` in its parts."""
    name, equals, path = text.partition("=")
    parts = name.split("/")
    if not equals or len(parts) != 4 or not parts[1].startswith("seed") or not parts[1][4:].isdigit():
        raise UserError(
            f"{option} {text}: expected STUDENT/seedS/ARM/BENCHMARK=FILE, as in tiny/seed0/sft/choice=g.parquet"
        )
    return Source(parts[0], int(parts[1][4:]), parts[2], parts[3], path)


def check_complete(sources: list[Source], arms: list[str]) -> None:
    """Every student and arm needs every benchmark under every seed, once: a mean over different tasks is no mean."""
    keys = [(source.student, source.seed, source.arm, source.benchmark) for source in sources]
    if len(set(keys)) < len(keys):
        double = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f"--grades: student {double[0]}, seed {double[1]}, arm {double[2]}, {double[3]} is given twice")
    unknown = sorted({source.arm for source in sources} - set(arms))
    if unknown:
        raise UserError(f"--grades: arm '{unknown[0]}' is not in the config's arms ({', '.join(arms)})")
    for student, arm in sorted({(source.student, source.arm) for source in sources}):
        for seed in sorted({source.seed for source in sources}):
            for benchmark in sorted({source.benchmark for source in sources}):
                if (student, seed, arm, benchmark) not in set(keys):
                    raise UserError(
                        f"--grades: student {student}, arm {arm} has no grades for {benchmark}, seed {seed}, but "
                        "others have; score it, or leave that seed or benchmark out everywhere"
                    )


def parse_problems(text: str) -> tuple[str, str]:
    """``BENCHMARK=FILE`` in its parts."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UserError(f"--problems {text}: expected BENCHMARK=FILE, as in choice=problems.parquet")
    return name, path


def read_problems(path: str, cluster: str | None) -> dict[str, tuple[str, str, dict]]:
    """Problem id -> (cluster, answer type, metadata), sorted by id; ``cluster`` is the metadata key of its cluster."""
    found = {}
    for row in read_table(path, "problems", PROBLEM_COLUMNS).to_pylist():
        metadata = json.loads(row["metadata"])
        if cluster and metadata.get(cluster) is None:
            raise UserError(f"{path}: problem '{row['id']}' has no '{cluster}' in its metadata; import the data again")
        found[row["id"]] = (str(metadata[cluster]) if cluster else row["id"], row["answer_type"], metadata)
    return dict(sorted(found.items()))
