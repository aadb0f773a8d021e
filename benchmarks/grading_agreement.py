"""Agreement of the grader with the official verdicts on real answers, beside bare math-verify.

    python benchmarks/grading_agreement.py ../shared/data

Reads model_outputs/*.parquet under the data folder (columns: see SETS) and the reviews in
benchmarks/grading_reviews.csv (set, id, class, reason). Writes under benchmarks/results/:

    grading_agreement.csv, .md  a row a set: n, agreement, false credit and missed credit with 95 % intervals
    grading_disagreements.csv   every disagreement: set, id, gold, extracted, ours, official, class, reason, excerpt

False credit: credited, though officially wrong; missed credit: the reverse. The classes of a review are official_wrong,
ambiguous and grader_wrong; a disagreement nobody has reviewed is listed as "unreviewed", and the script then exits 1.
GSM8K, Bard and Qwen were looked at while the rules were written. InternLM and LLaVA were held out until the reviews:
they agreed on 98.4 % and 91.1 % when first measured. Reading them showed false credit and one kind of missed credit,
which led to general rules (a box with all letters, formulas in prose, yes-no questions that are repeated, ratios), so
what is measured now is no longer held out.
"""

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import pyarrow.parquet as pq

from coldstart.grading import GRADER_VERSION, GradingPool

HERE = Path(__file__).resolve().parent
Z = 1.96  # of a 95 % interval
EXCERPT = 160  # characters of a response that are kept
CLASSES = ("official_wrong", "ambiguous", "grader_wrong")


def gsm8k(row: dict) -> dict:
    """GSM8K: the number behind '####'."""
    return {"answer": row["gold"], "answer_type": "integer", "question": row["question"]}


def mathvision(row: dict) -> dict:
    """MathVision: a letter where there are options, else a formula."""
    kind = "choice" if row["options"] else "expression"
    return {"answer": row["answer"], "answer_type": kind, "options": row["options"], "question": row["question"]}


def mathvista(row: dict) -> dict:
    """MathVista: the gold of a choice is the option's text, the question stands in a longer prompt."""
    question = row["query"].partition("Question:")[2].partition("Choices:")[0]
    if row["question_type"] == "multi_choice":
        letter = chr(ord("A") + row["choices"].index(row["answer"]))
        return {"answer": letter, "answer_type": "choice", "options": row["choices"], "question": question}
    kind = {"integer": "integer", "float": "decimal", "list": "list"}[row["answer_type"]]
    return {"answer": row["answer"], "answer_type": kind, "unit": row["unit"], "question": question}


# name -> (problem of a row, id column, whether it was looked at while the rules were written)
SETS: dict[str, tuple[Callable[[dict], dict], str, str]] = {
    "gsm8k_175b_finetuning": (gsm8k, "id", "development"),
    "mathvision_qwen": (mathvision, "id", "development"),
    "mathvision_internlm": (mathvision, "id", "held out at first"),
    "mathvista_bard": (mathvista, "pid", "development"),
    "mathvista_llava": (mathvista, "pid", "held out at first"),
}


def main() -> int:
    """Measure, write and print; 1 if a disagreement has not been reviewed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds model_outputs/")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="default: all")
    parser.add_argument("--baseline", action="store_true", help="measure bare math-verify too (minutes)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds a row may take")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reviews", type=Path, default=HERE / "grading_reviews.csv")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder to write to")
    args = parser.parse_args()
    with args.reviews.open(encoding="utf-8", newline="") as file:
        reviews = {(row["set"], row["id"]): (row["class"], row["reason"]) for row in csv.DictReader(file)}
    unknown = [key for key, (kind, _) in reviews.items() if kind not in CLASSES]
    if unknown:
        parser.error(f"{args.reviews}: {unknown[0]}: the class must be one of {', '.join(CLASSES)}")
    summary, listed = [], []
    with GradingPool(args.timeout, args.workers) as pool:
        for name in args.sets:
            found, disagreements = measure(name, args, pool, reviews)
            summary += found
            listed += disagreements
    args.output.mkdir(parents=True, exist_ok=True)
    write_csv(args.output / "grading_agreement.csv", summary)
    write_csv(args.output / "grading_disagreements.csv", listed)
    text = report(summary, listed)
    (args.output / "grading_agreement.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(row["class"] == "unreviewed" for row in listed))


def measure(name: str, args: argparse.Namespace, pool: GradingPool, reviews: dict) -> tuple[list[dict], list[dict]]:
    """The summary rows of one set, and its disagreements."""
    to_problem, key, role = SETS[name]
    rows = pq.read_table(args.data / "model_outputs" / f"{name}.parquet").to_pylist()
    problems = [to_problem(row) for row in rows]
    grades = pool.grade((problem, row["response"]) for problem, row in zip(problems, rows, strict=True))
    official = [row["official_correct"] for row in rows]
    credited = [grade.verdict == "correct" for grade in grades]
    summary = [summarise(name, role, f"coldstart {GRADER_VERSION}", credited, official)]
    listed: list[dict] = []
    for row, problem, grade, right in zip(rows, problems, grades, official, strict=True):
        if (grade.verdict == "correct") != right:
            kind, reason = reviews.get((name, str(row[key])), ("unreviewed", ""))
            listed.append(
                {
                    "set": name,
                    "id": row[key],
                    "gold": gold_text(problem),
                    "extracted": (grade.extracted or "")[:EXCERPT],
                    "ours": grade.verdict,
                    "official": "correct" if right else "wrong",
                    "class": kind,
                    "reason": reason,
                    "excerpt": re.sub(r"\s+", " ", row["response"])[-EXCERPT:].strip(),
                }
            )
    still_wrong = sum(row["class"] != "official_wrong" for row in listed)
    summary[0]["reviewed"] = f"{100 * (1 - still_wrong / len(rows)):.2f}"
    if args.baseline:
        summary.append(summarise(name, role, "math_verify", bare(problems, rows), official))
    return summary, listed


def bare(problems: list[dict], rows: list[dict]) -> list[bool]:
    """What ``math_verify.parse`` and ``verify`` alone say, with math-verify's own timers."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    credited = []
    for problem, row in zip(problems, rows, strict=True):
        gold = parse(f"${problem['answer']}$")
        credited.append(bool(verify(gold, parse(row["response"]))))
    return credited


