"""What the tests of the trainers share: a few problems and traces of the testbed world, and runs that are killed."""

import io
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from coldstart.artifacts import read_rows, write_rows
from coldstart.config import load_config
from coldstart.prompts import decode_images, render

PROMPT = {"system": None, "suffix": "", "option_format": "({letter}) {text}"}


def make_problems(processor, count: int) -> list[dict]:
    """Problems of the testbed world in the problem schema, with their true prompt lengths."""
    from coldstart.testbed.world import problems

    rows = []
    for problem in problems(["perception", "choice"], count, "train", 0):
        png = io.BytesIO()
        problem["image"].save(png, "PNG")
        row = {
            "id": problem["id"],
            "source": "world",
            "question": problem["question"],
            "images": [{"bytes": png.getvalue(), "path": None}],
            "options": problem["options"],
            "answer": problem["answer"],
            "answer_type": problem["answer_type"],
            "tolerance": problem["tolerance"],
            "unit": problem["unit"],
            "metadata": "{}",
        }
        encoded = processor(images=decode_images(row), text=[render(processor, row, PROMPT)])
        rows.append(row | {"prompt_tokens": len(encoded["input_ids"][0]), "image_tokens": 9})
    return rows


def make_traces(problems: list[dict], completion: str = "so \\boxed{{{answer}}}") -> list[dict]:
    """One SFT row a problem; ``{answer}`` in the completion is the gold."""
    shared = ("source", "question", "options", "images", "prompt_tokens")
    return [
        {name: problem[name] for name in shared}
        | {
            "id": f"{problem['id']}#0",
            "problem_id": problem["id"],
            "completion": completion.format(answer=problem["answer"]),
            "completion_tokens": 8,
            "pass_rate": 1.0,
        }
        for problem in problems
    ]


def write(path: Path, kind: str, rows: list[dict]) -> Path:
    write_rows(path, kind, rows, {})
    return path


def arguments(stage: str, folder: Path, config: str, model: Path, data: Path, seed: int = 0) -> Namespace:
    """The stage's command line as parsed."""
    return Namespace(
        **{"sft": {"rows": str(data)}, "grpo": {"problems": str(data), "excluded": None}}[stage],
        config=config,
        model=str(model),
        seed=seed,
        work=str(folder / "work"),
        output=str(folder / "model"),
    )


def kill_after_checkpoint(stage: str, args: Namespace, step: int) -> int:
    """Run the stage in a process of its own and kill -9 it once checkpoint ``step`` is complete."""
    command = [sys.executable, "-m", "coldstart", stage]
    for name, value in vars(args).items():
        command += [] if value is None else [f"--{name}", str(value)]
    repo = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(repo / "src")},
        stderr=subprocess.PIPE,
        text=True,
    )
    pattern = f"*/checkpoint-{step}/complete.json"
    while process.poll() is None and not list(Path(args.work).glob(pattern)):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, f"the run ended before it could be killed:\n{errors}"
    return process.returncode


def kept_only(work: str | Path) -> bool:
    """Whether nothing but one finished result is left in a work folder: no checkpoint, no folder of another run."""
    (folder,) = Path(work).iterdir()
    return {path.name for path in folder.iterdir()} == {"owner", "result", "result.sha256"}


def curve(model: Path, name: str) -> dict[int, float]:
    """One metric of a finished model by step."""
    return {row["step"]: row["value"] for row in read_rows(model / "metrics.parquet", "metrics") if row["name"] == name}


def stage_settings(stage: str, config: str) -> dict:
    return load_config(config, stage)
