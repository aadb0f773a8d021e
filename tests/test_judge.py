"""The judge, against a scripted server that speaks the chat-completions format over a real socket."""

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from coldstart import chat
from coldstart.artifacts import read_provenance, read_rows, write_rows
from coldstart.cli import main
from coldstart.judge import TAIL, judge_prompt, parse_reply
from test_filter import made_by, problem, response

Script = Callable[[str, int], tuple[int, dict, str]]  # (prompt, how often it was asked) -> status, headers, body


class Judge:
    """A server that answers by ``script`` and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: Script = lambda prompt, count: said("CORRECT")
        self.asked: list[dict] = []
        self.keys: set[str | None] = set()
        self.url = ""


def said(text: str) -> tuple[int, dict, str]:
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture
def judge() -> Iterator[Judge]:
    judge, lock = Judge(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = request["messages"][0]["content"]
            with lock:
                count = sum(other["messages"][0]["content"] == prompt for other in judge.asked)
                judge.asked.append(request)
                judge.keys.add(self.headers["Authorization"])
            assert self.path == "/v1/chat/completions"
            status, headers, body = judge.script(prompt, count)
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    judge.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield judge
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    problems = [problem("p0"), problem("p1", "B", "choice", options=["red", "blue"]), problem("p2", "5", unit="cm")]
    write_rows(tmp_path / "problems.parquet", "problems", problems, made_by())
    texts = {
        "p0": r"\boxed{7}",
        "p1": "It may be {gold}, I say \\boxed{A}",
        "p2": "as long as the ruler, that is clear",
    }
    write_rows(tmp_path / "responses.parquet", "responses", [response(n, 0, t) for n, t in texts.items()], made_by())
    return tmp_path


def run(folder: Path, judge: Judge, **settings: object) -> int:
    config = {"judge": {"model": "big", "base_url": judge.url, "retries": 2, "timeout": 5, **settings}}
    command = ["judge", "--config", json.dumps(config), "--work", str(folder / "work")]
    for name in ("problems", "responses", "judged"):
        command += [f"--{name}", str(folder / f"{name}.parquet")]
    return main(command)


def test_each_response_gets_the_judges_verdict(world: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    replies = {
        "p0?": "Seven is right.\n\n**CORRECT**",
        "p1?": "Verdict: Incorrect.",
        "p2?": "I think it is correct, mostly",
    }
    judge.script = lambda prompt, count: said(next(reply for name, reply in replies.items() if name in prompt))
    assert run(world, judge, key_env="MY_KEY") == 0
    rows = read_rows(world / "judged.parquet", "judged")
    assert [(row["id"], row["verdict"], row["judge"]) for row in rows] == [
        ("p0#0", "correct", "big"), ("p1#0", "wrong", "big"), ("p2#0", "unparseable", "big"),
    ]  # fmt: skip
    assert rows[2]["reply"] == replies["p2?"] and judge.keys == {"Bearer secret"}
    assert {(request["model"], request["temperature"], request["max_tokens"]) for request in judge.asked} == {
        ("big", 0, 64)
    }
    facts = read_provenance(world / "judged.parquet")
    assert facts["facts"]["counts"] == {"correct": 1, "wrong": 1, "unparseable": 1}
    assert "secret" not in json.dumps(facts) and list((world / "work").iterdir()) == []


def test_a_busy_server_is_asked_again_but_not_for_ever(world: Path, judge: Judge, monkeypatch, capsys) -> None:
    waits: list[float] = []
    monkeypatch.setattr(chat.time, "sleep", waits.append)
    judge.script = lambda prompt, count: said("CORRECT") if count == 2 else (429, {"Retry-After": "7"}, "slow down")
    assert run(world, judge, concurrency=1) == 0
    assert len(judge.asked) == 9 and waits == [0.0, 7.0, 7.0] * 3
    (world / "judged.parquet").unlink()
    judge.asked.clear()
    waits.clear()
    judge.script = lambda prompt, count: (503, {}, "overloaded")
    assert run(world, judge, concurrency=1, max_tokens=32) == 2
    message = capsys.readouterr().err
    assert "p0#0: the judge at" in message and "HTTP 503: overloaded" in message and "judge.retries" in message
    assert len(judge.asked) <= 6 and waits[:3] == [0.0, 0.5, 1.0] and not (world / "judged.parquet").exists()


def test_what_was_judged_is_not_asked_again(world: Path, judge: Judge, capsys: pytest.CaptureFixture) -> None:
    judge.script = lambda prompt, count: (400, {}, "bad request") if "p2?" in prompt else said("INCORRECT")
    assert run(world, judge, concurrency=1) == 2
    assert "p2#0" in capsys.readouterr().err and len(judge.asked) == 3, "400 is not worth another try"
    kept = next((world / "work").iterdir())
    kept.write_text(kept.read_text() + '["half a li')  # a killed run
    judge.asked.clear()
    judge.script = lambda prompt, count: said("CORRECT")
    assert run(world, judge) == 0
    assert len(judge.asked) == 1 and "p2?" in judge.asked[0]["messages"][0]["content"]
    assert [row["verdict"] for row in read_rows(world / "judged.parquet", "judged")] == ["wrong", "wrong", "correct"]


def test_a_server_that_hangs_times_out(world: Path, judge: Judge, capsys: pytest.CaptureFixture) -> None:
    def hang(prompt: str, count: int) -> tuple[int, dict, str]:
        time.sleep(1.0 if count == 0 else 0)
        return said("CORRECT")

    judge.script = hang
    assert run(world, judge, timeout=0.3) == 0
    assert len(judge.asked) == 6 and len(read_rows(world / "judged.parquet", "judged")) == 3
    judge.asked.clear()
    (world / "judged.parquet").unlink()
    assert run(world, judge, timeout=0.3, retries=0, max_tokens=8) == 2
    assert "ReadTimeout" in capsys.readouterr().err and not (world / "judged.parquet").exists()


BODIES = ["no JSON", '{"choices": []}', '{"choices": [{"message": {"content": null}}]}', "[]", ""]


@pytest.mark.parametrize("body", BODIES)
def test_a_malformed_body_is_unparseable(body: str, world: Path, judge: Judge) -> None:
    judge.script = lambda prompt, count: (200, {}, body)
    assert run(world, judge) == 0
    rows = read_rows(world / "judged.parquet", "judged")
    assert [(row["verdict"], row["reply"]) for row in rows] == [("unparseable", body)] * 3


def test_settings_that_cannot_work(world: Path, judge: Judge, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    assert run(world, judge, key_env="NO_SUCH_KEY") == 2
    assert "judge.key_env: the environment variable NO_SUCH_KEY is not set" in capsys.readouterr().err
    monkeypatch.setenv("ODD_KEY", "secret\n")
    assert run(world, judge, key_env="ODD_KEY") == 2
    message = capsys.readouterr().err
    assert "judge.key_env: ODD_KEY holds a line break" in message and "secret" not in message
    nothing = Judge()
    nothing.url = "http://127.0.0.1:9/v1"
    assert run(world, nothing, retries=0) == 2
    assert "ConnectError" in capsys.readouterr().err
    command = ["judge", "--config", "{}", "--problems", "p", "--responses", "r", "--work", "w", "--judged", "j"]
    assert main(command) == 2
    assert "judge is null" in capsys.readouterr().err and judge.asked == []


REPLIES = [
    ("CORRECT", "correct"), ("incorrect.", "wrong"), ("**Correct**", "correct"), ("Verdict: INCORRECT", "wrong"),
    ("It matches.\nFinal verdict: correct!", "correct"), ("The judgement is\n\nIncorrect\n\n", "wrong"),
    ("not correct", "unparseable"), ("CORRECT or INCORRECT", "unparseable"), ("", "unparseable"),
    ("yes", "unparseable"), ("correct\nbut no", "unparseable"), ("1", "unparseable"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "verdict"), REPLIES)
def test_replies(reply: str, verdict: str) -> None:
    assert parse_reply(reply) == verdict


def test_the_prompt_holds_question_gold_and_the_end_of_the_response() -> None:
    asked = judge_prompt(
        problem("p1", "B", "choice", options=["red", "{response}"], unit=None), "x" * TAIL + "END {gold}"
    )
    assert "How many in p1?\n(A) red\n(B) {response}\n" in asked and "Right answer: (B) {response}\n" in asked
    assert "END {gold}\n" in asked and f"(its last {TAIL} characters)" in asked and "x" * TAIL not in asked
    assert "Right answer: 5 cm\n" in judge_prompt(problem("p", "5", unit="cm"), "short") and "{" not in judge_prompt(
        problem("p", unit=None), "short"
    )


def test_a_column_beside_the_rules_and_a_list_of_disagreements(world: Path, judge: Judge) -> None:
    judge.script = lambda prompt, count: said("INCORRECT" if "p0?" in prompt else "CORRECT" if "p2?" in prompt else "?")
    assert run(world, judge) == 0
    files = [f"--{name}={world / name}.parquet" for name in ("problems", "responses", "grades")]
    assert main(["score", "--config", '{"grading": {"workers": 1}}', *files]) == 0
    cell = "tiny/seed0/base/b"
    config = '{"arms": ["base"], "tables": {"bootstrap": 100}, "benchmarks": {"b": {"hub": "a/b"}}}'
    grades, judged = f"{cell}={world / 'grades.parquet'}", f"{cell}={world / 'judged.parquet'}"
    outputs = [word for name in ("csv", "markdown", "long") for word in (f"--{name}", str(world / name))]
    assert main(["tables", "--config", config, "--grades", grades, "--judged", judged, *outputs]) == 0
    (row,) = csv.DictReader((world / "csv").open())
    assert float(row["b"]) == float(row["b_judge"]) == pytest.approx(100 / 3, abs=1e-3) and list(row)[-1] == "b_judge"
    report = ["judge-report", "--problems", f"b={world / 'problems.parquet'}", "--output", str(world / "differ.csv")]
    assert main([*report, "--grades", grades, "--judged", judged]) == 0
    found = [
        (row["id"], row["rules"], row["judge"], row["gold"]) for row in csv.DictReader((world / "differ.csv").open())
    ]
    assert found == [
        ("p0#0", "correct", "wrong", "7"), ("p1#0", "wrong", "unparseable", "B"), ("p2#0", "no_answer", "correct", "5"),
    ]  # fmt: skip
    assert main(["tables", "--config", config, "--grades", grades, *outputs]) == 0
    assert "b_judge" not in next(csv.reader((world / "csv").open()))


@pytest.mark.slow
def test_a_judge_that_runs_here(world: Path, tiny_model: Path) -> None:
    """Random weights say nothing to the point: every reply is kept and unparseable."""
    lengths = {"max_prompt": 1400, "max_model": 1600}
    engine = {"name": "transformers", "batch_size": 2}
    config = {"judge": {"model": str(tiny_model), "max_tokens": 4}, "engine": engine, "lengths": lengths}
    command = ["judge", "--config", json.dumps(config), "--work", str(world / "work")]
    command += [
        word for name in ("problems", "responses", "judged") for word in (f"--{name}", str(world / f"{name}.parquet"))
    ]
    assert main(command) == 0
    rows = read_rows(world / "judged.parquet", "judged")
    assert [row["verdict"] for row in rows] == ["unparseable"] * 3 and {row["judge"] for row in rows} == {
        str(tiny_model)
    }
