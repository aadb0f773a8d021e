"""Aggregate grades into the result tables: a row a student and arm, a column a benchmark, and their average.

Reads grades (problem_id, sample_index, verdict, finish_reason, completion_tokens) of every student, seed, arm and
benchmark; writes main.csv, main.md and the tidy long.csv. A benchmark's value is the mean over its problems, a
problem's the mean over its seeds and samples (pass@1), in percent; the average weighs benchmarks equally. Intervals are
bootstrap intervals clustered by problem (the average's: resampled within each benchmark); deltas are against the
student's ``base`` arm, with intervals paired by problem. Where problems belong together (the CLUSTER of a benchmark's
module: the versions of one problem), they are resampled together; ``--problems`` says which (id, metadata). With
``--judged`` main.csv also has BENCHMARK_judge, the share of responses that the judge calls correct.

    coldstart tables --config config.yaml --csv main.csv --markdown main.md --long long.csv \\
        --problems multistep=results/data/benchmarks/multistep/problems.parquet ... \\
        --grades tiny/seed0/base/multistep=results/eval/tiny/seed0/base/multistep/grades.parquet ...
"""

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coldstart import benchmarks as known
from coldstart import provenance, statistics
from coldstart.artifacts import read_table, write_text
from coldstart.cells import Source, check_complete, parse_problems, parse_source, read_problems
from coldstart.config import load_config
from coldstart.errors import UserError

AVERAGE = "average"
SHARES = ("accuracy", "no_answer", "unfinished")
METRICS = (*SHARES, "completion_tokens")
COLUMNS = ["problem_id", "sample_index", "verdict", "finish_reason", "completion_tokens"]
LONG = ["student", "arm", "benchmark", "metric", "value", "low", "high", "n_problems", "n_samples", "seeds"]


@dataclass
class Cell:
    """One arm of one student on one benchmark: per metric values by problem, means by cluster, resampled means."""

    values: dict[str, np.ndarray]
    by_cluster: dict[str, np.ndarray]
    resampled: dict[str, np.ndarray]
    samples: int


Cells = dict[tuple[str, str, str], Cell]  # by student, arm, benchmark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses arms, tables and benchmarks")
    parser.add_argument(
        "--problems", default=[], nargs="*", metavar="BENCHMARK=FILE", help="says what belongs together"
    )
    parser.add_argument("--grades", required=True, nargs="+", metavar="STUDENT/seedS/ARM/BENCHMARK=FILE")
    parser.add_argument("--judged", default=[], nargs="*", metavar="STUDENT/seedS/ARM/BENCHMARK=FILE")
    parser.add_argument("--csv", required=True, help="output: the main table")
    parser.add_argument("--markdown", required=True, help="output: the main table to read")
    parser.add_argument("--long", required=True, help="output: every number, a row each")


def run(args: argparse.Namespace) -> None:
    """Build the three tables and print the main one."""
    config = load_config(args.config, "tables")
    sources = [parse_source(text) for text in args.grades]
    check_complete(sources, config["arms"])
    given = [*args.grades, *args.problems]
    record = provenance.start("tables", config, {text.partition("=")[0]: text.partition("=")[2] for text in given})
    clusters = read_clusters(sources, dict(map(parse_problems, args.problems)), config["benchmarks"])
    cells = build_cells(sources, config["tables"]["bootstrap"], clusters)
    seeds = len({source.seed for source in sources})
    long = long_rows(cells, config["arms"], seeds, config["tables"]["confidence"])
    benchmarks = list(dict.fromkeys(source.benchmark for source in sources))
    markdown = main_markdown(long, benchmarks, config["tables"]["confidence"])
    facts = provenance.finish(record, rows=len(long))
    write_text(args.long, _csv(LONG, [[_text(row[name]) for name in LONG] for row in long]))
    write_text(
        args.markdown, f"{markdown}\n<!-- config {facts['config_hash'][:12]}, commit {facts['git']['commit']} -->\n"
    )
    write_text(
        args.csv, main_csv(long, benchmarks, judge_shares([parse_source(text, "--judged") for text in args.judged]))
    )
    print(markdown)


def read_clusters(sources: list[Source], problems: dict[str, str], config: dict) -> dict[str, dict[str, str]]:
    """Benchmark -> problem id -> cluster, for the benchmarks whose module has a CLUSTER."""
    found = {}
    for benchmark in dict.fromkeys(source.benchmark for source in sources):
        if benchmark not in config:
            raise UserError(
                f"--grades name benchmark '{benchmark}', which is not among the config's benchmarks; add it"
            )
        key = known.cluster_key(config[benchmark]["format"])
        if key and benchmark not in problems:
            raise UserError(
                f"--problems lack {benchmark}: its problems belong together by '{key}'; add {benchmark}=FILE"
            )
        if key:
            found[benchmark] = {name: facts[0] for name, facts in read_problems(problems[benchmark], key).items()}
    return found


