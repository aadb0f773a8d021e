"""Grade a benchmark's responses. Needs no GPU and no model, so that rescoring is cheap.

Reads problems (id, answer, answer_type, options, tolerance, unit, question) and responses (id, problem_id,
sample_index, response, finish_reason, completion_tokens); writes grades, in the order of the responses.

    coldstart score --config config.yaml --problems results/data/benchmarks/multistep/problems.parquet \\
        --responses results/eval/tiny/seed0/base/multistep/responses.parquet --grades grades.parquet
"""

import argparse
from collections import Counter

from coldstart import provenance
from coldstart.artifacts import write_rows
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.grading import GRADER_VERSION
from coldstart.grading.batch import grade_rows, read_problems, read_responses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--config", required=True, help="YAML file or inline JSON; uses grading")
    parser.add_argument("--problems", required=True, help="the benchmark's problems")
    parser.add_argument("--responses", required=True, help="one model's responses to them")
    parser.add_argument("--grades", required=True, help="output: a grade for every response")


def run(args: argparse.Namespace) -> None:
    """Score one model on one benchmark; every problem must have been answered."""
    config = load_config(args.config, "score")
    record = provenance.start("score", config, {"problems": args.problems, "responses": args.responses})
    problems = read_problems(args.problems)
    responses = read_responses([args.responses], problems, args.problems)
    missing = problems.keys() - {row["problem_id"] for row in responses}
    if missing:
        raise UserError(
            f"{args.responses}: {len(missing)} of {len(problems)} problems are unanswered, first '{min(missing)}'; "
            "generate the responses again from this problem file"
        )
    grades = grade_rows("score", problems, responses, config["grading"])
    rows = [
        {
            "id": row["id"],
            "problem_id": row["problem_id"],
            "sample_index": row["sample_index"],
            "verdict": grade.verdict,
            "extracted": grade.extracted,
            "normalised": grade.normalised,
            "reason": grade.reason,
            "finish_reason": row["finish_reason"],
            "completion_tokens": row["completion_tokens"],
            "grader": GRADER_VERSION,
        }
        for row, grade in zip(responses, grades, strict=True)
    ]
    counts = Counter(grade.verdict for grade in grades)
    accuracy = counts["correct"] / len(rows)
    write_rows(args.grades, "grades", rows, provenance.finish(record, counts=dict(counts), accuracy=accuracy))
    listing = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    print(f"{args.grades}: accuracy {accuracy:.1%} of {len(rows)} responses ({listing})")