def summarise(name: str, role: str, grader: str, credited: list[bool], official: list[bool]) -> dict:
    """Counts, and shares of all rows with their intervals in per cent."""
    pairs = Counter(zip(credited, official, strict=True))
    n = len(official)
    counts = {
        "agreement": pairs[True, True] + pairs[False, False],
        "false_credit": pairs[True, False],
        "missed_credit": pairs[False, True],
    }
    row: dict = {"set": name, "role": role, "grader": grader, "n": n, "official_correct": sum(official), "reviewed": ""}
    for key, count in counts.items():
        low, high = wilson(count, n)
        row |= {
            f"{key}_n": count,
            key: f"{100 * count / n:.2f}",
            f"{key}_low": f"{low:.2f}",
            f"{key}_high": f"{high:.2f}",
        }
    return row


def wilson(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in per cent."""
    share, square = count / n, Z * Z / n
    middle, half = share + square / 2, Z * sqrt(share * (1 - share) / n + square / (4 * n))
    return max(100 * (middle - half) / (1 + square), 0.0), min(100 * (middle + half) / (1 + square), 100.0)


def gold_text(problem: dict) -> str:
    """The gold, for a choice with its option's text."""
    if problem["answer_type"] != "choice":
        return problem["answer"]
    return f"{problem['answer']}: {problem['options'][ord(problem['answer']) - ord('A')]}"


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows of equal keys; an empty list leaves an empty file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def report(summary: list[dict], listed: list[dict]) -> str:
    """The Markdown tables."""
    lines = [
        "# Agreement with official verdicts",
        "",
        "Shares of all rows in per cent, with 95 % intervals (Wilson). False credit: credited though officially wrong.",
        "",
        "Reviewed: agreement once the official verdict is put right where a review found it wrong; ambiguous rows",
        "count as disagreements.",
        "",
        "| set | role | grader | n | agreement | reviewed | false credit | missed credit |",
        "|---|---|---|---:|---|---|---|---|",
    ]
    for row in summary:
        cells = [
            f"{row[key]} [{row[key + '_low']}, {row[key + '_high']}] ({row[key + '_n']})"
            for key in ("agreement", "false_credit", "missed_credit")
        ]
        cells.insert(1, row["reviewed"])
        lines.append(f"| {row['set']} | {row['role']} | {row['grader']} | {row['n']} | " + " | ".join(cells) + " |")
    lines += ["", "## Disagreements by review", "", "| set | ours | official | class | n |", "|---|---|---|---|---:|"]
    counts = Counter(
        (row["set"], "correct" if row["ours"] == "correct" else "no credit", row["official"], row["class"])
        for row in listed
    )
    lines += [f"| {' | '.join(key)} | {count} |" for key, count in sorted(counts.items())]
    reasons = Counter((row["class"], row["reason"]) for row in listed)
    lines += ["", "## Reasons", "", "| class | reason | n |", "|---|---|---:|"]
    lines += [f"| {kind} | {reason.replace('|', ' ')} | {count} |" for (kind, reason), count in sorted(reasons.items())]
    lines += ["", "Every single one, with the end of the response: grading_disagreements.csv."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
