"""Fetch the models and data sets of a config ahead, with network, so that compute nodes can run without.

Reads the config's students, teacher, data.train and benchmarks; fills the local Hugging Face cache (HF_HOME), of a data
set only the files of its split, and prints what was there and what was fetched. A NAME is one of the config's names
(also ``teacher``), or a benchmark that the project knows. Local paths and testbed recipes need no fetching. With
``HF_HUB_OFFLINE=1`` nothing is fetched: what is missing is listed.

    coldstart fetch --config experiments/rlcs-qwen2.5-vl-7b.yaml
    coldstart fetch mathvista mathverse
"""

import argparse
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from coldstart import benchmarks
from coldstart.config import load_config, resolve_config
from coldstart.errors import UserError
from coldstart.hub import resolve_model
from coldstart.sources import located

Item = tuple[str, Callable[[], Path | None]]  # (what it is called on the Hub, how it is fetched)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--config", help="YAML file or inline JSON; default: config.yaml, if no NAME is given")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="students, teacher, sources or benchmarks; default: all"
    )


def run(args: argparse.Namespace) -> None:
    """Fetch everything that is asked for; what cannot be had is reported at the end, after the rest."""
    given = args.config or (None if args.names else "config.yaml")
    config = load_config(given) if given else None
    chosen = choose(items(config), args.names)
    failed = []
    for name, (hub, get) in chosen.items():
        before = cached_files(hub)
        try:
            folder = get()
        except UserError as error:
            failed.append(name)
            print(f"{name}: MISSING: {error}", file=sys.stderr)
            continue
        print(f"{name}: {describe(hub, before, folder)}")
    if not chosen:
        print("nothing to fetch: every model and data set of this config is local")
    if failed:
        raise UserError(f"{len(failed)} of {len(chosen)} could not be had: {', '.join(failed)}; the reasons are above")


def items(config: dict | None) -> dict[str, Item]:
    """Name -> what is fetched under it; without a config, the benchmarks that the project knows."""
    if config is None:
        sources = resolve_config({"benchmarks": {name: {"format": name} for name in benchmarks.names()}})["benchmarks"]
        return {name: _dataset(f"benchmarks.{name}", source) for name, source in sources.items()}
    models = {**config["students"], "teacher": config["teacher"]}
    found = {name: _model(model) for name, model in models.items() if not _is_local(model)}
    for place, sources in (("data.train", config["data"]["train"]), ("benchmarks", config["benchmarks"])):
        for name, source in sources.items():
            if not source.get("path") and not source.get("testbed"):
                found[name if name not in found else f"{place}.{name}"] = _dataset(f"{place}.{name}", source)
    return found


def choose(known: dict[str, Item], names: list[str]) -> dict[str, Item]:
    """The items of these names, all of them without names; raises UserError for an unknown one."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise UserError(f"fetch {name}: nothing of that name to fetch.{hint} Known: {', '.join(known) or 'none'}")
    return {name: known[name] for name in names or known}


def cached_files(hub: str) -> dict[str, int]:
    """File -> bytes of what the cache holds of a Hub repository, over all its revisions."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / hub.replace("datasets/", "datasets--", 1).replace("/", "--")
    folder = folder if hub.startswith("datasets/") else folder.with_name(f"models--{folder.name}")
    files = (path for path in (folder / "snapshots").rglob("*") if path.is_file())
    return {str(path): path.stat().st_size for path in files}


def describe(hub: str, before: dict[str, int], folder: Path | None) -> str:
    """One line on what was there and what came."""
    after = cached_files(hub)
    new = after.keys() - before.keys()
    state = f"fetched {len(new)} files, {_megabytes(sum(after[path] for path in new))}" if new else "already there"
    return f"{hub}: {state}; {len(after)} files, {_megabytes(sum(after.values()))} in {folder or 'the datasets cache'}"


def _model(model: str) -> Item:
    return model, lambda: resolve_model(model)


def _dataset(place: str, source: dict) -> Item:
    filled = benchmarks.with_defaults(source)

    def get() -> Path | None:
        found = located(source, place)
        if found.get("path"):
            return Path(found["path"])
        from coldstart.sources.hub import open_hub  # no tables: datasets prepares it, and keeps it

        open_hub(found, place)
        return None

    return f"datasets/{filled['hub']}", get


def _is_local(model: str) -> bool:
    return Path(model).is_dir() or model.startswith(("results/", "testbed/"))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
