"""The ``coldstart`` command: one subcommand a stage, each a module with ``add_arguments`` and ``run``.

    coldstart --help
    coldstart sft --help

Nothing heavy is imported here: a stage's module is loaded when its subcommand is chosen, and torch only when it runs.
Exit codes: 0 done, 1 unexpected failure (with its stack trace), 2 a mistake in the input (message only).
"""

import argparse
import importlib
import sys

from coldstart import __version__
from coldstart.errors import UserError

# subcommand -> (module, one line). The order is the order of the pipeline.
COMMANDS = {
    "data": ("coldstart.data", "import a dataset or benchmark into the problem schema"),
    "audit": ("coldstart.audit", "check golds, images, duplicates and contamination by benchmarks"),
    "distill": ("coldstart.distill", "sample chains of thought from the teacher (one shard)"),
    "filter": ("coldstart.filter", "keep the correct, finished, non-duplicate traces as SFT rows"),
    "sft": ("coldstart.sft", "fine-tune the student on the kept traces"),
    "grpo": ("coldstart.grpo", "refine a checkpoint by reinforcement learning"),
    "generate": ("coldstart.generate", "answer benchmarks with one model"),
    "score": ("coldstart.score", "grade a benchmark's responses"),
    "judge": ("coldstart.judge", "ask a language model for a second opinion on a benchmark's responses"),
    "judge-report": ("coldstart.judge_report", "list where judge and rules differ"),
    "tables": ("coldstart.tables", "aggregate grades into the result tables"),
    "breakdowns": ("coldstart.breakdowns", "official scores and breakdowns of every benchmark"),
    "fetch": ("coldstart.fetch", "fetch models and data sets ahead, for machines without network"),
    "grade": ("coldstart.grade", "explain the verdict on one response, step by step"),
    "testbed-train": ("coldstart.testbed.train", "train a testbed model from random weights"),
}


def main(argv: list[str] | None = None) -> int:
    """Parse ``argv`` (default: the process's own) and run one stage; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="coldstart",
        description="Turn a vision-language model into a reasoning model, stage by stage.",
        epilog=f"stages:\n{listing}\n\nexample:\n  coldstart data --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="coldstart [--version] <stage> [options]",
    )
    parser.add_argument("--version", action="version", version=f"coldstart {__version__}")
    if not argv or argv[0].startswith("-"):
        parser.parse_args(argv)
        parser.print_help()
        return 2
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        print(f"error: unknown stage '{name}'.{hint} See coldstart --help", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[name][0])
    stage_parser = argparse.ArgumentParser(
        prog=f"coldstart {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(stage_parser)
    args = stage_parser.parse_args(rest)
    try:
        module.run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
