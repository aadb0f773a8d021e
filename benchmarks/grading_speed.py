"""Rows per second of the grader beside math_verify.parse + verify row by row, in one run on the same rows.

    python benchmarks/grading_speed.py ../shared/data
    python benchmarks/grading_speed.py --rows 2000 --baseline-rows 500      # generated rows, no data needed

With a data folder the rows are the real answers of grading_agreement.py, shuffled and repeated until there are --rows
of them, as several samples of one problem repeat answers in training. Without one they are generated: half integers, a
quarter choices, a quarter formulas, each with a short chain of thought. The baseline is one process without pool or
cache, measured on a random sample of --baseline-rows of the same rows. math-verify's own timers are left as they are in
both. The grader's time includes starting its workers.

Writes benchmarks/results/grading_speed.csv, .md (times and ratio) and grading_speed_differences.csv: the rows of the
sample on which the two verdicts differ, by kind (DIFFERENCES says what each kind means, as reviewed).
"""

import argparse
import logging
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
from grading_agreement import SETS, gold_text, write_csv

from coldstart.grading import GRADER_VERSION, Grade, GradingPool

HERE = Path(__file__).resolve().parent
EXCERPT = 120

# kind -> who is right, as reviewed on the real rows
DIFFERENCES = {
    "choice by letter or text": "the grader: math-verify compares a letter with the option's value",
    "no explicit answer": "math-verify, by taking the last number it finds; the grader calls such answers none",
    "tolerance or rounding": "the grader: the benchmark's precision decides, math-verify compares exact values",
    "unit or percent": "the grader: units and percent signs are compared, math-verify drops them",
    "several or unclear answers": "the grader: an answer that states two things is never credited",
    "other": "the grader, but for single rows: results in words or prose, which math-verify does not read",
}


def main() -> int:
    """Measure both and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="folder that holds model_outputs/; without it: generated")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--baseline-rows", type=int, default=2_000, help="random sample for math-verify")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds a row may take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "results")
    args = parser.parse_args()
    source = random.Random(args.seed)
    pairs = real_rows(args.data, args.rows, source) if args.data else made_rows(args.rows, source)
    sample = source.sample(range(len(pairs)), min(args.baseline_rows, len(pairs)))

    began = time.perf_counter()
    with GradingPool(args.timeout, args.workers) as pool:
        grades = pool.grade(pairs)
    ours = time.perf_counter() - began
    theirs, verdicts = baseline([pairs[place] for place in sample])

    differences = [
        difference(*pairs[place], grades[place], right)
        for place, right in zip(sample, verdicts, strict=True)
        if (grades[place].verdict == "correct") != right
    ]
    rates = {f"coldstart {GRADER_VERSION}": (len(pairs), ours), "math_verify": (len(sample), theirs)}
    ratio = (len(pairs) / ours) / (len(sample) / theirs)
    table = [
        {"grader": name, "rows": rows, "seconds": f"{seconds:.2f}", "rows_per_second": f"{rows / seconds:.0f}"}
        for name, (rows, seconds) in rates.items()
    ]
    args.output.mkdir(parents=True, exist_ok=True)
    write_csv(args.output / "grading_speed.csv", table)
    write_csv(args.output / "grading_speed_differences.csv", differences)
    text = report(table, ratio, differences, args, len(sample))
    (args.output / "grading_speed.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def real_rows(data: Path, count: int, source: random.Random) -> list[tuple[dict, str]]:
    """Problems with real answers, shuffled; repeated from the start where ``count`` is more than there are."""
    pairs = []
    for name, (to_problem, _, _) in SETS.items():
        for row in pq.read_table(data / "model_outputs" / f"{name}.parquet").to_pylist():
            pairs.append((to_problem(row), row["response"]))
    source.shuffle(pairs)
    return (pairs * (count // len(pairs) + 1))[:count]


def made_rows(count: int, source: random.Random) -> list[tuple[dict, str]]:
    """Generated problems with answers, two in three of them right."""
    pairs: list[tuple[dict, str]] = []
    for _ in range(count):
        a, b, off = source.randint(2, 60), source.randint(2, 60), source.choice([0, 0, 1])
        thought = f"We have {a} of one and {b} of the other, so we add: {a} + {b} = {a + b}. "
        kind = source.choice(["integer", "integer", "choice", "expression"])
        if kind == "integer":
            pairs.append(({"answer": str(a + b), "answer_type": kind}, thought + rf"\boxed{{{a + b + off}}}"))
        elif kind == "choice":
            options = [str(a + b + step) for step in range(4)]
            said = "ABCD"[off]
            pairs.append(
                ({"answer": "A", "answer_type": kind, "options": options}, f"{thought}The answer is ({said}).")
            )
        else:
            gold, said = rf"\frac{{{a}}}{{{b}}}", rf"\frac{{{2 * a + off}}}{{{2 * b}}}"
            if source.random() < 0.5:
                gold, said = rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b + off}}}"
            pairs.append(({"answer": gold, "answer_type": kind}, rf"{thought}\boxed{{{said}}}"))
    return pairs


def baseline(pairs: list[tuple[dict, str]]) -> tuple[float, list[bool]]:
    """Seconds and verdicts of math-verify, row by row; its import is not counted."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    verify(parse("$1$"), parse("$1$"))
    began = time.perf_counter()
    verdicts = [bool(verify(parse(f"${problem['answer']}$"), parse(response))) for problem, response in pairs]
    return time.perf_counter() - began, verdicts


