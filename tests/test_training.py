"""What SFT and GRPO share: batch splits, checkpoints, encoding, sampling, rewards."""

import json

import pytest

from coldstart import provenance
from coldstart.errors import UserError
from training_helpers import PROMPT, make_problems, make_traces


@pytest.fixture(scope="module")
def processor(tiny_model):
    from coldstart.training.models import load_processor

    return load_processor(str(tiny_model))


@pytest.fixture(scope="module")
def problems(processor):
    return make_problems(processor, 6)


@pytest.fixture(scope="module")
def prompts(processor, problems):
    from coldstart.training.encoding import Encoder

    encoder = Encoder(processor, PROMPT)
    text_only = {**problems[0], "id": "text", "question": "1 + 2 =", "images": []}
    return [encoder.prompt(row, row["id"]) for row in [*problems[:3], text_only]]


@pytest.mark.parametrize(
    ("batch", "micro", "world", "updates", "expected"),
    [
        (48, 48, 1, 1, (48, 1)),
        (48, 8, 2, 1, (8, 3)),
        (48, 48, 4, 1, (12, 1)),  # the micro batch is a ceiling
        (128, 16, 1, 4, (16, 2)),
        (48, 48, 5, 1, None),
        (48, 7, 1, 1, None),
        (128, 128, 1, 3, None),
    ],
)
def test_split_batch(batch, micro, world, updates, expected):
    from coldstart.training.models import split_batch

    if expected is None:
        with pytest.raises(UserError, match="cannot be split"):
            split_batch("sft", batch, micro, world, updates)
        return
    per_pass, passes = split_batch("sft", batch, micro, world, updates)
    assert (per_pass, passes) == expected
    assert per_pass * passes * world * updates == batch


def test_shuffled_order_sees_every_row_once_an_epoch():
    from coldstart.training.models import shuffled_order

    order = shuffled_order(7, 17, seed=3)
    assert len(order) == 17
    assert sorted(order[:7]) == sorted(order[7:14]) == list(range(7))
    assert order[:7] != order[7:14]
    assert order == shuffled_order(7, 40, seed=3)[:17]
    assert order != shuffled_order(7, 17, seed=4)


def test_parameter_groups(tiny_model):
    from coldstart.training.models import freeze, load_model, parameter_group

    model = load_model(str(tiny_model))
    groups = [parameter_group(name) for name, _ in model.named_parameters()]
    assert set(groups) == {"vision", "projector", "text"} and min(map(groups.count, set(groups))) > 3
    counts = freeze(model, vision=True, projector=False)
    assert counts["trainable"] + counts["frozen"] == sum(p.numel() for p in model.parameters())
    learning = {parameter_group(name) for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {"text", "projector"}
    assert parameter_group("model.vision_tower.encoder.layers.0.weight") == "vision"
    assert parameter_group("model.multi_modal_projector.linear_1.weight") == "projector"


def test_half_written_checkpoints_are_skipped(tmp_path):
    from coldstart.training.checkpoints import last_complete, mark_complete

    for step in (5, 10, 15, 20, 100):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"x" * 100)
        (folder / "trainer_state.json").write_text("{}")
        if step != 100:
            mark_complete(folder)
    assert last_complete(tmp_path).name == "checkpoint-20"  # 100 has no marker
    assert not (tmp_path / "checkpoint-100").exists()
    (tmp_path / "checkpoint-20" / "model.safetensors").write_bytes(b"x" * 50)  # cut off
    (tmp_path / "checkpoint-15" / "trainer_state.json").unlink()  # lost
    assert last_complete(tmp_path).name == "checkpoint-10"
    (tmp_path / "checkpoint-10" / "complete.json").write_text('{"model.safe')
    assert last_complete(tmp_path).name == "checkpoint-5"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]
    assert last_complete(tmp_path / "none") is None


def test_run_folder_is_named_by_what_determines_the_training(tmp_path):
    from coldstart.training.checkpoints import run_folder

    data = {"rows": "a"}

    def folder(config: dict, seed: int = 0, module: str = "coldstart.sft") -> str:
        return run_folder(tmp_path, provenance.start("sft", config, {}, seed), module, data, tmp_path / "out").name

    first = folder({"sft": {"learning_rate": 1e-3}})
    assert folder({"sft": {"learning_rate": 1e-3}}) == first
    others = {folder({"sft": {"learning_rate": 2e-3}}), folder({"sft": {"learning_rate": 1e-3}}, seed=1)}
    others.add(folder({"sft": {"learning_rate": 1e-3}}, module="coldstart.grpo"))
    data["rows"] = "b"
    others.add(folder({"sft": {"learning_rate": 1e-3}}))
    assert len(others | {first}) == 5


