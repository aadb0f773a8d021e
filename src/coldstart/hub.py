"""Find a model: a folder on this machine, or a Hugging Face id, fetched once and then read from the local cache.

    python -c "from coldstart.hub import resolve_model; print(resolve_model('testbed/student'))"

``HF_HUB_OFFLINE=1`` is honoured: only the cache is looked at. Nothing here imports torch.
"""

import re
from functools import cache
from pathlib import Path

from coldstart.errors import UserError

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
PROCESSOR_FILES = ["*.json", "*.jinja", "*.txt", "*.model"]
MODEL_FILES = [*PROCESSOR_FILES, "*.safetensors"]


@cache
def resolve_model(model: str, weights: bool = True) -> Path:
    """The local folder of ``model``; with ``weights=False`` only its configuration and processor are needed.

    A name whose first part is a folder here, or that is no possible hub id, is a path: it is never looked up online.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"{model}: this folder holds no model (no config.json in it)")
        return path
    if path.exists():
        raise UserError(f"{model}: this is a file; a model is a folder with config.json, weights and a processor")
    if not HUB_ID.match(model) or Path(model.split("/")[0]).is_dir():
        raise UserError(
            f"{model}: no such model folder. Correct the path, or give a Hugging Face id (owner/name), "
            "under 'students', 'teacher' or 'judge' in the config"
        )
    return _fetch(model, MODEL_FILES if weights else PROCESSOR_FILES)


def _fetch(model: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(model, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{model}: neither a folder here nor a model that could be fetched from the Hugging Face hub ({reason}). "
            "Correct the name, or run `coldstart fetch` ahead on a machine with network (without HF_HUB_OFFLINE)"
        ) from error
