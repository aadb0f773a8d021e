"""Importers of training sets: golds as data sets write them, conversations, sheets, images in every form."""

import base64
import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from coldstart.artifacts import read_rows
from coldstart.config import resolve_config
from coldstart.errors import UserError
from coldstart.images import load_image
from coldstart.sources import read_source
from coldstart.sources.conversation import question_and_answer
from coldstart.sources.golds import choice_gold, clean_gold, index_gold, infer_type
from coldstart.sources.rows import Drop, RowError
from test_data import png, processor, run_import  # noqa: F401


def read(source: dict) -> list[dict | Drop]:
    """The rows of a source, with the config's defaults filled in."""
    config = resolve_config({"data": {"train": {"mine": source}}})
    return [row for _, row in read_source("mine", config["data"]["train"]["mine"], "data.train.mine")[1]]


GOLDS = [
    ("145", "145"),
    (" 145 ", "145"),
    ("<answer> 145° </answer>", "145°"),  # GEOQA_R1V_Train_8K
    ("<think>a <answer>3</answer> b</think> <ANSWER>\n4\n</ANSWER>", "4"),
    (r"Since AB = 3, so \boxed{3}. Then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),  # Multimodal-Cold-Start
    (r"the set is \boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{145^\circ}", r"145^\circ"),
    (r"\boxed{\text{Yes}}", "Yes"),
    (r"$\boxed{12}$", "12"),
    (r"never closed \boxed{3", r"never closed \boxed{3"),
    ("16 - 3 - 4 = 9\n9 * 2 = <<9*2=18>>18\n#### 18", "18"),  # GSM8K
    ("$45$", "45"),
    (r"$$x^2$$", "x^2"),
    (r"\( 3 \)", "3"),
    (r"\text{isosceles}", "isosceles"),
    ("$5 and $6", "$5 and $6"),
    (r"2 \sqrt { 221 }", r"2 \sqrt { 221 }"),  # Geometry3K
    ("50%", "50%"),
]


@pytest.mark.parametrize(("value", "gold"), GOLDS)
def test_gold_of_an_answer_column(value: str, gold: str) -> None:
    assert clean_gold(value) == gold
    assert clean_gold(gold) == gold  # a clean gold stays as it is


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("<answer> </answer>", "empty_gold"),
        (r"\boxed{}", "empty_gold"),
        ("$ $", "empty_gold"),
        ("word " * 80, "no_gold"),
    ],
)
def test_what_states_no_gold(value: str, why: str) -> None:
    with pytest.raises(RowError, match=why):
        clean_gold(value)


OPTIONS = ["30", "45", "A cat"]


@pytest.mark.parametrize(
    ("gold", "letter"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("45", "B"),
        ("B. 45", "B"),
        ("(B) 45.", "B"),
        ("b) 45", "B"),
        ("C: a  cat", "C"),
        ("A cat", "C"),
    ],
)
def test_choice_gold(gold: str, letter: str) -> None:
    assert choice_gold(gold, OPTIONS) == letter


@pytest.mark.parametrize("gold", ["D", "B. 30", "E. 45", "60", "", "B 45"])
def test_choice_gold_that_names_no_option_or_two(gold: str) -> None:
    with pytest.raises(RowError, match="bad_gold"):
        choice_gold(gold, OPTIONS)


def test_index_gold() -> None:
    assert [index_gold(value, OPTIONS, "answer") for value in (0, "2")] == ["A", "C"]
    for value, why in (
        (3, "bad_gold"),
        (-1, "bad_gold"),
        ("B", "wrong_type"),
        (None, "wrong_type"),
        (1.5, "wrong_type"),
    ):
        with pytest.raises(RowError, match=why):
            index_gold(value, OPTIONS, "answer")


@pytest.mark.parametrize(
    ("gold", "options", "question", "kind"),
    [
        ("B", ["1", "2"], "Which?", "choice"),
        ("2", ["1", "2"], "Which?", "choice"),
        ("B", [], "Which? (A) red (B) blue", "choice"),
        ("B", [], "Which?\nA. red\nB. blue", "choice"),
        ("B", [], "Which point lies on AC?", "expression"),
        ("1,680", [], "How many?", "integer"),
        ("-2.5", [], "How many?", "decimal"),
        ("yes", [], "Is it?", "text"),
        ("isosceles triangle", [], "Which?", "text"),
        ("x", [], "Which variable?", "expression"),
        (r"\frac{1}{2}", [], "How much?", "expression"),
        ("5 cm", [], "How long?", "expression"),
        ("x = 3", [], "Solve", "expression"),
    ],
)
def test_inferred_type(gold: str, options: list[str], question: str, kind: str) -> None:
    assert infer_type(gold, options, question) == kind


SHARE = [{"from": "human", "value": "<image>How many?"}, {"from": "gpt", "value": r"Three. \boxed{3}"}]
ROLES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]},
    {"role": "assistant", "content": "<answer>3</answer>"},
]


