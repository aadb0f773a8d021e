"""Every benchmark: its rows in the Hub's own columns and types, through import, grading and its official scores.

The contents are invented; the expected scores are worked out by hand beside them.
"""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from coldstart import benchmarks
from coldstart.artifacts import read_rows, write_rows
from coldstart.cli import main
from coldstart.grouping import Graded
from coldstart.sources import located, read_source
from coldstart.sources.rows import Drop, RowError
from test_filter import made_by, response

STRING, IMAGE = pa.string(), pa.struct([("bytes", pa.binary()), ("path", pa.string())])
STRINGS = pa.list_(STRING)


def picture(width: int = 56) -> dict:
    buffer = io.BytesIO()
    Image.new("RGB", (width, 56), "white").save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def mathvista() -> tuple[dict, list[dict]]:
    metadata = pa.struct(
        [(key, STRING) for key in ("category", "context", "grade", "language", "source", "split", "task")]
        + [("img_height", pa.int64()), ("img_width", pa.int64()), ("skills", STRINGS)]
    )
    types = {
        "pid": STRING, "question": STRING, "image": STRING, "decoded_image": IMAGE, "choices": STRINGS, "unit": STRING,
        "precision": pa.float64(), "answer": STRING, "question_type": STRING, "answer_type": STRING,
        "metadata": metadata, "query": STRING,
    }  # fmt: skip

    def row(pid: str, answer: str, kind: str, task: str, skills: list[str], **more) -> dict:
        details = {"task": task, "skills": skills, "source": "IQTest", "language": "english", "grade": "college"}
        base = {"pid": pid, "question": f"Question {pid}?", "image": f"images/{pid}.jpg", "decoded_image": picture()}
        question_type = "multi_choice" if kind == "text" else "free_form"
        typed = {"answer": answer, "answer_type": kind, "question_type": question_type, "metadata": details}
        return {**base, **typed, "query": "Hint: ...", **more}

    return types, [
        row("1", "blue", "text", "vqa", ["logic"], choices=["red", "blue"]),
        row("2", "B", "text", "vqa", ["logic", "arithmetic"], choices=["B", "A"]),  # the text B is choice A
        row("3", "12", "integer", "word problem", ["arithmetic"], unit="years"),
        row("4", "1.2", "float", "word problem", ["arithmetic"], precision=1.0),
        row("5", "0.5", "float", "word problem", ["science"], precision=2.0),
        row("6", "[1, 2]", "list", "vqa", ["logic"]),
        row("7", "18", "text", "vqa", ["logic"], choices=["9", "18", "18"]),  # names two choices
    ]


def mathverse() -> tuple[dict, list[dict]]:
    metadata = pa.struct([(key, STRING) for key in ("split", "source", "subject", "subfield")])
    types = {key: STRING for key in ("sample_index", "problem_index", "problem_version", "question")}
    types |= {"image": IMAGE, "answer": STRING, "question_type": STRING, "metadata": metadata, "query_wo": STRING}

    def row(sample: str, problem: str, version: str, question: str, answer: str, subject: str, **more) -> dict:
        details = {"split": "testmini", "source": "GeoQA", "subject": subject, "subfield": "Angle"}
        base = {"sample_index": sample, "problem_index": problem, "problem_version": version, "question": question}
        return {
            **base,
            "image": picture(),
            "answer": answer,
            "question_type": "multi-choice",
            "metadata": details,
            **more,
        }

    choices = "As shown, the angle is ()\nChoices:\nA:40\nB:50\nC:60.5"
    free = {"question_type": "free-form"}
    return types, [
        row("1", "1", "Text Dominant", choices, "B", "Plane"),
        row("2", "1", "Text Lite", choices, "B", "Plane"),
        row("3", "1", "Vision Only", "", "B", "Plane"),
        row("4", "2", "Text Dominant", "How large is it?", r"Area $=9.42 \mathrm{~cm}^{2}$", "Solid", **free),
        row("5", "2", "Vision Only", "", "9", "Solid", **free),
    ]