def test_foreign_output_is_never_replaced(tmp_path):
    from coldstart.training.output import check_target

    check_target(tmp_path / "new")
    (tmp_path / "thesis").mkdir()
    check_target(tmp_path / "thesis")
    (tmp_path / "thesis" / "chapter").write_text("1")
    with pytest.raises(UserError, match="not a model folder"):
        check_target(tmp_path / "thesis")
    (tmp_path / "thesis" / "manifest.json").write_text("{}")
    check_target(tmp_path / "thesis")


def test_metric_rows_leave_out_totals():
    from coldstart.training.output import metric_rows

    log = [
        {"step": 1, "epoch": 0.5, "loss": 2.0, "reward": None},
        {"step": 2, "epoch": 1.0, "loss": 1, "rewards/accuracy/mean": 0.25},
        {"step": 2, "epoch": 1.0, "train_runtime": 3.0, "train_loss": 1.5, "total_flos": 0.0},
    ]
    assert [(row["step"], row["name"], row["value"]) for row in metric_rows(log)] == [
        (1, "loss", 2.0),
        (2, "loss", 1.0),
        (2, "rewards/accuracy/mean", 0.25),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"2 + 2 = 4, so \boxed{4}", True),
        (r"\boxed{\frac{1}{2}}", True),
        (r"\boxed{4} or \boxed{5}", False),
        (r"\boxed{4", False),
        ("4", False),
        ("", False),
    ],
)
def test_well_formed(text, expected):
    from coldstart.training.rewards import well_formed

    assert well_formed(text) is expected