def test_conversations() -> None:
    assert question_and_answer(SHARE, "c") == ("<image>How many?", r"Three. \boxed{3}")
    assert question_and_answer(ROLES, "c") == ("<image>How many?", "<answer>3</answer>")
    assert question_and_answer(SHARE[:1], "c") == ("<image>How many?", None)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("How many?", "wrong_type"),
        ([{"from": "tool", "value": "x"}], "wrong_type"),
        ([{"role": "user", "content": None}], "wrong_type"),
        (SHARE + SHARE, "several_turns"),
        (SHARE[1:], "several_turns"),
        ([{"role": "user", "content": " "}], "empty_value"),
    ],
)
def test_conversations_that_are_none(value: object, why: str) -> None:
    with pytest.raises(RowError, match=why):
        question_and_answer(value, "c")


# The training sets of docs/data.md: config snippet, one invented row in the set's own column types, what it becomes.
GEOMETRY3K = {
    "images": [{"bytes": png(), "path": None}],
    "problem": "<image>Find x.",
    "answer": r"2 \sqrt { 221 }",
    "id": 7,
    "choices": ["1.0", "29.7"],
    "ground_truth": "B",
}
SETS = {
    "Multimodal-RL-Data": (
        {"columns": {"question": "problem", "images": "images", "answer": "answer"}},
        {"images": [{"bytes": png(), "path": None}], "problem": "<image>Find x.", "answer": "12"},
        ("<image>Find x.", 1, [], "12", "integer"),
    ),
    "Multimodal-Cold-Start": (
        {"columns": {"question": "problem", "images": "images", "answer": "answer"}},
        {
            "images": [{"bytes": png(), "path": None}],
            "problem": "<image>Which kind?\nChoices:\nacute\nobtuse",
            "answer": "It is wide.\n" * 60 + r"\boxed{obtuse}",
        },
        ("<image>Which kind?\nChoices:\nacute\nobtuse", 1, [], "obtuse", "text"),
    ),
    "Geometry3K": (
        {"columns": {"question": "problem", "images": "images", "answer": "answer"}},
        GEOMETRY3K,
        ("<image>Find x.", 1, [], r"2 \sqrt { 221 }", "expression"),
    ),
    "Geometry3K, multiple choice": (
        {
            "columns": {
                "id": "id",
                "question": "problem",
                "images": "images",
                "options": "choices",
                "answer": "ground_truth",
            }
        },
        GEOMETRY3K,
        ("<image>Find x.", 1, ["1.0", "29.7"], "B", "choice"),
    ),
    "GEOQA_R1V_Train_8K": (
        {"columns": {"question": "problem", "images": "image", "answer": "solution"}},
        {"image": {"bytes": png(), "path": None}, "problem": "What is angle B?", "solution": "<answer> 145° </answer>"},
        ("What is angle B?", 1, [], "145°", "expression"),
    ),
    "M3CoT": (
        {"columns": {"id": "id", "question": "question", "images": "image", "options": "choices", "answer": "answer"}},
        {
            "id": "physics-1",
            "question": "Which magnet?",
            "choices": ["stronger", "weaker"],
            "answer": "A",
            "image": {"bytes": png(), "path": "1.png"},
            "rationale": "...",
        },
        ("Which magnet?", 1, ["stronger", "weaker"], "A", "choice"),
    ),
    "ScienceQA": (
        {"columns": {"question": "question", "images": "image", "options": "choices", "answer_index": "answer"}},
        {"image": None, "question": "Which is a plant?", "choices": ["cat", "oak"], "answer": 1, "hint": ""},
        ("Which is a plant?", 0, ["cat", "oak"], "B", "choice"),
    ),
    "a conversation": (
        {"columns": {"messages": "conversations", "images": "images"}},
        {"conversations": SHARE, "images": [{"bytes": png(), "path": None}]},
        ("<image>How many?", 1, [], "3", "integer"),
    ),
    "a conversation with a gold of its own": (
        {"columns": {"messages": "messages", "images": "images", "answer": "gold"}},
        {"messages": SHARE and [{"role": "user", "content": "<image>How many?"}], "images": [png()], "gold": "3"},
        ("<image>How many?", 1, [], "3", "integer"),
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_a_training_set_as_the_hub_serves_it(name: str, tmp_path: Path) -> None:
    source, row, wanted = SETS[name]
    pq.write_table(pa.Table.from_pylist([row, row]), tmp_path / "train.parquet")
    found = read({"path": str(tmp_path / "train.parquet"), **source})
    assert len(found) == 2
    for each in found:
        assert isinstance(each, dict), each
        shown = (each["question"], len(each["images"]), each["options"], each["answer"], each["answer_type"])
        assert shown == wanted


def test_docs_show_a_snippet_of_every_set_that_loads(repo: Path) -> None:
    import re

    import yaml

    text = (repo / "docs" / "data.md").read_text()
    snippets = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    sources = {}
    for snippet in snippets:
        sources |= resolve_config(yaml.safe_load(snippet))["data"]["train"]
    assert len(sources) >= 9 and {"rl-data", "cold-start", "geometry3k", "geoqa", "m3cot", "scienceqa"} <= set(sources)
    columns = [source["columns"] for source, _, _ in SETS.values()]
    plain = [{key: value for key, value in source["columns"].items() if value} for source in sources.values()]
    for wanted in columns[:7]:
        assert any(wanted.items() <= given.items() for given in plain), wanted


def test_csv_and_json_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    inline = base64.b64encode(png()).decode()
    rows = [
        {"question": "One, or two?", "image": "a.png", "options": '["one", "two"]', "answer": "two"},
        {"question": "No image\nat all?", "image": "", "options": "", "answer": "007"},
        {"question": "<image><image>", "image": '["a.png", "a.png"]', "options": "", "answer": "[1, 2)"},
        {"question": "Inline?", "image": inline, "options": "", "answer": "yes"},
    ]
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        with open(tmp_path / f"rows{suffix}", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
            file.write(f"too{delimiter}few\n")
    (tmp_path / "rows.json").write_text(json.dumps([*rows, 5]))
    mapping = {"columns": {"images": "image", "options": "options"}}
    for name in ("rows.csv", "rows.tsv"):
        *found, bad = read({"path": str(tmp_path / name), **mapping})
        assert [row["answer"] for row in found] == ["B", "007", "[1, 2)", "yes"]
        assert [len(row["images"]) for row in found] == [1, 0, 2, 1]
        assert found[0]["options"] == ["one", "two"] and found[1]["question"] == "No image\nat all?"
        assert all(load_image(image, tmp_path).size == (84, 84) for row in found for image in row["images"])
        assert bad.why == "bad_csv" and "2 cells" in bad.detail
    *found, bad = read({"path": str(tmp_path / "rows.json"), "columns": {"images": None}})
    assert [row["answer"] for row in found] == ["two", "007", "[1, 2)", "yes"] and bad.why == "bad_json"


@pytest.mark.parametrize(("text", "message"), [("{}", "a list of objects"), ('{"a": 1}\n{"a": 2}', "jsonl")])
def test_json_that_is_no_list(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read({"path": str(tmp_path / "rows.json")})


def test_images_as_base64_text(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        text = base64.b64encode(png(30, 20, kind=kind)).decode()
        lines = "\n".join(text[start : start + 60] for start in range(0, len(text), 60))
        for value in (text, f"data:image/{kind.lower()};base64,{text}", lines, {"bytes": None, "path": text}):
            assert load_image(value, tmp_path).size == (30, 20), kind
    for value in (text[:-3] + "!!!", f"data:image/png;base64,{text[:-1]}*"):
        with pytest.raises(RowError, match="corrupt_image"):
            load_image(value, tmp_path)
    with pytest.raises(RowError, match=r"^corrupt_image: this is no image") as caught:
        load_image(b"no image at all, however long it is", tmp_path)
    assert "0x" not in str(caught.value), "a memory address would make dropped.parquet differ from run to run"
    (tmp_path / "9j").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "9j" / "iVBORw0KGgo.png")
    assert load_image("9j/iVBORw0KGgo.png", tmp_path).size == (9, 9)
    (tmp_path / "R0lGOD.png").write_bytes(png())
    assert load_image("R0lGOD.png", tmp_path).size == (84, 84)  # a path that only begins like a GIF


def test_placeholders_and_images_of_a_row_must_agree(tmp_path: Path, processor: Path) -> None:  # noqa: F811
    rows = [
        {"question": "<image>and<image>?", "images": [png(), png(color="blue")], "answer": "1"},
        {"question": "Which of the two?", "images": [png(), png(color="blue")], "answer": "2"},
        {"question": "<image>?", "images": [png(), png(color="blue")], "answer": "3"},
        {"question": "<image><image><image>?", "images": [png(), png(color="blue")], "answer": "4"},
        {"question": "<image>?", "images": [], "answer": "5"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    code, problems, dropped = run_import(tmp_path, processor, {"path": str(tmp_path / "rows.parquet")})
    assert code == 0
    assert [row["answer"] for row in read_rows(problems, "problems")] == ["1", "2"]
    lost = read_rows(dropped, "dropped")
    assert [(row["row"], row["why"]) for row in lost] == [(2, "image_count"), (3, "image_count"), (4, "image_count")]
    assert "1 <image> mark(s), the row 2 image(s)" in lost[0]["detail"]
    stored = [Image.open(io.BytesIO(image["bytes"])) for image in read_rows(problems, "problems")[0]["images"]]
    assert [image.getpixel((9, 9)) for image in stored] == [(255, 0, 0), (0, 0, 255)]
