"""Shared fixtures. Fast tests run first; tests marked ``slow`` start real engines and trainers."""

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, so that a plain mistake shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real benchmark rows and model answers, where there is one."""
    folder = Path(os.environ.get("COLDSTART_SHARED_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real benchmark rows are not here; set COLDSTART_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of the testbed's shape with random weights, saved with its processor."""
    from coldstart.testbed.models import build_model, build_processor

    folder = tmp_path_factory.mktemp("models") / "tiny"
    processor = build_processor()
    build_model(processor, seed=0).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
