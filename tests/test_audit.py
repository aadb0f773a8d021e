"""The audit: planted faults are found exactly, clean data has no findings, limits stop the run and name the rows."""

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from coldstart.artifacts import read_provenance, read_rows, write_rows
from coldstart.audit.overlap import NgramIndex, grams, tokens
from coldstart.audit.pictures import Picture, Pictures, describe
from coldstart.cli import main
from test_filter import made_by, problem

DISTANCE = 48  # the default of audit.image_distance
LONG = (
    "A farmer keeps ducks and geese in two ponds. In the morning there are twice as many ducks as geese in the first "
    "pond, and after noon {n} ducks fly over to the second pond. How many geese are left in the first pond at night?"
)


def scene(seed: int, size: int = 84) -> Image.Image:
    """A picture of its own: shapes of many colours at places that the seed draws."""
    rng, image = random.Random(seed), Image.new("RGB", (size, size), (245, 245, 245))
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y, r = (rng.randrange(size // 8, size - size // 8) for _ in range(2)), 0, size // 8
        x, y = x
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.randrange(220) for _ in range(3)))
    return image


def stored(image: Image.Image, kind: str = "PNG", **how) -> dict:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return {"bytes": buffer.getvalue(), "path": None}


def row(name: str, question: str, answer: object, *images: Image.Image | dict, **more) -> dict:
    shown = [image if isinstance(image, dict) else stored(image) for image in images]
    return problem(name, question=question, images=shown, answer=str(answer), **more)


@pytest.fixture
def world(tmp_path: Path):
    """A clean training set of 100 rows and a clean benchmark of 20, by ids t0 ... and b0 ..."""
    train = [row(f"t{n}", "How many red shapes are there?", n % 7, scene(n)) for n in range(90)]
    train += [row(f"t{n}", f"What is {n} + 1?", n + 1) for n in range(90, 98)]
    train.append(row("t98", "Which one?", "B", scene(98), answer_type="choice", options=["x", "y"]))
    train.append(row("t99", "What share?", r"\frac{1}{2}", scene(99), answer_type="expression"))
    test = [row(f"b{n}", "How many red shapes are there?", n % 7, scene(1000 + n)) for n in range(19)]
    test.append(row("b19", LONG.format(n=19), 4, scene(1019)))
    return tmp_path, train, test


def run(folder: Path, train: list[dict], test: list[dict], **audit) -> int:
    write_rows(folder / "train.parquet", "problems", train, made_by(by_source={"t": {"kept": 100, "tiny_image": 3}}))
    write_rows(folder / "test.parquet", "problems", test, made_by())
    options = ["--train", str(folder / "train.parquet"), "--benchmark", f"bench={folder / 'test.parquet'}"]
    return main(["audit", "--config", json.dumps({"audit": audit}), *options, "--output", str(folder / "audit")])


def found(folder: Path) -> list[tuple]:
    """(data set, id, check, severity, other) of all findings."""
    findings = read_rows(folder / "audit" / "findings.parquet", "findings")
    return [tuple(finding[key] for key in ("dataset", "id", "check", "severity", "other")) for finding in findings]


def excluded(folder: Path) -> dict[str, str]:
    return {row["id"]: row["why"] for row in read_rows(folder / "audit" / "excluded.parquet", "excluded")}


def test_clean_data_has_no_findings(world, capsys) -> None:
    folder, train, test = world
    assert run(folder, train, test) == 0
    assert found(folder) == [] and excluded(folder) == {}
    record = read_provenance(folder / "audit" / "findings.parquet")
    assert record["facts"]["rows"] == 120 and set(record["inputs"]) == {"train", "bench"}
    report = (folder / "audit" / "report.md").read_text()
    assert "0 of 100 training rows are left out" in report and "Nothing." in report
    assert "| train | 100 | 92 | 8 | demo 100 |" in report  # rows, images, rows without image
    assert "| t | tiny_image | 3 |" in report  # what the import dropped
    assert "| train | 1 (1%) | 1 (1%) | 98 (98%) |" in report  # choice, expression, integer
    assert "| train | 30 | 30 | 30 | 30 | 30 |" in report  # prompt tokens
    assert "audit: 100 training rows, 0 of them left out; nothing found" in capsys.readouterr().err


def smaller(image: Image.Image) -> dict:
    return stored(image.resize((70, 70), Image.Resampling.BICUBIC), "JPEG", quality=80)