def mathvision() -> tuple[dict, list[dict]]:
    types = {"id": STRING, "question": STRING, "options": STRINGS, "image": STRING, "decoded_image": IMAGE}
    types |= {"answer": STRING, "solution": STRING, "level": pa.int64(), "subject": STRING}

    def row(name: str, answer: str, level: int, subject: str, options: list[str]) -> dict:
        shown = {"question": f"Which?\n<image{1}>", "options": options, "decoded_image": picture()}
        return {"id": name, **shown, "answer": answer, "level": level, "subject": subject, "image": "images/x.jpg"}

    return types, [
        row("1", "C", 1, "counting", ["x", "y", "z"]),
        row("2", "6", 1, "algebra", []),
        row("3", "7", 2, "algebra", []),
    ]


def wemath() -> tuple[dict, list[dict]]:
    types = {key: STRING for key in ("ID", "split", "knowledge concept", "question", "option", "answer")}
    types |= {"image_path": IMAGE, "key": STRING, "question number": pa.int64()}
    rows = []
    for group, steps in (("2steps_1", 2), ("2steps_2", 2), ("2steps_3", 2), ("3steps_1", 3), ("3steps_2", 3)):
        for part in [*range(1, steps + 1), "multi"]:
            text = {"question": f"{group} {part} ( )", "option": "A. 30;B. 60; C. No correct answer", "answer": "B"}
            row = {"ID": group, "split": "testmini", "knowledge concept": "Angles", **text, "image_path": picture()}
            rows.append({**row, "key": f"{steps}steps_{part}", "question number": len(rows)})
    return types, rows[:-1]  # the last group lacks its whole problem


def geometry3k() -> tuple[dict, list[dict]]:
    types = {"images": pa.list_(IMAGE), "problem": STRING, "answer": STRING}
    golds = ["3", r"6 \sqrt { 3 }", "2.5"]
    return types, [
        {"images": [picture()], "problem": f"<image>Find x{n}.", "answer": gold} for n, gold in enumerate(golds)
    ]


def m3cot() -> tuple[dict, list[dict]]:
    names = ("id", "category", "image_id", "question", "context", "answer", "rationale", "split", "domain", "topic")
    types = {key: STRING for key in names} | {"choices": STRINGS, "image": IMAGE}

    def row(name: str, domain: str, topic: str, context: str = "") -> dict:
        base = {"id": name, "question": "Which is round?", "choices": ["a square", "a circle"], "context": context}
        return {**base, "answer": "B", "image": picture(), "domain": domain, "topic": topic, "split": "test"}

    return types, [
        row("1", "science", "physics", "Shapes:"), row("2", "science", "biology"), row("3", "mathematics", "geometry"),
    ]  # fmt: skip


def mmmu() -> tuple[dict, list[dict]]:
    names = (
        "id",
        "question",
        "options",
        "explanation",
        "img_type",
        "answer",
        "topic_difficulty",
        "question_type",
        "subfield",
    )
    types = {key: STRING for key in names} | {f"image_{n}": IMAGE for n in range(1, 8)}

    def row(name: str, question: str, options: str, answer: str, **more) -> dict:
        kind = "open" if options == "[]" else "multiple-choice"
        base = {"id": name, "question": question, "options": options, "answer": answer, "question_type": kind}
        return {**base, "image_1": picture(56), "topic_difficulty": "Easy", "subfield": "x", **more}

    both = {"image_2": picture(84), "image_3": picture(112)}
    return types, [
        row("validation_Art_1", "Who painted <image 1>?", "['Monet', \"O'Keeffe\"]", "B"),
        row("validation_Art_Theory_2", "Like <image 1>?", "['<image 2>', '<image 3>']", "A", **both),
        row(
            "validation_Math_3",
            "Unmarked. Compare <image 2> and <image 1> and <image 2>.",
            "[]",
            "['24/7', '3.43']",
            **both,
        ),
        row("validation_Math_4", "Marked <image 5>.", "[]", "4"),  # there is no fifth image
    ]


