"""Results that outlive their job: a finished result is kept under the hash of what determines it, and given again.

Snakemake reruns a job whose input was made anew, whatever is in it. The audit's list of excluded rows is remade with
every benchmark that is added, and behind it stand a teacher's and a trainer's GPU-days. So a stage that costs those
names its folder WORK/<key>/ by what its result depends on, content without provenance, and keeps there beside its
checkpoints

    owner            the output it is for: when a result is kept, other folders of the same output are stale, and go
    result           the finished file or folder, hard links to the output's files: the disk holds them once
    result.sha256    written last; a result that does not match it was changed or cut off, and is not given

A job that finds its result links it to its output and is done in seconds. To have it made anew, delete WORK.

    folder = open_folder("results/work/sft", key(config=..., rows=rows_hash("rows.parquet")), output)
    if not give(folder, output): ...; keep(folder, output)
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from coldstart import provenance
from coldstart.artifacts import atomic_path, new_folder, remove, write_text
from coldstart.errors import UserError

OWNER, RESULT, DIGEST = "owner", "result", "result.sha256"
# what a model folder says about how it was made, and Snakemake's mark of when: no part of the model
NO_CONTENT = {"manifest.json", "metrics.parquet", ".snakemake_timestamp"}


def key(**determinants: object) -> str:
    """A name for a result: the hash of all that determines it, each a value that JSON can hold."""
    return provenance.text_hash(json.dumps(determinants, sort_keys=True))[:16]


def rows_hash(path: str | Path) -> str:
    """SHA-256 of a Parquet file up to its footer: of its rows, but not of the provenance written with them."""
    with open(path, "rb") as file:
        size = file.seek(-8, os.SEEK_END)
        left = size - int.from_bytes(file.read(4), "little")
        file.seek(0)
        digest = hashlib.sha256()
        while chunk := file.read(min(left, 1 << 20)):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def model_hash(folder: str | Path) -> str:
    """SHA-256 of a model folder's files, without what only tells how and when it was made."""
    folder = Path(folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in NO_CONTENT]
    return provenance.text_hash("\n".join(f"{path.relative_to(folder)} {provenance.path_hash(path)}" for path in files))


def open_folder(work: str | Path, name: str, output: str | Path) -> Path:
    """WORK/<name>, made now if it is not there, and marked as that of ``output``."""
    folder = Path(work) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--work {work}: cannot be used as a folder ({error.strerror})") from error
    write_text(folder / OWNER, str(Path(output).absolute()))
    return folder


def give(folder: Path, output: str | Path) -> bool:
    """Link a kept result to ``output``; False if there is none, or it is not what was kept."""
    if not kept(folder):
        return False
    put(folder / RESULT, Path(output))
    print(f"{output}: nothing that determines it has changed: taken from {folder / RESULT}", file=sys.stderr)
    return True


def kept(folder: Path) -> bool:
    """Whether a result is kept here and is still what it was."""
    if not (folder / DIGEST).is_file():
        return False
    if _digest(folder / RESULT) == (folder / DIGEST).read_text(encoding="utf-8"):
        return True
    print(f"warning: {folder / RESULT} was changed since it was kept: it is made anew", file=sys.stderr)
    return False


def keep(folder: Path, output: str | Path) -> None:
    """Keep a finished output, and remove what else is in the folder and the stale folders of the same output."""
    owner = (folder / OWNER).read_text(encoding="utf-8")
    put(Path(output), folder / RESULT)
    write_text(folder / DIGEST, _digest(folder / RESULT))
    for path in list(folder.iterdir()):
        if path.name not in (OWNER, RESULT, DIGEST):
            remove(path)
    for other in list(folder.parent.iterdir()):
        same = (other / OWNER).is_file() and (other / OWNER).read_text(encoding="utf-8") == owner
        if other != folder and same:
            shutil.rmtree(other)


def put(source: Path, target: Path) -> None:
    """Make ``target`` the same file or folder as ``source``, by hard links; it is complete or not there."""
    if source.is_file():
        with atomic_path(target) as temporary:
            _link(source, temporary)
        return
    with new_folder(target) as temporary:
        shutil.copytree(source, temporary, copy_function=_link, dirs_exist_ok=True)


def _link(source: str | Path, target: str | Path) -> None:
    """A hard link, or a copy where the file system has none (another disk, some network file systems)."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _digest(path: Path) -> str:
    """SHA-256 of a file or of a folder's names and contents, read now: ``provenance.path_hash`` remembers the first."""
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = [each for each in sorted(path.rglob("*")) if each.is_file() and each.name != ".snakemake_timestamp"]
    return provenance.text_hash("\n".join(f"{each.relative_to(path)} {_digest(each)}" for each in files))
