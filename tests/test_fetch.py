"""Fetching ahead and running without network, against a small HTTP server that speaks the Hub's protocol."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coldstart.artifacts import read_provenance, read_rows
from coldstart.cli import main
from coldstart.fetch import choose, items

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def table(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


GSM = [{"question": f"{n} + {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"} for n in range(1, 4)]
README = b"---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: test, path: main/test-*}\n---\n"
REPOS = {
    "datasets/openai/gsm8k": {
        "README.md": README,
        "main/test-00000-of-00002.parquet": table(GSM[:2]),
        "main/test-00001-of-00002.parquet": table(GSM[2:]),
        "main/train-00000-of-00001.parquet": b"must not be fetched",
        "socratic/test-00000-of-00001.parquet": b"must not be fetched",
    },
    "models/me/tiny": {
        "config.json": b"{}",
        "model.safetensors": b"weights",
        "tokenizer.json": b"{}",
        "pytorch_model.bin": b"must not be fetched",
    },
}


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub that huggingface_hub asks for: repository info, file trees and files."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.asked.append(f"{self.command} {path}")
        for name, files in REPOS.items():
            if path.startswith(f"api/{name}/tree/"):
                listing = [{"type": "file", "path": p, "size": len(d), "oid": _oid(d)} for p, d in files.items()]
                return self.send(json.dumps(listing).encode(), body)
            if path.startswith(f"api/{name}"):
                info = {"id": name.partition("/")[2], "sha": COMMIT, "siblings": [{"rfilename": p} for p in files]}
                return self.send(json.dumps(info).encode(), body)
            prefix = f"{name.removeprefix('models/')}/resolve/"
            if path.startswith(prefix):
                file = path.removeprefix(prefix).partition("/")[2]
                if file in files:
                    return self.send(files[file], body)
        self.send(b'{"error": "Repository not found"}', body, 404)

    def send(self, data: bytes, body: bool, code: int = 200) -> None:
        self.send_response(code)
        headers = {"Content-Length": str(len(data)), "Content-Type": "application/json", "X-Repo-Commit": COMMIT}
        headers["ETag"] = f'"{_oid(data)}"'
        if code == 404:
            headers["X-Error-Code"] = "RepoNotFound"
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """(address, requests so far) of a running server."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Logged", (Hub,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def coldstart(*arguments: object, home: Path, endpoint: str, offline: bool = False) -> subprocess.CompletedProcess:
    """Run the command in a process of its own: huggingface_hub reads its settings when it is imported."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE"))}
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": str(int(offline))}
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "coldstart", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment | settings | quiet, timeout=120, check=False
    )


def importing(folder: Path, repo: Path) -> list:
    config = {"benchmarks": {"gsm8k": {"format": "gsm8k"}}, "lengths": {"max_prompt": 400, "max_model": 600}}
    files = ["--problems", folder / "problems.parquet", "--dropped", folder / "dropped.parquet"]
    processor = ["--processor", repo / "testbed" / "student"]
    return ["data", "--config", json.dumps(config), "--source", "benchmarks.gsm8k", *processor, *files]


def test_fetched_ahead_a_run_needs_no_network(tmp_path: Path, repo: Path, hub: tuple[str, list[str]]) -> None:
    endpoint, asked = hub
    home = tmp_path / "cache"
    before = coldstart(*importing(tmp_path, repo), home=home, endpoint=endpoint, offline=True)
    assert before.returncode == 2 and before.stderr.count("error:") == 1 and len(before.stderr.splitlines()) == 1
    assert "openai/gsm8k" in before.stderr and "coldstart fetch gsm8k" in before.stderr
    assert asked == [], "offline means offline"

    config = json.dumps({"students": {"tiny": "me/tiny"}, "benchmarks": {"gsm8k": {"format": "gsm8k"}}})
    done = coldstart("fetch", "--config", config, home=home, endpoint=endpoint)
    assert done.returncode == 0, done.stderr
    assert "gsm8k: datasets/openai/gsm8k: fetched 3 files" in done.stdout
    assert "tiny: me/tiny: fetched 3 files" in done.stdout
    fetched = {request.split("/resolve/")[1].partition("/")[2] for request in asked if "/resolve/" in request}
    assert fetched == {
        "README.md", "main/test-00000-of-00002.parquet", "main/test-00001-of-00002.parquet",
        "config.json", "model.safetensors", "tokenizer.json",
    }  # fmt: skip

    again = coldstart("fetch", "--config", config, home=home, endpoint=endpoint)
    assert again.returncode == 0 and again.stdout.count("already there") == 2

    asked.clear()
    there = coldstart("fetch", "--config", config, home=home, endpoint=endpoint, offline=True)
    assert there.returncode == 0 and there.stdout.count("already there") == 2, there.stderr
    after = coldstart(*importing(tmp_path, repo), home=home, endpoint=endpoint, offline=True)
    assert after.returncode == 0, after.stderr
    assert asked == [] and [row["answer"] for row in read_rows(tmp_path / "problems.parquet", "problems")] == [
        "2",
        "4",
        "6",
    ]
    inputs = read_provenance(tmp_path / "problems.parquet")["inputs"]
    assert {COMMIT in entry["path"] for name, entry in inputs.items() if name.startswith("gsm8k/")} == {True}

    shard = next(home.rglob("test-00001-of-00002.parquet"))
    shard.unlink()
    part = coldstart(*importing(tmp_path, repo), home=home, endpoint=endpoint, offline=True)
    assert part.returncode == 2 and "has 1 of 2 files" in part.stderr and "coldstart fetch gsm8k" in part.stderr


def test_what_cannot_be_had_is_listed_and_the_rest_is_fetched(tmp_path: Path, hub: tuple[str, list[str]]) -> None:
    endpoint, _ = hub
    done = coldstart("fetch", "math500", "gsm8k", home=tmp_path / "cache", endpoint=endpoint)
    assert done.returncode == 2 and "gsm8k: datasets/openai/gsm8k: fetched" in done.stdout
    assert "math500: MISSING: benchmarks.math500: the dataset HuggingFaceH4/MATH-500" in done.stderr
    assert "error: 1 of 2 could not be had: math500" in done.stderr and "Traceback" not in done.stderr


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path, repo: Path) -> None:
    done = coldstart(*importing(tmp_path, repo), home=tmp_path / "cache", endpoint="http://127.0.0.1:9")
    assert done.returncode == 2 and "coldstart fetch gsm8k" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_names_that_can_be_fetched(capsys: pytest.CaptureFixture) -> None:
    from coldstart.config import resolve_config

    given = {
        "students": {"local": "testbed/student", "q": "Qwen/Qwen2.5-VL-7B-Instruct"},
        "teacher": "Qwen/Qwen2.5-VL-32B-Instruct",
        "data": {"train": {"mine": {"path": "mine.jsonl"}, "q": {"hub": "me/set"}}},
        "benchmarks": {"mv": {"format": "mathvista"}, "bed": {"testbed": {"families": ["choice"], "n": 1}}},
    }
    found = items(resolve_config(given))
    assert {name: hub for name, (hub, _) in found.items()} == {
        "q": "Qwen/Qwen2.5-VL-7B-Instruct",
        "teacher": "Qwen/Qwen2.5-VL-32B-Instruct",
        "data.train.q": "datasets/me/set",
        "mv": "datasets/AI4Math/MathVista",
    }
    assert list(choose(found, ["mv"])) == ["mv"] and choose(found, []) == found
    assert len(items(None)) == 11
    assert main(["fetch", "mathvist"]) == 2
    assert "Did you mean 'mathvista'?" in capsys.readouterr().err
    assert main(["fetch", "--config", "{}"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
