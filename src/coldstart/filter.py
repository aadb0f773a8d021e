"""Keep the correct, finished, non-duplicate traces of the teacher as SFT rows, and account for every other one.

Reads problems (all columns but metadata) and responses (id, problem_id, sample_index, response, finish_reason,
completion_tokens); writes sft_rows, rejected and pass_rates, in the order of the problems. kept + rejected = responses.
A trace is rejected for the first of: unfinished (cut off), its verdict (wrong, no_answer, ...), duplicate (the same
text up to white space as an earlier kept sample of its problem), over_limit. If a problem has more good traces than
``filter.max_per_problem``, those kept are spread over the lengths: sorted by tokens, evenly spaced from the shortest to
the longest (the middle one if only one may stay).

    coldstart filter --config config.yaml --problems results/data/train/problems.parquet \\
        --responses results/distill/seed0/1-of-2.parquet results/distill/seed0/2-of-2.parquet \\
        --rows rows.parquet --rejected rejected.parquet --pass-rates pass_rates.parquet
"""

import argparse
from collections import Counter

from coldstart import provenance
from coldstart.artifacts import iter_rows, table_writer, write_rows
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.grading import GRADER_VERSION, Grade
from coldstart.grading.batch import grade_rows, read_problems, read_responses

BATCH = 256  # rows held with their images at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses filter and grading")
    parser.add_argument("--problems", required=True, help="the training problems")
    parser.add_argument("--responses", required=True, nargs="+", help="all shards of the teacher's responses")
    parser.add_argument("--rows", required=True, help="output: SFT rows")
    parser.add_argument("--rejected", required=True, help="output: every other response and why")
    parser.add_argument("--pass-rates", required=True, help="output: pass rate of every answered problem")


def run(args: argparse.Namespace) -> None:
    """Filter the responses; nothing is written if too few are kept."""
    config = load_config(args.config, "filter")
    inputs = {"problems": args.problems, **{f"responses{n}": path for n, path in enumerate(args.responses)}}
    record = provenance.start("filter", config, inputs)
    problems = read_problems(args.problems)
    responses = read_responses(args.responses, problems, args.problems)
    grades = grade_rows("filter", problems, responses, config["grading"])
    why = sort_out(responses, grades, config["filter"]["max_per_problem"])
    counts = Counter("kept" if reason is None else reason for reason in why)
    _print_summary(counts, len(responses))
    if counts["kept"] < config["filter"]["min_kept"]:
        raise UserError(
            f"{', '.join(args.responses)}: only {counts['kept']} of {len(responses)} traces can be kept, fewer than "
            f"filter.min_kept = {config['filter']['min_kept']} ({_listing(counts)}). Use a better teacher, more "
            "distill.samples or a longer distill.max_tokens, or lower filter.min_kept"
        )
    rates = pass_rates(problems, responses, grades, why)
    done = provenance.finish(record, grader=GRADER_VERSION, responses=len(responses), counts=dict(counts))
    rejected = [
        _rejected(row, grade, reason) for row, grade, reason in zip(responses, grades, why, strict=True) if reason
    ]
    write_rows(args.rejected, "rejected", rejected, done)
    write_rows(args.pass_rates, "pass_rates", rates, done)
    kept = [row for row, reason in zip(responses, why, strict=True) if reason is None]
    _write_kept(args.rows, args.problems, kept, {row["problem_id"]: row["pass_rate"] for row in rates}, done)


