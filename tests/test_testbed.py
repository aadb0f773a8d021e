"""The testbed world: golds against an independent reading of scene and question, splits, answer types, solutions."""

import random
import re
from collections import Counter
from fractions import Fraction

import pytest

from coldstart.testbed.questions import FAMILIES, solution
from coldstart.testbed.scenes import COLOURS, Bars, Grid, sample_scene, scene_split
from coldstart.testbed.world import problems, sample

TERM = r"(\w+ bar|\w+ shapes|\w+ (?:circle|square|triangle)s|(?:circle|square|triangle)s)"


def value_of(term: str, caption: str) -> int:
    """A term's value, read off the caption by other means than the world's own."""
    if term.endswith(" bar"):
        return int(re.search(rf"\b{term.split()[0]} (\d+)", caption)[1])
    words = term.rstrip("s").split()
    cells = [cell.strip() for cell in re.split(r"[|,]", caption)]
    wanted = [word for word in words if word != "shape"]
    return sum(cell != "no shape" and all(word in cell.split() for word in wanted) for cell in cells)


def expected(question: str, caption: str) -> Fraction | str:
    """The answer of a question as a number, or the winning colour."""
    if "tallest" in question:
        return max(COLOURS, key=lambda colour: value_of(f"{colour} bar", caption))
    if found := re.fullmatch(rf"What is the mean of {TERM} and {TERM}\?", question):
        return Fraction(value_of(found[1], caption) + value_of(found[2], caption), 2)
    if found := re.fullmatch(rf"What fraction of the shapes are {TERM}\?", question):
        return Fraction(value_of(found[1], caption), value_of("shapes", caption))
    if found := re.fullmatch(rf"What is {TERM} over {TERM} as a fraction\?", question):
        return Fraction(value_of(found[1], caption), value_of(found[2], caption))
    if found := re.fullmatch(rf"(?:How tall is the|How many) {TERM}(?: are there)?\?", question):
        return Fraction(value_of(found[1], caption))
    terms = re.split(r" (plus|minus) ", question.removeprefix("What is ").removesuffix("?"))
    total = Fraction(value_of(terms[0], caption))
    for sign, term in zip(terms[1::2], terms[2::2], strict=True):
        total += value_of(term, caption) * (1 if sign == "plus" else -1)
    return total


def as_number(gold: str) -> Fraction:
    found = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", gold)
    return Fraction(int(found[1]), int(found[2])) if found else Fraction(gold)


@pytest.mark.parametrize("family", FAMILIES)
def test_gold_is_right(family: str) -> None:
    rows = problems([family], 600, "train", seed=5)
    kinds = Counter()
    for row in rows:
        want = expected(row["question"], row["metadata"]["scene"])
        gold = row["answer"]
        if row["answer_type"] == "choice":
            gold = row["options"]["ABCD".index(gold)]
            assert len(set(row["options"])) == 4
        assert (gold == want) if isinstance(want, str) else (as_number(gold) == want), row
        kinds[row["metadata"]["kind"]] += 1
    assert sum(kinds.values()) == 600
    wanted = {"perception": 1, "multistep": 4, "choice": 4, "ood": 4}[family]
    assert len(kinds) == wanted, kinds


def test_every_answer_type_appears() -> None:
    types = Counter(row["answer_type"] for row in problems(list(FAMILIES), 800, "train", seed=0))
    assert set(types) == {"integer", "decimal", "expression", "choice"}
    assert min(types.values()) > 20, types


def test_train_and_test_share_no_scene() -> None:
    train = {row["metadata"]["scene"] for row in problems(list(FAMILIES), 6000, "train", seed=0)}
    test = {row["metadata"]["scene"] for row in problems(list(FAMILIES), 2000, "test", seed=0)}
    assert len(train) > 4000 and len(test) > 1200
    assert not train & test


def test_ood_shows_what_training_never_does() -> None:
    rng = random.Random(0)
    for family in ("perception", "multistep", "choice"):
        for _ in range(300):
            scene, question = sample(family, "train", rng)
            assert isinstance(scene, Bars) or len(scene.rows[0]) == 3
            assert question.text.count(" plus ") + question.text.count(" minus ") <= 1
    wide = chains = 0
    for _ in range(300):
        scene, question = sample("ood", "test", rng)
        is_wide = isinstance(scene, Grid) and len(scene.rows[0]) == 4
        wide += is_wide
        chains += not is_wide
        assert is_wide or question.kind == "chain"
    assert wide > 100 and chains > 100


def test_same_arguments_same_problems() -> None:
    first, again = (problems(["choice", "ood"], 40, "test", seed=3) for _ in range(2))
    other = problems(["choice", "ood"], 40, "test", seed=4)
    for a, b in zip(first, again, strict=True):
        assert a["image"].tobytes() == b["image"].tobytes()
        assert {k: v for k, v in a.items() if k != "image"} == {k: v for k, v in b.items() if k != "image"}
    assert not {row["id"] for row in first} & {row["id"] for row in other}
    assert [row["question"] for row in first] != [row["question"] for row in other]


def test_solutions_end_in_the_gold_and_careful_ones_describe_the_scene() -> None:
    rng = random.Random(1)
    for family in FAMILIES:
        for _ in range(50):
            scene, question = sample(family, "train", rng)
            texts = {style: solution(scene, question, style) for style in ("direct", "terse", "careful")}
            boxes = {re.search(r"\\boxed\{(.*)\}$", text)[1] for text in texts.values()}
            assert len(boxes) == 1
            box = boxes.pop()
            assert box == question.answer or as_number(box) == as_number(question.answer)
            assert texts["careful"].startswith(scene.caption())
            assert len(texts["direct"]) < len(texts["terse"]) < len(texts["careful"])


def test_split_is_a_function_of_the_scene() -> None:
    rng = random.Random(2)
    scenes = [sample_scene("test", rng) for _ in range(200)]
    assert all(scene_split(scene) == "test" for scene in scenes)