# what is planted in the training set -> what must be found, and nothing else
PLANTED = {
    "a gold that is no number": (
        row("x", "How many cells?", "a few", scene(500)),
        [("train", "x", "bad_gold", "exclude", None)],
    ),
    "an image that cannot be read": (
        row("x", "How many cells?", 3, {"bytes": b"not an image", "path": None}),
        [("train", "x", "bad_image", "exclude", None)],
    ),
    "an image cut off": (
        row("x", "How many cells?", 3, {"bytes": stored(scene(500))["bytes"][:-200], "path": None}),
        [("train", "x", "bad_image", "exclude", None)],
    ),
    "an image without bytes": (
        row("x", "How many cells?", 3, {"bytes": None, "path": "lost.png"}),
        [("train", "x", "bad_image", "exclude", None)],
    ),
    "a tiny image": (
        row("x", "How many cells?", 3, scene(500).resize((7, 84))),
        [("train", "x", "bad_image", "exclude", None)],
    ),
    "an image of one colour": (
        row("x", "How many cells?", 3, Image.new("RGB", (84, 84), "white")),
        [("train", "x", "blank_image", "warning", None)],
    ),
    "the same row, other spacing, case and image format": (
        row("x", " how MANY red  shapes are there?", 5, stored(scene(5), "BMP")),
        [("train", "x", "duplicate", "exclude", "t5")],
    ),
    "the same row with another gold": (
        row("x", "How many red shapes are there?", 6, scene(5)),
        [("train", "t5", "contradiction", "exclude", "x"), ("train", "x", "contradiction", "exclude", "t5")],
    ),
    "another question about the same image": (row("x", "How many blue shapes are there?", 1, scene(5)), []),
    "the same question about another image": (row("x", "How many red shapes are there?", 1, scene(500)), []),
    "other options": (
        row("x", "Which one?", "B", scene(98), answer_type="choice", options=["x", "z"]),
        [],
    ),
    "another sign": (row("x", "What is 90 - 1?", 89), []),
    "a smaller copy of an image": (
        row("x", "How many cells?", 1, smaller(scene(5))),
        [("train", "x", "near_image", "note", "t5")],
    ),
    "a benchmark's row": (
        row("x", "How many red shapes are there?", 3, scene(1003)),
        [("train", "x", "contamination", "exclude", "b3")],
    ),
    "a benchmark's image, another question": (
        row("x", "How many cells?", 9, scene(7), scene(1003)),
        [("train", "x", "contamination", "exclude", "b3")],
    ),
    "a smaller copy of a benchmark's image": (
        row("x", "How many cells?", 9, smaller(scene(1003))),
        [("train", "x", "contamination", "exclude", "b3")],
    ),
    "a benchmark's id": (
        row("b3", "How many cells?", 9, scene(500)),
        [("train", "b3", "contamination", "exclude", "b3")],
    ),
    "a benchmark's long text, an instruction added, another image": (
        row("x", LONG.format(n=19) + " Answer with one number.", 4, scene(500)),
        [("train", "x", "contamination", "exclude", "b19")],
    ),
    "a benchmark's question without its image": (
        row("x", "How many red shapes are there?", 4),
        [("train", "x", "contamination", "exclude", "b0")],
    ),
}


