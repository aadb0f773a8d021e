"""Refine a checkpoint by reinforcement learning from verifiable rewards (TRL GRPOTrainer).

Reads problems (kind problems), the ids to leave out of them (kind excluded) and a model. Reward: the one grader on the
completion's text, and an optional format reward. Writes a model folder in Hugging Face format with metrics.parquet
(reward, rewards/accuracy/mean, frac_reward_zero_std, completions/mean_length, completions/clipped_ratio (unfinished),
entropy, grad_norm, step_time, sampling/sampling_logp_difference/mean, ...) and manifest.json. Killed and started again
with the same arguments, it goes on from its last complete checkpoint under --work; started again when it is finished,
it gives the same model at once (coldstart.reuse).

    coldstart grpo --config config.yaml --model results/models/tiny/seed0/sft --seed 0 --work results/work/grpo \\
        --problems results/data/train/problems.parquet --excluded results/audit/excluded.parquet \\
        --output results/models/tiny/seed0/sft+grpo
"""

import argparse
import math
import os
import sys

from coldstart import provenance, reuse
from coldstart.artifacts import read_rows
from coldstart.config import load_config
from coldstart.errors import UserError
from coldstart.exclusion import excluded_ids
from coldstart.hub import resolve_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``coldstart grpo``."""
    parser.add_argument("--config", required=True, help="YAML file, or YAML/JSON text")
    parser.add_argument("--model", required=True, help="model to start from: a folder or a hub id")
    parser.add_argument("--problems", required=True, help="problems (Parquet)")
    parser.add_argument("--excluded", help="problems to leave out: what the audit wrote")
    parser.add_argument("--seed", required=True, type=int, help="run seed: order of the problems, and sampling")
    parser.add_argument("--work", required=True, help="folder of resumable checkpoints and of the finished model")
    parser.add_argument("--output", required=True, help="model folder to write")


def run(args: argparse.Namespace) -> None:
    """Train and save."""
    config = load_config(args.config, "grpo")
    settings, grading = config["grpo"], config["grading"]
    excluded = excluded_ids(args.excluded)
    everything = read_rows(args.problems, "problems")
    problems = [problem for problem in everything if problem["id"] not in excluded]
    left_out = sorted(problem["id"] for problem in everything if problem["id"] in excluded)
    _check(settings, problems, config["lengths"]["max_model"], args.problems)

    from coldstart.training import checkpoints, models, output

    output.check_target(args.output)
    micro, accumulation = models.split_batch(
        "grpo",
        settings["problems_per_step"] * settings["group_size"],
        settings["micro_batch_size"],
        models.world_size(),
        settings["updates_per_step"],
    )
    models.quiet()
    if settings["rollout"] == "vllm":
        _check_vllm()
    source = str(resolve_model(args.model))
    inputs = {"model": source, "problems": args.problems} | ({"excluded": args.excluded} if args.excluded else {})
    record = provenance.start("grpo", config, inputs, args.seed)
    data = {"model": reuse.model_hash(source), "problems": reuse.rows_hash(args.problems), "left_out": left_out}
    work = checkpoints.run_folder(args.work, record, "coldstart.grpo", data, args.output)
    if output.given(work, args.output):
        return
    resume = checkpoints.last_complete(work)
    processor, model = models.load_processor(source), models.load_model(source, resume)
    parameters = models.freeze(model, settings["freeze_vision"], settings["freeze_projector"])

    from coldstart.grading import GradingPool

    with GradingPool(grading["timeout"], grading["workers"]) as pool:
        trainer = _trainer(model, processor, problems, config, str(work), args.seed, micro, accumulation, pool)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)

    log = [entry for entry in trainer.state.log_history if entry.get("reward") is not None]
    if not log:
        raise UserError(f"{args.problems}: no completion could be rewarded: no gold of these problems can be parsed")
    tail = log[-max(1, len(log) // 10) :]
    facts = {
        "problems": len(problems),
        "excluded": len(left_out),
        "steps": settings["steps"],
        "parameters": parameters,
        "first_reward": log[0]["reward"],
        "final_reward": sum(entry["reward"] for entry in tail) / len(tail),
        "max_logp_difference": max(entry["sampling/sampling_logp_difference/mean"] for entry in log),
        "resumed_from": resume.name if resume else None,
    }
    output.save_final(trainer, args.output, models.stored_dtype(source), record, facts, work)
    print(
        f"grpo: {settings['steps']} steps on {len(problems)} problems, reward {facts['first_reward']:.3g} -> "
        f"{facts['final_reward']:.3g} -> {args.output}",
        file=sys.stderr,
    )


def _check(settings: dict, problems: list[dict], max_model: int, name: str) -> None:
    """Mistakes that can be told before a model is loaded."""
    if not problems:
        raise UserError(f"{name}: no problems to train on")
    if not settings["accuracy_weight"] and not settings["format_weight"]:
        raise UserError("grpo.accuracy_weight and grpo.format_weight are both 0: there is nothing to learn")
    for row in problems:
        if row["prompt_tokens"] + settings["max_tokens"] > max_model:
            raise UserError(
                f"{name}: problem {row['id']}: its prompt has {row['prompt_tokens']} tokens, which with "
                f"grpo.max_tokens ({settings['max_tokens']}) is more than lengths.max_model ({max_model})"
            )
    if settings["top_p"] < 1:
        print(
            f"warning: grpo.top_p is {settings['top_p']}: the sampler leaves out tokens that the trainer counts, which "
            "biases the importance ratio; 1 is exact",
            file=sys.stderr,
        )


def _check_vllm() -> None:
    """Refuse a colocated vLLM where it cannot follow the trainer, and keep it quiet where it can."""
    import torch

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    if not torch.cuda.is_available():
        raise UserError(
            "grpo.rollout: vllm needs a GPU here: on a CPU vLLM repacks its weights when it loads them and cannot take "
            "over the trainer's after a step; set grpo.rollout to transformers"
        )


def _trainer(model, processor, problems, config, work, seed, micro, accumulation, pool):
    """TRL's GRPOTrainer over problem numbers, with our sampler and rewards."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import GRPOConfig

    from coldstart.prompts import banned_token_ids
    from coldstart.training.callbacks import LossCallback, ProgressCallback, RewardCallback
    from coldstart.training.checkpoints import CheckpointCallback
    from coldstart.training.encoding import Encoder
    from coldstart.training.models import shuffled_order, trainer_arguments
    from coldstart.training.rewards import accuracy_reward, format_reward
    from coldstart.training.rollout import RolloutTrainer
    from coldstart.training.sampling import Rules

    settings, banned, tokenizer = config["grpo"], banned_token_ids(processor), processor.tokenizer
    updates, vllm = settings["updates_per_step"], settings["rollout"] == "vllm"
    rewards = [accuracy_reward(pool, config["grading"]["max_bad_share"])]
    weights = [settings["accuracy_weight"]]
    if settings["format_weight"]:
        rewards.append(format_reward(tokenizer.eos_token_id))
        weights.append(settings["format_weight"])
    arguments = trainer_arguments(
        settings, work, seed, settings["steps"], micro, accumulation, cpu=not torch.cuda.is_available()
    )
    # a checkpoint between two updates of one generation step could not be resumed: its completions are not saved
    arguments["save_steps"] = math.ceil(settings["save_steps"] / updates) * updates
    needed = math.ceil(settings["steps"] / updates) * settings["problems_per_step"]
    trainer = RolloutTrainer(
        model,
        rewards,
        args=GRPOConfig(
            **arguments,
            num_generations=settings["group_size"],
            steps_per_generation=accumulation * updates,
            max_completion_length=settings["max_tokens"],
            temperature=settings["temperature"],
            top_p=settings["top_p"],
            beta=settings["beta"],
            epsilon=settings["clip_low"],
            epsilon_high=settings["clip_high"],
            loss_type=settings["loss_type"],
            reward_weights=weights,
            shuffle_dataset=False,
            use_vllm=vllm,
            vllm_mode="colocate",
            vllm_gpu_memory_utilization=settings["vllm_memory"],
            vllm_max_model_length=config["lengths"]["max_model"] if vllm else None,
            generation_kwargs={"logit_bias": {token: -100.0 for token in banned}} if vllm else None,
        ),
        train_dataset=Dataset.from_dict({"row": shuffled_order(len(problems), needed, seed)}),
        processing_class=processor,
        callbacks=[
            ProgressCallback("grpo", {"reward": "reward", "entropy": "entropy", "completions/mean_length": "tokens"}),
            LossCallback("grpo"),
            RewardCallback(settings["max_logp_difference"], settings["hopeless_steps"]),
            CheckpointCallback(),
        ],
        problems=problems,
        encoder=Encoder(processor, config["prompt"], keep_images=vllm),
        rules=Rules(
            max_tokens=settings["max_tokens"],
            eos=tokenizer.eos_token_id,
            pad=tokenizer.pad_token_id,
            banned=banned,
            temperature=settings["temperature"],
            top_p=settings["top_p"],
        ),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
