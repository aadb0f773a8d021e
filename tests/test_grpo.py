"""The grpo stage: real TRL runs of a few steps on a tiny model that has just learnt to guess in a box."""

from pathlib import Path

import pytest

from coldstart import grpo, sft
from coldstart.config import load_config
from coldstart.errors import UserError
from training_helpers import (
    PROMPT,
    arguments,
    curve,
    kept_only,
    kill_after_checkpoint,
    make_problems,
    make_traces,
    write,
)

SIZES = "group_size: 4, problems_per_step: 4, micro_batch_size: 8, max_tokens: 10, save_steps: 2"
CONFIG = f"{{grpo: {{steps: 8, learning_rate: 3e-4, format_weight: 0.5, {SIZES}}}}}"


@pytest.fixture(scope="module")
def problems(tiny_model, tmp_path_factory):
    from coldstart.training.models import load_processor

    rows = [row for row in make_problems(load_processor(str(tiny_model)), 40) if row["answer_type"] == "integer"]
    return write(tmp_path_factory.mktemp("grpo") / "problems.parquet", "problems", rows[:16])


@pytest.fixture(scope="module")
def guesser(tiny_model, problems, tmp_path_factory):
    """A model that boxes some digit: its rewards vary within a group."""
    from coldstart.artifacts import read_rows

    folder = tmp_path_factory.mktemp("guesser")
    traces = make_traces(read_rows(problems, "problems"), "\\boxed{{{answer}}}")
    rows = write(folder / "rows.parquet", "sft_rows", traces)
    config = "{sft: {steps: 40, batch_size: 16, learning_rate: 3e-3, schedule: constant, probe_rows: 0}}"
    args = arguments("sft", folder, config, tiny_model, rows)
    sft.run(args)
    return Path(args.output)


@pytest.fixture(scope="module")
def uninterrupted(guesser, problems, tmp_path_factory):
    args = arguments("grpo", tmp_path_factory.mktemp("whole"), CONFIG, guesser, problems)
    grpo.run(args)
    return args


@pytest.mark.slow
def test_final_model(uninterrupted, guesser):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from coldstart.training.models import load_model, parameter_group
    from coldstart.training.output import read_manifest

    model = Path(uninterrupted.output)
    AutoModelForImageTextToText.from_pretrained(model)
    AutoProcessor.from_pretrained(model)
    facts = read_manifest(model)["facts"]
    assert facts["steps"] == 8 and facts["problems"] == 16
    assert facts["max_logp_difference"] < 1e-4
    logged = (
        "reward rewards/accuracy/mean rewards/format/mean frac_reward_zero_std entropy step_time grad_norm "
        "completions/mean_length completions/clipped_ratio learning_rate sampling/banned_probability"
    )
    for name in logged.split():
        assert len(curve(model, name)) == 8, name
    accuracy, form = curve(model, "rewards/accuracy/mean"), curve(model, "rewards/format/mean")
    assert any(accuracy.values()) and any(form.values())
    for step, value in curve(model, "reward").items():  # the weights of the config
        assert value == pytest.approx(accuracy[step] + 0.5 * form[step], abs=1e-6)
    assert min(curve(model, "frac_reward_zero_std").values()) < 1
    assert kept_only(uninterrupted.work)
    before, after = (dict(load_model(str(folder)).named_parameters()) for folder in (guesser, model))
    moved = {parameter_group(name) for name in before if not before[name].equal(after[name])}
    assert moved == {"text", "projector"}


