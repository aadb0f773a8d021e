"""The sft stage: real TRL runs of a few steps on the random tiny model."""

import shutil

import pytest

from coldstart import sft
from coldstart.artifacts import read_provenance
from coldstart.errors import UserError
from training_helpers import arguments, curve, kept_only, kill_after_checkpoint, make_problems, make_traces, write

CONFIG = (
    "{sft: {steps: 8, batch_size: 8, micro_batch_size: 4, save_steps: 2, learning_rate: 3e-3, probe_rows: 4, "
    "freeze_projector: true}}"
)


@pytest.fixture(scope="module")
def rows(tiny_model, tmp_path_factory):
    from coldstart.training.models import load_processor

    traces = make_traces(make_problems(load_processor(str(tiny_model)), 12))
    return write(tmp_path_factory.mktemp("sft") / "rows.parquet", "sft_rows", traces)


@pytest.fixture(scope="module")
def uninterrupted(tiny_model, rows, tmp_path_factory):
    args = arguments("sft", tmp_path_factory.mktemp("whole"), CONFIG, tiny_model, rows)
    sft.run(args)
    return args


def weights(model) -> dict:
    from coldstart.training.models import load_model

    return dict(load_model(str(model)).named_parameters())


@pytest.mark.slow
def test_final_model(tiny_model, uninterrupted, tmp_path):
    """The folder is complete, loads in transformers, and only what should learn has learnt."""
    from pathlib import Path

    from transformers import AutoModelForImageTextToText, AutoProcessor

    from coldstart.training.models import parameter_group
    from coldstart.training.output import read_manifest

    model = Path(uninterrupted.output)
    files = {path.name for path in model.iterdir()}
    assert files >= {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "manifest.json"}
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth"))]
    assert AutoProcessor.from_pretrained(model).tokenizer.padding_side == "right"
    assert AutoModelForImageTextToText.from_pretrained(model).config.model_type == "qwen2_5_vl"
    manifest = read_manifest(model)
    assert manifest["stage"] == "sft" and manifest["seed"] == 0 and set(manifest["inputs"]) == {"model", "rows"}
    facts = manifest["facts"]
    assert facts["steps"] == 8 and facts["rows"] == 12 and facts["probe"]["rows"] == 4
    assert facts["resumed_from"] is None and facts["parameters"]["frozen"] > 0
    assert read_provenance(model / "metrics.parquet")["facts"] == facts
    loss = curve(model, "loss")
    assert list(loss) == list(range(1, 9)) and loss[8] < loss[1] - 1
    for name in ("learning_rate", "grad_norm", "mean_token_accuracy", "entropy"):
        assert len(curve(model, name)) == 8, name
    assert kept_only(uninterrupted.work)  # resumable state goes when the model is complete

    before, after = weights(tiny_model), weights(model)
    moved = {"text": 0, "vision": 0, "projector": 0}
    for name in before:
        moved[parameter_group(name)] += not before[name].equal(after[name])
    assert moved["text"] > 10 and moved["vision"] == moved["projector"] == 0


@pytest.mark.slow
def test_the_same_content_gives_the_same_model_without_training(tiny_model, rows, uninterrupted, monkeypatch, capfd):
    """Rows made anew with the same content, by another audit: the finished model is given again, file by file."""
    from pathlib import Path

    from coldstart.artifacts import read_rows, write_rows

    model = Path(uninterrupted.output)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in model.iterdir()}
    shutil.rmtree(model)  # as Snakemake does with an output before it runs the job
    again = rows.with_name("again.parquet")
    write_rows(again, "sft_rows", read_rows(rows, "sft_rows"), {"made": "later"})
    monkeypatch.setattr(sft, "_trainer", lambda *_: pytest.fail("it trains"))
    args = arguments("sft", model.parent, CONFIG, tiny_model, again)
    sft.run(args)
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in model.iterdir()} == before
    assert "nothing that determines it has changed" in capfd.readouterr().err and kept_only(args.work)


@pytest.mark.slow
def test_killed_run_resumes_as_if_nothing_had_happened(tiny_model, rows, uninterrupted, tmp_path, capfd):
    from pathlib import Path

    from coldstart.training.output import read_manifest

    args = arguments("sft", tmp_path, CONFIG, tiny_model, rows)
    kill_after_checkpoint("sft", args, step=2)
    assert not Path(args.output).exists()
    run_folder = next(Path(args.work).iterdir())
    half = run_folder / "checkpoint-100"  # a later one, cut off while being written
    shutil.copytree(run_folder / "checkpoint-2", half)
    (half / "complete.json").unlink()
    sft.run(args)
    assert "from step" in capfd.readouterr().err
    resumed = read_manifest(args.output)["facts"]["resumed_from"]
    assert resumed.startswith("checkpoint-") and resumed != "checkpoint-100"
    for name in ("loss", "grad_norm", "learning_rate", "mean_token_accuracy"):
        expected, found = curve(Path(uninterrupted.output), name), curve(Path(args.output), name)
        assert found == pytest.approx(expected, abs=1e-5), name
        assert len(found) == 8
    wanted, got = weights(uninterrupted.output), weights(args.output)
    assert max((wanted[name] - got[name]).abs().max().item() for name in wanted) < 1e-5


@pytest.mark.slow
def test_vision_tower_and_projector_learn_if_asked(tiny_model, rows, tmp_path):
    from coldstart.training.models import parameter_group

    config = "{sft: {steps: 2, batch_size: 4, probe_rows: 0, freeze_vision: false, freeze_projector: false}}"
    args = arguments("sft", tmp_path, config, tiny_model, rows)
    sft.run(args)
    before, after = weights(tiny_model), weights(args.output)
    moved = {parameter_group(name) for name in before if not before[name].equal(after[name])}
    assert moved == {"text", "vision", "projector"}


@pytest.mark.parametrize(
    ("config", "data", "model", "message"),
    [
        ("{sft: {batch_size: 7, micro_batch_size: 3}}", "rows", None, "sft.micro_batch_size: 7 rows"),
        ("{}", "empty", None, "empty.parquet: no rows"),
        ("{}", "rows", "./nowhere/model", "nowhere/model: no such model folder"),
        ("{lengths: {max_model: 20}, distill: {max_tokens: 1}, eval: {max_tokens: 1}, grpo: {max_tokens: 1}}",
         "rows", None, "raise lengths.max_model"),
        ("{sft: {learning_rte: 1}}", "rows", None, "did you mean 'learning_rate'"),
    ],
)  # fmt: skip
def test_mistakes(tiny_model, rows, tmp_path, config, data, model, message):
    if "max_model: 20" in config:
        config = config.replace("max_model: 20", "max_model: 20, max_prompt: 8")
    source = rows if data == "rows" else write(tmp_path / "empty.parquet", "sft_rows", [])
    args = arguments("sft", tmp_path, config, model or tiny_model, source)
    with pytest.raises(UserError, match=message):
        sft.run(args)
    assert not list(tmp_path.glob("model*"))
