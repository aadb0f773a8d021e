"""Grade many responses: what is trivial here and now, the rest in worker processes with a wall limit each.

    with GradingPool(timeout=5.0, workers=2) as pool:
        grades = pool.grade([(problem, response), ...])

A worker that passes its limit is killed and replaced, one that dies is replaced: either costs its one row (verdict
``timeout`` with the reason), and no row is lost or moves. A worker that wants to run but got less than half of its
limit from a busy machine is given more time, so that a verdict does not depend on what else is running.

Workers are plain Python processes that run worker.py, started only when a row needs math-verify: nothing is forked, so
a trainer with threads and CUDA may own a pool. Equal questions are asked once: the pool keeps every verdict that it
has paid for.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from coldstart.grading import worker as worker_module
from coldstart.grading.core import Grade, compare, find_answer, make_spec
from coldstart.grading.extract import Extraction
from coldstart.grading.spec import Spec
from coldstart.progress import Progress

START_LIMIT = 120.0  # seconds a worker may take to import math-verify
STARVED = 10  # a worker that a busy machine gives no processor may take this many times its limit
MAX_KNOWN = 200_000  # verdicts kept over a long training run
LOOK_EVERY = 16  # rows that are read between two looks at the workers
MAX_STARTS = 3  # a worker that never gets ready this often is a broken installation, not a bad row

Key = tuple[Spec, Extraction]
Pairs = Iterable[tuple[dict, str]]


def grade_all(pairs: Pairs, timeout: float, workers: int, progress: Progress | None = None) -> list[Grade]:
    """Grade (problem, response) pairs, in their order."""
    with GradingPool(timeout, workers) as pool:
        return pool.grade(pairs, progress)


class GradingPool:
    """A reusable pool; ``timeout`` is the wall limit of one row in seconds. Not to be shared by threads."""

    def __init__(self, timeout: float, workers: int) -> None:
        self.timeout, self.workers = timeout, workers
        self._workers: list[_Worker] = []
        self._known: dict[Key, Grade] = {}

    def __enter__(self) -> "GradingPool":
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; the pool may be used again, and starts new ones if it must."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def grade(self, pairs: Pairs, progress: Progress | None = None) -> list[Grade]:
        """Grade (problem, response) pairs, in their order."""
        grades: list[Grade | None] = []
        waiting: dict[Key, list[int]] = {}
        queue: deque[Key] = deque()
        specs: dict[int, tuple[dict, Spec]] = {}  # by identity: many responses share one problem
        if len(self._known) > MAX_KNOWN:
            self._known.clear()

        def settle(answers: list[tuple[Key, Grade]]) -> None:
            for key, result in answers:
                self._known[key] = result
                rows = waiting.pop(key)
                for number in rows:
                    grades[number] = result
                if progress:
                    progress.advance(len(rows))

        try:
            for number, (problem, response) in enumerate(pairs):
                if id(problem) not in specs:
                    specs[id(problem)] = (problem, make_spec(problem))
                spec = specs[id(problem)][1]
                found = find_answer(spec, problem, response)
                result = compare(spec, found, use_symbolic=False) or self._known.get((spec, found))
                if result is None:
                    if (spec, found) not in waiting:
                        queue.append((spec, found))
                    waiting.setdefault((spec, found), []).append(number)
                elif progress:
                    progress.advance()
                grades.append(result)
                if waiting and number % LOOK_EVERY == 0:
                    settle(self._work(queue, len(waiting), wait=False))
            while waiting:
                settle(self._work(queue, len(waiting), wait=True))
        finally:
            if waiting:  # interrupted: an answer that is still to come must not meet the next call
                self.close()
        return [result for result in grades if result is not None]

    def _work(self, queue: deque[Key], questions: int, wait: bool) -> list[tuple[Key, Grade]]:
        """Give idle workers what is in the queue; returns what has been answered, waiting for the next if asked to."""
        while len(self._workers) < min(self.workers, questions):
            self._workers.append(_Worker(self.timeout))
        for worker in self._workers:
            if queue and worker.ready and worker.key is None and worker.give(queue[0]):
                queue.popleft()  # else it died while idle, which shows below
        collected = [worker.collect() for worker in self._wait(None if wait else 0.0)]
        return [(key, result) for key, result in collected if key is not None and result is not None]

    def _wait(self, limit: float | None) -> list["_Worker"]:
        """Workers that have something to tell: an answer, their death, or a passed deadline; ``limit`` in seconds."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.output, selectors.EVENT_READ, worker)
            pause = max(min(worker.deadline for worker in self._workers) - time.monotonic(), 0.0)
            told = [key.data for key, _ in selector.select(min(pause, 3600.0) if limit is None else limit)]
        now = time.monotonic()
        return told + [worker for worker in self._workers if worker.deadline <= now and worker not in told]


