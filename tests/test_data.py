"""The data stage: every source row ends as a problem or as a dropped row with a reason; lengths and pixels are true."""

import base64
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coldstart.artifacts import read_provenance, read_rows
from coldstart.benchmarks.mathvision import to_problem as mathvision_problem
from coldstart.benchmarks.wemath import split_options
from coldstart.cli import main
from coldstart.images import fit, fitted_size, load_image, to_png
from coldstart.lengths import smart_resize
from coldstart.sources.rows import RowError, choice_letter, gold_type

BUDGET = {"min_pixels": 3136, "max_pixels": 12544, "min_side": 8}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The processor files of a model, a token a byte; made without torch or transformers."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    folder = tmp_path_factory.mktemp("processor")
    tokenizer.save(str(folder / "tokenizer.json"))
    image = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps({**image, "min_pixels": 3136, "max_pixels": 12845056}))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    (folder / "config.json").write_text("{}")
    return folder


def png(width: int = 84, height: int = 84, color: str | tuple = "red", mode: str = "RGB", kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height), color).save(buffer, kind)
    return buffer.getvalue()


def write_jsonl(path: Path, rows: list) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def run_import(folder: Path, processor: Path, source: dict, **config) -> tuple[int, Path, Path]:
    """Run the stage on one benchmark called ``b``; returns exit code, problems file, dropped file."""
    whole = {
        "lengths": {"max_prompt": 400, "max_model": 600},
        "data": {"max_drop_share": 0.95},
        "benchmarks": {"b": source},
        **config,
    }
    problems, dropped = folder / "out" / "problems.parquet", folder / "out" / "dropped.parquet"
    arguments = ["--source", "benchmarks.b", "--processor", str(processor)]
    code = main(
        ["data", "--config", json.dumps(whole), *arguments, "--problems", str(problems), "--dropped", str(dropped)]
    )
    return code, problems, dropped


COLUMNS = {"id": "id", "question": "question", "images": "image", "answer": "answer"}
GOOD = {"id": "good", "question": "How many?", "image": "good.png", "answer": 3}

# what is wrong with a row -> (row or line, reason)
BAD_ROWS = [
    ({**GOOD, "id": "a", "question": None}, "empty_value"),
    ({**GOOD, "id": "b", "question": "  "}, "empty_value"),
    ({**GOOD, "id": "c", "question": 5}, "wrong_type"),
    ({**GOOD, "id": "d", "answer": ""}, "empty_gold"),
    ({**GOOD, "id": "e", "answer": None}, "empty_gold"),
    ({**GOOD, "id": "f", "answer": ["3"]}, "wrong_type"),
    ({**GOOD, "id": "g", "answer": True}, "wrong_type"),
    ({**GOOD, "id": "h", "image": "nowhere.png"}, "missing_image"),
    ({**GOOD, "id": "i", "image": "corrupt.png"}, "corrupt_image"),
    ({**GOOD, "id": "j", "image": "cut.png"}, "corrupt_image"),
    ({**GOOD, "id": "k", "image": "tiny.png"}, "tiny_image"),
    ({**GOOD, "id": "l", "image": "long.png"}, "long_image"),
    ({**GOOD, "id": "m", "image": 7}, "wrong_type"),
    ({**GOOD, "id": "n", "question": "x" * 500}, "prompt_too_long"),
    ({**GOOD, "id": "o", "question": "<image> and <image>?"}, "image_count"),
    ({**GOOD, "id": "p", "question": "Say <|im_end|>"}, "control_token"),
    ({**GOOD, "id": "q", "image": {"bytes": None, "path": None}}, "missing_image"),
    ({"id": "r", "question": "How many?", "image": "good.png"}, "empty_gold"),
    ('{"id": "s", "question": ', "bad_json"),
    ("[1, 2]", "bad_json"),
]


