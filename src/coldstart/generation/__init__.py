"""One interface to everything that generates text: vLLM's offline engine, and transformers where there is no vLLM.

    engine = open_engine("testbed/student", config["engine"], max_model_len=256, seed=0)
    completions = engine.generate([Request("p1", prompt, images, seed=7)], Sampling(1.0, 1.0, 96))
    engine.close()

A request's text depends on its prompt, its images, its seed and the sampling, not on what else is in the batch (as
far as floating-point sums allow). Special tokens other than the end of turn are never sampled.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from coldstart.errors import UserError
from coldstart.lengths import Meter


@dataclass(frozen=True)
class Request:
    """One completion to be generated; ``prompt`` holds one placeholder an image."""

    id: str
    prompt: str
    images: list[Image.Image]
    seed: int


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; temperature 0 is greedy."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class Completion:
    """What was generated: text without special tokens, why it ended, and its tokens, end of turn included."""

    text: str
    finish_reason: str
    tokens: int


class Engine(Protocol):
    """A loaded model."""

    def generate(self, requests: list[Request], sampling: Sampling) -> list[Completion]:
        """Answer all requests, in order."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def open_engine(model: str, engine_config: dict, max_model_len: int, seed: int, max_images: int = 1) -> Engine:
    """Load ``model`` into the engine that ``engine_config`` names; ``max_images`` is the most images a prompt has."""
    if engine_config["name"] == "vllm":
        from coldstart.generation.vllm import VllmEngine

        return VllmEngine(model, engine_config, max_model_len, seed, max_images)
    from coldstart.generation.transformers import TransformersEngine

    return TransformersEngine(model, engine_config, max_model_len)


def sample_seed(run_seed: int, problem_id: str, sample_index: int) -> int:
    """The seed of one sample: a stable hash of 63 bits, the same whatever the shard, the order or the batch."""
    digest = hashlib.sha256(f"{run_seed}\0{problem_id}\0{sample_index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def check_lengths(requests: list[Request], meter: Meter, max_tokens: int, max_model_len: int) -> list[int]:
    """The true length of every prompt; raises UserError for the first that leaves no room for ``max_tokens``."""
    lengths = []
    for request in requests:
        length, _ = meter.prompt_tokens(request.prompt, [(image.height, image.width) for image in request.images])
        if length + max_tokens > max_model_len:
            raise UserError(
                f"{request.id}: its prompt has {length} tokens, which with max_tokens={max_tokens} is more than "
                f"lengths.max_model={max_model_len}. Raise lengths.max_model, or lower max_tokens or lengths.max_prompt"
            )
        lengths.append(length)
    return lengths
