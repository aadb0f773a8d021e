"""Both engines on a real, tiny Qwen2.5-VL: same texts, own seeds, no banned token, no truncated prompt."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldstart.errors import UserError
from coldstart.generation import Engine, Request, Sampling, open_engine, sample_seed
from coldstart.hub import resolve_model
from coldstart.lengths import load_meter
from coldstart.prompts import banned_token_ids, render
from coldstart.testbed.world import problems

PROMPT = {"system": None, "suffix": "", "option_format": "({letter}) {text}"}
ENGINE = {
    "dtype": "float32",
    "batch_size": 64,
    "tensor_parallel": 1,
    "gpu_memory_utilization": 0.5,
    "cpu_kv_cache_gb": 1,
}
NAMES = ("vllm", "transformers")
GREEDY, FREE = Sampling(0.0, 1.0, 24), Sampling(1.0, 1.0, 24)
MAX_MODEL = 160


@pytest.fixture(scope="module")
def lively(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a random last norm and strong vision: greedy texts then vary, and depend on the image.

    With tied embeddings and untrained weights a model repeats its last token, whatever it sees.
    """
    import torch
    from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

    folder = tmp_path_factory.mktemp("models") / "lively"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(tiny_model, dtype="float32")
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("language_model.norm.weight"):
                weight.copy_(torch.randn(weight.shape, generator=generator))
            elif weight.dim() > 1:
                weight.mul_(3)
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def requests(lively: Path) -> list[Request]:
    """Prompts with no image, one and two, two samples each."""
    meter, found = load_meter(str(lively)), []
    made = problems(["perception", "multistep", "choice"], 24, "test", 0)
    for number, problem in enumerate(made):
        images = [problem["image"], made[number - 1]["image"]][: (1, 1, 2, 0)[number % 4]]
        prompt = render(meter, {**problem, "images": images}, PROMPT)
        found += [Request(f"{problem['id']}#{k}", prompt, images, sample_seed(0, problem["id"], k)) for k in (0, 1)]
    return found


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest, lively: Path) -> Iterator[Engine]:
    opened = open_engine(str(lively), {**ENGINE, "name": request.param}, MAX_MODEL, seed=0, max_images=2)
    yield opened
    opened.close()


GREEDY_TEXTS: dict[str, list] = {}


@pytest.mark.slow
def test_greedy_texts_are_those_of_the_other_engine(engine: Engine, requests: list[Request]) -> None:
    """Runs once an engine; the second run compares. Two of 48 may differ, where two logits are all but equal."""
    found = engine.generate(requests, GREEDY)
    assert len(found) == len(requests) == 48
    assert found[::2] == found[1::2]  # greedy does not look at the seed
    assert len({completion.text for completion in found}) > 12
    GREEDY_TEXTS[type(engine).__name__] = found
    if len(GREEDY_TEXTS) == 2:
        one, two = GREEDY_TEXTS.values()
        assert sum(a == b for a, b in zip(one, two, strict=True)) >= 46


@pytest.mark.slow
def test_the_image_decides(engine: Engine, requests: list[Request]) -> None:
    with_image = [request for request in requests[::2] if len(request.images) == 1]
    swapped = [Request(r.id, r.prompt, with_image[n - 1].images, r.seed) for n, r in enumerate(with_image)]
    pairs = zip(engine.generate(with_image, GREEDY), engine.generate(swapped, GREEDY), strict=True)
    assert sum(a.text != b.text for a, b in pairs) >= 3


@pytest.mark.slow
def test_a_sample_depends_on_its_seed_and_not_on_its_batch(engine: Engine, requests: list[Request]) -> None:
    together = engine.generate(requests, FREE)
    assert all(a.text != b.text for a, b in zip(together[::2], together[1::2], strict=True))
    alone = [engine.generate([request], FREE)[0] for request in requests[:6]]
    shuffled = engine.generate(requests[::-1][:17], FREE)
    assert alone == together[:6] and shuffled == together[::-1][:17]
    assert engine.generate(requests, FREE) == together
    narrow = engine.generate(requests, Sampling(1.0, 0.05, 24))
    assert narrow != together


