"""Fine-tune the student on the kept traces (TRL SFTTrainer), learning the assistant's turn and its end.

Reads SFT rows (kind sft_rows: id, problem_id, question, options, images, completion, prompt_tokens) and a model.
Writes a model folder in Hugging Face format with metrics.parquet and manifest.json. Killed and started again with the
same arguments, it goes on from its last complete checkpoint under --work; started again when it is finished, it gives
the same model at once (coldstart.reuse).

    coldstart sft --config config.yaml --model testbed/student --rows results/filter/seed0/rows.parquet --seed 0 \\
        --work results/work/sft --output results/models/tiny/seed0/sft
"""

import argparse
import sys

from coldstart import provenance, reuse
from coldstart.artifacts import read_rows
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.hub import resolve_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``coldstart sft``."""
    parser.add_argument("--config", required=True, help="YAML file, or YAML/JSON text")
    parser.add_argument("--model", required=True, help="model to start from: a folder or a hub id")
    parser.add_argument("--rows", required=True, help="SFT rows (Parquet)")
    parser.add_argument("--seed", required=True, type=int, help="run seed: order of the data")
    parser.add_argument("--work", required=True, help="folder of resumable checkpoints and of the finished model")
    parser.add_argument("--output", required=True, help="model folder to write")


def run(args: argparse.Namespace) -> None:
    """Train, probe and save."""
    config = load_config(args.config, "sft")
    settings = config["sft"]
    rows = read_rows(args.rows, "sft_rows")
    if not rows:
        raise UserError(f"{args.rows}: no rows to train on; see the filter stage's rejected.parquet for the reasons")

    from coldstart.training import checkpoints, models, output

    output.check_target(args.output)
    micro, accumulation = models.split_batch(
        "sft", settings["batch_size"], settings["micro_batch_size"], models.world_size()
    )
    models.quiet()
    source = str(resolve_model(args.model))
    record = provenance.start("sft", config, {"model": source, "rows": args.rows}, args.seed)
    data = {"model": reuse.model_hash(source), "rows": reuse.rows_hash(args.rows)}
    work = checkpoints.run_folder(args.work, record, "coldstart.sft", data, args.output)
    if output.given(work, args.output):
        return
    resume = checkpoints.last_complete(work)
    processor, model = models.load_processor(source), models.load_model(source, resume)
    parameters = models.freeze(model, settings["freeze_vision"], settings["freeze_projector"])

    from coldstart.training.encoding import Encoder, TraceCollator

    collator = TraceCollator(rows, Encoder(processor, config["prompt"]), config["lengths"]["max_model"])
    longest = collator.check_lengths()
    batch = settings["batch_size"]
    steps = settings["steps"] or max(1, round(settings["epochs"] * len(rows) / batch))
    order = models.shuffled_order(len(rows), steps * batch, args.seed)
    collator.check_labels([{"row": number} for number in order[:micro]])

    trainer = _trainer(model, processor, collator, order, settings, str(work), args.seed, steps, micro, accumulation)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)

    probe = _probe(trainer, collator, settings["probe_rows"], config["lengths"]["max_model"])
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    facts = {
        "rows": len(rows),
        "steps": steps,
        "longest_row": longest,
        "parameters": parameters,
        "final_loss": log[-1]["loss"],
        "final_token_accuracy": log[-1]["mean_token_accuracy"],
        "probe": probe,
        "resumed_from": resume.name if resume else None,
    }
    output.save_final(trainer, args.output, models.stored_dtype(source), record, facts, work)
    print(
        f"sft: {steps} steps on {len(rows)} rows, loss {log[0]['loss']:.3g} -> {log[-1]['loss']:.3g} -> {args.output}",
        file=sys.stderr,
    )


def _trainer(model, processor, collator, order, settings, work, seed, steps, micro, accumulation):
    """TRL's SFTTrainer over row numbers; the collator makes the tensors."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from coldstart.training.callbacks import LossCallback, ProgressCallback
    from coldstart.training.checkpoints import CheckpointCallback, OwnWeights
    from coldstart.training.models import trainer_arguments

    class ResumableTrainer(OwnWeights, SFTTrainer):
        """SFTTrainer that goes on from a checkpoint."""

    trainer = ResumableTrainer(
        model,
        args=SFTConfig(
            **trainer_arguments(settings, work, seed, steps, micro, accumulation, cpu=not torch.cuda.is_available()),
            adam_beta2=settings["adam_beta2"],
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
        ),
        train_dataset=Dataset.from_dict({"row": order}),
        data_collator=collator,
        processing_class=processor,
        callbacks=[
            ProgressCallback("sft", {"loss": "loss", "mean_token_accuracy": "token accuracy"}),
            LossCallback("sft"),
            CheckpointCallback(),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _probe(trainer, collator, count: int, max_model: int) -> dict:
    """Let the trained model answer a few training prompts greedily and count how many answers it ends itself."""
    if not count:
        return {"rows": 0, "ended": 0}
    import torch

    from coldstart.prompts import banned_token_ids
    from coldstart.training.sampling import Rules, sample

    rows = collator.rows[:count]
    prompts = [collator.encoder.prompt(row, row["problem_id"]) for row in rows]
    longest = max(len(collator.completion(number)) for number in range(len(rows)))
    rules = Rules(
        max_tokens=max(1, min(2 * longest, max_model - max(len(prompt.ids) for prompt in prompts))),
        eos=collator.encoder.eos,
        pad=collator.pad,
        banned=banned_token_ids(collator.encoder.processor),
        temperature=0.0,
    )
    model = trainer.accelerator.unwrap_model(trainer.model).eval()
    completions = sample(model, prompts, torch.arange(len(prompts)), rules)
    ended = sum(ids[-1] == rules.eos for ids in completions.ids)
    if not ended:
        print(
            f"warning: sft: none of {len(rows)} probe answers ended within {rules.max_tokens} tokens: the model has "
            "not learnt to stop; train longer (sft.epochs, sft.steps) or on more traces",
            file=sys.stderr,
        )
    return {"rows": len(rows), "ended": ended}
