"""Train a testbed model (student or teacher) from random weights on the generated world.

Reads nothing; writes a model folder (weights, tokenizer, processor) with ``manifest.json`` (recipe, seed, accuracy).
Examples are drawn endlessly from the training split: descriptions of the scene, which carry perception, and answers
in three habits (direct, terse, careful) in the shares of ``RECIPES``. The student mostly blurts out an answer and
has seen no family ``ood``; the teacher looks first, works in steps and knows all families.

    coldstart testbed-train --role student --output testbed/student
"""

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from coldstart import provenance
from coldstart.progress import Progress
from coldstart.testbed.models import build_model, build_processor
from coldstart.testbed.world import FAMILIES, Scene, sample, sample_scene, solution

if TYPE_CHECKING:
    import torch

RECIPES: dict[str, dict] = {
    "student": {
        "families": ["perception", "multistep", "choice"],
        "shares": {"caption": 0.45, "direct": 0.48, "terse": 0.03, "careful": 0.04},
        "steps": 2400,
    },
    "teacher": {
        "families": list(FAMILIES),
        "shares": {"caption": 0.30, "terse": 0.30, "careful": 0.40},
        "steps": 3200,
    },
}
CAPTION_REQUEST = "Describe the image."
BATCH, PEAK_RATE, WARMUP, WEIGHT_DECAY = 48, 1e-3, 50, 0.01
IGNORED = -100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``coldstart testbed-train``."""
    parser.add_argument("--role", required=True, choices=sorted(RECIPES), help="which model to train")
    parser.add_argument("--output", required=True, type=Path, help="model folder to write")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights and the data")
    parser.add_argument("--probe", type=int, default=200, help="test problems a family for the measured accuracy")
    parser.add_argument("--probe-every", type=int, default=400, help="steps between measurements")


def run(args: argparse.Namespace) -> None:
    """Train, measure, save."""
    import torch

    recipe = RECIPES[args.role] | ({"steps": args.steps} if args.steps else {})
    record = provenance.start("testbed-train", recipe, {}, args.seed)
    processor = build_processor()
    model = build_model(args.role, processor, args.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, recipe["steps"]))
    rng = random.Random(f"{args.role}/{args.seed}")
    batches = _batches(recipe, rng)
    measured: dict[str, dict] = {}
    with Progress(f"train {args.role}", recipe["steps"], every=10.0) as bar:
        for step in range(1, recipe["steps"] + 1):
            model.train()
            loss = model(**_batch(next(batches), processor)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            bar.advance(1, note=f"loss {loss.item():.3f}")
            if step % args.probe_every == 0 or step == recipe["steps"]:
                measured = measure(model, processor, args.probe)
                print(f"step {step}: {json.dumps(measured)}", flush=True)
                facts = {"role": args.role, "steps_done": step, "accuracy": measured}
                _save(model, processor, args.output, provenance.finish(record, **facts))


def _rate(step: int, steps: int) -> float:
    return min((step + 1) / WARMUP, max(0.0, (steps - step) / (steps - WARMUP)))


def _batches(recipe: dict, rng: random.Random) -> Iterator[list[tuple]]:
    """Endless batches of examples of similar length (least padding), in random order within a pool of eight."""
    while True:
        pool = sorted((_example(recipe, rng) for _ in range(8 * BATCH)), key=lambda example: len(example[2]))
        batches = [pool[start : start + BATCH] for start in range(0, len(pool), BATCH)]
        rng.shuffle(batches)
        yield from batches


def _example(recipe: dict, rng: random.Random) -> tuple[Scene, str, str, random.Random]:
    """(scene, prompt text, completion, generator for drawing the scene)."""
    (habit,) = rng.choices(list(recipe["shares"]), list(recipe["shares"].values()))
    if habit == "caption":
        scene = sample_scene("train", rng, wide=rng.random() < 0.2)
        return scene, CAPTION_REQUEST, scene.caption(), rng
    scene, question = sample(rng.choice(recipe["families"]), "train", rng)
    return scene, ask(question.text, question.options), solution(scene, question, habit), rng


def ask(text: str, options: tuple[str, ...] | list[str]) -> str:
    """A question with its options, as the default config's prompts have it."""
    return "\n".join([text, *(f"({letter}) {option}" for letter, option in zip("ABCD", options, strict=False))])


def _prompt(text: str) -> str:
    return (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>" + text + "<|im_end|>\n<|im_start|>assistant\n"
    )


def _batch(examples: list[tuple], processor) -> "dict[str, torch.Tensor]":
    """Tensors of a right-padded batch; the loss is on the completion and its end-of-turn token only."""
    texts = [_prompt(prompt) + completion + "<|im_end|>" for _, prompt, completion, _ in examples]
    images = [scene.render(rng) for scene, _, _, rng in examples]
    batch = processor(text=texts, images=images, padding=True, padding_side="right", return_tensors="pt")
    labels = batch["input_ids"].clone()
    labels[batch["attention_mask"] == 0] = IGNORED
    for row, (_, _, completion, _) in enumerate(examples):
        learnt = len(processor.tokenizer(completion)["input_ids"]) + 1
        labels[row, : int(batch["attention_mask"][row].sum()) - learnt] = IGNORED
    return {**batch, "labels": labels}


def measure(model, processor, number: int) -> dict[str, dict]:
    """Greedy accuracy by family on test problems, share of answers that reason, and captions right to the letter."""
    import torch

    model.eval()
    result: dict[str, dict] = {}
    for family in ("caption", *FAMILIES):
        rng = random.Random(f"measure/{family}")
        asked = []
        while len(asked) < number:
            if family == "caption":
                scene = sample_scene("test", rng, wide=rng.random() < 0.2)
                asked.append((scene, CAPTION_REQUEST, scene.caption(), rng))
            else:
                scene, question = sample(family, "test", rng)
                asked.append((scene, ask(question.text, question.options), f"\\boxed{{{question.answer}}}", rng))
        right = reasoned = 0
        for start in range(0, number, 100):
            part = asked[start : start + 100]
            inputs = processor(
                text=[_prompt(prompt) for _, prompt, _, _ in part],
                images=[scene.render(rng) for scene, _, _, rng in part],
                padding=True,
                padding_side="left",
                return_tensors="pt",
            )
            with torch.no_grad():
                tokens = model.generate(**inputs, max_new_tokens=128, do_sample=False)
            texts = processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            right += sum(text.endswith(wanted) for text, (_, _, wanted, _) in zip(texts, part, strict=True))
            reasoned += sum(not text.startswith("\\boxed") for text in texts)
        result[family] = {"right": right / number, "reasoned": reasoned / number, "n": number}
    return result


def _save(model, processor, output: Path, record: dict) -> None:
    """Save under a temporary name, the manifest last, and rename."""
    temporary = next(p for p in (output.with_name(f".{output.name}.tmp-{i}") for i in count()) if not p.exists())
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    (temporary / "manifest.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if output.exists():
        shutil.rmtree(output)
    temporary.rename(output)
    print(f"{output}: saved after {record['wall_seconds']:.0f} s, {time.strftime('%Y-%m-%d')}", flush=True)
