"""Generate with transformers, for machines without vLLM: the same interface, the same prompts, the same texts.

Rows are padded on the left and answered together. Sampling adds to each row's log-probabilities Gumbel noise from
that row's own generator and takes the largest, which is a draw from the distribution (the Gumbel-max trick) and does
not depend on the other rows of the batch.
"""

import gc

import torch
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)

from coldstart.generation import Completion, Request, Sampling, check_lengths
from coldstart.hub import resolve_model
from coldstart.lengths import Meter
from coldstart.prompts import banned_token_ids


class TransformersEngine:
    """A transformers model behind the project's interface."""

    def __init__(self, model: str, engine_config: dict, max_model_len: int) -> None:
        folder = resolve_model(model)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = AutoModelForImageTextToText.from_pretrained(folder, dtype=engine_config["dtype"]).to(device)
        self._model.eval()
        self._processor = AutoProcessor.from_pretrained(folder)
        self._meter = Meter(folder)
        self._max_model_len = max_model_len
        self._banned = banned_token_ids(self._processor)

    def generate(self, requests: list[Request], sampling: Sampling) -> list[Completion]:
        """Answer all requests, in order, as one batch."""
        if not requests:
            return []
        lengths = check_lengths(requests, self._meter, sampling.max_tokens, self._max_model_len)
        tokenizer = self._processor.tokenizer
        images = [image for request in requests for image in request.images]
        inputs = self._processor(
            text=[request.prompt for request in requests],
            images=images or None,
            padding=True,
            padding_side="left",
            add_special_tokens=False,
            return_tensors="pt",
        ).to(self._model.device)
        seen = inputs["attention_mask"].sum(dim=1).tolist()
        if seen != lengths:
            raise RuntimeError(f"the processor made prompts of {seen} tokens where {lengths} were computed")
        # a fresh configuration: the one a model ships with may set top_k, penalties or a temperature of its own
        generation = GenerationConfig(
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            suppress_tokens=self._banned,
        )
        processors = LogitsProcessorList()
        if sampling.temperature > 0:
            processors.append(SeededSampler([request.seed for request in requests], sampling))
        with torch.inference_mode():
            ids = self._model.generate(**inputs, generation_config=generation, logits_processor=processors)
        width = inputs["input_ids"].shape[1]
        return [self._completion(row[width:], tokenizer) for row in ids.tolist()]

    def close(self) -> None:
        """Free the model."""
        del self._model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _completion(self, ids: list[int], tokenizer) -> Completion:
        finished = tokenizer.eos_token_id in ids
        if finished:
            ids = ids[: ids.index(tokenizer.eos_token_id) + 1]
        text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(text, "stop" if finished else "length", len(ids))


class SeededSampler(LogitsProcessor):
    """Turns greedy search into sampling by a generator of its own for every row."""

    def __init__(self, seeds: list[int], sampling: Sampling) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._sampling = sampling

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        logits = torch.log_softmax(scores.float() / self._sampling.temperature, dim=-1)
        if self._sampling.top_p < 1:
            ranked, order = logits.sort(dim=-1, descending=True)
            before = ranked.exp().cumsum(dim=-1) - ranked.exp()
            outside = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= self._sampling.top_p)
            logits = logits.masked_fill(outside, -torch.inf)
        # drawn on the CPU: the same numbers on every device
        uniform = torch.stack([torch.rand(logits.shape[-1], generator=generator) for generator in self._generators])
        gumbel = -(-uniform.clamp_min(1e-20).log()).clamp_min(1e-20).log()
        return logits + gumbel.to(logits.device)
