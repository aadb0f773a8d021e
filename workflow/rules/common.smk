# Functions that the rules share; no rules here.
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from snakemake.utils import update_config

sys.path.insert(0, str(Path(workflow.basedir) / "src"))
from coldstart import benchmarks
from coldstart.config import resolve_config, stage_config
from coldstart.errors import UserError
from coldstart.folders import SUFFIXES
from coldstart.hub import HUB_ID
from coldstart.provenance import code_hash


def stop(message):
    """End with one message about a mistake in the input, and without a stack trace."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def typed(value):
    """A value of --config as YAML reads it: Snakemake leaves numbers inside lists and mappings as text."""
    if isinstance(value, Mapping):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


def resolved(given):
    """The config checked against the schema, defaults filled in; a mistake ends it."""
    update_config(given, typed(workflow.config_settings.config))
    files = ", ".join(map(str, workflow.overwrite_configfiles)) or "config.yaml"
    try:
        config = resolve_config(given, files)
    except UserError as error:
        stop(error)
    models = {f"students.{name}": model for name, model in config["students"].items()}
    for key, model in {**models, "teacher": config["teacher"]}.items():
        if not os.path.isdir(model) and not may_come(model):
            stop(f"{files}: {key}: {model}: no such model folder, and not a hub id (owner/name)")
    for place, sources in (("data.train", config["data"]["train"]), ("benchmarks", config["benchmarks"])):
        for name, source in sources.items():
            if source.get("path") and not os.path.exists(source["path"]):
                stop(
                    f"{files}: {place}.{name}: {source['path']}: no such file or folder; see also data_root, or "
                    "leave 'path' out and run `coldstart fetch` where there is network"
                )
    return config


def may_come(model):
    """Whether a model that is no folder now can still be had: from the hub, or from the testbed's training rule."""
    is_path = os.path.isdir(model.split("/")[0])
    return model.startswith(("results/", "testbed/")) or (HUB_ID.match(model) and not is_path)


def use_stages_environment():
    """Put the stages' environment on the PATH of every job: COLDSTART_BIN, else .venvs/stages beside the Snakefile.

    In a container the image brings its own ``coldstart``. The mark in the environment lets a later run recognise
    stages that outlived a killed driver (workflow/scripts/clear_stale.py).
    """
    prefix = "set -euo pipefail; "
    if "APPTAINER" not in {method.name for method in workflow.deployment_settings.deployment_method}:
        folder = os.environ.get("COLDSTART_BIN", Path(workflow.basedir) / ".venvs" / "stages" / "bin")
        prefix += f'export PATH="{folder}:$PATH"; '
    shell.prefix(prefix)
    os.environ.update(COLDSTART_DRIVER_PID=str(os.getpid()))
    # the environments are this project's own: without bytecode in them every job imports vLLM for 12 seconds longer
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def either(names):
    """A regular expression that matches exactly these names."""
    return "|".join(map(re.escape, names))


def image(environment):
    """The container image of an environment of envs/; used with ``--sdm apptainer`` only."""
    return f"envs/{environment}/image.sif"


def model_files(model, weights=True):
    """The files of a local model folder, so that a changed model reruns what it affects; none for a hub id."""
    if os.path.isdir(model) and not model.startswith("results/"):
        files = sorted(path for path in Path(model).iterdir() if path.is_file())
        return [str(path) for path in files if weights or path.suffix not in {".safetensors", ".bin"}]
    return [model] if model.startswith(("results/", "testbed/")) else []


def config_of(stage, source=None):
    """A params function: the keys that ``stage`` uses, as JSON; ``source`` is for the data stage and may hold wildcards.

    It has to be a function, because braces in a plain string would be taken for wildcards.
    """
    return lambda wildcards: stage_config(config, stage, source and source.format(**wildcards))


def processor(wildcards):
    """The model whose processor measures token lengths: the first student."""
    return next(iter(config["students"].values()))


def processor_files(wildcards):
    return model_files(processor(wildcards), weights=False)


def teacher(wildcards):
    return config["teacher"]


def teacher_files(wildcards):
    return model_files(config["teacher"])


def source_files(sources):
    """The local files that data sources may read, a folder's of any split; testbed recipes and hub data sets have none."""
    paths = [Path(source["path"]) for source in sources.values() if source.get("path")]
    tables = (*SUFFIXES, ".arrow", ".json")
    return [
        str(file)
        for path in paths
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.suffix in tables or not path.is_dir()
    ]


def code_of(module, sources):
    """The hash of a stage's code and of the benchmarks' modules that these sources need."""
    known = sorted({source["format"] for source in sources.values()} & set(benchmarks.names()))
    return " ".join(map(code_hash, [module, *(f"coldstart.benchmarks.{name}" for name in known)]))


def benchmark_code(wildcards):
    return code_of("coldstart.data", {wildcards.benchmark: config["benchmarks"][wildcards.benchmark]})


def train_source(wildcards):
    return source_files(config["data"]["train"])


def benchmark_source(wildcards):
    return source_files({wildcards.benchmark: config["benchmarks"][wildcards.benchmark]})


def arm_model(student, seed, arm):
    """Path or hub id of the model that an arm ends with; the base model is the student itself."""
    return config["students"][student] if arm == "base" else f"results/models/{student}/seed{seed}/{arm}"


def parent_arm(wildcards):
    """The arm that a training stage goes on from: sft+grpo from sft, sft from base."""
    return wildcards.arm.rpartition("+")[0] or "base"


def parent_model(wildcards):
    return arm_model(wildcards.student, wildcards.seed, parent_arm(wildcards))


def parent_files(wildcards):
    return model_files(parent_model(wildcards))


def this_model(wildcards):
    return arm_model(wildcards.student, wildcards.seed, wildcards.arm)


def this_files(wildcards):
    return model_files(this_model(wildcards))


def cells(pattern):
    """``pattern`` for every student, seed, arm and benchmark of the config."""
    return expand(
        pattern,
        student=config["students"],
        seed=config["seeds"],
        arm=config["arms"],
        benchmark=config["benchmarks"],
    )


def judged_cells(pattern):
    """The same where the config has a judge, else nothing."""
    return cells(pattern) if config["judge"] else []
