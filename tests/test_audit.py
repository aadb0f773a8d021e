"""The audit: bad golds and overlaps stop a run, with the rows named; a clean set gives a summary."""

import io
import json

import pytest
from PIL import Image

from coldstart.artifacts import write_rows
from coldstart.audit import content_key, pixel_hash
from coldstart.cli import main
from coldstart.errors import UserError
from test_filter import made_by, problem


def image(colour: str, kind: str = "PNG") -> dict:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, kind)
    return {"bytes": buffer.getvalue(), "path": None}


def row(name: str, question: str, colour: str = "red", kind: str = "PNG", **more) -> dict:
    return problem(name, question=question, images=[image(colour, kind)], **more)


@pytest.fixture
def world(tmp_path):
    train = [row(f"t{n}", f"What is {n} + 1?", answer=str(n + 1)) for n in range(60)]
    train.append(row("t60", "Which one?", answer="B", answer_type="choice", options=["x", "y"]))
    train.append(row("t61", "What share?", answer=r"\frac{1}{2}", answer_type="expression"))
    test = [row(f"b{n}", f"What is {n} - 1?", answer=str(n - 1)) for n in range(20)]
    write_rows(tmp_path / "train.parquet", "problems", train, made_by())
    write_rows(tmp_path / "test.parquet", "problems", test, made_by())
    return tmp_path, train, test


def run(folder, config="{}") -> int:
    options = ["--train", str(folder / "train.parquet"), "--benchmark", f"minus={folder / 'test.parquet'}"]
    return main(["audit", "--config", config, *options, "--output", str(folder / "summary.json")])


def test_a_clean_set_is_summarised(world, capsys):
    folder, train, test = world
    assert run(folder) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["train"]["rows"] == len(train) == 62
    assert summary["train"]["answer_types"] == {"integer": 60, "choice": 1, "expression": 1}
    assert summary["train"]["bad_golds"] == summary["train"]["duplicates"] == 0
    assert summary["benchmarks"]["minus"]["rows"] == len(test) == 20
    assert summary["benchmarks"]["minus"]["overlap_with_train"] == 0
    assert summary["provenance"]["stage"] == "audit" and set(summary["provenance"]["inputs"]) == {"train", "minus"}
    assert "train: 62 rows, 0 bad golds, 0 duplicates" in capsys.readouterr().out


def test_duplicates_are_counted(world):
    folder, train, _ = world
    train.append(row("t99", " what IS 5 +  1?", answer="6"))
    write_rows(folder / "train.parquet", "problems", train, made_by())
    assert run(folder) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["train"]["duplicates"] == 1 and summary["train"]["first_duplicates"] == ["t99"]


def _refused(folder, capsys, **kwargs) -> str:
    assert run(folder, **kwargs) == 2
    assert not (folder / "summary.json").exists()
    return capsys.readouterr().err


def test_bad_golds_stop_the_run_and_are_named(world, capsys):
    folder, train, _ = world
    train[7]["answer"], train[9]["answer"] = "a few", "2.5"
    write_rows(folder / "train.parquet", "problems", train, made_by())
    message = _refused(folder, capsys)
    for part in (
        "train.parquet",
        "2 of 62 golds",
        "row 7",
        "id 't7'",
        "'a few'",
        "not a number",
        "max_bad_share = 0.02",
    ):
        assert part in message
    assert run(folder, '{"grading": {"max_bad_share": 0.1}}') == 0
    bad = json.loads((folder / "summary.json").read_text())["train"]
    assert bad["bad_golds"] == 2 and [entry["id"] for entry in bad["first_bad_golds"]] == ["t7", "t9"]


def test_a_bad_gold_of_a_benchmark_stops_the_run(world, capsys):
    folder, _, test = world
    test[3] = row("b3", "Which?", answer="E", answer_type="choice", options=["x", "y"])
    write_rows(folder / "test.parquet", "problems", test, made_by())
    message = _refused(folder, capsys)
    assert "test.parquet" in message and "id 'b3'" in message and "only 2 options" in message


@pytest.mark.parametrize(
    ("overlap", "shown"),
    [
        (row("b99", "What is 5 + 1?", answer="6"), "b99"),
        (row("b99", "what is  5 + 1?", kind="BMP", answer="6"), "b99"),
        (row("t5", "Something else?", answer="6"), "t5"),
    ],
    ids=["the same row", "other spacing and image format", "the same id"],
)
def test_an_overlap_is_refused(world, capsys, overlap, shown):
    folder, _, test = world
    write_rows(folder / "test.parquet", "problems", [*test, overlap], made_by())
    message = _refused(folder, capsys)
    assert "1 rows of benchmark 'minus' are also in the training set" in message and f"first ids: {shown}" in message


@pytest.mark.parametrize(
    "other",
    [
        row("b99", "What is 5 + 1?", colour="blue", answer="6"),
        row("b99", "What is 5 - 100?", answer="-95"),
        row("b99", "Which one?", answer="B", answer_type="choice", options=["x", "z"]),
    ],
    ids=["another image", "another sign", "other options"],
)
def test_what_differs_is_no_overlap(world, other):
    folder, _, test = world
    write_rows(folder / "test.parquet", "problems", [*test, other], made_by())
    assert run(folder) == 0


def test_an_empty_set_is_refused(world, capsys):
    folder, _, _ = world
    write_rows(folder / "test.parquet", "problems", [], made_by())
    assert "test.parquet: no problems" in _refused(folder, capsys)


def test_a_repeated_id_is_refused(world, capsys):
    folder, train, _ = world
    write_rows(folder / "train.parquet", "problems", [*train, train[4]], made_by())
    assert "rows 4 and 62: the same id 't4'" in _refused(folder, capsys)


def test_a_broken_image_is_refused(world, capsys):
    folder, train, _ = world
    train[2]["images"] = [{"bytes": b"not an image", "path": None}]
    write_rows(folder / "train.parquet", "problems", train, made_by())
    message = _refused(folder, capsys)
    assert "row 't2', image 0" in message and "not a readable image" in message


def test_a_mistyped_benchmark_is_refused(world, capsys):
    folder, _, _ = world
    command = ["audit", "--config", "{}", "--train", str(folder / "train.parquet")]
    assert main([*command, "--benchmark", "nowhere", "--output", str(folder / "s.json")]) == 2
    assert "expected NAME=FILE" in capsys.readouterr().err


def test_image_order_and_count_are_part_of_the_content():
    one, two = image("red"), image("blue")
    keys = {content_key(problem("x", images=images), "f") for images in ([one, two], [two, one], [one], [one, one])}
    assert len(keys) == 4
    assert pixel_hash(one["bytes"], "w") == pixel_hash(image("red", "BMP")["bytes"], "w")
    with pytest.raises(UserError, match="w: not a readable image"):
        pixel_hash(None, "w")


def test_no_stage_of_this_file_imports_torch():
    import subprocess
    import sys

    code = (
        "import sys, coldstart.audit, coldstart.filter, coldstart.score, coldstart.tables;"
        "print([name for name in ('torch', 'sympy', 'math_verify', 'transformers', 'vllm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