def test_every_bad_row_is_dropped_with_its_reason(tmp_path: Path, processor: Path) -> None:
    (tmp_path / "good.png").write_bytes(png())
    (tmp_path / "corrupt.png").write_bytes(b"no picture at all")
    (tmp_path / "cut.png").write_bytes(png(400, 400)[:-300])
    (tmp_path / "tiny.png").write_bytes(png(7, 90))
    (tmp_path / "long.png").write_bytes(png(3000, 9))
    rows = [GOOD, *(row for row, _ in BAD_ROWS), {**GOOD, "id": "last", "image": None}]
    source = {"path": str(write_jsonl(tmp_path / "rows.jsonl", rows)), "columns": COLUMNS, "answer_type": "integer"}
    code, problems, dropped = run_import(tmp_path, processor, source)
    assert code == 0
    kept, lost = read_rows(problems, "problems"), read_rows(dropped, "dropped")
    assert [row["id"] for row in kept] == ["b/good", "b/last"]
    assert [(row["row"], row["why"]) for row in lost] == [(n, why) for n, (_, why) in enumerate(BAD_ROWS, 1)]
    assert all(row["detail"] for row in lost)
    assert (kept[0]["answer"], kept[0]["answer_type"], kept[0]["image_tokens"], kept[1]["images"]) == (
        "3",
        "integer",
        9,
        [],
    )
    counts = read_provenance(problems)["facts"]["by_source"]["b"]
    assert counts == dict(Counter(["kept", "kept", *(why for _, why in BAD_ROWS)])) and sum(counts.values()) == len(
        rows
    )


def test_prompt_tokens_count_every_byte_and_every_image_square(tmp_path: Path, processor: Path) -> None:
    (tmp_path / "two.png").write_bytes(png(112, 84))
    row = {**GOOD, "question": "Pick é", "image": ["two.png", "two.png"]}
    path = write_jsonl(tmp_path / "rows.jsonl", [row])
    code, problems, _ = run_import(tmp_path, processor, {"path": str(path), "columns": COLUMNS})
    assert code == 0
    text = "<user\nPick é>\n<assistant\n".replace("é", "ee")  # two bytes; one token stands for a control token
    (problem,) = read_rows(problems, "problems")
    assert problem["image_tokens"] == 2 * (112 // 28) * (84 // 28)
    assert problem["prompt_tokens"] == len(text) + 2 * 2 + problem["image_tokens"]


# what is given -> (source, config, what the message must name)
def broken_inputs(folder: Path) -> list[tuple[str, dict, dict, list[str]]]:
    good = str(write_jsonl(folder / "good.jsonl", [{"question": "1+1?", "images": None, "answer": "2"}]))
    twice = [{"id": "x", "question": q, "answer": "2"} for q in ("1+1?", "2+0?")]
    (folder / "corrupt.parquet").write_bytes(b"PAR1 nothing")
    (folder / "void").mkdir()
    text_only = {"images": None}
    return [
        (
            "missing column",
            {"path": good, "columns": {"answer": "gold"}},
            {},
            ["good.jsonl", "'gold'", "columns.answer"],
        ),
        ("missing column of a format", {"path": good, "format": "wemath"}, {}, ["'ID'", "benchmarks.b.format"]),
        ("missing file", {"path": str(folder / "no.parquet")}, {}, ["no.parquet", "benchmarks.b.path"]),
        ("corrupt file", {"path": str(folder / "corrupt.parquet")}, {}, ["corrupt.parquet", "not a readable"]),
        ("folder without Parquet", {"path": str(folder / "void")}, {}, ["void", "no *.parquet"]),
        ("unknown kind", {"path": str(Path(__file__))}, {}, ["test_data.py", ".jsonl"]),
        ("no rows", {"path": str(write_jsonl(folder / "no.jsonl", []))}, {}, ["no.jsonl", "no rows"]),
        (
            "duplicate ids",
            {"path": str(write_jsonl(folder / "twice.jsonl", twice)), "columns": {**text_only, "id": "id"}},
            {},
            ["'b/x'", "row 0", "row 1"],
        ),
        (
            "too many dropped",
            {
                "path": str(write_jsonl(folder / "bad.jsonl", [*twice, {"question": "?", "answer": None}])),
                "columns": text_only,
            },
            {"data": {"max_drop_share": 0.1}},
            ["33% of 3 rows", "1 empty_gold", "data.max_drop_share", "row 2"],
        ),
        ("budget of another model", {"path": good}, {"images": {"min_pixels": 800}}, ["images.min_pixels=800", "3136"]),
        ("budget upside down", {"path": good}, {"images": {"min_pixels": 20000}}, ["images.min_pixels is more"]),
    ]


@pytest.mark.parametrize("number", range(11))
def test_bad_input_is_one_clear_error_and_leaves_nothing(
    number: int, tmp_path: Path, processor: Path, capsys: pytest.CaptureFixture
) -> None:
    cases = broken_inputs(tmp_path)
    assert len(cases) == 11
    _, source, config, named = cases[number]
    code, problems, _ = run_import(tmp_path, processor, source, **config)
    message = capsys.readouterr().err
    assert code == 2 and message.count("error:") == 1
    assert all(part in message for part in named), message
    assert not problems.parent.exists() or not list(problems.parent.iterdir())


def test_unknown_source_and_missing_processor(tmp_path: Path, processor: Path, capsys: pytest.CaptureFixture) -> None:
    out = ["--problems", str(tmp_path / "p"), "--dropped", str(tmp_path / "d"), "--config", "{}"]
    assert main(["data", "--source", "benchmarks.nope", "--processor", str(processor), *out]) == 2
    assert main(["data", "--source", "train", "--processor", str(tmp_path / "gone"), *out]) == 2
    message = capsys.readouterr().err
    assert "benchmarks.nope" in message and "benchmarks.choice" in message and "no such model folder" in message
    assert list(tmp_path.iterdir()) == []


def image_forms(folder: Path) -> list:
    """The same picture in each form in which Parquet files hold images."""
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "sub" / "a.png").write_bytes(png())
    struct = {"bytes": png(), "path": None}
    return [png(), "sub/a.png", struct, {"bytes": None, "path": "sub/a.png"}, [struct], [png()], ["sub/a.png"]]


