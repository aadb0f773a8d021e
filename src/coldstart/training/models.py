"""Load a model and its processor for training, decide which parameters learn, and fix what batches are made of.

python -c "from coldstart.training.models import split_batch; print(split_batch('sft', 64, 4, world=8))"
"""

import logging
import os
import random
import warnings
from typing import TYPE_CHECKING, Any

from coldstart.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, ProcessorMixin

# How vision-language models name their parts; a parameter belongs to the first group one of its name's parts is in.
PROJECTOR_PARTS = {"merger", "deepstack_merger_list", "multi_modal_projector", "connector"}
VISION_PARTS = {"visual", "vision_tower", "vision_model"}
SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def quiet() -> None:
    """Silence the libraries' bars, notices and telemetry: the project's own progress lines say what happens."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import datasets
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module="(trl|transformers|torch)")
    warnings.filterwarnings("ignore", message=".*(pin_memory|lr_scheduler.step).*")


def load_model(name: str, checkpoint: "Path | None" = None) -> "PreTrainedModel":
    """The model with float32 weights: they are the master copy; bf16 training computes under autocast.

    With ``checkpoint`` its weights are taken from there (see ``checkpoints.OwnWeights``); it still answers to
    ``name``, from which a reference model is loaded.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    from coldstart.training import attention

    implementation = None if torch.cuda.is_available() else attention.register()
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            checkpoint or name, dtype=torch.float32, attn_implementation=implementation
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be loaded as a vision-language model: {_first_line(error)}") from error
    model.config._name_or_path = model.name_or_path = name
    return model


def load_processor(name: str) -> "ProcessorMixin":
    """The model's processor; raises UserError if its tokenizer could not teach a model to stop."""
    from transformers import AutoProcessor, ProcessorMixin

    try:
        processor = AutoProcessor.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: its processor cannot be loaded: {_first_line(error)}") from error
    if not isinstance(processor, ProcessorMixin):
        raise UserError(f"{name}: it has a tokenizer but no image processor; a vision-language model is needed")
    tokenizer = processor.tokenizer
    if tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
        raise UserError(f"{name}: its tokenizer needs both an eos_token and a pad_token")
    if tokenizer.eos_token_id == tokenizer.pad_token_id:
        raise UserError(
            f"{name}: pad_token and eos_token are both '{tokenizer.eos_token}', so the end of a turn would be "
            "masked as padding and never learnt; give the tokenizer a pad_token of its own"
        )
    return processor


def stored_dtype(name: str) -> str | None:
    """The number format the model is stored in, so that the trained one is stored alike."""
    from transformers import AutoConfig

    dtype = AutoConfig.from_pretrained(name).dtype
    return None if dtype is None else str(dtype).removeprefix("torch.")


def freeze(model: "PreTrainedModel", vision: bool, projector: bool) -> dict[str, int]:
    """Freeze vision tower and projector as asked; returns how many parameters learn and how many are frozen."""
    counts = {"trainable": 0, "frozen": 0}
    frozen_groups = {group for group, wanted in (("vision", vision), ("projector", projector)) if wanted}
    found = set()
    for name, parameter in model.named_parameters():
        group = parameter_group(name)
        found.add(group)
        parameter.requires_grad_(group not in frozen_groups)
        counts["trainable" if parameter.requires_grad else "frozen"] += parameter.numel()
    missing = frozen_groups - found
    if missing:
        raise UserError(
            f"freeze_{sorted(missing)[0]}: no such part was found in a {model.config.model_type} model; "
            f"set freeze_{sorted(missing)[0]} to false, or name the part in coldstart/training/models.py"
        )
    return counts


def parameter_group(name: str) -> str:
    """vision, projector or text, from a parameter's name."""
    parts = set(name.split("."))
    if parts & PROJECTOR_PARTS:
        return "projector"
    return "vision" if parts & VISION_PARTS else "text"


def world_size() -> int:
    """Processes that train together, as torchrun and accelerate announce them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def split_batch(section: str, batch: int, micro: int, world: int, updates: int = 1) -> tuple[int, int]:
    """Split a global batch over ``world`` devices and ``updates`` optimiser steps.

    Returns the rows per device and pass (at most ``micro``) and the passes per optimiser step. The global batch is
    never changed to make it fit: a split that does not come out even is refused.
    """
    if batch % (world * updates):
        raise UserError(
            f"{section}: a batch of {batch} cannot be split evenly over {world} device(s) and {updates} update(s); "
            f"change {section}'s batch keys to a multiple of {world * updates}"
        )
    share = batch // (world * updates)
    micro = min(micro, share)
    if share % micro:
        raise UserError(
            f"{section}.micro_batch_size: {share} rows per device and optimiser step cannot be split into passes of "
            f"{micro}; choose a divisor of {share}"
        )
    return micro, share // micro


def shuffled_order(rows: int, needed: int, seed: int) -> list[int]:
    """Row numbers for ``needed`` draws: one seeded permutation of all rows after the other.

    The whole order is fixed before training, so that a resumed run only has to skip what it has seen.
    """
    rng = random.Random(seed)
    order: list[int] = []
    while len(order) < needed:
        epoch = list(range(rows))
        rng.shuffle(epoch)
        order += epoch
    return order[:needed]


def trainer_arguments(
    settings: dict, work: str, seed: int, steps: int, micro: int, accumulation: int, cpu: bool
) -> dict[str, Any]:
    """The arguments of transformers' Trainer that SFT and GRPO share, from their part of the config."""
    return {
        "output_dir": work,
        "seed": seed,
        "max_steps": steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulation,
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": SCHEDULES[settings["schedule"]],
        "warmup_steps": settings["warmup_steps"],
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "bf16": settings["bf16"],
        "gradient_checkpointing": settings["gradient_checkpointing"],
        "save_steps": settings["save_steps"],
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "remove_unused_columns": False,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": cpu,
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