def logicvista() -> tuple[dict, list[dict]]:
    types = {"id": STRING, "question": STRING, "answer": STRING, "image": IMAGE, "reasoning": STRING}
    types |= dict.fromkeys(("skill", "broad_capability", "specific_capability"), STRINGS)

    def row(name: str, answer: str, skill: str, broad: list[str]) -> dict:
        kinds = {"skill": [skill], "broad_capability": broad, "specific_capability": ["table"]}
        return {"id": name, "question": f"Which of A to D ({name})?", "answer": answer, "image": picture(), **kinds}

    return types, [
        row("v1_0", "C", "inductive", ["diagram", "ocr"]),
        row("v1_1", "B, D", "inductive", ["diagram"]),
        row("v1_2", "3", "deductive", ["ocr"]),
        row("v1_3", "", "spatial", ["diagram"]),
    ]


def dynamath() -> tuple[dict, list[dict]]:
    names = ("id", "question", "image", "ground_truth", "answer_type", "subject", "knowledge_level")
    types = {key: STRING for key in names} | {"decoded_image": IMAGE}

    def row(name: str, answer: str, kind: str, subject: str) -> dict:
        text = {"question": f"Question {name}", "image": "images/x.png", "ground_truth": answer, "answer_type": kind}
        return {"id": name, **text, "decoded_image": picture(), "subject": subject, "knowledge_level": "high school"}

    return types, [
        row("1", "2.0944", "float", "algebra"),
        row("2", "A", "multiple choice", "algebra"),
        row("3", "May", "text", "statistics"),
    ]


def gsm8k() -> tuple[dict, list[dict]]:
    golds = ["1 + 1 = <<1+1=2>>2\n#### 2", "No calculation.\n#### 1,200", "Nothing at the end"]
    return {"question": STRING, "answer": STRING}, [
        {"question": f"Q{n}?", "answer": gold} for n, gold in enumerate(golds)
    ]


def math500() -> tuple[dict, list[dict]]:
    types = {key: STRING for key in ("problem", "solution", "answer", "subject", "unique_id")} | {"level": pa.int64()}

    def row(name: str, answer: str, subject: str, level: int) -> dict:
        return {"problem": f"What is {name}?", "answer": answer, "subject": subject, "level": level, "unique_id": name}

    return types, [
        row("a", r"\frac{3}{4}", "Algebra", 1),
        row("b", "6 - 5i", "Algebra", 5),
        row("c", "42", "Geometry", 5),
    ]


