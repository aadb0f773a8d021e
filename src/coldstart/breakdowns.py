"""Official scores and breakdowns of every benchmark: by subject, level, problem version, or whatever it reports itself.

Reads problems (id, answer_type, metadata) of every benchmark and grades (problem_id, sample_index, verdict) of every
student, seed and arm; writes breakdowns.csv: student, arm, seeds, benchmark, breakdown, value, score, low, high, n.
Scores are percentages over all seeds and samples; n counts problems, or groups of them where the score is of groups.
The row "all, all" of a benchmark is its accuracy in the main table, interval included. Intervals are bootstrap
intervals; problems that belong together (a module's CLUSTER) are resampled together.

A benchmark that a module of coldstart.benchmarks knows is broken down by that module, any other by answer type and,
where its problems have them, by family and kind.

    coldstart breakdowns --config config.yaml --output breakdowns.csv \\
        --problems multistep=results/data/benchmarks/multistep/problems.parquet \\
        --grades tiny/seed0/base/multistep=results/eval/tiny/seed0/base/multistep/grades.parquet
"""

import argparse
import csv
import io
import sys
from collections.abc import Callable

import numpy as np

from coldstart import benchmarks, statistics
from coldstart.artifacts import read_table, write_text
from coldstart.cells import check_complete, parse_problems, parse_source, read_problems
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.grouping import Graded, Score, accuracy, by

HEADER = ["student", "arm", "seeds", "benchmark", "breakdown", "value", "score", "low", "high", "n"]
GRADE_COLUMNS = ["problem_id", "sample_index", "verdict"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses benchmarks, arms and tables")
    parser.add_argument("--problems", required=True, nargs="+", metavar="BENCHMARK=FILE")
    parser.add_argument("--grades", required=True, nargs="+", metavar="STUDENT/seedS/ARM/BENCHMARK=FILE")
    parser.add_argument("--output", required=True, help="output: a row a score, as CSV")


def run(args: argparse.Namespace) -> None:
    """Break every cell down."""
    config = load_config(args.config, "breakdowns")
    sources = [parse_source(text) for text in args.grades]
    check_complete(sources, config["arms"])
    problems = dict(parse_problems(text) for text in args.problems)
    lines: list[list[str]] = []
    for benchmark in dict.fromkeys(source.benchmark for source in sources):
        if benchmark not in problems or benchmark not in config["benchmarks"]:
            raise UserError(f"--grades name benchmark '{benchmark}'; give its problems and have it in the config, too")
        rule, cluster = rules_of(config["benchmarks"][benchmark]["format"])
        facts = read_problems(problems[benchmark], cluster)
        files: dict[tuple[str, str], list[str]] = {}
        for source in sorted(sources, key=lambda source: source.seed):
            if source.benchmark == benchmark:
                files.setdefault((source.student, source.arm), []).append(source.path)
        for (student, arm), paths in files.items():
            rows = graded(facts, paths, problems[benchmark])
            for score in [accuracy(rows, "all", "all"), *rule(rows)]:
                key = [student, arm, str(len(paths)), benchmark, score.breakdown, score.value]
                lines.append([*key, *summary(score, benchmark, config["tables"]), str(score.n)])
    order = {arm: place for place, arm in enumerate(config["arms"])}
    lines.sort(key=lambda line: (line[0], order[line[1]]))  # stable: benchmarks and scores stay in their order
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([HEADER, *lines])
    write_text(args.output, buffer.getvalue())
    print(f"{args.output}: {len(lines)} scores", file=sys.stderr)


def rules_of(kind: str) -> tuple[Callable[[list[Graded]], list[Score]], str | None]:
    """(breakdowns, metadata key of what belongs together) for a source's ``format``."""
    if kind not in benchmarks.names():
        return default_breakdowns, None
    return benchmarks.load(kind).breakdowns, benchmarks.cluster_key(kind)


def default_breakdowns(rows: list[Graded]) -> list[Score]:
    """By answer type, and by family and kind where there are any."""
    types = sorted({row.answer_type for row in rows})
    scores = [accuracy([row for row in rows if row.answer_type == kind], "answer_type", kind) for kind in types]
    for key in ("family", "kind"):
        if any(key in row.metadata for row in rows):
            scores += by(rows, key)
    return scores


def graded(facts: dict[str, tuple[str, str, dict]], paths: list[str], problems: str) -> list[Graded]:
    """The problems of one arm with the verdicts of all its seeds' files, every problem with the same runs."""
    runs: dict[str, list[bool]] = {name: [] for name in facts}
    for path in paths:
        table = read_table(path, "grades", GRADE_COLUMNS).sort_by(
            [("problem_id", "ascending"), ("sample_index", "ascending")]
        )
        if set(table["problem_id"].to_pylist()) != set(facts):
            raise UserError(f"{path}: grades other problems than {problems} holds; generate and score them again")
        for name, verdict in zip(table["problem_id"].to_pylist(), table["verdict"].to_pylist(), strict=True):
            runs[name].append(verdict == "correct")
    counts = {len(verdicts) for verdicts in runs.values()}
    if len(counts) != 1:
        raise UserError(f"{paths[0]}: its problems have {min(counts)} to {max(counts)} samples; score them again")
    return [Graded(name, *facts[name], tuple(verdicts)) for name, verdicts in runs.items()]


def summary(score: Score, key: str, settings: dict) -> list[str]:
    """Score, lower and upper bound in percent; empty texts for a score that has nothing to divide by."""
    if score.share is None:
        return ["", "", ""]
    clusters = [name for name, total in score.out_of.items() if total]
    sums = np.array([[score.points[name], score.out_of[name]] for name in clusters])
    drawn = statistics.resampled_means(sums, settings["bootstrap"], key)
    low, high = statistics.share_interval(sums[:, 0] / sums[:, 1], drawn[:, 0] / drawn[:, 1], settings["confidence"])
    return [f"{100 * number:.4f}" for number in (score.share, low, high)]
