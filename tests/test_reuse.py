"""Finished results are given again by content: the same file, no second copy on disk, never a changed one."""

import os
import shutil
from pathlib import Path

import pytest

from coldstart import reuse
from coldstart.artifacts import write_rows
from coldstart.errors import UserError

ROW = {"row": 1, "id": "a", "why": "tiny_image", "detail": "7x7"}


@pytest.fixture(params=["file", "folder"])
def finished(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """(folder of a finished job, its output)."""
    output = tmp_path / "out" / "result"
    folder = reuse.open_folder(tmp_path / "work", reuse.key(seed=0), output)
    (folder / "checkpoint-1").mkdir()
    (folder / "part.parquet").write_text("half")
    if request.param == "file":
        output.parent.mkdir()
        output.write_text("weights")
    else:
        (output / "deep").mkdir(parents=True)
        (output / "model").write_text("weights")
        (output / "deep" / "tokens").write_text("tokens")
    return folder, output


def contents(path: Path) -> dict[str, tuple[int, bytes]]:
    """Relative name -> (inode, bytes) of a file or of a folder's files."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {str(each.relative_to(path.parent)): (each.stat().st_ino, each.read_bytes()) for each in files}


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_kept_result_is_given_again_and_the_disk_holds_it_once(finished, capsys) -> None:
    folder, output = finished
    assert not reuse.give(folder, output)
    reuse.keep(folder, output)
    assert sorted(path.name for path in folder.iterdir()) == ["owner", "result", "result.sha256"]
    before = contents(output)
    for _ in range(2):
        delete(output)
        assert reuse.give(folder, output)
        assert contents(output) == before  # the same inodes: links, not copies
    assert reuse.give(folder, output) and contents(output) == before  # over what is there
    assert "nothing that determines it has changed" in capsys.readouterr().err
    assert [path.name for path in output.parent.iterdir()] == ["result"]


def test_a_mark_that_snakemake_leaves_is_no_change(finished) -> None:
    folder, output = finished
    reuse.keep(folder, output)
    if output.is_dir():
        (output / ".snakemake_timestamp").touch()
        (folder / "result" / ".snakemake_timestamp").touch()
    assert reuse.give(folder, output)


def test_a_changed_or_cut_off_result_is_not_given(finished, capsys) -> None:
    folder, output = finished
    reuse.keep(folder, output)
    next(path for path in [output, *output.rglob("*")] if path.is_file()).write_text("edited")  # the same inode
    assert not reuse.give(folder, output) and "was changed since it was kept" in capsys.readouterr().err
    (folder / "result.sha256").unlink()  # killed before it was written
    assert not reuse.give(folder, output)


def test_stale_folders_of_the_same_output_go_and_others_stay(finished) -> None:
    folder, output = finished
    stale = reuse.open_folder(folder.parent, reuse.key(seed=1), output)
    other = reuse.open_folder(folder.parent, reuse.key(seed=2), output.with_name("another"))
    (folder.parent / "notes").mkdir()
    reuse.keep(folder, output)
    assert not stale.exists() and other.is_dir() and (folder.parent / "notes").is_dir()


def test_another_disk_gets_a_copy(finished, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    folder, output = finished
    monkeypatch.setattr(os, "link", refuse)
    before = {name: data for name, (_, data) in contents(output).items()}
    reuse.keep(folder, output)
    delete(output)
    assert reuse.give(folder, output)
    assert {name: data for name, (_, data) in contents(output).items()} == before


def test_rows_hash_is_of_the_rows_alone(tmp_path: Path) -> None:
    def hashed(row: dict, **made: object) -> str:
        write_rows(tmp_path / "rows.parquet", "dropped", [row], made)
        return reuse.rows_hash(tmp_path / "rows.parquet")

    first = hashed(ROW, started="today", wall_seconds=3.2)
    assert hashed(ROW, started="tomorrow", inputs={"excluded": "other"}, much="x" * 100_000) == first
    assert len({first, hashed({**ROW, "row": 2}), hashed({**ROW, "id": None}), hashed({**ROW, "detail": "7x8"})}) == 4


def test_model_hash_is_of_the_model_alone(tmp_path: Path) -> None:
    from coldstart import provenance

    def hashed() -> str:
        provenance.path_hash.cache_clear()
        return reuse.model_hash(tmp_path)

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("weights")
    first = hashed()
    for name in ("manifest.json", "metrics.parquet", ".snakemake_timestamp"):
        (tmp_path / name).write_text("made today")
    assert hashed() == first
    (tmp_path / "model.safetensors").write_text("other weights")
    assert hashed() != first


def test_a_work_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("")
    with pytest.raises(UserError, match=r"--work .*cannot be used as a folder"):
        reuse.open_folder(tmp_path / "work", "abc", tmp_path / "out")