def build_cells(sources: list[Source], resamples: int, clusters: dict[str, dict[str, str]]) -> Cells:
    """Read every file; all files of a benchmark must hold the same problems with the same number of samples."""
    cells: Cells = {}
    for benchmark in dict.fromkeys(source.benchmark for source in sources):
        of_benchmark = [source for source in sources if source.benchmark == benchmark]
        problems: list[str] = []
        samples = 0
        values: dict[tuple[str, str], list[np.ndarray]] = {}
        for source in of_benchmark:
            ids, per_problem, count = read_cell(source.path)
            if not problems:
                problems, samples = ids, count
            if ids != problems:
                odd = sorted(set(ids) ^ set(problems))
                raise UserError(
                    f"{source.path}: answers other problems than {of_benchmark[0].path} ({len(odd)} differ, first "
                    f"'{odd[0]}'); all arms must answer the same problems of {benchmark}: generate and score them again"
                )
            if count != samples:
                raise UserError(f"{source.path}: {count} samples a problem, but {of_benchmark[0].path} has {samples}")
            values.setdefault((source.student, source.arm), []).append(per_problem)
        names = list(values)
        means = np.stack([np.mean(values[name], axis=0) for name in names], axis=1)  # problems, cells, metrics
        cluster = clusters.get(benchmark) or {name: name for name in problems}
        if set(cluster) != set(problems):
            raise UserError(f"{of_benchmark[0].path}: grades other problems than --problems {benchmark} holds")
        numbers = {name: number for number, name in enumerate(dict.fromkeys(cluster[name] for name in problems))}
        places = np.array([numbers[cluster[name]] for name in problems])
        sums = statistics.cluster_sums(means.reshape(len(means), -1), places)
        drawn = statistics.resampled_means(sums, resamples, benchmark)
        drawn = (drawn[:, :-1] / drawn[:, -1:]).reshape(resamples, len(names), len(METRICS))
        grouped = (sums[:, :-1] / sums[:, -1:]).reshape(-1, len(names), len(METRICS))
        for place, (student, arm) in enumerate(names):
            cells[student, arm, benchmark] = Cell(
                {metric: means[:, place, m] for m, metric in enumerate(METRICS)},
                {metric: grouped[:, place, m] for m, metric in enumerate(METRICS)},
                {metric: drawn[:, place, m] for m, metric in enumerate(METRICS)},
                samples * len(values[student, arm]) * len(means),
            )
    return cells


def read_cell(path: str | Path) -> tuple[list[str], np.ndarray, int]:
    """Problem ids in order, their metrics (problems, metrics) as means over samples, and the samples a problem."""
    table = read_table(path, "grades", COLUMNS)
    if not table.num_rows:
        raise UserError(f"{path}: no grades in this file")
    names, place = np.unique(np.array(table["problem_id"].to_pylist(), dtype=object).astype(str), return_inverse=True)
    verdict = np.array(table["verdict"].to_pylist())
    columns = np.stack(
        [
            verdict == "correct",
            verdict == "no_answer",
            np.array(table["finish_reason"].to_pylist()) == "length",
            table["completion_tokens"].to_numpy(),
        ],
        axis=1,
    ).astype(float)
    counts = np.bincount(place)
    if counts.min() != counts.max():
        raise UserError(
            f"{path}: problem '{names[counts.argmin()]}' has {counts.min()} samples, others have {counts.max()}; "
            "score the complete responses again"
        )
    sums = np.stack([np.bincount(place, weights=column) for column in columns.T], axis=1)
    return names.tolist(), sums / counts[:, None], int(counts[0])


def long_rows(cells: Cells, arms: list[str], seeds: int, confidence: float) -> list[dict]:
    """Every number: the metrics and the delta against base, for each benchmark and for their average."""
    rows = []
    students = list(dict.fromkeys(student for student, _, _ in cells))
    benchmarks = list(dict.fromkeys(benchmark for _, _, benchmark in cells))
    for student in students:
        for arm in arms:
            if (student, arm, benchmarks[0]) not in cells:
                continue
            for name in [*benchmarks, AVERAGE]:
                parts = benchmarks if name == AVERAGE else [name]
                own = [cells[student, arm, part] for part in parts]
                facts = {
                    "student": student,
                    "arm": arm,
                    "benchmark": name,
                    "n_problems": sum(len(cell.values["accuracy"]) for cell in own),
                    "n_samples": sum(cell.samples for cell in own),
                    "seeds": seeds,
                }
                for metric in METRICS:
                    rows.append({**facts, "metric": metric, **_summary(own, metric, confidence)})
                if arm != "base" and (student, "base", benchmarks[0]) in cells:
                    base = [cells[student, "base", part] for part in parts]
                    rows.append({**facts, "metric": "delta", **_delta(own, base, confidence)})
    return rows