WEMATH_RIGHT = {  # group -> which steps are right, the whole problem last
    "2steps_1": "111",  # mastered
    "2steps_2": "101",  # whole problem right, one step wrong: rote (strict), mastered (loose)
    "2steps_3": "110",  # not generalised
    "3steps_1": "0010",  # a step wrong and the whole problem wrong: knowledge lacking
    "3steps_2": "111",  # incomplete group
}
# name -> (rows, problem id -> response, dropped reasons, (breakdown, value) -> (score in percent, n))
CASES: dict[str, tuple] = {
    "mathvista": (
        mathvista(),
        {"1": "(B)", "2": "B", "3": "12 years", "4": "1.24", "5": "0.504", "6": "[1, 2]"},
        ["bad_gold"],
        {
            ("all", "all"): (83.3333, 6),  # only 2 is wrong: its gold is the text B, which is choice A
            ("task", "vqa"): (66.6667, 3), ("task", "word problem"): (100, 3),
            ("skills", "logic"): (66.6667, 3), ("skills", "arithmetic"): (66.6667, 3), ("skills", "science"): (100, 1),
            ("source", "IQTest"): (83.3333, 6), ("grade", "college"): (83.3333, 6), ("context", "(none)"): (83.3333, 6),
            ("question_type", "multi_choice"): (50, 2), ("answer_type", "float"): (100, 2),
        },
    ),
    "mathverse": (
        mathverse(),
        {"1": "50", "2": "A", "3": "B", "4": "9.42", "5": "8"},
        [],
        {
            ("all", "all"): (60, 5), ("version", "Text Dominant"): (100, 2), ("version", "Text Lite"): (0, 1),
            ("version", "Vision Only"): (50, 2), ("version", "(mean)"): (50, 5), ("subject", "Plane"): (66.6667, 3),
            ("subject", "Solid"): (50, 2), ("subfield", "Angle"): (60, 5),
        },
    ),
    "mathvision": (
        mathvision(),
        {"1": "(C)", "2": "six", "3": "8"},
        [],
        {
            ("all", "all"): (66.6667, 3), ("subject", "algebra"): (50, 2), ("subject", "counting"): (100, 1),
            ("level", "1"): (100, 2), ("level", "2"): (0, 1), ("subject and level", "algebra 2"): (0, 1),
        },
    ),
    "wemath": (
        wemath(),
        {
            f"{group}-{group[0]}steps_{part}": "B" if right == "1" else "A"
            for group, marks in WEMATH_RIGHT.items()
            for part, right in zip([*range(1, int(group[0]) + 1), "multi"], marks, strict=False)
        },
        [],
        {
            ("all", "all"): (68.75, 16), ("step", "one_step"): (75, 12), ("step", "two_step"): (66.6667, 3),
            ("step", "three_step"): (0, 1),
            # four complete groups: one mastered, one rote (strict) or mastered (loose), one IG, one IK
            ("strict", "score"): (37.5, 4), ("strict", "IK"): (25, 4), ("strict", "IG"): (25, 4),
            ("strict", "CM"): (25, 4), ("strict", "RM"): (50, 4), ("loose", "score"): (62.5, 4),
            ("loose", "CM"): (50, 4), ("loose", "RM"): (0, 4), ("loose", "IK"): (25, 4), ("loose", "IG"): (25, 4),
        },
    ),
    "geometry3k": (
        geometry3k(),
        ["3", r"6\sqrt{3}", "2.6"],
        [],
        {
            ("all", "all"): (66.6667, 3), ("answer_type", "integer"): (100, 1), ("answer_type", "expression"): (100, 1),
            ("answer_type", "decimal"): (0, 1),
        },
    ),
    "m3cot": (
        m3cot(),
        {"1": "a circle", "2": "A", "3": "(B)"},
        [],
        {
            ("all", "all"): (66.6667, 3), ("domain", "science"): (50, 2), ("domain", "mathematics"): (100, 1),
            ("topic", "biology"): (0, 1),
        },
    ),
    "mmmu": (
        mmmu(),
        {"validation_Art_1": "O'Keeffe", "validation_Art_Theory_2": "B", "validation_Math_3": "24/7"},
        ["missing_image"],
        {
            ("all", "all"): (66.6667, 3), ("discipline", "Art and Design"): (50, 2),
            ("discipline", "Science"): (100, 1),
            ("subject", "Art"): (100, 1), ("subject", "Art_Theory"): (0, 1), ("subject", "Math"): (100, 1),
            ("difficulty", "Easy"): (66.6667, 3),
        },
    ),
    "logicvista": (
        logicvista(),
        {"v1_0": "D", "v1_1": "D and B", "v1_2": "3"},
        ["empty_gold"],
        {
            ("all", "all"): (66.6667, 3), ("skill", "inductive"): (50, 2), ("skill", "deductive"): (100, 1),
            ("broad_capability", "diagram"): (50, 2), ("broad_capability", "ocr"): (50, 2),
        },
    ),
    "dynamath": (
        dynamath(),
        {
            "1-sample_variant1": "2.095", "2-sample_variant1": "A", "3-sample_variant1": "may",
            "1-sample_variant2": "2.1", "2-sample_variant2": "A", "3-sample_variant2": "June",
        },
        [],
        {
            ("all", "all"): (66.6667, 6), ("worst case", "all"): (33.3333, 3), ("robustness", "all"): (50, 3),
            ("subject", "algebra"): (75, 4), ("worst case", "algebra"): (50, 2), ("worst case", "statistics"): (0, 1),
            ("variant", "sample_variant1"): (100, 3), ("variant", "sample_variant2"): (33.3333, 3),
        },
    ),
    "gsm8k": (
        gsm8k(),
        ["2", "1200"],
        ["bad_gold"],
        {("all", "all"): (100, 2), ("steps", "0"): (100, 1), ("steps", "1"): (100, 1)},
    ),
    "math500": (
        math500(),
        {"a": "0.75", "b": "6-5i", "c": "41"},
        [],
        {
            ("all", "all"): (66.6667, 3), ("subject", "Algebra"): (100, 2), ("subject", "Geometry"): (0, 1),
            ("level", "5"): (50, 2),
        },
    ),
}  # fmt: skip


