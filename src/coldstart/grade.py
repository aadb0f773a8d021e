r"""Explain one verdict, for a person who doubts it. Reads and writes no files; needs no model and no config.

Shows what was found in the response, by which rule and where, both sides as they were compared, and what decided. The
steps come from the grader itself (``coldstart.grading.explain``), the one that filter, reward and score use.

    coldstart grade --gold 7 --type integer --response 'so it is \boxed{7.0}'
    coldstart grade --gold B --type choice --options red green blue --response - < response.txt
"""

import argparse
import sys

from coldstart.errors import UserError
from coldstart.grading import GRADER_VERSION, explain, grade_all
from coldstart.grading.core import compare, find_answer, make_spec
from coldstart.grading.rules import RULES

RULE_NAMES = {
    "box": "the last complete box",
    "statement": "an explicit statement",
    "whole": "the whole response",
    "prose": "the sentence that states a result",
    "none": "none: no box, no explicit statement, and no sentence that states one result",
}
LIMIT = 10.0  # seconds that math-verify may take
CONTEXT = 60  # characters of the response shown around an answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The problem and the response."""
    parser.add_argument("--gold", required=True, help="the gold answer")
    parser.add_argument("--response", required=True, help="the completion to grade; '-' reads standard input")
    parser.add_argument("--type", required=True, choices=list(RULES), help="the problem's answer type")
    parser.add_argument("--options", nargs="+", default=[], help="texts of the options A, B, C, ... of a choice")
    parser.add_argument(
        "--tolerance", type=float, help="largest distance allowed (decimal); default: the gold's decimals"
    )
    parser.add_argument("--unit", help="the unit the problem asks for")
    parser.add_argument("--question", default="", help="the question's text; matters for percentages and for prose")


def run(args: argparse.Namespace) -> None:
    """Print the steps and the verdict."""
    if args.type == "choice" and not args.options and len(args.gold.strip(" ().")) != 1:
        raise UserError(f"--gold {args.gold!r}: a choice needs --options unless its gold is a letter")
    problem = {
        "answer": args.gold,
        "answer_type": args.type,
        "options": args.options,
        "tolerance": args.tolerance,
        "unit": args.unit,
        "question": args.question,
    }
    response = sys.stdin.read() if args.response == "-" else args.response
    print("\n".join(steps(problem, response)))


def steps(problem: dict, response: str) -> list[str]:
    """The lines that explain one verdict."""
    lines = [f"grader     {GRADER_VERSION}", f"problem    {_facts(problem)}"]
    spec = make_spec(problem)
    if compare(spec, find_answer(spec, problem, response), use_symbolic=False) is None:
        grade = grade_all([(problem, response)], LIMIT, 1)[0]  # a formula may hang: ask a worker first
        if grade.verdict == "timeout":
            return [*lines, f"verdict    timeout: {grade.reason}"]
    told = explain(problem, response)
    lines.append(f"found by   {RULE_NAMES[told.found.where]}")
    for number, candidate in enumerate(told.found.candidates, start=1):
        start = told.found.starts[number - 1]
        lines.append(f"answer {number}   {_short(candidate)}{_place(response, start)}")
        if number > len(told.judged):
            lines.append("           not looked at: an answer before it decided")
            continue
        verdict = told.judged[number - 1][1]
        lines.append(f"           compared {_short(verdict.normalised)} with the gold {_short(told.gold)}")
        lines.append(f"           {verdict.verdict}: {verdict.reason}")
    lines.append(f"verdict    {told.grade.verdict}: {told.grade.reason}")
    return lines


def _facts(problem: dict) -> str:
    facts = [f"{problem['answer_type']}, gold {problem['answer']!r}"]
    facts += [f"{chr(ord('A') + place)}: {option!r}" for place, option in enumerate(problem["options"])]
    facts += [f"{key} {problem[key]!r}" for key in ("tolerance", "unit", "question") if problem[key] not in (None, "")]
    return ", ".join(facts)


def _place(response: str, start: int) -> str:
    """Line and column of an answer, and the text around it."""
    if start < 0:
        return ""
    line, column = response.count("\n", 0, start) + 1, start - response.rfind("\n", 0, start)
    around = response[max(start - CONTEXT // 2, 0) : start + CONTEXT]
    return f" at line {line}, column {column}: {_short(around)}"


def _short(text: str) -> str:
    shown = text if len(text) <= 2 * CONTEXT else text[: 2 * CONTEXT] + "..."
    return repr(shown.encode("utf-8", "replace").decode("utf-8"))
