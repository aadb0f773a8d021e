"""Train a testbed model (student or teacher) from random weights on the generated world.

Reads nothing; writes a model folder (weights, tokenizer, processor) with ``manifest.json`` (recipe, seed, accuracy).
Examples are drawn endlessly from the training split. First it learns to see and to reckon: descriptions of cut-outs,
from one cell up (whole scenes alone leave it on a plateau for a thousand steps), and text-only drills. Then it learns
to answer: descriptions, drills, and answers in three habits (direct, terse, careful) in the shares of ``RECIPES``.
The student blurts out an answer and has seen no family ``ood``; the teacher works in steps, mostly tersely, and knows
all.

    coldstart testbed-train --role student --output testbed/student
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from coldstart import provenance
from coldstart.artifacts import new_folder
from coldstart.progress import Progress
from coldstart.testbed.models import build_model, build_processor, load_model
from coldstart.testbed.questions import FAMILIES, solution
from coldstart.testbed.scenes import Scene, sample_scene, sample_small_scene
from coldstart.testbed.world import drill, sample, with_options
from coldstart.training.output import write_manifest

if TYPE_CHECKING:
    import torch

RECIPES: dict[str, dict] = {
    "student": {
        "families": ["perception", "multistep", "choice"],
        "see_steps": 2400,
        "answer_steps": 3100,
        "shares": {"caption": 0.30, "drill": 0.45, "direct": 0.20, "careful": 0.05},
    },
    "teacher": {
        "families": list(FAMILIES),
        "see_steps": 2400,
        "answer_steps": 4600,
        "shares": {"caption": 0.10, "drill": 0.20, "terse": 0.45, "careful": 0.25},
    },
}
SEE_SHARES = {"cutout": 0.5, "drill": 0.5}
Example = tuple[Scene | None, str, str, random.Random]  # scene, prompt text, completion, generator for drawing

CAPTION_REQUEST = "Describe the image."
SEE_TOKENS, ANSWER_TOKENS = 1200, 2500  # text tokens a batch, padding included
POOL = 512  # examples sorted by length at a time
PEAK_RATE, WARMUP, WEIGHT_DECAY = 1e-3, 50, 0.01
FRAME = 12  # tokens of the chat format; an image adds 9 to 12
IGNORED = -100
PROBE = 50  # problems a family for measurements on the way


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``coldstart testbed-train``."""
    parser.add_argument("--role", required=True, choices=sorted(RECIPES), help="which model to train")
    parser.add_argument("--output", required=True, type=Path, help="model folder to write")
    parser.add_argument("--see-steps", type=int, help="steps of learning to see (default: the recipe's)")
    parser.add_argument("--answer-steps", type=int, help="steps of learning to answer (default: the recipe's)")
    parser.add_argument("--start", type=Path, help="go on from this model folder instead of random weights")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights and the data")
    parser.add_argument("--probe", type=int, default=200, help="test problems a family for the measured accuracy")
    parser.add_argument("--probe-every", type=int, default=1000, help="steps between measurements")


def run(args: argparse.Namespace) -> None:
    """Train, measure, save."""
    import torch

    given = {"see_steps": args.see_steps, "answer_steps": args.answer_steps}
    recipe = RECIPES[args.role] | {key: value for key, value in given.items() if value is not None}
    steps = recipe["see_steps"] + recipe["answer_steps"]
    record = provenance.start("testbed-train", recipe, {"start": args.start} if args.start else {}, args.seed)
    processor = build_processor()
    model = load_model(args.start) if args.start else build_model(processor, args.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, recipe))
    batches = _batches(recipe, processor, random.Random(f"{args.role}/{args.seed}"))
    with Progress(f"train {args.role}", steps, every=10.0) as bar:
        for step, examples in zip(range(1, steps + 1), batches, strict=False):
            model.train()
            loss = model(**_batch(examples, processor)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            bar.advance(1, note=f"loss {loss.item():.3f}")
            if step % args.probe_every == 0 or step == steps:
                measured = measure(model, processor, args.probe if step == steps else PROBE)
                print(f"step {step}: {json.dumps(measured)}", flush=True)
                facts = {"role": args.role, "steps_done": step, "accuracy": measured}
                _save(model, processor, args.output, provenance.finish(record, **facts))


def _rate(step: int, recipe: dict) -> float:
    """Warm-up, constant while learning to see, then linear to zero."""
    left = recipe["see_steps"] + recipe["answer_steps"] - step
    return min((step + 1) / WARMUP, 1.0, max(0.0, left / recipe["answer_steps"]) if recipe["answer_steps"] else 1.0)


def _batches(recipe: dict, processor, rng: random.Random) -> Iterator[list[Example]]:
    """Endless batches of examples of similar length and about equal cost: first to see, then to answer."""
    done = 0
    while True:
        seeing = done < recipe["see_steps"]
        shares, budget = (SEE_SHARES, SEE_TOKENS) if seeing else (recipe["shares"], ANSWER_TOKENS)
        pool = [_example(shares, recipe["families"], rng) for _ in range(POOL)]
        lengths = [len(ids) for ids in processor.tokenizer([e[1] + e[2] for e in pool])["input_ids"]]
        batches: list[list[Example]] = [[]]
        for example, length in sorted(zip(pool, lengths, strict=True), key=lambda pair: pair[1]):
            if (len(batches[-1]) + 1) * (length + FRAME) > budget:
                batches.append([])
            batches[-1].append(example)
        rng.shuffle(batches)
        yield from batches
        done += len(batches)


def _example(shares: dict[str, float], families: list[str], rng: random.Random) -> Example:
    """One example of a habit drawn by ``shares``."""
    (habit,) = rng.choices(list(shares), list(shares.values()))
    if habit == "drill":
        return None, *drill(rng), rng
    if habit in ("caption", "cutout"):
        scene = sample_small_scene(rng) if habit == "cutout" else sample_scene("train", rng, rng.random() < 0.25)
        return scene, CAPTION_REQUEST, scene.caption(), rng
    scene, question = sample(rng.choice(families), "train", rng)
    return scene, with_options(question.text, question.options), solution(scene, question, habit), rng


def _prompt(text: str, image: bool = True) -> str:
    picture = "<|vision_start|><|image_pad|><|vision_end|>" if image else ""
    return f"<|im_start|>user\n{picture}{text}<|im_end|>\n<|im_start|>assistant\n"


def _batch(examples: list[Example], processor) -> "dict[str, torch.Tensor]":
    """Tensors of a right-padded batch; the loss is on the completion and its end-of-turn token only."""
    texts = [_prompt(prompt, bool(scene)) + completion + "<|im_end|>" for scene, prompt, completion, _ in examples]
    images = [scene.render(rng) for scene, _, _, rng in examples if scene]
    batch = processor(text=texts, images=images or None, padding=True, padding_side="right", return_tensors="pt")
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
        asked: list[tuple[Scene, str, str, random.Random]] = []
        while len(asked) < number:
            if family == "caption":
                scene = sample_scene("test", rng, wide=rng.random() < 0.2)
                asked.append((scene, CAPTION_REQUEST, scene.caption(), rng))
            else:
                scene, question = sample(family, "test", rng)
                text = with_options(question.text, question.options)
                asked.append((scene, text, solution(scene, question, "direct"), rng))
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
    with new_folder(output) as temporary:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        write_manifest(temporary, record)
    print(f"{output}: saved after {record['wall_seconds']:.0f} s, {time.strftime('%Y-%m-%d')}", flush=True)