def test_rewards_of_known_completions():
    from coldstart.grading import GradingPool
    from coldstart.training.rewards import accuracy_reward, format_reward

    gold = {"options": [], "tolerance": None, "unit": None, "question": "how many?"}
    cases = [
        ("3", "integer", r"1 + 2 = 3, so \boxed{3}", 1.0),
        ("3", "integer", r"so \boxed{4}", 0.0),
        ("3", "integer", "I cannot tell", 0.0),
        ("B", "choice", r"\boxed{B}", 1.0),
        ("3/4", "expression", r"\boxed{\frac{3}{4}}", 1.0),
        ("", "integer", r"\boxed{3}", None),  # a gold that cannot be parsed rewards nothing
    ]
    problems = [gold | {"answer": answer, "answer_type": kind} for answer, kind, _, _ in cases]
    completions = [[{"role": "assistant", "content": text}] for _, _, text, _ in cases]
    logged = {}
    with GradingPool(5.0, 1) as pool:
        reward = accuracy_reward(pool, max_bad_share=0.5)
        values = reward(completions, problem=problems, log_metric=logged.__setitem__)
    assert values == [expected for *_, expected in cases]
    assert logged["grading/no_answer"] == pytest.approx(1 / 6)
    ids = [[7, 2], [7, 7], [7, 2], [2], [7, 2], [7]]
    assert format_reward(eos=2)(completions, ids) == [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_too_many_bad_grades_stop_the_run():
    from coldstart.grading import Grade
    from coldstart.training.rewards import accuracy_reward

    class Pool:
        def grade(self, pairs):
            return [Grade(verdict="timeout", extracted=None, normalised=None, reason="") for _ in pairs]

    reward = accuracy_reward(Pool(), max_bad_share=0.1)
    batch = [[{"role": "assistant", "content": ""}]] * 150
    assert reward(batch, problem=[{}] * 150, log_metric=lambda *_: None) == [0.0] * 150
    with pytest.raises(UserError, match=r"300 of 300 .*max_bad_share"):
        reward(batch, problem=[{}] * 150, log_metric=lambda *_: None)


def test_hopeless_and_disagreeing_runs_stop():
    from types import SimpleNamespace

    from coldstart.training.callbacks import LossCallback, RewardCallback

    def state(step, **values):
        log = {"rewards/accuracy/mean": 0.1, "frac_reward_zero_std": 0.5, "reward": 0.1} | values
        return SimpleNamespace(global_step=step, log_history=[{**log, "step": n} for n in range(1, step + 1)])

    def see(callback, now, **logs):
        callback.on_log(None, now, None, logs=logs)

    watch = RewardCallback(0.05, 3)
    see(watch, state(2, **{"rewards/accuracy/mean": 0.0}), loss=0.0)
    with pytest.raises(UserError, match="no completion was graded correct in the first 3 steps"):
        see(watch, state(3, **{"rewards/accuracy/mean": 0.0}), loss=0.0)
    with pytest.raises(UserError, match="same reward"):
        see(RewardCallback(0.05, 3), state(3, frac_reward_zero_std=1.0), loss=0.0)
    see(RewardCallback(0.05, 3), state(3), loss=0.0)
    see(RewardCallback(0.05, None), state(3, frac_reward_zero_std=1.0), loss=0.0)
    with pytest.raises(UserError, match="sampler and trainer disagree at step 1"):
        see(RewardCallback(0.05, 3), state(1), **{"sampling/sampling_logp_difference/mean": 2.0})
    with pytest.raises(UserError, match=r"loss is nan at step 1.*sft.learning_rate"):
        see(LossCallback("sft"), state(1), loss=float("nan"))


def test_grouped_attention_is_the_same(tiny_model, prompts):
    """The attention used on a CPU gives transformers' own numbers, with padding and images."""
    import torch
    from transformers import AutoModelForImageTextToText

    from coldstart.training import attention
    from coldstart.training.sampling import prompt_inputs

    inputs = prompt_inputs(prompts, 0, torch.device("cpu"))
    real = inputs["attention_mask"].bool()
    logits = []
    for name in ("sdpa", attention.register()):
        model = AutoModelForImageTextToText.from_pretrained(tiny_model, attn_implementation=name)
        heads = model.config.text_config
        assert heads.num_key_value_heads < heads.num_attention_heads
        with torch.no_grad():
            logits.append(model(**inputs).logits[real])
    torch.testing.assert_close(logits[0], logits[1], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_sampler_agrees_with_generate(tiny_model, processor, prompts):
    """Greedy texts equal transformers' own; finished rows leave the batch without disturbing the others."""
    import torch

    from coldstart.prompts import banned_token_ids
    from coldstart.training.models import load_model
    from coldstart.training.sampling import Rules, prompt_inputs, sample

    model, banned = load_model(str(tiny_model)).eval(), banned_token_ids(processor)
    pad = processor.tokenizer.pad_token_id
    torch.manual_seed(0)
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))  # untied: each step differs
    width, slots = max(len(prompt.ids) for prompt in prompts), torch.tensor([0, 0, 1, 2, 3, 1])

    def generate(eos: int) -> list[list[int]]:
        rows = model.generate(
            **prompt_inputs(prompts, pad, model.device),
            do_sample=False,
            max_new_tokens=24,
            suppress_tokens=banned,
            eos_token_id=eos,
            pad_token_id=pad,
        )[:, width:].tolist()
        return [row[: row.index(eos) + 1] if eos in row else row for row in rows]

    endless = generate(eos=banned[0])
    eos = endless[0][5]  # so that one answer ends early, and others go on
    expected = generate(eos)
    found = sample(model, prompts, slots, Rules(24, eos, pad, banned, temperature=0.0))
    assert found.ids == [expected[slot] for slot in slots.tolist()]
    assert len({len(ids) for ids in expected}) > 1 and len({tuple(ids) for ids in expected}) == 4
    assert all(len(ids) == len(logps) for ids, logps in zip(found.ids, found.logps, strict=True))
    assert not set(banned) & {token for ids in found.ids for token in ids}


@pytest.mark.slow
def test_sampled_log_probabilities(tiny_model, processor, prompts):
    """Each token's log-probability is that of a plain forward pass over the finished sequence."""
    import torch

    from coldstart.prompts import banned_token_ids
    from coldstart.training.encoding import Prompt
    from coldstart.training.models import load_model
    from coldstart.training.sampling import Rules, prompt_inputs, sample

    model, tokenizer = load_model(str(tiny_model)).eval(), processor.tokenizer
    eos = tokenizer.eos_token_id
    with torch.no_grad():
        model.lm_head.weight.mul_(4.0)
    rules = Rules(12, eos, tokenizer.pad_token_id, banned_token_ids(processor), temperature=0.7, top_p=0.95)
    slots = torch.arange(len(prompts)).repeat_interleave(3)
    torch.manual_seed(1)
    found = sample(model, prompts, slots, rules)
    torch.manual_seed(1)
    assert sample(model, prompts, slots, rules) == found
    compared = 0
    for slot, ids, logps in zip(slots.tolist(), found.ids, found.logps, strict=True):
        prompt = prompts[slot]
        whole = Prompt(prompt.ids + ids, prompt.token_types + [0] * len(ids), prompt.pixel_values, prompt.grid)
        with torch.no_grad():
            logits = model(**prompt_inputs([whole], rules.pad, model.device)).logits[0, len(prompt.ids) - 1 : -1]
        wanted = (logits / 0.7).log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(logps), wanted, atol=1e-4, rtol=0)
        compared += len(ids)
    assert compared >= len(slots)
    assert 0 < found.banned < 0.5