@pytest.mark.parametrize("number", range(7))
def test_image_forms_in_parquet(number: int, tmp_path: Path, processor: Path) -> None:
    forms = image_forms(tmp_path)
    assert len(forms) == 7
    table = pa.Table.from_pylist([{"question": "Which?", "images": forms[number], "answer": "1"}])
    pq.write_table(table, tmp_path / "rows.parquet")
    code, problems, _ = run_import(tmp_path, processor, {"path": str(tmp_path / "rows.parquet")})
    (problem,) = read_rows(problems, "problems")
    assert code == 0 and len(problem["images"]) == 1
    picture = Image.open(io.BytesIO(problem["images"][0]["bytes"]))
    assert (picture.format, picture.size, picture.getpixel((5, 5))) == ("PNG", (84, 84), (255, 0, 0))


def test_folder_of_parquet_with_limit_and_content_ids(tmp_path: Path, processor: Path) -> None:
    rows = [{"question": f"{n}+1?", "answer": str(n + 1)} for n in (0, 1, 1, 2, 3)]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "data" / "test-00000-of-00002.parquet")
    pq.write_table(pa.Table.from_pylist(rows[2:]), tmp_path / "data" / "test-00001-of-00002.parquet")
    source = {"path": str(tmp_path / "data"), "columns": {"images": None}, "answer_type": "integer", "limit": 4}
    code, problems, dropped = run_import(tmp_path, processor, source)
    kept = read_rows(problems, "problems")
    assert code == 0 and [row["question"] for row in kept] == ["0+1?", "1+1?", "2+1?"]
    assert [(row["row"], row["why"]) for row in read_rows(dropped, "dropped")] == [(2, "repeated_row")]
    pq.write_table(pa.Table.from_pylist(rows[::-1]), tmp_path / "data" / "test-00000-of-00002.parquet")
    (tmp_path / "data" / "test-00001-of-00002.parquet").unlink()
    (tmp_path / "second").mkdir()
    again = run_import(tmp_path / "second", processor, {**source, "limit": None})[1]
    ids = {row["question"]: row["id"] for row in read_rows(again, "problems")}
    assert all(ids[row["question"]] == row["id"] for row in kept)