def write(folder: Path, name: str, types: dict, rows: list[dict]) -> dict:
    """The rows as the Hub serves them, and the source that reads them."""
    schema = pa.schema(list(types.items()))
    split = benchmarks.load(name).SPLIT
    for part in split.split("+"):
        (folder / "data").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "data" / f"{part}-00000-of-00001.parquet")
    return {"path": str(folder), "format": name}


def scores_of(folder: Path, config: dict, seeds: list[dict]) -> dict[tuple[str, str], dict]:
    """Grade one benchmark's answers (problem id -> response, one mapping a seed) and break them down."""
    problems, grades = folder / "problems.parquet", []
    for seed, answers in enumerate(seeds):
        rows = [response(name, 0, rf"So it is \boxed{{{text}}}.") for name, text in answers.items()]
        write_rows(folder / "responses.parquet", "responses", rows, made_by())
        grades.append(folder / f"grades{seed}.parquet")
        command = ["score", "--config", json.dumps({"grading": {"workers": 1}}), "--grades", str(grades[-1])]
        assert main([*command, "--problems", str(problems), "--responses", str(folder / "responses.parquet")]) == 0
    cells = [f"tiny/seed{seed}/base/b={path}" for seed, path in enumerate(grades)]
    command = ["breakdowns", "--config", json.dumps(config), "--problems", f"b={problems}", "--grades", *cells]
    assert main([*command, "--output", str(folder / "breakdowns.csv")]) == 0
    with open(folder / "breakdowns.csv", encoding="utf-8", newline="") as file:
        return {(row["breakdown"], row["value"]): row for row in csv.DictReader(file)}


def config_for(source: dict) -> dict:
    return {
        "arms": ["base"],
        "benchmarks": {"b": source},
        "lengths": {"max_prompt": 2000, "max_model": 3000},
        "data": {"max_drop_share": 0.5},
        "tables": {"bootstrap": 200},
    }


def imported(folder: Path, repo: Path, config: dict) -> tuple[list[dict], list[dict]]:
    """Run the import; the problems and the dropped rows."""
    files = [folder / "problems.parquet", folder / "dropped.parquet"]
    command = ["data", "--config", json.dumps(config), "--source", "benchmarks.b"]
    command += ["--processor", str(repo / "testbed" / "student")]
    assert main([*command, "--problems", str(files[0]), "--dropped", str(files[1])]) == 0
    return read_rows(files[0], "problems"), read_rows(files[1], "dropped")


