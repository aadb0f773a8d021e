"""Sample completions from the model that is being trained, and keep the log-probability of every sampled token.

It is what ``model.generate`` does, and agrees with it token for token (tests/test_training.py), but made for groups:
each prompt and image is computed once for all its completions, finished completions leave the batch, and the
log-probabilities come along, so that the trainer can be compared with the sampler at every step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from coldstart.training.encoding import Prompt, pad_left

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHRINK_AT = 0.8  # rows are dropped from the batch when at most this share of them still runs


@dataclass(frozen=True)
class Rules:
    """How to sample; ``temperature`` 0 is greedy. Banned tokens have no probability at all."""

    max_tokens: int
    eos: int
    pad: int
    banned: list[int]
    temperature: float = 1.0
    top_p: float = 1.0


def prompt_inputs(prompts: list[Prompt], pad: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Left-padded model inputs of several prompts."""
    inputs = {
        "input_ids": pad_left([prompt.ids for prompt in prompts], pad),
        "attention_mask": pad_left([[1] * len(prompt.ids) for prompt in prompts], 0),
    }
    with_images = [prompt for prompt in prompts if prompt.pixel_values is not None]
    if with_images:
        inputs["mm_token_type_ids"] = pad_left([prompt.token_types for prompt in prompts], 0)
        inputs["pixel_values"] = torch.cat([prompt.pixel_values for prompt in with_images])
        inputs["image_grid_thw"] = torch.cat([prompt.grid for prompt in with_images])
    return {name: tensor.to(device) for name, tensor in inputs.items()}


@dataclass
class Samples:
    """Completions: token ids (the end of turn included, if it came), and for each token what the model gave it.

    ``logps`` are the log-probabilities after temperature but before top-p and the ban, as a trainer computes them;
    ``banned`` is the mean probability of the banned tokens together, which is all that the ban takes away.
    """

    ids: list[list[int]]
    logps: list[list[float]]
    banned: float


@torch.no_grad()
def sample(model: "PreTrainedModel", prompts: list[Prompt], slots: torch.Tensor, rules: Rules) -> Samples:
    """One completion for each entry of ``slots``, a number into ``prompts``; draws from torch's global generator."""
    inputs = prompt_inputs(prompts, rules.pad, model.device)
    slots = slots.to(model.device)
    # text positions, and for models with images also the three axes of their place: the last dimension is time
    positions = model._prepare_position_ids_for_generation(inputs["input_ids"], dict(inputs))
    output = model(**inputs, position_ids=positions, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    cache.batch_select_indices(slots)
    mask, positions = inputs["attention_mask"][slots], positions[..., slots, -1:]
    logits = output.logits[slots, -1]

    rows = torch.arange(len(slots), device=model.device)  # which completion each row of the batch is
    tokens = torch.full((len(slots), rules.max_tokens), rules.pad, device=model.device)
    logps = torch.zeros(len(slots), rules.max_tokens, device=model.device)
    lengths = torch.zeros(len(slots), dtype=torch.long, device=model.device)
    running = torch.ones(len(slots), dtype=torch.bool, device=model.device)
    banned = torch.zeros(len(slots), device=model.device)
    for step in range(rules.max_tokens):
        token, logp, taken = _draw(logits, rules)
        banned[rows[running]] += taken[running]
        tokens[rows[running], step], logps[rows[running], step] = token[running], logp[running]
        lengths[rows[running]] = step + 1
        running = running & (token != rules.eos)
        if not running.any() or step + 1 == rules.max_tokens:
            break
        if running.sum() <= SHRINK_AT * len(running):
            cache.batch_select_indices(running.nonzero()[:, 0])
            rows, token, mask, positions = rows[running], token[running], mask[running], positions[..., running, :]
            running = running[running]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions + 1
        output = model(
            input_ids=token[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1]
    kept = lengths.tolist()
    return Samples(
        ids=[row[:length] for row, length in zip(tokens.tolist(), kept, strict=True)],
        logps=[row[:length] for row, length in zip(logps.tolist(), kept, strict=True)],
        banned=(banned.sum() / lengths.sum()).item(),
    )


def _draw(logits: torch.Tensor, rules: Rules) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One token a row, its log-probability, and the probability of the banned tokens."""
    model_logp = (logits.float() / (rules.temperature or 1.0)).log_softmax(-1)
    logp = model_logp.clone()
    logp[:, rules.banned] = -torch.inf
    if rules.temperature == 0:
        token = logp.argmax(-1)
    else:
        if rules.top_p < 1:
            logp = _nucleus(logp.log_softmax(-1), rules.top_p)
        token = torch.multinomial(logp.exp(), 1)[:, 0]
    return token, model_logp.gather(1, token[:, None])[:, 0], model_logp[:, rules.banned].exp().sum(-1)


def _nucleus(logp: torch.Tensor, top_p: float) -> torch.Tensor:
    """Keep the most probable tokens whose mass reaches ``top_p``."""
    ordered, order = logp.sort(dim=-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    dropped = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
    return logp.masked_fill(dropped, -torch.inf)
