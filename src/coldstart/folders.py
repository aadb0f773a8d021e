"""Which files of a data folder belong to a configuration and a split, by the Hub's own rules.

A README.md whose front matter lists ``configs`` with ``data_files`` decides. Without one, a split's files are named
after it (``data/test-00000-of-00002.parquet``, ``test.jsonl``, ``main/test/0000.parquet``), within the configuration's
folder if there is one.

    >>> choose(["data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"], None, None, "test")
    ['data/test-00000-of-00001.parquet']
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

from coldstart.errors import UserError

SUFFIXES = (".parquet", ".jsonl", ".ndjson")
SHARD = re.compile(r"-(\d{5})-of-(\d{5})")
# DynaMath's second split is the one file sample2-00000-of-00002.parquet: it counts splits, not the files of one
NUMBERED_SPLIT = re.compile(r"[A-Za-z_]+0*(\d+)-00000-of-0*\1\b")


def choose(names: list[str], readme: str | None, config: str | None, split: str) -> list[str]:
    """The names (with "/" between folders) that hold one split, sorted; empty if none does."""
    tables = sorted(name for name in names if name.endswith(SUFFIXES))
    patterns = _patterns(readme, config, split)
    if patterns is not None:
        return [name for name in tables if any(fnmatch(name, pattern) for pattern in patterns)]
    if config and any(config in name.split("/")[:-1] for name in tables):
        tables = [name for name in tables if config in name.split("/")[:-1]]
    return [name for name in tables if _is_split(name, split)]


def local_files(folder: Path, config: str | None, split: str | None, place: str) -> list[tuple[str | None, Path]]:
    """(split, file) of a folder of Parquet or JSONL in reading order; all its files if ``split`` is None.

    Raises UserError if a split has no file, or not all of its numbered ones.
    """
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    if split is None:
        tables = [name for name in names if name.endswith(SUFFIXES)]
        if not tables:
            raise UserError(f"{folder}: no *.parquet or *.jsonl file in this folder (from {place}.path in the config)")
        return [(None, folder / name) for name in tables]
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else None
    found: list[tuple[str | None, Path]] = []
    for part in split.split("+"):
        chosen = choose(names, text, config, part)
        if not chosen:
            there = ", ".join(name for name in names if name.endswith(SUFFIXES)) or "no table at all"
            raise UserError(
                f"{folder}: no file of split '{part}'{f' of config {config!r}' if config else ''} in this folder, only "
                f"{there[:300]}. Correct {place}.split or {place}.config, or name one file under {place}.path"
            )
        check_shards(chosen, f"{folder}: split '{part}'")
        found += [(part, folder / name) for name in chosen]
    return found


def check_shards(names: list[str], what: str) -> None:
    """Raise UserError if files are numbered as "n of m" and some number is not there."""
    if len(names) == 1 and NUMBERED_SPLIT.match(names[0].rpartition("/")[2]):
        return
    parts = [match for name in names if (match := SHARD.search(name))]
    missing = {(int(part[2])) for part in parts} - {len(parts)}
    if parts and missing:
        raise UserError(f"{what} has {len(parts)} of {max(missing)} files; fetch the rest, or take the copy anew")


def is_saved(folder: Path) -> bool:
    """Whether ``datasets``' save_to_disk wrote this folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def source_files(path: Path, config: str | None, split: str | None, place: str) -> list[Path]:
    """The files that a local source is read from."""
    if not path.is_dir():
        return [path]
    if is_saved(path):
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [file for _, file in local_files(path, config, split, place)]


def _patterns(readme: str | None, config: str | None, split: str) -> list[str] | None:
    """Glob patterns of a split by the README's front matter; None if it says nothing about files."""
    front = re.match(r"\ufeff?---\s*\n(.*?)\n---\s*(?:\n|$)", readme or "", re.DOTALL)
    try:
        listed = (yaml.safe_load(front[1]) or {}).get("configs") if front else None
    except (yaml.YAMLError, AttributeError) as error:
        raise UserError(f"README.md: its front matter is not readable YAML ({error})") from error
    by_name = {
        entry["config_name"]: entry for entry in listed or [] if "data_files" in entry and "config_name" in entry
    }
    if not by_name:
        return None
    default = next((name for name, entry in by_name.items() if entry.get("default")), "default")
    chosen = by_name.get(config or default) or (next(iter(by_name.values())) if config is None else None)
    if chosen is None:
        return []
    files = chosen["data_files"]
    if isinstance(files, str) or not isinstance(files[0], dict):
        return _as_list(files) if split == "train" else []
    return [pattern for entry in files if entry.get("split") == split for pattern in _as_list(entry["path"])]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _is_split(name: str, split: str) -> bool:
    *parents, last = name.split("/")
    stem = last.rpartition(".")[0]
    return stem == split or split in parents or re.fullmatch(rf"{re.escape(split)}-\d[\w-]*", stem) is not None
