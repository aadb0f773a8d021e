"""The command line: quick, without torch, and its mistakes are messages."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from coldstart.cli import COMMANDS, main

HEAVY = {"torch", "transformers", "trl", "vllm", "datasets"}
BAD_CALLS = {
    "data": "--source train --processor {0}/none/none --problems {0}/p --dropped {0}/d",
    "audit": "--train {0}/none --benchmark a={0}/none --output {0}/o",
    "distill": "--problems {0}/none --model {0}/none --seed 0 --shard 1-of-1 --work {0}/w --responses {0}/r",
    "filter": "--problems {0}/none --responses {0}/none --rows {0}/r --rejected {0}/j --pass-rates {0}/p",
    "sft": "--model {0}/none --rows {0}/none --seed 0 --work {0}/w --output {0}/o",
    "grpo": "--model {0}/none --problems {0}/none --seed 0 --work {0}/w --output {0}/o",
    "generate": "--model {0}/none --seed 0 --work {0}/w --benchmark a={0}/none --output-dir {0}/o",
    "score": "--problems {0}/none --responses {0}/none --grades {0}/g",
    "breakdowns": "--problems choice={0}/none --grades tiny/seed0/base/choice={0}/none --output {0}/o",
    "fetch": "--config {0}/none",
    "judge": """--config {{"judge":{{"model":"x","base_url":"y"}}}}
        --problems {0}/none --responses {0}/n --work {0}/w --judged {0}/j""",
    "judge-report": "--problems a={0}/none --grades t/seed0/base/a={0}/n --judged t/seed0/base/a={0}/n --output {0}/o",
    "tables": "--grades tiny/seed0/base/choice={0}/none --csv {0}/c --markdown {0}/m --long {0}/l",
}


def test_help_lists_every_stage_in_under_half_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run([sys.executable, "-m", "coldstart", "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert [name for name in COMMANDS if f"\n  {name} " not in shown.stdout] == []
    # processor time, so that a busy machine does not fail it
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.5


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_stages_help_explains_it_and_imports_nothing_heavy(stage: str) -> None:
    code = (
        "import sys\nfrom coldstart.cli import main\n"
        f"try: main(['{stage}', '--help'])\nexcept SystemExit as done: assert done.code == 0\n"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.rstrip().endswith("heavy: []")
    assert any(f"--{option}" in shown for option in ("output", "problems", "csv", "grades", "config", "gold"))
    assert f"coldstart {stage}" in shown.partition("\n\n")[2], "its help shows how to run it"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "usage: coldstart"),
        (["filtr"], 2, "error: unknown stage 'filtr'. Did you mean 'filter'?"),
        (["zzz"], 2, "error: unknown stage 'zzz'. See coldstart --help"),
        (
            ["tables", "--config=none.yaml", "--grades=a", "--csv=b", "--markdown=c", "--long=d"],
            2,
            "none.yaml: no such",
        ),
        (
            ["tables", "--config={typo: 1}", "--grades=a", "--csv=b", "--markdown=c", "--long=d"],
            2,
            "unknown key 'typo'",
        ),
    ],
)
def test_mistakes_are_messages(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert message in shown.out + shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("stage", BAD_CALLS)
def test_a_missing_input_is_one_message_and_leaves_nothing(
    stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = [] if "--config" in BAD_CALLS[stage] or stage == "judge-report" else ["--config", "{}"]
    assert main([stage, *config, *BAD_CALLS[stage].format(tmp_path).split()]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "none") in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_bad_calls_cover_every_stage() -> None:
    assert set(COMMANDS) - set(BAD_CALLS) == {"testbed-train", "grade"}