@pytest.mark.slow
def test_banned_tokens_are_never_sampled(engine: Engine, requests: list[Request], monkeypatch) -> None:
    """At temperature 2 every token comes now and then: without the ban they do come, with it they never do."""
    tokenizer = engine._tokenizer if hasattr(engine, "_tokenizer") else engine._processor.tokenizer
    banned, decode, seen = set(banned_token_ids(tokenizer)), tokenizer.decode, []

    def record(ids, **options):
        seen.extend(ids)
        return decode(ids, **options)

    monkeypatch.setattr(tokenizer, "decode", record)
    hot = Sampling(2.0, 1.0, 60)
    completions = engine.generate(requests, hot)
    assert len(banned) == 7 and len(seen) == sum(completion.tokens for completion in completions) > 1500
    assert not banned & set(seen)
    assert Counter(completion.finish_reason for completion in completions)["stop"] > 0  # the end of turn is allowed
    seen.clear()
    monkeypatch.setattr(engine, "_bias" if hasattr(engine, "_bias") else "_banned", None)
    engine.generate(requests, hot)
    assert banned & set(seen)


@pytest.mark.slow
def test_a_prompt_without_room_is_refused_by_name(engine: Engine, requests: list[Request]) -> None:
    long = Request("p/9#0", requests[0].prompt.replace("?", "? ten more words" * 40), requests[0].images, 1)
    with pytest.raises(UserError, match=r"p/9#0: its prompt has \d+ tokens.*lengths.max_model=160"):
        engine.generate([requests[0], long], GREEDY)
    with pytest.raises(UserError, match="max_tokens=155"):
        engine.generate(requests, Sampling(0.0, 1.0, 155))
    assert engine.generate([], GREEDY) == []


def test_sample_seeds() -> None:
    seeds = {sample_seed(run, f"p{n}", k) for run in (0, 1) for n in range(500) for k in range(8)}
    assert len(seeds) == 8000 and all(0 <= seed < 2**63 for seed in seeds)
    assert sample_seed(0, "testbed/1", 3) == 1659264626535649526


@pytest.mark.slow
def test_seeded_sampling_follows_the_distribution() -> None:
    """20,000 rows of one distribution: shares as they should be, and nothing outside the nucleus."""
    import torch

    from coldstart.generation.transformers import SeededSampler

    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    scores = shares.log().expand(20000, 4)
    seeds = list(range(20000))
    free = SeededSampler(seeds, Sampling(1.0, 1.0, 1))(None, scores).argmax(-1).bincount(minlength=4) / 20000
    assert torch.allclose(free, shares, atol=0.012)
    cold = SeededSampler(seeds, Sampling(0.5, 1.0, 1))(None, scores).argmax(-1).bincount(minlength=4) / 20000
    assert torch.allclose(cold, shares**2 / (shares**2).sum(), atol=0.012)
    nucleus = SeededSampler(seeds, Sampling(1.0, 0.79, 1))(None, scores).argmax(-1).bincount(minlength=4) / 20000
    assert torch.allclose(nucleus, torch.tensor([0.625, 0.375, 0, 0]), atol=0.012)


@pytest.mark.parametrize(
    "model,message",
    [
        ("/no/such/model", "no such model folder"),
        ("./results/models/x", "no such model folder"),
        ("tests/nothing", "no such model folder"),  # its first part is a folder here: a path, not a hub id
        ("a/b/c", "no such model folder"),
        ("plainname", "no such model folder"),
        ("pyproject.toml", "this is a file"),
        ("tests", "no config.json"),
    ],
)
def test_missing_models(model: str, message: str, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)
    monkeypatch.setattr("coldstart.hub._fetch", lambda *arguments: pytest.fail("looked up online"))
    with pytest.raises(UserError, match=message) as error:
        resolve_model(model)
    assert model in str(error.value)


def test_hub_id_without_network_is_one_clear_error(tmp_path: Path) -> None:
    """In a process of its own, since the hub library reads HF_HUB_OFFLINE when it is imported."""
    import subprocess
    import sys

    code = "from coldstart.hub import resolve_model; resolve_model('no-such-owner/no-such-model')"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "UserError: no-such-owner/no-such-model: neither a folder here" in done.stderr
