"""Data sets of the Hugging Face Hub, and folders that ``datasets`` saved; images come as bytes and path, undecoded.

Of a data set in Parquet or JSONL the files of the one configuration and split are fetched into the local cache, once,
and read from there as any folder is. Other kinds (zipped images, ...) go through ``datasets``. ``HF_HUB_OFFLINE=1`` is
honoured: only the cache is looked at; ``coldstart fetch`` fills it ahead.

    coldstart data --config '{"data": {"train": {"g3k": {"hub": "hiyouga/geometry3k", "split": "train"}}}}' ...
"""

from collections.abc import Iterator
from pathlib import Path

from coldstart import benchmarks
from coldstart.errors import UserError
from coldstart.folders import choose, local_files


def snapshot(source: dict, place: str) -> Path | None:
    """The local folder with the files of a hub source; None if they are no tables, which only ``datasets`` reads."""
    import httpx
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download

    hub, revision = source["hub"], source["revision"]
    kind = {"repo_type": "dataset", "revision": revision}
    try:
        if constants.HF_HUB_OFFLINE:
            folder = Path(snapshot_download(hub, **kind, allow_patterns="README.md", local_files_only=True))
            if not has_tables(folder):
                return None
            local_files(folder, source["config"], source["split"], place)  # all of them must be there
            return folder
        names = HfApi().list_repo_files(hub, **kind)
        readme = Path(hf_hub_download(hub, "README.md", **kind)).read_text("utf-8") if "README.md" in names else None
        parts = [choose(names, readme, source["config"], split) for split in source["split"].split("+")]
        if not all(parts):
            return None
        files = ["README.md", *(name for part in parts for name in part)]
        return Path(snapshot_download(hub, **kind, allow_patterns=files))
    except (httpx.HTTPError, OSError, ValueError, UserError) as error:
        raise UserError(missing(source, place, error)) from error


def has_tables(folder: Path) -> bool:
    """Whether a snapshot holds Parquet or JSONL files."""
    return any(folder.rglob("*.parquet")) or any(folder.rglob("*.jsonl"))


def missing(source: dict, place: str, error: Exception) -> str:
    """One line on a data set that cannot be had."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    name = place.rpartition(".")[2]
    own = benchmarks.with_defaults({"format": name})  # fetch knows a benchmark's own place by its name alone
    same = all(source.get(key) == own.get(key) for key in ("hub", "config", "split", "revision"))
    fetch = name if same else f"--config YOUR.yaml {name}"
    return (
        f"{place}: the dataset {source['hub']} (config {source['config']}, split {source['split']}) could not be "
        f"loaded: {reason.rstrip('.')}. Correct the id, config or split; without network here, run `coldstart fetch "
        f"{fetch}` where there is one and set HF_HUB_OFFLINE=1 here, or give a local copy under 'path'"
    )


def open_hub(source: dict, place: str) -> tuple[list[str], Iterator[tuple[int, dict]]]:
    """(columns, rows numbered from 0) of a hub dataset's split, whatever its files are."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        dataset = load_dataset(source["hub"], name=source["config"], split=source["split"], revision=source["revision"])
    except (DatasetNotFoundError, ConnectionError, ValueError, OSError) as error:
        raise UserError(missing(source, place, error)) from error
    dataset = _undecoded(dataset)
    return dataset.column_names, enumerate(iter(dataset))


def open_saved(folder: Path, split: str | None, place: str) -> tuple[list[str], Iterator[tuple[int, dict]]]:
    """(columns, rows numbered from 0) of a folder that save_to_disk wrote: one dataset, or one a split."""
    from datasets import DatasetDict, load_from_disk

    try:
        saved = load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: not a readable saved dataset ({error})") from error
    if not isinstance(saved, DatasetDict):
        return saved.column_names, enumerate(iter(_undecoded(saved)))
    wanted = list(saved) if split is None else split.split("+")
    unknown = [name for name in wanted if name not in saved]
    if unknown:
        raise UserError(f"{folder}: no split '{unknown[0]}', only {', '.join(saved)}. Correct {place}.split")
    return saved[wanted[0]].column_names, _through({name: saved[name] for name in wanted})


def _through(splits: dict) -> Iterator[tuple[int, dict]]:
    """The rows of several splits, numbered through."""
    number = 0
    for name, dataset in splits.items():
        for row in _undecoded(dataset):
            yield number, {"split": name, **row}
            number += 1


def _undecoded(dataset):
    """Images as they are stored, not as pictures."""
    from datasets import Image, List

    for name, feature in dataset.features.items():
        if isinstance(feature, Image):
            dataset = dataset.cast_column(name, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            dataset = dataset.cast_column(name, List(Image(decode=False)))
    return dataset