def test_output_is_input(tmp_path: Path, processor: Path) -> None:
    """Importing an imported file changes nothing but the id's prefix: the images are not resized a second time."""
    recipe = {"testbed": {"families": ["perception", "multistep", "choice", "ood"], "n": 40, "split": "test"}}
    code, first, _ = run_import(tmp_path, processor, recipe)
    assert code == 0
    rows = read_rows(first, "problems")
    assert len(rows) == 40 and len({row["id"] for row in rows}) == 40
    assert len({json.loads(row["metadata"])["family"] for row in rows}) == 4
    (tmp_path / "again").mkdir()
    code, second, _ = run_import(tmp_path / "again", processor, {"path": str(first), "format": "problems"})
    again = read_rows(second, "problems")
    assert code == 0 and [{**row, "id": f"b/{row['id']}"} for row in rows] == again


def test_testbed_pixels_are_kept_exactly(tmp_path: Path, processor: Path) -> None:
    from coldstart.testbed.world import problems as make

    recipe = {"families": ["perception"], "n": 5, "split": "test", "seed": 3}
    _, path, _ = run_import(tmp_path, processor, {"testbed": recipe})
    for made, row in zip(make(["perception"], 5, "test", 3), read_rows(path, "problems"), strict=True):
        stored = Image.open(io.BytesIO(row["images"][0]["bytes"]))
        assert stored.tobytes() == made["image"].convert("RGB").tobytes()


def test_train_joins_its_sources(tmp_path: Path, processor: Path) -> None:
    rows = [{"id": "1", "question": "1+1?", "answer": "2"}]
    sources = {
        name: {"path": str(write_jsonl(tmp_path / f"{name}.jsonl", rows)), "columns": {"id": "id", "images": None}}
        for name in ("one", "two")
    }
    out = ["--problems", str(tmp_path / "p.parquet"), "--dropped", str(tmp_path / "d.parquet")]
    config = json.dumps({"data": {"train": sources}})
    assert main(["data", "--config", config, "--source", "train", "--processor", str(processor), *out]) == 0
    assert [row["id"] for row in read_rows(tmp_path / "p.parquet", "problems")] == ["one/1", "two/1"]
    facts = read_provenance(tmp_path / "p.parquet")
    assert set(facts["inputs"]) == {"one", "two", "tokenizer"} and facts["facts"]["rows"] == 2


@given(
    height=st.integers(8, 4000), width=st.integers(8, 4000), budget=st.sampled_from([(3136, 12544), (262144, 1204224)])
)
@settings(max_examples=300, deadline=None)
def test_fitted_size_is_a_fixed_point_within_the_budget(height: int, width: int, budget: tuple[int, int]) -> None:
    limits = {"min_pixels": budget[0], "max_pixels": budget[1]}
    try:
        rows, columns = fitted_size(height, width, limits, 28)
    except RowError as error:
        assert error.drop.why == "long_image" and max(height, width) / min(height, width) > 10
        return
    assert rows % 28 == columns % 28 == 0 and budget[0] <= rows * columns <= budget[1]
    assert smart_resize(rows, columns, 28, *budget) == (rows, columns)
    assert smart_resize(rows, columns, 28, 3136, 12845056) == (rows, columns)  # Qwen2.5-VL's own range


def test_transparency_orientation_and_deep_pixels() -> None:
    clear = Image.new("RGBA", (84, 84), (0, 0, 0, 0))
    assert load_image(clear, None).getpixel((0, 0)) == (255, 255, 255)
    deep = Image.new("I;16", (84, 84), 32768)
    assert load_image(deep, None).getpixel((0, 0)) == (128, 128, 128)
    turned = Image.new("RGB", (56, 84))
    exif = turned.getexif()
    exif[274] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif)
    assert load_image(buffer.getvalue(), None).size == (84, 56)
    palette = Image.new("P", (84, 84), 0)
    palette.info["transparency"] = 0
    assert load_image(palette, None).getpixel((0, 0)) == (255, 255, 255)