@pytest.mark.slow
def test_excluded_problems_are_left_out_and_name_the_training(guesser, problems, uninterrupted, monkeypatch):
    """A list that excludes none of these problems changes nothing; one that does is another training, without them."""
    from coldstart.artifacts import read_rows

    ids = [row["id"] for row in read_rows(problems, "problems")]
    trained = []
    monkeypatch.setattr(grpo, "_trainer", lambda model, processor, rows, *_: trained.append(rows) or 1 / 0)

    def run(left_out: list[str]) -> None:
        rows = [{"id": name, "why": "duplicate", "detail": "x"} for name in left_out]
        args = arguments("grpo", Path(uninterrupted.output).parent, CONFIG, guesser, problems)
        args.excluded = str(write(problems.with_name("excluded.parquet"), "excluded", rows))
        grpo.run(args)

    run(["not/here"])
    assert trained == [] and kept_only(uninterrupted.work)
    with pytest.raises(ZeroDivisionError):
        run(["not/here", ids[3], ids[5]])
    assert [row["id"] for row in trained[0]] == [name for name in ids if name not in (ids[3], ids[5])]
    assert len(list(Path(uninterrupted.work).iterdir())) == 2
    with pytest.raises(UserError, match="no problems to train on"):
        run(ids)


@pytest.mark.slow
def test_killed_run_resumes_as_if_nothing_had_happened(guesser, problems, uninterrupted, tmp_path):
    from coldstart.training.output import read_manifest

    args = arguments("grpo", tmp_path, CONFIG, guesser, problems)
    kill_after_checkpoint("grpo", args, step=2)
    assert not Path(args.output).exists()
    grpo.run(args)
    assert read_manifest(args.output)["facts"]["resumed_from"].startswith("checkpoint-")
    for name in ("reward", "loss", "entropy", "completions/mean_length", "grad_norm"):
        expected, found = curve(Path(uninterrupted.output), name), curve(Path(args.output), name)
        assert found == pytest.approx(expected, abs=1e-5), name
        assert len(found) == 8


@pytest.mark.slow
def test_several_updates_and_a_reference_model(guesser, problems, tmp_path):
    """Two updates a generation step with a KL term: the second is off policy, and a checkpoint never splits them."""
    sizes = SIZES.replace("save_steps: 2", "save_steps: 1").replace("micro_batch_size: 8", "micro_batch_size: 4")
    config = f"{{grpo: {{steps: 4, updates_per_step: 2, beta: 0.05, learning_rate: 1e-3, loss_type: grpo, {sizes}}}}}"
    args = arguments("grpo", tmp_path, config, guesser, problems)
    kill_after_checkpoint("grpo", args, step=2)
    checkpoints = [path.name for path in next(Path(args.work).iterdir()).glob("checkpoint-*")]
    assert set(checkpoints) <= {"checkpoint-2", "checkpoint-4"}
    grpo.run(args)
    model = Path(args.output)
    kl = curve(model, "kl")
    assert len(curve(model, "loss")) == len(kl) == 4
    assert kl[1] == pytest.approx(0, abs=1e-6) and kl[3] > 0
    assert list(curve(model, "sampling/sampling_logp_difference/mean")) == [1, 3]