@pytest.mark.parametrize("name", CASES)
def test_from_the_hubs_columns_to_the_official_scores(name: str, tmp_path: Path, repo: Path) -> None:
    (types, rows), answers, reasons, expected = CASES[name]
    config = config_for(write(tmp_path, name, types, rows))
    if name == "dynamath":
        config["benchmarks"]["b"]["split"] = "sample_variant1+sample_variant2"
    problems, dropped = imported(tmp_path, repo, config)
    assert [row["why"] for row in dropped] == reasons
    if isinstance(answers, list):  # ids are hashes of the content
        answers = {row["id"].removeprefix("b/"): text for row, text in zip(problems, answers, strict=True)}
    assert {row["id"] for row in problems} == {f"b/{key}" for key in answers}
    found = scores_of(tmp_path, config, [{f"b/{key}": text for key, text in answers.items()}])
    for key, (score, n) in expected.items():
        assert (float(found[key]["score"]), int(found[key]["n"])) == (pytest.approx(score, abs=1e-3), n), key
        assert float(found[key]["low"]) <= float(found[key]["score"]) + 1e-3, key
        assert float(found[key]["high"]) >= float(found[key]["score"]) - 1e-3, key
    assert sum(int(row["n"]) for key, row in found.items() if key[0] == "all") == len(problems)


def test_there_is_a_case_for_every_benchmark() -> None:
    assert sorted(CASES) == benchmarks.names() and len(CASES) == 11


@pytest.mark.parametrize("name", benchmarks.names())
def test_a_module_says_what_it_must(name: str, repo: Path) -> None:
    module = benchmarks.load(name)
    (types, _), *_ = CASES[name]
    licences = ("MIT", "CC BY", "Apache", "research use")
    assert module.HUB in module.__doc__ and any(licence in module.__doc__ for licence in licences)
    assert set(module.COLUMNS) <= set(types) and "erified" in module.__doc__
    assert len((repo / "src" / "coldstart" / "benchmarks" / f"{name}.py").read_text().splitlines()) <= 120
    assert module.HUB in (repo / "docs" / "benchmarks.md").read_text()
    assert benchmarks.with_defaults({"format": name, "split": None, "config": None}) == {
        "format": name, "hub": module.HUB, "split": module.SPLIT, "config": module.CONFIG,
    }  # fmt: skip


def test_images_stand_where_the_text_marks_them(tmp_path: Path, repo: Path) -> None:
    types, rows = mmmu()
    problems, _ = imported(tmp_path, repo, config_for(write(tmp_path, "mmmu", types, rows)))
    first, second, third = problems
    widths = [[Image.open(io.BytesIO(image["bytes"])).width for image in row["images"]] for row in problems]
    assert first["question"] == "Who painted <image>?" and len(widths[0]) == 1
    assert (second["options"], widths[1]) == (["<image>", "<image>"], [56, 84, 112])
    # an image without a mark comes first, and one that is marked twice comes twice
    assert third["question"] == "<image>Unmarked. Compare <image> and <image> and <image>."
    assert widths[2] == [112, 84, 56, 84] and third["answer"] == "24/7"


def test_mathverse_texts_and_golds(tmp_path: Path, repo: Path) -> None:
    types, rows = mathverse()
    problems, _ = imported(tmp_path, repo, config_for(write(tmp_path, "mathverse", types, rows)))
    assert problems[0]["question"] == "As shown, the angle is ()" and problems[0]["options"] == ["40", "50", "60.5"]
    assert (
        problems[2]["question"].startswith("Answer the question shown in the image with") and not problems[2]["options"]
    )
    assert [row["answer_type"] for row in problems] == ["choice", "choice", "choice", "decimal", "integer"]
    module = benchmarks.load("mathverse")
    text_only = {**rows[0], "image": "", "problem_version": "Text Only"}
    assert module.to_problem(text_only)["images"] == []
    for answer, why in [("C\nD", "bad_gold"), ("", "empty_gold"), ("(C)", None), ("60.5", None)]:
        if why is None:
            assert module.to_problem({**rows[0], "answer": answer})["answer"] == "C"
            continue
        with pytest.raises(RowError, match=why):
            module.to_problem({**rows[0], "answer": answer})


