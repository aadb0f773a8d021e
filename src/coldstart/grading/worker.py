"""One grading worker: reads questions as JSON lines, answers each with a grade as a JSON line. Used by pool.py.

    python -c "from coldstart.grading.worker import main; main()" 5.0

It guards the machine by itself too: its memory is limited, and an alarm on its processor time ends the process
even where the process that started it is gone. math-verify is imported before it reports ``ready``.
"""

import json
import logging
import os
import resource
import signal
import sys

from coldstart.grading.core import compare
from coldstart.grading.extract import Extraction
from coldstart.grading.spec import Spec
from coldstart.grading.symbolic import equal

MEMORY = 4 << 30  # bytes of address space: a formula that grows beyond it fails alone


def main() -> None:
    """Serve until standard input ends."""
    limit = float(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    logging.disable(logging.CRITICAL)
    try:
        equal("1/2", r"\frac{1}{2}")  # warms the parser up, so that the first row's limit is not spent on imports
    except ImportError as error:
        answers.write(json.dumps(str(error)) + "\n")
        raise SystemExit(1) from error
    answers.write(json.dumps("ready") + "\n")
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, 2 * limit + 1)  # nobody handles the alarm: it ends the process
        spec, found = json.loads(line)
        spec[2] = tuple(spec[2])
        grade = compare(Spec(*spec), Extraction(tuple(found[0]), found[1]), use_symbolic=True)
        assert grade is not None  # the symbolic comparison always decides
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(json.dumps([grade.verdict, grade.extracted, grade.normalised, grade.reason]) + "\n")