def difference(problem: dict, response: str, grade: Grade, theirs: bool) -> dict:
    """One row on which the verdicts differ, with its kind."""
    return {
        "kind": kind_of(problem, grade),
        "answer_type": problem["answer_type"],
        "gold": gold_text(problem),
        "extracted": (grade.extracted or "")[:EXCERPT],
        "ours": grade.verdict,
        "math_verify": "correct" if theirs else "wrong",
        "reason": grade.reason,
        "excerpt": re.sub(r"\s+", " ", response)[-EXCERPT:].strip(),
    }


def kind_of(problem: dict, grade: Grade) -> str:
    """Why the verdicts differ, from what the grader says."""
    if grade.verdict == "no_answer":
        return "no explicit answer"
    if problem["answer_type"] == "choice":
        return "choice by letter or text"
    if grade.verdict == "unparseable_answer":
        return "several or unclear answers"
    if "unit" in grade.reason or "percent" in grade.reason or "%" in (grade.extracted or ""):
        return "unit or percent"
    if "rounded" in grade.reason or "tolerance" in grade.reason:
        return "tolerance or rounding"
    return "other"


def report(table: list[dict], ratio: float, differences: list[dict], args: argparse.Namespace, sampled: int) -> str:
    """The Markdown text."""
    source = "real answers" if args.data else "generated answers"
    lines = [
        "# Speed of grading",
        "",
        f"{args.rows} rows of {source}; {args.workers} workers against one process; baseline on {sampled} of the rows.",
        "",
        "| grader | rows | seconds | rows/s |",
        "|---|---:|---:|---:|",
        *(f"| {row['grader']} | {row['rows']} | {row['seconds']} | {row['rows_per_second']} |" for row in table),
        "",
        f"Ratio: {ratio:.1f}",
        "",
        f"Verdicts differ on {len(differences)} of {sampled} rows (grading_speed_differences.csv):",
        "",
        "| kind | ours | n | who is right, as reviewed |",
        "|---|---|---:|---|",
    ]
    credits = {True: "correct", False: "no credit"}
    counts = Counter((row["kind"], credits[row["ours"] == "correct"]) for row in differences)
    lines += [f"| {kind} | {ours} | {n} | {DIFFERENCES[kind]} |" for (kind, ours), n in sorted(counts.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
