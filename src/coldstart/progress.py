"""Progress that stays readable in a terminal, a pipe and a log file alike: one line with a bar every few seconds.

with Progress("distill", total=800) as bar:
    bar.advance(32, note="1.2k tok/s")
"""

import sys
import time

WIDTH = 24


class Progress:
    """A bar with count, rate and ETA on stderr; prints at most one line every ``every`` seconds, and a last one."""

    def __init__(self, label: str, total: int, every: float = 5.0, unit: str = "") -> None:
        self.label, self.total, self.every, self.unit = label, total, every, unit
        self.done, self.shown = 0, -1
        self.note = ""
        self.started = self.printed = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind, value, trace) -> None:
        if kind is None and self.shown != self.done:
            self._print()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count ``count`` more items as done; ``note`` is shown behind the ETA."""
        self.done += count
        self.note = note or self.note
        if time.monotonic() - self.printed >= self.every:
            self._print()

    def _print(self) -> None:
        self.printed, self.shown = time.monotonic(), self.done
        seconds = self.printed - self.started
        share = self.done / self.total if self.total else 1.0
        rate = self.done / seconds if seconds > 0 else 0.0
        eta = _clock((self.total - self.done) / rate) if rate else "?"
        filled = int(WIDTH * min(share, 1.0))
        bar = "#" * filled + "-" * (WIDTH - filled)
        note = f"  {self.note}" if self.note else ""
        line = f"{self.label} [{bar}] {self.done}/{self.total}{self.unit} {share:4.0%}  {rate:.1f}/s"
        print(f"{line}  elapsed {_clock(seconds)}  eta {eta}{note}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
