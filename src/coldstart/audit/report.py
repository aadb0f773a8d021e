"""The audit's readable report, Markdown: what was read, what was found, what is left out of training, and by what rule.

Reads the scans and the findings in memory; returns the text of ``report.md``.

    text = markdown(train, benchmarks, findings, limits, settings, dropped)
"""

from collections import Counter

import numpy as np

from coldstart.audit.checks import CHECKS
from coldstart.audit.scan import Scan

SHOWN = 20  # rows listed a check; all are in findings.parquet
BINS = 8
MEANING = {
    "bad_gold": "the gold is not graded correct as an answer to its own problem",
    "bad_image": "an image cannot be read, or is tiny",
    "contradiction": "the same question, options and images as another row, with another gold",
    "duplicate": "the same question, options, images and gold as an earlier row",
    "contamination": "the row stands in a benchmark",
    "near_image": "an image is the near duplicate of an earlier row's",
    "blank_image": "an image shows one colour",
}
# how the details of coldstart.audit.checks.contaminated begin
EVIDENCE = {"by the whole problem": "the same ", "by an image": "image ", "by the text": "holds "}


def markdown(
    train: Scan,
    benchmarks: list[Scan],
    findings: list[dict],
    limits: dict[str, float],
    settings: dict,
    dropped: dict[str, dict[str, int]],
) -> str:
    """The report; ``limits`` is check -> highest share of the training rows, ``dropped`` source -> why -> rows."""
    scans = [train, *benchmarks]
    excluded = {finding["id"] for finding in findings if finding["severity"] == "exclude"}
    lines = ["# Audit of the data", ""]
    lines += [f"{len(excluded)} of {len(train.rows)} training rows are left out of training ({train.path})."]
    lines += ["Every finding is in `findings.parquet`, every row left out in `excluded.parquet`.", ""]
    lines += ["## What was read", "", *_read(scans), "", *_dropped(dropped)]
    lines += ["## What was found", "", *_found(scans, findings, limits), ""]
    lines += ["## Contamination", "", *_contamination(train, benchmarks, findings, settings), ""]
    lines += ["## Length of the prompts in tokens, images included", "", *_lengths(scans), ""]
    lines += ["## Answer types", "", *_answer_types(scans), ""]
    for name in CHECKS:
        lines += _listed(name, [finding for finding in findings if finding["check"] == name])
    return "\n".join(lines).rstrip() + "\n"


def _read(scans: list[Scan]) -> list[str]:
    rows = [
        [found.name, len(found.rows), found.images, sum(not row.pictures for row in found.rows), _counts(found.sources)]
        for found in scans
    ]
    return _table(["data set", "rows", "images", "rows without image", "sources"], rows)


def _dropped(dropped: dict[str, dict[str, int]]) -> list[str]:
    """What the import did not take, from the provenance of its files: too long, no image, empty gold, ..."""
    rows = [[name, why, count] for name, counts in dropped.items() for why, count in counts.items() if count]
    return [*_table(["source", "not taken at import", "rows"], rows), ""] if rows else []


def _found(scans: list[Scan], findings: list[dict], limits: dict[str, float]) -> list[str]:
    counts = Counter((finding["check"], finding["dataset"], finding["severity"]) for finding in findings)
    sizes = {found.name: len(found.rows) for found in scans}
    rows = []
    for name in CHECKS:
        for (check, dataset, severity), count in counts.items():
            if check == name:
                limit = f"{limits[name]:.1%}" if name in limits else ""
                rows.append([name, dataset, severity, count, f"{count / sizes[dataset]:.1%}", limit, MEANING[name]])
    if not rows:
        return ["Nothing."]
    return _table(["check", "data set", "severity", "findings", "of its rows", "limit", "meaning"], rows)


def _contamination(train: Scan, benchmarks: list[Scan], findings: list[dict], settings: dict) -> list[str]:
    found = [finding for finding in findings if finding["check"] == "contamination"]
    rows = []
    for benchmark in benchmarks:
        here = [finding for finding in found if finding["benchmark"] == benchmark.name]
        reached = len({finding["other"] for finding in here})
        by = [sum(finding["detail"].startswith(start) for finding in here) for start in EVIDENCE.values()]
        rows.append([benchmark.name, len(benchmark.rows), len(here), *by, reached])
    return [
        *_table(["benchmark", "its rows", "training rows in it", *EVIDENCE, "its rows reached"], rows),
        "",
        f"Text: {settings['ngram']}-grams of words; a training question that holds {settings['ngram_share']:.0%} of a "
        f"benchmark question's repeats it. Between problems with images that counts alone only from "
        f"{settings['long_text']} words on; shorter questions are templates. Images: the same pixels, or a near "
        f"duplicate (no block of a 16x16 grid differs by more than {settings['image_distance']} of 255 levels).",
    ]


def _lengths(scans: list[Scan]) -> list[str]:
    marks = (0, 50, 90, 99, 100)
    rows = []
    for found in scans:
        values = np.array(found.prompt_tokens)
        low, high = int(values.min()), int(values.max())
        counts = np.histogram(values, bins=BINS, range=(low, max(high, low + 1)))[0]
        bars = "".join(" ▁▂▃▄▅▆▇█"[int(np.ceil(8 * count / counts.max()))] for count in counts)
        rows.append([found.name, *(f"{np.percentile(values, mark):.0f}" for mark in marks), f"`{bars}`"])
    return _table(["data set", "shortest", "median", "90 %", "99 %", "longest", "shortest to longest"], rows)


def _answer_types(scans: list[Scan]) -> list[str]:
    kinds = sorted({kind for found in scans for kind in found.answer_types})
    rows = [
        [
            found.name,
            *(f"{found.answer_types[kind]} ({found.answer_types[kind] / len(found.rows):.0%})" for kind in kinds),
        ]
        for found in scans
    ]
    return _table(["data set", *kinds], rows)


def _listed(name: str, findings: list[dict]) -> list[str]:
    if not findings:
        return []
    rows = [[finding["dataset"], finding["id"], finding["detail"], _where(finding)] for finding in findings[:SHOWN]]
    more = f"The first {SHOWN} of {len(findings)}." if len(findings) > SHOWN else ""
    return [f"## {name}", "", *filter(None, [more]), *([""] if more else []),
            *_table(["data set", "row", "what", "other row"], rows), ""]  # fmt: skip


def _where(finding: dict) -> str:
    return ": ".join(filter(None, [finding["benchmark"], finding["other"]]))


def _counts(counter: Counter) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def _table(head: list[str], rows: list[list]) -> list[str]:
    def line(cells: list) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]
