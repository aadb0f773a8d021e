"""Check the data before anything is spent on it: bad golds, duplicates, broken images, and what benchmarks hold too.

Reads problems (all but metadata) of the training set and of every benchmark, images streamed. Writes report.md
(readable), findings.parquet (dataset, id, check, severity, detail, other, benchmark) and excluded.parquet (id, why,
detail): the training rows that distillation and GRPO leave out. Benchmarks are never changed. Where a check finds more
than its limit in the config's ``audit`` section, the stage stops, names the rows and writes nothing. The checks are in
coldstart.audit.checks.

    coldstart audit --config config.yaml --train results/data/train/problems.parquet \\
        --benchmark choice=results/data/benchmarks/choice/problems.parquet --output results/audit
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from coldstart import provenance
from coldstart.artifacts import count_rows, read_provenance, write_rows, write_text
from coldstart.audit.checks import CHECKS, check
from coldstart.audit.pictures import Pictures
from coldstart.audit.report import markdown
from coldstart.audit.scan import Scan, scan
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.grading import GRADER_VERSION, GradingPool
from coldstart.progress import Progress

SHOWN = 5  # rows named in the message; the log lists up to LISTED
LISTED = 200
# check -> its limit in the config; benchmarks cannot be cleaned, so the first two hold for each of them as well
LIMITS = {
    "bad_gold": "max_bad_golds",
    "bad_image": "max_bad_images",
    "contradiction": "max_duplicates",
    "duplicate": "max_duplicates",
    "contamination": "max_contaminated",
}
BENCHMARK_LIMITS = ("bad_gold", "bad_image")
ADVICE = {
    "max_bad_golds": "Correct the answer or its answer_type in the source, or leave the row out",
    "max_bad_images": "Correct the images in the source, or leave the rows out",
    "max_duplicates": "Remove the copies from the source",
    "max_contaminated": "Remove the rows from data.train, or take another split",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses audit, grading and images")
    parser.add_argument("--train", required=True, help="the training problems")
    parser.add_argument("--benchmark", action="append", default=[], metavar="NAME=FILE", help="a benchmark; repeatable")
    parser.add_argument("--output", required=True, type=Path, help="folder for report.md and the two Parquet files")


def run(args: argparse.Namespace) -> None:
    """Audit the training set and every benchmark; raises UserError where the run should not go on."""
    config = load_config(args.config, "audit")
    paths = dict(parse_benchmark(text) for text in args.benchmark)
    record = provenance.start("audit", config, {"train": args.train, **paths})
    grading, settings, min_side = config["grading"], config["audit"], config["images"]["min_side"]
    total = sum(count_rows(path, "problems") for path in [args.train, *paths.values()])
    pictures = Pictures()
    with GradingPool(grading["timeout"], grading["workers"]) as pool, Progress("audit", total) as bar:
        train = scan("train", args.train, pictures, pool, bar, min_side)
        benchmarks = [scan(name, path, pictures, pool, bar, min_side) for name, path in paths.items()]
    findings = check(train, benchmarks, pictures, settings)
    for found in [train, *benchmarks]:
        check_limits(found, findings, settings)
    excluded = excluded_rows(findings)
    limits = {name: settings[key] for name, key in LIMITS.items()}
    counts = Counter(finding["check"] for finding in findings)
    facts = {"grader": GRADER_VERSION, "rows": total, "findings": dict(counts), "excluded": len(excluded)}
    done = provenance.finish(record, **facts)
    write_rows(args.output / "findings.parquet", "findings", findings, done)
    write_rows(args.output / "excluded.parquet", "excluded", excluded, done)
    dropped = import_drops([args.train, *paths.values()])
    write_text(args.output / "report.md", markdown(train, benchmarks, findings, limits, settings, dropped))
    listing = ", ".join(f"{counts[name]} {name}" for name in CHECKS if counts[name]) or "nothing found"
    print(f"audit: {len(train.rows)} training rows, {len(excluded)} of them left out; {listing}", file=sys.stderr)


def parse_benchmark(text: str) -> tuple[str, str]:
    """``NAME=FILE`` in its parts."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UserError(f"--benchmark {text}: expected NAME=FILE, as in choice=problems.parquet")
    if name == "train":
        raise UserError("--benchmark train: this name stands for the training set; give the benchmark another one")
    return name, path


def check_limits(found: Scan, findings: list[dict], settings: dict) -> None:
    """Raise UserError if a check found more rows of one data set than the config allows; the log then lists them."""
    checks = LIMITS if found.name == "train" else {name: LIMITS[name] for name in BENCHMARK_LIMITS}
    for key in dict.fromkeys(checks.values()):
        names = [name for name in checks if checks[name] == key]
        first: dict[str, dict] = {}  # a row may be found in several benchmarks
        for finding in findings:
            if finding["dataset"] == found.name and finding["check"] in names:
                first.setdefault(finding["id"], finding)
        if len(first) <= settings[key] * len(found.rows):
            continue
        shown = [f"'{name}' ({_told(finding)})" for name, finding in first.items()]
        print("\n".join(f"  {line}" for line in shown[:LISTED]))
        if len(shown) > LISTED:
            print(f"  ... and {len(shown) - LISTED} more")
        raise UserError(
            f"{found.path}: {len(first)} of {len(found.rows)} rows of {found.name} fail the check "
            f"{' or '.join(names)}, more than audit.{key} = {settings[key]:g} allows. {ADVICE[key]}. First: "
            + "; ".join(shown[:SHOWN])
        )


def _told(finding: dict) -> str:
    where = f" in benchmark '{finding['benchmark']}' as '{finding['other']}'" if finding["benchmark"] else ""
    return f"{finding['check']}{where}: {finding['detail']}"


def excluded_rows(findings: list[dict]) -> list[dict]:
    """One row for each training problem that is left out, with the first reason found, sorted by id."""
    rows: dict[str, dict] = {}
    for finding in findings:
        if finding["severity"] == "exclude":
            where = f"{finding['benchmark']}, {finding['other']}: " if finding["benchmark"] else ""
            row = {"id": finding["id"], "why": finding["check"], "detail": where + finding["detail"]}
            rows.setdefault(finding["id"], row)
    return [rows[name] for name in sorted(rows)]


def import_drops(paths: list[str]) -> dict[str, dict[str, int]]:
    """Source -> reason -> rows that its import did not take, as the provenance of the imported files says."""
    drops: dict[str, dict[str, int]] = {}
    for path in paths:
        counts = read_provenance(path)["facts"].get("by_source", {})
        drops |= {name: {why: n for why, n in by.items() if why != "kept"} for name, by in counts.items()}
    return drops
