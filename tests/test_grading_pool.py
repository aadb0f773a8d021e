"""The grading pool: real hangs, real deaths, order, reuse; and agreement with official verdicts."""

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pyarrow.parquet as pq
import pytest

from coldstart.grading import Grade, GradingPool, grade_all, pool

HANG = r"\boxed{9^{9^{9^9}}}"  # sympy never comes back from this
EXPRESSION = {"answer": "x+1", "answer_type": "expression"}
INTEGER = {"answer": "7", "answer_type": "integer"}


def verdicts(grades: list[Grade]) -> list[str]:
    return [found.verdict for found in grades]


def test_trivial_rows_start_no_worker():
    with GradingPool(1.0, 2) as grading:
        found = grading.grade(
            [(INTEGER, r"\boxed{7}"), (INTEGER, r"\boxed{8}"), (INTEGER, "dunno"), (EXPRESSION, r"\boxed{x+1}")]
        )
        assert verdicts(found) == ["correct", "wrong", "no_answer", "correct"]
        assert not grading._workers


def test_a_training_step_costs_milliseconds():
    problems = [{"answer": str(number), "answer_type": "integer"} for number in range(128)]
    pairs = [(problem, f"I count them one by one and find \\boxed{{{n % 40}}}.") for n, problem in enumerate(problems)]
    with GradingPool(1.0, 2) as grading:
        grading.grade(pairs)
        used = time.process_time()
        found = grading.grade(pairs)
        used = time.process_time() - used
    assert verdicts(found).count("correct") == 40
    assert used < 0.1


def test_empty_input():
    assert grade_all([], 1.0, 2) == []


@pytest.mark.slow
def test_a_hang_and_a_crash_cost_their_rows_only():
    """One worker, so that the rows behind the bad ones need the replacement."""
    pairs = [
        (EXPRESSION, r"\boxed{1+x}"),
        (EXPRESSION, HANG),
        (INTEGER, r"\boxed{7}"),
        (EXPRESSION, r"\boxed{\frac{2x+2}{2}}"),
        (EXPRESSION, r"\boxed{x+2}"),
    ]
    with GradingPool(3.0, 1) as grading:
        began = time.monotonic()
        found = grading.grade(pairs)
        assert verdicts(found) == ["correct", "timeout", "correct", "correct", "wrong"]
        assert "killed" in found[1].reason and "3 s" in found[1].reason
        assert time.monotonic() - began < 200

        first = grading._workers[0]._process
        killer = threading.Timer(0.5, first.kill)  # a crash in the middle of a row
        killer.start()
        found = grading.grade([(EXPRESSION, r"\boxed{8^{9^{9^9}}}"), (EXPRESSION, r"\boxed{3+x-2}")])
        killer.join()
        assert verdicts(found) == ["timeout", "correct"]
        assert f"exit code {-signal.SIGKILL}" in found[0].reason

        grading._workers[0]._process.kill()  # a death while idle costs nothing
        grading._workers[0]._process.wait()
        assert verdicts(grading.grade([(EXPRESSION, r"\boxed{5+x-4}")])) == ["correct"]
        processes = [worker._process for worker in grading._workers]
    assert all(process.poll() is not None for process in processes), "closing leaves no process behind"


@pytest.mark.slow
def test_order_and_repeats_over_several_workers(monkeypatch):
    """Answers come back out of order; each row must get its own."""
    answers = ["1+x", "x+2", "2x-x+1", "x", "(x+1)^2/(x+1)", "x+1+0"] * 5
    expected = ["correct", "wrong", "correct", "wrong", "correct", "correct"] * 5
    with GradingPool(10.0, 2) as grading:
        assert verdicts(grading.grade((EXPRESSION, f"\\boxed{{{answer}}}") for answer in answers)) == expected
        monkeypatch.setattr(pool._Worker, "give", lambda worker, key: pytest.fail(f"asked again: {key}"))
        assert verdicts(grading.grade((EXPRESSION, f"\\boxed{{{answer}}}") for answer in answers)) == expected


@pytest.mark.slow
def test_a_pool_works_in_a_thread_of_a_process_with_threads():
    """As in a trainer: not the main thread, others alive, the main module without a guard."""
    script = textwrap.dedent(
        r"""
        import threading, time
        from coldstart.grading import GradingPool
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        def work():
            with GradingPool(10.0, 1) as pool:
                print(pool.grade([({"answer": "x+1", "answer_type": "expression"}, r"\boxed{1+x}")])[0].verdict)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "correct", done.stderr


@pytest.mark.slow
def test_workers_end_when_their_owner_is_killed():
    script = textwrap.dedent(
        r"""
        import os, signal
        from coldstart.grading import GradingPool
        pool = GradingPool(10.0, 1)
        pool.grade([({"answer": "x+1", "answer_type": "expression"}, r"\boxed{1+x}")])
        print(pool._workers[0]._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=300)
    pid = int(done.stdout)
    for _ in range(300):
        if not os.path.exists(f"/proc/{pid}"):
            break
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            if file.read().rpartition(") ")[2].startswith("Z"):
                break  # ended, and waits for an init that reaps
        time.sleep(0.1)
    else:
        pytest.fail("the worker outlived its owner by half a minute")


def test_an_interrupted_call_leaves_nothing_for_the_next(monkeypatch):
    class Interrupted(Exception):
        pass

    def interrupt(pool, limit):
        raise Interrupted

    with GradingPool(5.0, 1) as grading:
        monkeypatch.setattr(GradingPool, "_wait", interrupt)
        with pytest.raises(Interrupted):
            grading.grade([(EXPRESSION, r"\boxed{1+x}")])
        assert not grading._workers


def test_a_broken_installation_is_an_error_not_a_verdict(monkeypatch, tmp_path):
    (tmp_path / "math_verify.py").write_text("raise ImportError('no math-verify here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="no math-verify here"), GradingPool(5.0, 1) as grading:
        grading.grade([(EXPRESSION, r"\boxed{1+x}")])


# --- agreement with official verdicts (data beside the repository; never copied into it) ---


# name -> rows taken, least agreement, most false credit. The MathVision scorer calls an option's text with a unit wrong
# ("8\\mathrm{~kg}" for option B, 8 kg), MathVista's extraction errs; those count as false credit here although they are
# right: benchmarks/grading_reviews.csv says which.
AGREEMENT = {
    "gsm8k_175b_finetuning": (1319, 1.0, 0),
    "mathvision_qwen": (300, 0.95, 15),
    "mathvista_bard": (300, 0.96, 0),
    "mathvista_llava": (300, 0.93, 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", AGREEMENT)
def test_agreement_with_official_verdicts(name, shared_data, repo, monkeypatch, capsys):
    monkeypatch.syspath_prepend(repo / "benchmarks")
    to_problem = importlib.import_module("grading_agreement").SETS[name][0]
    count, least, most_false = AGREEMENT[name]
    rows = pq.read_table(shared_data / "model_outputs" / f"{name}.parquet").slice(0, count).to_pylist()
    found = grade_all([(to_problem(row), row["response"]) for row in rows], 10.0, 2)
    credited = [grade.verdict == "correct" for grade in found]
    agree = sum(mine == row["official_correct"] for mine, row in zip(credited, rows, strict=True))
    false = sum(mine and not row["official_correct"] for mine, row in zip(credited, rows, strict=True))
    with capsys.disabled():
        print(
            f"\n{name}: {agree}/{len(rows)} agree with the official verdict, {false} credited that are officially wrong"
        )
    assert len(rows) == count
    assert agree >= least * count
    assert false <= most_false