# by the whole problem, by an image, by the text: as the report counts them
EVIDENCE = {
    "a benchmark's row": "1 | 0 | 0",
    "a benchmark's id": "1 | 0 | 0",
    "a benchmark's image, another question": "0 | 1 | 0",
    "a smaller copy of a benchmark's image": "0 | 1 | 0",
    "a benchmark's long text, an instruction added, another image": "0 | 0 | 1",
    "a benchmark's question without its image": "0 | 0 | 1",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(name: str, world) -> None:
    folder, train, test = world
    planted, wanted = PLANTED[name]
    assert run(folder, [*train, planted], test) == 0
    assert found(folder) == wanted
    left_out = {finding[1]: finding[2] for finding in wanted if finding[3] == "exclude"}
    assert excluded(folder) == left_out
    report = (folder / "audit" / "report.md").read_text()
    assert f"{len(left_out)} of 101 training rows are left out" in report
    if name in EVIDENCE:
        assert f"| bench | 20 | 1 | {EVIDENCE[name]} | 1 |" in report
    for _, _, check, severity, _ in wanted:
        assert f"| {check} | train | {severity} | " in report and f"## {check}" in report


def test_the_planted_faults_cover_every_check() -> None:
    from coldstart.audit.checks import CHECKS

    assert {finding[2] for _, wanted in PLANTED.values() for finding in wanted} == set(CHECKS)


def test_a_benchmarks_own_faults_are_warnings(world) -> None:
    """A benchmark is never changed: its rows are in no list of excluded ones."""
    folder, train, test = world
    test += [row(f"b{n}", "How many cells?", n, scene(n + 1000)) for n in range(20, 60)]
    test += [
        row("copy", "How many red shapes are there?", 3, scene(1003)),
        row("odd", "How many?", "some", scene(77777)),
    ]
    assert run(folder, train, test) == 0
    assert found(folder) == [
        ("bench", "odd", "bad_gold", "warning", None),
        ("bench", "copy", "duplicate", "warning", "b3"),
    ]
    assert excluded(folder) == {}


def test_one_row_is_excluded_once_however_much_is_wrong_with_it(world) -> None:
    folder, train, test = world
    both = row("x", "How many red shapes are there?", "some", scene(1003))
    assert run(folder, [*train, both], test) == 0
    assert [finding[2] for finding in found(folder)] == ["bad_gold", "contamination"]
    assert excluded(folder) == {"x": "bad_gold"}


# limit -> (rows planted, config that allows them, what the message names)
STOPS = {
    "max_bad_golds": (
        [row(f"x{n}", "How many cells?", "a few", scene(500 + n)) for n in range(4)],
        ["train.parquet: 4 of 104 rows of train fail the check bad_gold", "'x0'", "'a few'", "not a number"],
    ),
    "max_bad_images": (
        [row(f"x{n}", "How many cells?", 3, {"bytes": b"no image", "path": None}) for n in range(4)],
        ["4 of 104 rows of train fail the check bad_image", "'x0'", "image 0 cannot be read"],
    ),
    "max_duplicates": (
        [row(f"x{n}", "How many red shapes are there?", 5, scene(5)) for n in range(30)],
        ["30 of 130 rows of train fail the check contradiction or duplicate", "'x0'", "'t5'"],
    ),
    "max_contaminated": (
        [row(f"x{n}", "How many red shapes are there?", n % 7, scene(1000 + n)) for n in range(15)],
        ["15 of 115 rows of train fail the check contamination", "'x0'", "in benchmark 'bench' as 'b0'"],
    ),
}


@pytest.mark.parametrize("key", STOPS)
def test_a_share_above_its_limit_stops_the_run(key: str, world, capsys) -> None:
    folder, train, test = world
    planted, parts = STOPS[key]
    assert run(folder, [*train, *planted], test) == 2
    shown = capsys.readouterr()
    assert shown.err.count("error:") == 1 and all(part in shown.err for part in [*parts, f"audit.{key} = "]), shown.err
    assert all(f"'{fault['id']}'" in shown.out for fault in planted), "the log lists every row"
    assert not (folder / "audit").exists() or not list((folder / "audit").iterdir())
    assert run(folder, [*train, *planted], test, **{key: 0.5}) == 0
    assert len(excluded(folder)) == len(planted)


def test_bad_golds_of_a_benchmark_stop_the_run(world, capsys) -> None:
    folder, train, test = world
    test[3] = row("b3", "Which?", "E", scene(500), answer_type="choice", options=["x", "y"])
    assert run(folder, train, test) == 2
    message = capsys.readouterr().err
    assert "test.parquet: 1 of 20 rows of bench fail the check bad_gold" in message and "only 2 options" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda train, test: test.clear(), "test.parquet: no problems"),
        (lambda train, test: train.append(train[4]), "rows 4 and 100: the same id 't4'"),
    ],
)
def test_bad_files_are_refused(change, message, world, capsys) -> None:
    folder, train, test = world
    change(train, test)
    assert run(folder, train, test) == 2
    assert message in capsys.readouterr().err and not (folder / "audit").exists()


@pytest.mark.parametrize(("text", "message"), [("nowhere", "expected NAME=FILE"), ("train=f", "another one")])
def test_a_mistyped_benchmark_is_refused(text: str, message: str, world, capsys) -> None:
    folder, train, _ = world
    write_rows(folder / "train.parquet", "problems", train, made_by())
    command = ["audit", "--config", "{}", "--train", str(folder / "train.parquet"), "--benchmark", text]
    assert main([*command, "--output", str(folder / "audit")]) == 2
    assert message in capsys.readouterr().err


# images


def pictured(image: Image.Image | dict) -> Picture:
    picture = describe((image if isinstance(image, dict) else stored(image))["bytes"])
    assert isinstance(picture, Picture)
    return picture


def near(*images: Image.Image | dict, distance: int = DISTANCE) -> list[tuple[int, int]]:
    pictures = Pictures()
    assert [pictures.add(pictured(image)) for image in images] == list(range(len(images)))
    return pictures.near_pairs(distance)