def test_an_image_that_fits_keeps_its_pixels() -> None:
    noisy = Image.frombytes("RGB", (112, 84), bytes((7 * n * n) % 256 for n in range(112 * 84 * 3)))
    assert Image.open(io.BytesIO(to_png(fit(noisy, BUDGET, 28)))).tobytes() == noisy.tobytes()


OPTION_TEXTS = [
    ("A. 300, 400;B. 400, 300; C. No correct answer", ["300, 400", "400, 300", "No correct answer"]),
    ("A. F;    B. D;    C. B;    D. I; E. No", ["F", "D", "B", "I", "No"]),
    ("A. A; B. B", ["A", "B"]),
    ("A. DE=AD;B. DE>AD", ["DE=AD", "DE>AD"]),
    ("A. 30, 50, 40.; B. x", ["30, 50, 40.", "x"]),
    ("A. Yes  ; B. No  ", ["Yes", "No"]),
    ("A. one\nB. two", ["one", "two"]),
    ("A. only", ["only"]),
]


@pytest.mark.parametrize("text,options", OPTION_TEXTS)
def test_wemath_options(text: str, options: list[str]) -> None:
    assert split_options(text) == options


@pytest.mark.parametrize("text", ["no letters", "A. 1; C. 2", "B. 1; A. 2", "A. ; B. 2", "x; A. 1; B. 2", ""])
def test_wemath_options_that_cannot_be_told_apart(text: str) -> None:
    with pytest.raises(RowError, match="bad_options"):
        split_options(text)


GOLDS = [
    ("61", "integer"), ("-2", "integer"), ("1,680", "integer"), ("$45$", "integer"), ("\u22125", "integer"),
    ("4.8", "decimal"), ("-.5", "decimal"), ("(3,-4)", "expression"), (r"\frac{1}{2}", "expression"),
    ("3/4", "expression"), ("1,2", "expression"), ("5 cm", "expression"),
]  # fmt: skip


@pytest.mark.parametrize("gold,kind", GOLDS)
def test_gold_type(gold: str, kind: str) -> None:
    assert gold_type(gold) == kind


@pytest.mark.parametrize(
    "answer,options,letter",
    [("B", ["x", "y"], "B"), ("(b)", ["x", "y"], "B"), ("y", ["x", "y"], "B"), ("C", [], "C"), ("A", ["B", "A"], "A")],
)
def test_choice_letter(answer: str, options: list[str], letter: str) -> None:
    assert choice_letter(answer, options) == letter


@pytest.mark.parametrize("answer,options", [("C", ["x", "y"]), ("z", ["x", "y"]), ("x", ["x", "x"]), ("12", [])])
def test_choice_gold_that_names_no_option(answer: str, options: list[str]) -> None:
    with pytest.raises(RowError, match="bad_gold"):
        choice_letter(answer, options)


def test_mathvision_marks() -> None:
    row = {"id": "7", "options": [], "decoded_image": None, "answer": "4", "level": 2, "subject": "counting"}
    one = mathvision_problem({**row, "question": "How many ducks?\n<image1>"})
    two = mathvision_problem(
        {**row, "question": "<image1> is to <image2>?", "options": ["<image3>", "no"], "answer": "A"}
    )
    assert (one["question"], one["answer_type"]) == ("How many ducks?", "integer")
    assert two["question"] == "(image 1) is to (image 2)?" and two["options"] == ["(image 3)", "no"]


