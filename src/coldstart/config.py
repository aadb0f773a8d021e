"""The configuration: one YAML file checked against one JSON schema, which also holds every description and default.

    load_config("config.yaml", "sft")   what one stage uses (all of it without a stage), defaults filled in
    stage_config(config, "sft")         the keys one stage uses, as JSON text; rules pass it as ``--config``

``--config`` of every command takes a YAML file, or the YAML/JSON text itself (it then starts with ``{``).
"""

import copy
import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, validators

from coldstart.benchmarks import names
from coldstart.errors import UserError

SCHEMA_PATH = Path(__file__).parent / "config.schema.yaml"

# stage -> top-level keys it uses; whatever is not listed here cannot change that stage's result
STAGE_KEYS = {
    "data": ["prompt", "images", "data", "benchmarks", "lengths"],
    "audit": ["audit", "grading", "images"],
    "distill": ["prompt", "engine", "distill", "lengths"],
    "filter": ["filter", "grading"],
    "sft": ["prompt", "sft", "lengths"],
    "grpo": ["prompt", "grpo", "grading", "lengths"],
    "generate": ["prompt", "engine", "eval", "lengths"],
    "score": ["grading"],
    "judge": ["judge", "engine", "lengths"],
    "tables": ["arms", "seeds", "tables", "benchmarks"],
    "breakdowns": ["arms", "seeds", "tables", "benchmarks"],
}


def load_config(source: str, stage: str | None = None) -> dict:
    """Read and resolve a config from a file name or from YAML/JSON text; raises UserError.

    With ``stage``, only the keys that stage uses are returned: that is what its provenance records.
    """
    if source.lstrip().startswith("{"):
        config = resolve_config(_parse(source, "--config"), "--config")
    else:
        path = Path(source)
        if not path.is_file():
            raise UserError(f"{source}: no such config file")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{source}: not a YAML file: {error}") from error
        config = resolve_config(_parse(text, source), source)
    return {key: config[key] for key in STAGE_KEYS[stage]} if stage else config


def resolve_config(given: dict | None, name: str = "config") -> dict:
    """Check ``given`` against the schema and fill in every default; raises one UserError that lists all mistakes."""
    config = copy.deepcopy(given) if given is not None else {}
    if not isinstance(config, dict):
        raise UserError(f"{name}: the config must be a mapping of keys, not {type(config).__name__}")
    _check_keys(config, name)
    errors = sorted(_validator().iter_errors(config), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        raise UserError("\n  ".join([f"{name}: the config has {len(errors)} mistake(s)", *map(_explain, errors)]))
    _check_meaning(config, name)
    _apply_data_root(config)
    return config


def stage_config(config: dict, stage: str, source: str | None = None) -> str:
    """The part of a resolved config that ``stage`` uses, as JSON text with sorted keys.

    For ``data``, ``source`` ("train" or "benchmarks.NAME") keeps the other sources out, so that adding a benchmark
    does not import the others anew.
    """
    part = {key: config[key] for key in STAGE_KEYS[stage]}
    if source == "train":
        del part["benchmarks"]
    elif source is not None:
        name = source.partition(".")[2]
        part["benchmarks"] = {name: config["benchmarks"][name]}
        part["data"] = {"max_drop_share": config["data"]["max_drop_share"]}
    return json.dumps(part, sort_keys=True)


@cache
def config_schema() -> dict:
    """The JSON schema of the config; a source's ``format`` may also name any module of coldstart.benchmarks."""
    schema = yaml.safe_load(SCHEMA_PATH.read_text(encoding="utf-8"))
    schema["$defs"]["source"]["properties"]["format"]["enum"] += names()
    return schema


def _parse(text: str, name: str) -> dict:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error


@cache
def _validator() -> Draft202012Validator:
    """A validator that fills in defaults and reads ``1e-5``, which YAML 1.1 takes for text, as a number."""
    plain = Draft202012Validator.VALIDATORS["properties"]

    def properties(validator, schema, instance, whole):
        if isinstance(instance, dict):
            for key, sub in schema.items():
                if "default" in sub:
                    instance.setdefault(key, copy.deepcopy(sub["default"]))
                if sub.get("type") == "number" and isinstance(instance.get(key), str):
                    instance[key] = _number(instance[key])
        yield from plain(validator, schema, instance, whole)

    return validators.extend(Draft202012Validator, {"properties": properties})(config_schema())


def _check_keys(value: object, name: str, place: str = "") -> None:
    """Every key must be text: YAML reads ``3: x`` and ``on: x`` as a number and a truth value."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if not isinstance(key, str):
            raise UserError(f"{name}: {place}{key}: a key must be text, not {type(key).__name__}: write it in quotes")
        _check_keys(item, name, f"{place}{key}.")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _explain(error) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        hints = []
        for unknown in sorted(set(error.instance) - set(known), key=str):
            near = get_close_matches(str(unknown), known, n=1)
            hints.append(f"'{unknown}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
        return f"{key}: unknown key {', '.join(hints)}; known keys: {', '.join(known)}"
    if error.validator == "enum" and isinstance(error.instance, str):
        near = get_close_matches(error.instance, [item for item in error.validator_value if isinstance(item, str)], n=1)
        return f"{key}: {error.message}" + (f" (did you mean '{near[0]}'?)" if near else "")
    return f"{key}: {error.message}"


def _apply_data_root(config: dict) -> None:
    """Put ``data_root`` in front of relative source paths and clear it, so that resolving twice changes nothing."""
    root = config["data_root"]
    for source in [*config["data"]["train"].values(), *config["benchmarks"].values()]:
        if root and source.get("path"):
            source["path"] = str(Path(root) / source["path"])
    config["data_root"] = None


def _check_meaning(config: dict, name: str) -> None:
    """Rules between keys that a schema cannot state."""
    for arm in config["arms"]:
        parent = arm.rpartition("+")[0]
        if parent and parent not in config["arms"]:
            raise UserError(
                f"{name}: arms: '{arm}' continues from '{parent}', which is not an arm of this config; add '{parent}'"
            )
    for place, sources in (("data.train", config["data"]["train"]), ("benchmarks", config["benchmarks"])):
        for key, source in sources.items():
            given = [kind for kind in ("testbed", "path", "hub") if source.get(kind)]
            if len(given) != 1 and (given or source["format"] not in names()):
                raise UserError(
                    f"{name}: {place}.{key}: give exactly one of testbed, path, hub (found: {given or 'none'}), or a "
                    f"format that knows where its data lies ({', '.join(names())})"
                )
    for section in ("distill", "grpo", "eval"):
        if config["lengths"]["max_prompt"] + config[section]["max_tokens"] > config["lengths"]["max_model"]:
            raise UserError(
                f"{name}: lengths.max_prompt + {section}.max_tokens is more than lengths.max_model: raise max_model"
            )
