"""Clear what a killed Snakemake left in this folder: its lock, and stages that outlived it. ``make run`` calls it.

    .venvs/driver/bin/python workflow/scripts/clear_stale.py

Safe by looking first: while any Snakemake works in this folder, nothing is touched and the exit code is 1. Only
processes that a Snakemake started here (their environment says so) are ended; training resumes from its checkpoint.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def main() -> int:
    """Refuse beside a live Snakemake; else end its orphans and remove the lock."""
    folder = Path.cwd()
    mine = processes_in(folder)
    live = {pid for pid, (command, _) in mine.items() if is_snakemake(command)}
    if live:
        print(f"error: Snakemake is already running in this folder (process {min(live)}); wait for it", file=sys.stderr)
        return 1
    orphans = [pid for pid, (_, started_by_snakemake) in mine.items() if started_by_snakemake]
    for pid in orphans:
        print(f"Ending process {pid}, left over by a Snakemake that was killed")
    end(orphans)
    locks = folder / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        print("Removing the lock of a Snakemake that was killed")
        shutil.rmtree(locks)
    return 0


def processes_in(folder: Path) -> dict[int, tuple[list[str], bool]]:
    """Process id -> (command line, whether a Snakemake started it) of this user's processes in ``folder``."""
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if Path(os.readlink(entry / "cwd")) != folder:
                continue
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environment = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # gone meanwhile, or another user's
            continue
        found[int(entry.name)] = (command, any(item.startswith("COLDSTART_DRIVER_PID=") for item in environment))
    return found


def is_snakemake(command: list[str]) -> bool:
    """Whether a command line is Snakemake itself: the script, or ``python -m snakemake``."""
    return any(Path(word).name == "snakemake" for word in command[:3])


def end(pids: list[int], patience: float = 10.0) -> None:
    """Ask processes to end, and kill those that have not after ``patience`` seconds."""
    for kind, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        for pid in pids:
            send(pid, kind)
        deadline = time.monotonic() + seconds
        while any((PROC / str(pid)).exists() for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)


def send(pid: int, kind: signal.Signals) -> None:
    """Send a signal to a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, kind)


if __name__ == "__main__":
    sys.exit(main())