@pytest.mark.slow
def test_labels_are_the_completion_and_equal_trl(processor, problems):
    """A collated batch is TRL's own, but for the template's line break after the end of turn."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from coldstart.prompts import decode_images, messages
    from coldstart.training.encoding import IGNORED, Encoder, TraceCollator

    rows = make_traces(problems[:4])
    rows[1]["completion"] = "first look: 2 + 3 = 5, so \\boxed{5}"
    collator = TraceCollator(rows, Encoder(processor, PROMPT), 256)
    items = [{"row": number} for number in range(len(rows))]
    collator.check_labels(items)
    batch = collator(items)
    reference = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)(
        [
            {
                "prompt": messages(row, PROMPT),
                "completion": [{"role": "assistant", "content": row["completion"]}],
                "images": decode_images(row),
            }
            for row in rows
        ]
    )
    eos = processor.tokenizer.eos_token_id
    for number, row in enumerate(rows):
        learnt = batch["labels"][number][batch["labels"][number] != IGNORED].tolist()
        assert learnt[-1] == eos and learnt.count(eos) == 1
        assert learnt[:-1] == processor.tokenizer(row["completion"])["input_ids"]
        theirs = reference["labels"][number][reference["labels"][number] != IGNORED].tolist()
        assert theirs[: len(learnt)] == learnt
        assert processor.tokenizer.decode(theirs[len(learnt) :]) == "\n"
        length = int(batch["attention_mask"][number].sum())
        assert batch["input_ids"][number][:length].equal(reference["input_ids"][number][:length])
        types = batch["mm_token_type_ids"][number][:length]
        assert types.equal(reference["mm_token_type_ids"][number][:length].int())
    assert batch["pixel_values"].equal(reference["pixel_values"])
    assert batch["image_grid_thw"].equal(reference["image_grid_thw"])


@pytest.mark.parametrize(
    ("completion", "message"),
    [
        ("a <|im_end|> too early", "hold it once"),
        ("long " * 300, "raise lengths.max_model"),
    ],
)
def test_bad_traces_are_named(processor, problems, completion, message):
    from coldstart.training.encoding import Encoder, TraceCollator

    rows = make_traces(problems[:2])
    rows[1]["completion"] = completion
    collator = TraceCollator(rows, Encoder(processor, PROMPT), 256)
    with pytest.raises(UserError, match=f"{rows[1]['id']}.*{message}"):
        collator.check_lengths()
        collator.check_labels([{"row": 0}, {"row": 1}])


def test_template_that_never_ends_a_turn_is_refused(processor, problems):
    from coldstart.training.encoding import Encoder

    encoder = Encoder(processor, PROMPT)
    row = make_traces(problems[:1])[0]
    template = processor.chat_template
    try:
        processor.chat_template = template.replace("<|im_end|>", "")
        with pytest.raises(UserError, match="never learn to stop"):
            encoder.completion(row)
    finally:
        processor.chat_template = template


def test_collapse_keeps_one_placeholder_an_image(processor, prompts):
    from coldstart.training.rollout import collapse

    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    short = collapse(prompts[0], image)
    assert short.count(image) == 1 and prompts[0].ids.count(image) > 1
    assert [token for token in short if token != image] == [token for token in prompts[0].ids if token != image]
    assert collapse(prompts[3], image) == prompts[3].ids


def test_missing_models_are_user_errors(tmp_path):
    from coldstart.training.models import load_model, load_processor

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    for name in (str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(UserError, match=f"{name}: cannot be loaded"):
            load_model(name)
        with pytest.raises(UserError, match=name):
            load_processor(name)