class _Worker:
    """One worker process, replaced in place when it is killed or dies."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.failed_starts = 0
        self._start()

    def _start(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {worker_module.__name__} import main; main()", str(self.timeout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""},
        )
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._input, self.output = self._process.stdin, self._process.stdout
        self.key: Key | None = None
        self.ready = False
        self._buffer = b""
        self._begin(START_LIMIT)

    def _begin(self, limit: float) -> None:
        """Start the clock of a row, or of the start."""
        self._limit, self._began, self._used = limit, time.monotonic(), _processor_seconds(self._process.pid)[0]
        self.deadline = self._began + limit

    def give(self, key: Key) -> bool:
        """Send one question; False if the worker is gone."""
        if self._process.poll() is not None:
            return False
        spec, found = key
        line = json.dumps([[*vars(spec).values()], [found.candidates, found.where]]) + "\n"
        try:
            self._input.write(line.encode("ascii"))
            self._input.flush()
        except BrokenPipeError:
            return False
        self.key = key
        self._begin(self.timeout)
        return True

    def collect(self) -> tuple[Key | None, Grade | None]:
        """Take what the worker tells; a worker past its deadline or dead is replaced, and its row is a timeout."""
        key = self.key
        if time.monotonic() >= self.deadline and not self._has_output():
            if self._starved():
                self.deadline = time.monotonic() + self._limit
                return key, None
            return key, self._replace(f"no verdict within {self._limit:g} s; the worker was killed")
        chunk = os.read(self.output.fileno(), 1 << 16)
        if not chunk:
            code = self._process.wait()
            return key, self._replace(f"the grading worker died (exit code {code})")
        self._buffer += chunk
        if not self._buffer.endswith(b"\n"):
            return key, None
        message, self._buffer = json.loads(self._buffer), b""
        self.deadline = float("inf")
        if not self.ready:
            if message != "ready":
                raise RuntimeError(f"a grading worker cannot start: {message}")
            self.ready, self.failed_starts = True, 0
            return key, None
        self.key = None
        return key, Grade(*message)

    def kill(self) -> None:
        """End the process and its pipes."""
        self._process.kill()
        self._process.wait()
        self.output.close()
        with suppress(BrokenPipeError):  # what was still to be sent no longer matters
            self._input.close()

    def _has_output(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.output, selectors.EVENT_READ)
            return bool(selector.select(0))

    def _starved(self) -> bool:
        seconds, running = _processor_seconds(self._process.pid)
        patience = time.monotonic() - self._began < STARVED * self._limit
        return patience and running and seconds - self._used < self._limit / 2

    def _replace(self, reason: str) -> Grade | None:
        had_row, was_ready = self.key is not None, self.ready
        self.kill()
        failed = 0 if was_ready else self.failed_starts + 1
        if failed >= MAX_STARTS:
            raise RuntimeError(f"grading workers do not start: {reason}. Try: {sys.executable} -c 'import math_verify'")
        self.failed_starts = failed
        self._start()
        return Grade("timeout", None, None, reason) if had_row else None


def _processor_seconds(pid: int) -> tuple[float, bool]:
    """Processor time of a process so far and whether it wants to run; (0, False) where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except OSError:
        return 0.0, False
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0] in "RD"