def test_mathvista_keeps_units_precision_and_json_metadata() -> None:
    module = benchmarks.load("mathvista")
    _, rows = mathvista()
    years, one, two = (
        module.to_problem({"choices": None, "unit": None, "precision": None, **row}) for row in rows[2:5]
    )
    assert years["question"].endswith("(Unit: years)") and years["unit"] == "years"
    assert (one["tolerance"], two["tolerance"]) == (pytest.approx(0.05), pytest.approx(0.005))
    as_text = {"choices": None, "unit": None, "precision": None, **rows[2], "metadata": json.dumps(rows[2]["metadata"])}
    assert module.to_problem(as_text)["metadata"]["skills"] == ["arithmetic"]
    with pytest.raises(RowError, match="unknown_answer_type"):
        module.to_problem({**as_text, "answer_type": "image"})


def test_wemath_counts_runs_apart() -> None:
    """Over two runs, one mastered and one not generalised, each condition holds in half of them."""
    rows = [
        Graded(step, "g", "choice", {"group": "g", "step": f"2steps_{step}", "kind": "x"}, right)
        for step, right in (("1", (True, True)), ("2", (True, True)), ("multi", (True, False)))
    ]
    scores = {(row.breakdown, row.value): row.share for row in benchmarks.load("wemath").breakdowns(rows)}
    assert scores["strict", "CM"] == scores["strict", "IG"] == 0.5 and scores["strict", "score"] == 0.75
    assert scores["strict", "RM"] == 0 and scores["strict", "IK"] == 0
    nothing = benchmarks.load("wemath").breakdowns(rows[:2])
    assert {row.share for row in nothing if row.breakdown == "strict"} == {None}


# real rows: name -> (file, kept, dropped, answer types)
REAL = {
    "mathvista": (
        "mathvista/testmini_annotations_noimages.parquet",
        999,
        1,
        {"choice": 539, "integer": 418, "decimal": 40, "list": 2},
    ),
    "gsm8k": ("gsm8k/test.parquet", 1319, 0, {"integer": 1319}),
    "mathvision": (
        "mathvision/testmini.parquet",
        304,
        0,
        {"choice": 191, "integer": 110, "decimal": 2, "expression": 1},
    ),
    "wemath": ("wemath/testmini_part.parquet", 170, 0, {"choice": 170}),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_every_real_row_is_read_and_its_gold_grades_itself(name: str, tmp_path: Path, shared_data: Path) -> None:
    from coldstart.grading import grade_all

    file, kept, dropped, types = REAL[name]
    path = shared_data / file
    if name == "mathvista":  # this copy has no images
        table = pq.read_table(path)
        path = tmp_path / "rows.parquet"
        pq.write_table(table.append_column("decoded_image", pa.nulls(len(table), IMAGE)), path)
    source = {"path": str(path), "format": name, "limit": None, "split": None, "config": None}
    _, rows = read_source(name, located(source, "benchmarks.b"), "benchmarks.b")
    problems, drops = [], []
    for _, row in rows:
        (drops if isinstance(row, Drop) else problems).append(row)
    assert (len(problems), len(drops)) == (kept, dropped)
    assert Counter(row["answer_type"] for row in problems) == types
    grades = grade_all([(row, f"\\boxed{{{row['answer']}}}") for row in problems], 5.0, 1)
    assert Counter(grade.verdict for grade in grades) == {"correct": kept}


def test_real_wemath_groups_are_complete(shared_data: Path) -> None:
    module = benchmarks.load("wemath")
    rows = []
    for row in pq.read_table(shared_data / "wemath" / "testmini_part.parquet").to_pylist():
        fields = module.to_problem(row)
        step = fields["metadata"]["step"]
        rows.append(
            Graded(fields["id"], fields["metadata"]["group"], "choice", fields["metadata"], ("multi" not in step,))
        )
    scores = {(row.breakdown, row.value): row for row in module.breakdowns(rows)}
    assert scores["strict", "score"].n == 50 and scores["step", "two_step"].n == 30
    # every step right and every whole problem wrong: nothing is mastered, everything is half worth
    assert scores["strict", "IG"].share == 1 and scores["strict", "score"].share == 0.5
    assert scores["step", "one_step"].share == 1 and scores["step", "three_step"].share == 0
