"""Resumable checkpoints: a folder named by what determines the training, and a marker in each complete checkpoint.

WORK/<hash>/checkpoint-<step>/ is what transformers' Trainer saves (weights, optimiser, schedule, random state, log).
When the training is finished, only its model stays there (coldstart.reuse).
``complete.json`` is written into it last and lists every file with its size: a checkpoint without it, or whose files
differ from it, was cut off while being written and is removed.

    python -c "from coldstart.training.checkpoints import last_complete; print(last_complete('results/work/x/abc'))"
"""

import json
import os
import shutil
from pathlib import Path

from transformers import Trainer, TrainerCallback

from coldstart import provenance, reuse

MARKER = "complete.json"
KEEP = 2


def run_folder(work: str | Path, record: dict, module: str, data: dict, output: str | Path) -> Path:
    """The folder of this very training: same config, ``data``, seed, code and packages give the same name.

    ``data`` says what is learnt from which model by content (reuse.rows_hash, reuse.model_hash): a file that was made
    anew with the same rows in it trains the same model.
    """
    name = reuse.key(
        config=record["config_hash"],
        data=data,
        seed=record["seed"],
        code=provenance.code_hash(module),
        packages=provenance.package_versions(),
    )
    return reuse.open_folder(work, name, output)


def last_complete(folder: str | Path) -> Path | None:
    """The newest complete checkpoint, or None; half-written ones are removed."""
    best = None
    for checkpoint in sorted(Path(folder).glob("checkpoint-*"), key=_step):
        if is_complete(checkpoint):
            best = checkpoint
        else:
            shutil.rmtree(checkpoint)
    return best


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint was written to its end, and nothing of it is missing or cut off."""
    marker = checkpoint / MARKER
    if not marker.is_file():
        return False
    try:
        sizes = json.loads(marker.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return False
    return all((checkpoint / name).is_file() and (checkpoint / name).stat().st_size == sizes[name] for name in sizes)


def mark_complete(checkpoint: Path) -> None:
    """Flush a checkpoint's files to the disk and write its marker."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARKER)
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    sizes = {str(path.relative_to(checkpoint)): path.stat().st_size for path in files}
    temporary = checkpoint / f".{MARKER}.tmp"
    temporary.write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    os.replace(temporary, checkpoint / MARKER)


class OwnWeights(Trainer):
    """For trainers whose model was loaded from the checkpoint by ``models.load_model``: Trainer must not do it again.

    It could not: vision-language models are saved under the names of the hub (``visual.blocks...``) and Trainer loads
    them by the names of the modules (``model.visual.blocks...``) without strictness, that is not at all, and goes on
    from the old weights with the new optimiser state.
    """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: object = None) -> None:
        if self.is_fsdp_enabled:  # sharded checkpoints have their own format, and their own loader
            super()._load_from_checkpoint(resume_from_checkpoint, model)


class CheckpointCallback(TrainerCallback):
    """Marks each checkpoint when it is complete, and only then removes those beyond the last ``KEEP``."""

    def on_save(self, args, state, control, **kwargs) -> None:
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir)
        mark_complete(folder / f"checkpoint-{state.global_step}")
        for old in sorted(folder.glob("checkpoint-*"), key=_step)[:-KEEP]:
            shutil.rmtree(old)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