def test_the_stage_imports_no_torch(tmp_path: Path, processor: Path) -> None:
    """A light image without torch, transformers and datasets serves this stage."""
    code = (
        "import sys; from coldstart.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'datasets', 'vllm'} & set(sys.modules); sys.exit(code or len(heavy))"
    )
    source = {"testbed": {"families": ["choice"], "n": 4, "split": "test"}}
    config = json.dumps({"benchmarks": {"b": source}, "lengths": {"max_prompt": 400, "max_model": 600}})
    arguments = ["data", "--config", config, "--source", "benchmarks.b", "--processor", str(processor)]
    out = ["--problems", str(tmp_path / "p.parquet"), "--dropped", str(tmp_path / "d.parquet")]
    done = subprocess.run([sys.executable, "-c", code, *arguments, *out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read_rows(tmp_path / "p.parquet", "problems")) == 4


# benchmark -> (file, rows, kept with 2,000 tokens of room, answer types)
REAL = {
    "mathvision": ("mathvision/testmini.parquet", 304, {"choice": 191, "integer": 110, "decimal": 2, "expression": 1}),
    "wemath": ("wemath/testmini_part.parquet", 170, {"choice": 170}),
}


@pytest.mark.parametrize("name", REAL)
def test_every_real_row_is_accounted_for(name: str, tmp_path: Path, processor: Path, shared_data: Path) -> None:
    file, rows, types = REAL[name]
    source = {"path": str(shared_data / file), "format": name}
    code, problems, dropped = run_import(
        tmp_path, processor, source, lengths={"max_prompt": 3000, "max_model": 4000}, data={"max_drop_share": 0}
    )
    kept = read_rows(problems, "problems")
    assert code == 0 and len(kept) == rows and read_rows(dropped, "dropped") == []
    assert Counter(row["answer_type"] for row in kept) == types
    for row in kept:
        size = Image.open(io.BytesIO(row["images"][0]["bytes"])).size
        assert smart_resize(size[1], size[0], 28, 3136, 12544) == size[::-1]
        assert row["image_tokens"] == (size[0] // 28) * (size[1] // 28) <= 16
        assert "<image" not in row["question"] and not any("<image" in option for option in row["options"])
        assert row["answer_type"] != "choice" or not row["options"] or ord(row["answer"]) - 65 < len(row["options"])


@pytest.mark.slow
def test_lengths_are_the_processors_own(tiny_model: Path) -> None:
    """Light arithmetic against the full processor: prompts of the testbed, sizes of many shapes, several images."""
    from transformers import AutoProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize as original

    from coldstart.lengths import load_meter
    from coldstart.prompts import render
    from coldstart.testbed.world import problems

    full, meter = AutoProcessor.from_pretrained(tiny_model), load_meter(str(tiny_model))
    sizes = [(h, w) for h in (8, 27, 56, 84, 99, 130, 801) for w in (20, 28, 70, 112, 333)]
    for height, width in sizes:
        assert smart_resize(height, width, 28, 3136, 12544) == original(height, width, 28, 3136, 12544)
    config = {"system": None, "suffix": r"Box it: \boxed{}.", "option_format": "({letter}) {text}"}
    checked = 0
    for number, made in enumerate(problems(["perception", "multistep", "choice", "ood"], 24, "test", 0)):
        height, width = sizes[number % len(sizes)]
        images = [made["image"], Image.new("RGB", (width, height))][: number % 3]
        row = {**made, "images": images}
        prompt = render(meter, row, config)
        ids = full(text=[prompt], images=images or None, return_tensors="pt")["input_ids"]
        pads = int((ids == full.image_token_id).sum())
        assert meter.prompt_tokens(prompt, [(i.height, i.width) for i in images]) == (ids.shape[1], pads)
        checked += 1
    assert checked == 24


def test_mathvision_gold_without_options_can_be_a_letter() -> None:
    row = {"id": "1", "options": [], "decoded_image": None, "answer": "C", "level": 1, "subject": "x", "question": "?"}
    assert mathvision_problem(row)["answer_type"] == "choice"


def test_data_uri_is_no_path(tmp_path: Path) -> None:
    """Inline base64 text is refused as a missing file, not decoded by a guess."""
    with pytest.raises(RowError, match="missing_image"):
        load_image("data:" + base64.b64encode(png()).decode()[:60], tmp_path)
