"""Where judge and rules differ, a row each, to be read by a person; and the judge's accuracy for the main table.

Reads grades (id, problem_id, verdict, extracted, reason) and judged (id, verdict, reply, judge) of the same responses
and problems (id, answer); writes judge_disagreements.csv: student, seed, arm, benchmark, id, rules, judge, gold,
extracted, reason, reply. A verdict of the rules other than ``correct`` agrees with the judge's ``wrong``; a reply that
is unparseable is listed too.

    coldstart judge-report --problems choice=problems.parquet --grades tiny/seed0/base/choice=grades.parquet \\
        --judged tiny/seed0/base/choice=judged.parquet --output judge_disagreements.csv
"""

import argparse
import csv
import io

from coldstart.artifacts import read_rows, read_table, write_text
from coldstart.cells import parse_problems, parse_source
from coldstart.errors import UserError

HEADER = [
    "student", "seed", "arm", "benchmark", "id", "rules", "judge", "gold", "extracted", "reason", "reply",
]  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this stage."""
    parser.add_argument("--problems", required=True, nargs="+", metavar="BENCHMARK=FILE")
    parser.add_argument("--grades", required=True, nargs="+", metavar="STUDENT/seedS/ARM/BENCHMARK=FILE")
    parser.add_argument("--judged", required=True, nargs="+", metavar="STUDENT/seedS/ARM/BENCHMARK=FILE")
    parser.add_argument("--output", required=True, help="output: the disagreements, as CSV")


def run(args: argparse.Namespace) -> None:
    """List the disagreements of every cell."""
    golds = {name: read_golds(path) for name, path in map(parse_problems, args.problems)}
    judged = {text.partition("=")[0]: parse_source(text, "--judged").path for text in args.judged}
    lines, total = [], 0
    for text in args.grades:
        source, cell = parse_source(text), text.partition("=")[0]
        if cell not in judged or source.benchmark not in golds:
            raise UserError(f"--grades {cell}: neither --judged nor --problems may lack it")
        said = {row["id"]: row for row in read_rows(judged[cell], "judged")}
        for row in read_rows(source.path, "grades"):
            if row["id"] not in said:
                raise UserError(
                    f"{judged[cell]}: no verdict on '{row['id']}', which {source.path} grades; judge it again"
                )
            opinion, total = said[row["id"]], total + 1
            if opinion["verdict"] != ("correct" if row["verdict"] == "correct" else "wrong"):
                key = [source.student, source.seed, source.arm, source.benchmark, row["id"], row["verdict"]]
                gold = golds[source.benchmark].get(row["problem_id"], "")
                lines.append([*key, opinion["verdict"], gold, row["extracted"] or "", row["reason"], opinion["reply"]])
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([HEADER, *lines])
    write_text(args.output, buffer.getvalue())
    print(f"{args.output}: judge and rules differ on {len(lines)} of {total} responses")


def read_golds(path: str) -> dict[str, str]:
    """Problem id -> gold answer."""
    table = read_table(path, "problems", ["id", "answer"])
    return dict(zip(table["id"].to_pylist(), table["answer"].to_pylist(), strict=True))