def sort_out(responses: list[dict], grades: list[Grade], limit: int) -> list[str | None]:
    """Why each response is rejected, or None for those kept."""
    why: list[str | None] = [None] * len(responses)
    good: dict[str, list[int]] = {}
    texts: set[tuple[str, str]] = set()
    order = sorted(range(len(responses)), key=lambda n: (responses[n]["problem_id"], responses[n]["sample_index"]))
    for number in order:  # by sample, so that the order of the shards does not matter
        row, grade = responses[number], grades[number]
        text = (row["problem_id"], " ".join(row["response"].split()))
        if row["finish_reason"] != "stop":
            why[number] = "unfinished"
        elif grade.verdict != "correct":
            why[number] = grade.verdict
        elif text in texts:
            why[number] = "duplicate"
        else:
            texts.add(text)
            good.setdefault(row["problem_id"], []).append(number)
    for numbers in good.values():
        ranked = sorted(numbers, key=lambda n: (responses[n]["completion_tokens"], responses[n]["sample_index"]))
        chosen = {ranked[place] for place in spread(len(ranked), limit)}
        for number in numbers:
            if number not in chosen:
                why[number] = "over_limit"
    return why


def spread(count: int, limit: int) -> list[int]:
    """``limit`` evenly spaced places out of ``count``, both ends included; the middle one if the limit is one."""
    if count <= limit:
        return list(range(count))
    if limit == 1:
        return [(count - 1) // 2]
    return [round(n * (count - 1) / (limit - 1)) for n in range(limit)]


def pass_rates(
    problems: dict[str, dict], responses: list[dict], grades: list[Grade], why: list[str | None]
) -> list[dict]:
    """One row a problem that was answered, in the order of the problems."""
    samples: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for row, grade, reason in zip(responses, grades, why, strict=True):
        samples[row["problem_id"]] += 1
        correct[row["problem_id"]] += grade.verdict == "correct"
        kept[row["problem_id"]] += reason is None
    return [
        {
            "problem_id": name,
            "source": problem["source"],
            "answer_type": problem["answer_type"],
            "samples": samples[name],
            "correct": correct[name],
            "kept": kept[name],
            "pass_rate": correct[name] / samples[name],
        }
        for name, problem in problems.items()
        if samples[name]
    ]


def _rejected(row: dict, grade: Grade, why: str) -> dict:
    rules = {
        "unfinished": "cut off at the token limit",
        "duplicate": "the same text as an earlier sample of this problem",
        "over_limit": "the problem has enough kept traces (filter.max_per_problem)",
    }
    return {
        "id": row["id"],
        "problem_id": row["problem_id"],
        "response": row["response"],
        "verdict": grade.verdict,
        "why": why,
        "reason": rules.get(why, grade.reason),
    }


def _write_kept(path: str, problems_path: str, kept: list[dict], rates: dict[str, float], done: dict) -> None:
    """Join the kept traces with their problems, images included, one batch of problems at a time."""
    traces: dict[str, list[dict]] = {}
    for row in sorted(kept, key=lambda row: row["sample_index"]):
        traces.setdefault(row["problem_id"], []).append(row)
    columns = ["id", "source", "question", "options", "images", "prompt_tokens"]
    with table_writer(path, "sft_rows") as writer:
        batch: list[dict] = []
        for problem in iter_rows(problems_path, "problems", columns, batch_size=BATCH):
            batch += [_sft_row(problem, trace, rates[problem["id"]]) for trace in traces.get(problem["id"], [])]
            if len(batch) >= BATCH:
                writer.write(batch)
                batch = []
        writer.write(batch)
        writer.provenance = done


def _sft_row(problem: dict, trace: dict, rate: float) -> dict:
    return {
        "id": trace["id"],
        "problem_id": problem["id"],
        "source": problem["source"],
        "question": problem["question"],
        "options": problem["options"],
        "images": problem["images"],
        "completion": trace["response"],
        "completion_tokens": trace["completion_tokens"],
        "prompt_tokens": problem["prompt_tokens"],
        "pass_rate": rate,
    }


def _listing(counts: Counter) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _print_summary(counts: Counter, total: int) -> None:
    print(f"{'outcome':<20} {'traces':>8} {'share':>7}")
    for name, count in counts.most_common():
        print(f"{name:<20} {count:>8} {count / total:>7.1%}")
    print(f"{'total':<20} {total:>8} {1:>7.0%}")
