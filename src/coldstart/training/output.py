"""The final model folder: it appears under its name only when it is complete, ``manifest.json`` written last.

Written: config.json, model*.safetensors, tokenizer and processor files, generation_config.json, metrics.parquet
(kind metrics: step, name, value), manifest.json (provenance).

    python -c "from coldstart.training.output import read_manifest; print(read_manifest('results/models/x')['facts'])"
"""

import json
import os
from contextlib import nullcontext
from pathlib import Path

from coldstart import provenance, reuse
from coldstart.artifacts import new_folder, temporary_folder, write_rows
from coldstart.errors import UserError

MANIFEST = "manifest.json"
RUN_TOTALS = "train_runtime"  # marks the entry of totals that Trainer logs once, after the last step


def check_target(output: str | Path) -> None:
    """Refuse to replace a folder that is not a model of ours; called before training starts."""
    output = Path(output)
    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not (output / MANIFEST).is_file()):
        raise UserError(f"--output {output}: exists and is not a model folder that coldstart wrote; choose another")


def metric_rows(log_history: list[dict]) -> list[dict]:
    """Trainer's log as metric rows; a resumed run's log holds the steps before the interruption as well."""
    return [
        {"step": entry["step"], "name": name, "value": float(value)}
        for entry in log_history
        if RUN_TOTALS not in entry
        for name, value in entry.items()
        if name not in ("step", "epoch") and value is not None
    ]


def given(work: Path, output: str | Path) -> bool:
    """Whether this very training was finished before; the first of several processes then gives its model again."""
    first = os.environ.get("RANK", "0") == "0"
    return reuse.give(work, output) if first else reuse.kept(work)


def save_final(trainer, output: str | Path, dtype: str | None, record: dict, facts: dict, work: Path) -> None:
    """Save a trainer's model with all it needs to be loaded, rename the folder to ``output``, keep it in ``work``."""
    import torch

    if dtype is not None:
        trainer.model.to(getattr(torch, dtype))
    main = trainer.is_world_process_zero()
    with new_folder(output) if main else nullcontext(temporary_folder(Path(output))) as temporary:
        trainer.accelerator.wait_for_everyone()
        trainer.save_model(str(temporary))
        if main:
            (temporary / "training_args.bin").unlink()  # a pickle: nothing that loads the model needs it
            done = provenance.finish(record, **facts)
            write_rows(temporary / "metrics.parquet", "metrics", metric_rows(trainer.state.log_history), done)
            write_manifest(temporary, done)
    if main:
        reuse.keep(work, output)


def read_manifest(folder: str | Path) -> dict:
    """The manifest of a final model; raises UserError if the folder is not one."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UserError(f"{folder}: no {MANIFEST} here; this is not a finished model of coldstart")
    return json.loads(path.read_text(encoding="utf-8"))


def write_manifest(folder: Path, record: dict) -> None:
    """Write a finished provenance record, the last file of a model folder, through to the disk."""
    with open(folder / MANIFEST, "w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