COPIES = {
    "jpeg": lambda image: stored(image, "JPEG", quality=90),
    "strong jpeg": lambda image: stored(image, "JPEG", quality=60),
    "webp": lambda image: stored(image, "WEBP", quality=85),
    "larger": lambda image: image.resize((126, 126), Image.Resampling.BICUBIC),
    "smaller": lambda image: image.resize((72, 72), Image.Resampling.LANCZOS),
    "other sides": lambda image: image.resize((84, 78), Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_near_duplicates(name: str) -> None:
    copied = sum(near(scene(seed), COPIES[name](scene(seed))) == [(0, 1)] for seed in range(40))
    assert copied >= 38


def test_what_only_looks_alike_is_no_near_duplicate() -> None:
    moved, recoloured = scene(1), scene(1)
    ImageDraw.Draw(moved).rectangle((30, 30, 48, 48), fill="white")
    pixels = recoloured.load()
    for x in range(84):
        for y in range(84):
            red, green, blue = pixels[x, y]
            pixels[x, y] = (blue, red, green)
    blank, other_blank = Image.new("RGB", (84, 84), "white"), Image.new("RGB", (84, 84), (250, 250, 250))
    assert near(scene(1), moved, recoloured, scene(2), blank, other_blank) == []
    assert near(scene(1), scene(1).resize((84, 60))) == []


def test_equal_pixels_are_one_picture_in_any_file_format() -> None:
    pictures = Pictures()
    assert pictures.add(pictured(scene(1))) == pictures.add(pictured(stored(scene(1), "BMP"))) == 0
    assert pictures.add(pictured(scene(2))) == 1 and len(pictures) == 2


def test_the_search_misses_no_pair_that_a_plain_loop_finds() -> None:
    """More pictures than are compared at a time; pairs in one block and across blocks."""
    import numpy as np

    from coldstart.audit.pictures import MAX_BITS

    images = [scene(seed % 120, 84 if seed < 120 else 77) for seed in range(300)]
    pictures = Pictures()
    for image in images:
        pictures.add(pictured(image))
    kept = [pictures[number] for number in range(len(pictures))]
    wanted = []
    for one in range(len(kept)):
        for other in range(one + 1, len(kept)):
            bits = sum((a ^ b).bit_count() for a, b in zip(kept[one].words, kept[other].words, strict=True))
            apart = np.abs(kept[one].blocks.astype(int) - kept[other].blocks.astype(int)).max()
            if bits <= MAX_BITS and apart <= DISTANCE:
                wanted.append((one, other))
    assert len(kept) == 240 and pictures.near_pairs(DISTANCE) == wanted


def test_the_testbed_has_no_false_contamination(tmp_path: Path) -> None:
    """Its scenes differ by a shape or a bar, and its questions come from few templates; train and test are disjoint."""
    from coldstart.testbed.world import problems

    files = {}
    for split, families in (
        ("train", ["perception", "multistep", "choice"]),
        ("test", ["perception", "choice", "ood"]),
    ):
        rows = [
            problem(
                made["id"],
                answer=made["answer"],
                kind=made["answer_type"],
                question=made["question"],
                images=[stored(made["image"])],
                options=made["options"],
                tolerance=made["tolerance"],
            )
            for made in problems(families, 500, split, 0)
        ]
        files[split] = tmp_path / f"{split}.parquet"
        write_rows(files[split], "problems", rows, made_by())
    options = [
        "--train",
        str(files["train"]),
        "--benchmark",
        f"test={files['test']}",
        "--output",
        str(tmp_path / "audit"),
    ]
    assert main(["audit", "--config", "{}", *options]) == 0
    findings = read_rows(tmp_path / "audit" / "findings.parquet", "findings")
    assert [finding for finding in findings if finding["check"] in ("contamination", "bad_gold", "bad_image")] == []


# texts


def test_tokens_and_grams() -> None:
    assert tokens("<image>\nWhat is 1,5 + 2.5 \u2212 x?", ["Zwölf", "角A"]) == (
        "what", "is", "1", "5", "+", "2.5", "-", "x", "zwölf", "角", "a"
    )  # fmt: skip
    assert grams(("a", "b", "c", "d"), 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert grams(("a", "b"), 3) == {("a", "b")} and grams((), 3) == set()


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (LONG.format(n=5), 1.0),
        ("Look at the picture. " + LONG.format(n=5).upper(), 1.0),
        (LONG.format(n=5).replace("geese are left", "birds are left"), 0.75),
        (LONG.format(n=6), 0.75),  # 8 of 34 grams hold the number
        ("A farmer keeps ducks and geese in two ponds. How many?", 0.05),
        ("", 0.0),
    ],
)
def test_shares_of_ngrams(text: str, share: float) -> None:
    index = NgramIndex(8)
    assert index.add(tokens(LONG.format(n=5), [])) == 0 == index.add(tokens(LONG.format(n=5), []))
    matches = index.matches(tokens(text, []), 0.01)
    assert (matches[0][1] if matches else 0.0) == pytest.approx(share, abs=0.06)


def test_no_stage_of_this_file_imports_torch() -> None:
    code = (
        "import sys, coldstart.audit, coldstart.filter, coldstart.score, coldstart.tables;"
        "print([name for name in ('torch', 'sympy', 'math_verify', 'transformers', 'vllm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