def _summary(cells: list[Cell], metric: str, confidence: float) -> dict:
    scale = 100.0 if metric in SHARES else 1.0
    value = np.mean([cell.values[metric].mean() for cell in cells])
    resampled = np.mean([cell.resampled[metric] for cell in cells], axis=0)
    if len(cells) == 1 and metric in SHARES:
        low, high = statistics.share_interval(cells[0].by_cluster[metric], resampled, confidence)
    else:
        low, high = statistics.interval(resampled, confidence)
    return {"value": scale * float(value), "low": scale * low, "high": scale * high}


def _delta(cells: list[Cell], base: list[Cell], confidence: float) -> dict:
    pairs = list(zip(cells, base, strict=True))
    value = np.mean([own.values["accuracy"].mean() - other.values["accuracy"].mean() for own, other in pairs])
    resampled = np.mean([own.resampled["accuracy"] - other.resampled["accuracy"] for own, other in pairs], axis=0)
    low, high = statistics.interval(resampled, confidence)
    return {"value": 100 * float(value), "low": 100 * low, "high": 100 * high}


def judge_shares(sources: list[Source]) -> dict[tuple[str, str, str], float]:
    """Percent of the responses that the judge calls correct, by student, arm and benchmark, over all seeds."""
    verdicts: dict[tuple[str, str, str], list[bool]] = {}
    for source in sources:
        said = read_table(source.path, "judged", ["verdict"])["verdict"].to_pylist()
        verdicts.setdefault((source.student, source.arm, source.benchmark), []).extend(v == "correct" for v in said)
    return {cell: 100 * sum(said) / len(said) for cell, said in verdicts.items()}


def main_csv(long: list[dict], benchmarks: list[str], judged: dict[tuple[str, str, str], float]) -> str:
    """The main table with a column for each number."""
    names = [*benchmarks, AVERAGE]
    header = [
        "student",
        "arm",
        "seeds",
        *(f"{name}{tail}" for name in names for tail in ("", "_low", "_high", "_n", "_delta")),
        *(f"{name}_judge" for name in benchmarks if judged),
    ]
    lines = []
    for (student, arm), found in _by_arm(long).items():
        line = [student, arm, str(found[AVERAGE, "accuracy"]["seeds"])]
        for name in names:
            cell, delta = found[name, "accuracy"], found.get((name, "delta"))
            line += [_text(cell["value"]), _text(cell["low"]), _text(cell["high"]), str(cell["n_problems"])]
            line.append(_text(delta["value"]) if delta else "")
        lines.append([*line, *(_text(judged[student, arm, name]) for name in benchmarks if judged)])
    return _csv(header, lines)


def main_markdown(long: list[dict], benchmarks: list[str], confidence: float) -> str:
    """The main table to read: percent correct with its interval."""
    names = [*benchmarks, AVERAGE]
    arms = _by_arm(long)
    first = next(iter(arms.values()))
    heads = [f"{name} (n={first[name, 'accuracy']['n_problems']})" for name in names]
    lines = [["student", "arm", *heads, "delta vs base"]]
    for (student, arm), found in arms.items():
        delta = found.get((AVERAGE, "delta"))
        change = f"{delta['value']:+.1f} [{delta['low']:+.1f}, {delta['high']:+.1f}]" if delta else ""
        shown = [found[name, "accuracy"] for name in names]
        lines.append([student, arm, *(f"{c['value']:.1f} [{c['low']:.1f}, {c['high']:.1f}]" for c in shown), change])
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    seeds = first[AVERAGE, "accuracy"]["seeds"]
    note = f"Percent correct with {confidence:.0%} intervals (bootstrap clustered by problem); {seeds} seed(s)."
    return "\n".join([*text, "", note, ""])


def _by_arm(long: list[dict]) -> dict[tuple[str, str], dict[tuple[str, str], dict]]:
    table: dict[tuple[str, str], dict[tuple[str, str], dict]] = {}
    for row in long:
        table.setdefault((row["student"], row["arm"]), {})[row["benchmark"], row["metric"]] = row
    return table


def _csv(header: list[str], lines: list[list[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return buffer.getvalue()


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
