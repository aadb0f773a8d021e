"""Rows of a Hugging Face dataset, through ``datasets``; images come as bytes and path, undecoded.

``HF_HUB_OFFLINE=1`` is honoured: only the local cache is looked at.

    coldstart data --config '{"data": {"train": {"g3k": {"hub": "hiyouga/geometry3k", "split": "train"}}}}' ...
"""

from collections.abc import Iterator

from coldstart.errors import UserError


def open_hub(source: dict, place: str) -> tuple[list[str], Iterator[tuple[int, dict]]]:
    """(columns, rows numbered from 0) of a hub dataset's split."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    wanted = f"{source['hub']} (config {source['config']}, split {source['split']})"
    try:
        dataset = load_dataset(source["hub"], name=source["config"], split=source["split"], revision=source["revision"])
    except (DatasetNotFoundError, ConnectionError, ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{place}: the dataset {wanted} could not be loaded: {reason}. Correct the id, config or split; without "
            "network, fetch it ahead (it is then read from the cache) or give a local copy under 'path'"
        ) from error
    dataset = _undecoded(dataset)
    return dataset.column_names, enumerate(iter(dataset))


def _undecoded(dataset):
    """Images as they are stored, not as pictures."""
    from datasets import Image, List

    for name, feature in dataset.features.items():
        if isinstance(feature, Image):
            dataset = dataset.cast_column(name, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            dataset = dataset.cast_column(name, List(Image(decode=False)))
    return dataset
