"""One module a benchmark: how its rows become problems, where it lies on the Hub, and its official scores.

A module holds HUB, CONFIG and SPLIT (what is read unless the config says otherwise), COLUMNS (that must exist),
``to_problem(row)`` (problem fields, see ``coldstart.sources``; RowError drops the row), ``breakdowns(rows)`` (see
``coldstart.grouping``) and, where several problems belong together, CLUSTER, the metadata key that says so. To add a
benchmark, add its module here; ``benchmarks: {name: {format: name}}`` in the config then reads it.

    python -c "from coldstart.benchmarks import names; print(names())"

Modules are found by their files and loaded by name, so that this package costs nothing to import and a change in one
benchmark's module reruns that benchmark alone (its rules pass the module's hash).
"""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """The benchmarks there are, sorted; loads none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """One benchmark's module."""
    return importlib.import_module(f"{__name__}.{name}")


def cluster_key(name: str) -> str | None:
    """The metadata key of what belongs together in a benchmark; None for one without, and for other formats."""
    return getattr(load(name), "CLUSTER", None) if name in names() else None


def with_defaults(source: dict) -> dict:
    """A source of the config with hub id, configuration and split filled in from its benchmark's module."""
    filled = dict(source)
    if source.get("format") in names():
        module = load(source["format"])
        if not any(source.get(kind) for kind in ("testbed", "path", "hub")):
            filled["hub"] = module.HUB
        filled["config"] = source.get("config") or module.CONFIG
        filled["split"] = source.get("split") or module.SPLIT
    elif not source.get("path"):
        filled["split"] = source.get("split") or "train"
    return filled