@pytest.mark.slow
def test_shared_images_change_nothing(guesser, problems):
    """Log-probabilities with each image computed once equal TRL's own, which computes it for every completion."""
    import torch
    from trl import GRPOTrainer

    from coldstart.artifacts import read_rows
    from coldstart.training.encoding import Encoder
    from coldstart.training.models import load_model, load_processor
    from coldstart.training.rollout import RolloutTrainer
    from coldstart.training.sampling import Rules, prompt_inputs, sample

    rows, processor = read_rows(problems, "problems"), load_processor(str(guesser))
    config = load_config(CONFIG, "grpo")
    trainer = grpo._trainer(
        load_model(str(guesser)), processor, rows, config, str(guesser.parent / "unused"), 0, 8, 2, pool=None
    )
    encoder = Encoder(processor, PROMPT)
    text_only = {**rows[0], "id": "text", "images": []}
    trainer.prompts = [encoder.prompt(row, row["id"]) for row in [*rows[:3], text_only]]
    trainer.slots = torch.tensor([2, 0, 3, 0, 1, 2])
    tokenizer = processor.tokenizer
    rules = Rules(6, tokenizer.eos_token_id, tokenizer.pad_token_id, [])
    samples = sample(trainer.model, trainer.prompts, trainer.slots, rules)
    each = [trainer.prompts[slot] for slot in trainer.slots.tolist()]
    inputs = prompt_inputs(each, rules.pad, trainer.model.device)
    width = max(map(len, samples.ids))
    completion = torch.tensor([ids + [rules.pad] * (width - len(ids)) for ids in samples.ids])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in samples.ids])
    input_ids = torch.cat([inputs["input_ids"], completion], 1)
    attention_mask = torch.cat([inputs["attention_mask"], mask], 1)
    mine, _, _ = RolloutTrainer._get_per_token_logps_and_entropies(
        trainer, trainer.model, input_ids, attention_mask, width, batch_size=4
    )
    types = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(completion)], 1)
    theirs, _, _ = GRPOTrainer._get_per_token_logps_and_entropies(
        trainer,
        trainer.model,
        input_ids,
        attention_mask,
        width,
        pixel_values=inputs["pixel_values"],
        image_grid_thw=inputs["image_grid_thw"],
        num_images=[0 if prompt.grid is None else len(prompt.grid) for prompt in each],
        mm_token_type_ids=types,
    )
    torch.testing.assert_close(mine * mask, theirs * mask, atol=1e-5, rtol=0)
    sampled = torch.tensor([logps + [0.0] * (width - len(logps)) for logps in samples.logps])
    torch.testing.assert_close(sampled, mine.detach() * mask, atol=1e-4, rtol=0)
    # the method that shared images is gone again
    assert "get_image_features" not in vars(trainer.model.model)


@pytest.mark.slow
def test_a_sampler_that_disagrees_stops_the_run(guesser, problems, tmp_path, monkeypatch):
    from coldstart.training import rollout, sampling

    def off(model, prompts, slots, rules):
        samples = sampling.sample(model, prompts, slots, rules)
        samples.logps = [[value - 1 for value in logps] for logps in samples.logps]
        return samples

    monkeypatch.setattr(rollout, "sample", off)
    args = arguments("grpo", tmp_path, CONFIG, guesser, problems)
    with pytest.raises(UserError, match=r"sampler and trainer disagree at step 1: .* differ by 1 on average"):
        grpo.run(args)
    assert not Path(args.output).exists()


@pytest.mark.slow
def test_a_hopeless_start_stops_the_run(tiny_model, problems, tmp_path):
    config = f"{{grpo: {{steps: 6, hopeless_steps: 2, {SIZES}}}}}"
    with pytest.raises(UserError, match="no completion was graded correct in the first 2 steps"):
        grpo.run(arguments("grpo", tmp_path, config, tiny_model, problems))


@pytest.mark.parametrize(
    ("config", "data", "message"),
    [
        ("{grpo: {problems_per_step: 3, group_size: 2, updates_per_step: 4}}", "problems", "cannot be split evenly"),
        ("{grpo: {accuracy_weight: 0}}", "problems", "nothing to learn"),
        ("{}", "empty", "empty.parquet: no problems"),
        ("{grpo: {rollout: vllm}}", "problems", "set grpo.rollout to transformers"),
        (
            "{lengths: {max_prompt: 8, max_model: 136}, grpo: {max_tokens: 120}}",
            "problems",
            "problem .* more than lengths.max_model",
        ),
    ],
)
def test_mistakes(tiny_model, problems, tmp_path, monkeypatch, config, data, message):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    source = problems if data == "problems" else write(tmp_path / "empty.parquet", "problems", [])
    with pytest.raises(UserError, match=message):
        grpo.run(arguments("grpo", tmp_path, config, tiny_model, source))
    assert not list(tmp_path.glob("model*"))


def test_top_p_below_one_is_warned_about(problems, tmp_path, capsys):
    from coldstart.artifacts import read_rows

    settings = load_config("{grpo: {top_p: 0.9}}", "grpo")["grpo"]
    grpo._check(settings, read_rows(problems, "problems"), 256, "problems.parquet")
    assert "warning: grpo.top_p is 0.9" in capsys.readouterr().err
