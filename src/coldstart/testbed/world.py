"""The testbed world: problems about grids of coloured shapes and bar charts, with gold answers and worked solutions.

Families: ``perception`` (one step: a count, a height), ``multistep`` (sums, differences, fractions, means),
``choice`` (four options), ``ood`` (what training never shows: a wider grid, chains of three terms).
Answer types: integer, decimal with tolerance, expression (a fraction), choice.

Train and test are disjoint by construction: a scene belongs to the split its own hash falls into, so that no test
image can appear in training, whatever is asked about it.

    python -c "from coldstart.testbed.world import problems; print(problems(['multistep'], 3, 'test', 0))"
"""

import hashlib
import random
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from coldstart.testbed.render import render_bars, render_grid

COLOURS = ("red", "blue", "green", "yellow")
SHAPES = ("circle", "square", "triangle")
FAMILIES = ("perception", "multistep", "choice", "ood")
LETTERS = "ABCD"
TEST_SHARE = 0.2
MAX_HEIGHT = 8
DECIMAL_TOLERANCE = 0.01

Cell = tuple[str, str] | None


@dataclass(frozen=True)
class Grid:
    """Rows of cells; a cell is (colour, shape) or None."""

    rows: tuple[tuple[Cell, ...], ...]

    def render(self, rng: random.Random) -> Image.Image:
        return render_grid(self.rows, rng)

    def caption(self) -> str:
        return " | ".join(", ".join(" ".join(cell) if cell else "empty" for cell in row) for row in self.rows)


@dataclass(frozen=True)
class Bars:
    """(colour, height) from left to right."""

    bars: tuple[tuple[str, int], ...]

    def render(self, rng: random.Random) -> Image.Image:
        return render_bars(self.bars, MAX_HEIGHT, rng)

    def caption(self) -> str:
        return ", ".join(f"{colour} {height}" for colour, height in self.bars)


Scene = Grid | Bars


@dataclass(frozen=True)
class Question:
    """A question with its gold and the worked steps that lead to it.

    ``reads`` are the facts taken from the image ("red shapes: 1 + 0 + 2 = 3"), ``short_reads`` the same without
    their working ("red shapes 3"), ``steps`` the arithmetic on them.
    """

    text: str
    answer: str
    answer_type: str
    reads: tuple[str, ...]
    short_reads: tuple[str, ...]
    steps: tuple[str, ...]
    options: tuple[str, ...] = ()
    kind: str = ""


def problems(families: list[str], n: int, split: str, seed: int) -> list[dict]:
    """``n`` problems of ``families`` in equal parts, deterministic from the arguments; images are PIL images."""
    rows = []
    for index in range(n):
        family = families[index % len(families)]
        rng = random.Random(f"{seed}/{split}/{family}/{index}")
        scene, question = sample(family, split, rng)
        rows.append(
            {
                "id": f"testbed-{split}-{seed}-{family}-{index:06d}",
                "question": question.text,
                "image": scene.render(rng),
                "options": list(question.options),
                "answer": question.answer,
                "answer_type": question.answer_type,
                "tolerance": DECIMAL_TOLERANCE if question.answer_type == "decimal" else None,
                "unit": None,
                "metadata": {"family": family, "kind": question.kind, "scene": scene.caption()},
            }
        )
    return rows


def sample(family: str, split: str, rng: random.Random) -> tuple[Scene, Question]:
    """One scene of ``split`` and a question of ``family`` that it can answer."""
    while True:
        scene = sample_scene(split, rng, wide=family == "ood" and rng.random() < 0.5)
        question = _ask(scene, family, rng)
        if question is not None:
            return scene, question


def sample_scene(split: str, rng: random.Random, wide: bool = False) -> Scene:
    """A scene whose hash falls into ``split``; ``wide`` gives the 3x4 grid that training problems never use."""
    while True:
        scene = _grid(rng, columns=4) if wide else _grid(rng, columns=3) if rng.random() < 0.6 else _bars(rng)
        if scene_split(scene) == split:
            return scene


def scene_split(scene: Scene) -> str:
    """train or test, from a hash of what the scene shows."""
    digest = hashlib.sha256(scene.caption().encode()).digest()
    return "test" if digest[0] < 256 * TEST_SHARE else "train"


def solution(scene: Scene, question: Question, style: str) -> str:
    """A response in one of three habits: direct (box only), terse (facts and steps), careful (look at all first)."""
    box = f"\\boxed{{{question.answer}}}"
    if style == "direct":
        return box
    if style == "terse":
        parts = (*question.short_reads, *question.steps)
    elif style == "careful":
        parts = (scene.caption(), *question.reads, *question.steps)
    else:
        raise ValueError(f"unknown style {style!r}")
    return " ".join(f"{part}." for part in parts) + f" {box}"


def _grid(rng: random.Random, columns: int) -> Grid:
    fill = rng.uniform(0.45, 0.95)
    cell = lambda: (rng.choice(COLOURS), rng.choice(SHAPES)) if rng.random() < fill else None  # noqa: E731
    return Grid(tuple(tuple(cell() for _ in range(columns)) for _ in range(3)))


def _bars(rng: random.Random) -> Bars:
    return Bars(tuple((colour, rng.randint(1, MAX_HEIGHT)) for colour in rng.sample(COLOURS, len(COLOURS))))


@dataclass(frozen=True)
class Fact:
    """A number to be read off the image, how it is named in questions, and the text that reads it off."""

    name: str
    value: int
    working: str

    def read(self) -> str:
        return f"{self.name}: {self.working} = {self.value}" if self.working else f"{self.name} {self.value}"

    def short(self) -> str:
        return f"{self.name} {self.value}"


def _count(grid: Grid, colour: str | None, shape: str | None) -> Fact:
    def matches(cell: Cell) -> bool:
        return cell is not None and colour in (None, cell[0]) and shape in (None, cell[1])

    per_row = [sum(map(matches, row)) for row in grid.rows]
    name = f"{colour} {shape}s" if colour and shape else f"{colour} shapes" if colour else f"{shape or 'shape'}s"
    return Fact(name, sum(per_row), " + ".join(map(str, per_row)))


def _facts(scene: Scene, rng: random.Random, number: int) -> list[Fact]:
    """``number`` different facts about the scene, in random order."""
    if isinstance(scene, Bars):
        return [Fact(f"{colour} bar", height, "") for colour, height in rng.sample(scene.bars, number)]
    both = (rng.choice(COLOURS), rng.choice(SHAPES))
    wanted = [(colour, None) for colour in COLOURS] + [(None, shape) for shape in SHAPES] + [both]
    return [_count(scene, colour, shape) for colour, shape in rng.sample(wanted, number)]


def _ask(scene: Scene, family: str, rng: random.Random) -> Question | None:
    if family == "perception":
        return _single(scene, rng)
    if family == "multistep":
        return rng.choice([_sum, _difference, _fraction, _mean])(scene, rng)
    if family == "choice":
        return rng.choice([_choose_number, _choose_most])(scene, rng)
    if family == "ood":
        wide = isinstance(scene, Grid) and len(scene.rows[0]) == 4
        return rng.choice([_single, _sum, _difference])(scene, rng) if wide else _chain(scene, rng)
    raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")


def _question(
    text: str, answer: str, kind: str, facts: list[Fact], steps: tuple[str, ...] = (), answer_type: str = "integer"
) -> Question:
    reads = tuple(fact.read() for fact in facts)
    return Question(text, answer, answer_type, reads, tuple(fact.short() for fact in facts), steps, kind=kind)


def _single(scene: Scene, rng: random.Random) -> Question:
    (fact,) = _facts(scene, rng, 1)
    text = f"How tall is the {fact.name}?" if isinstance(scene, Bars) else f"How many {fact.name} are there?"
    return _question(text, str(fact.value), "single", [fact])


def _sum(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = _facts(scene, rng, 2)
    total = first.value + second.value
    return _question(
        f"What is {first.name} plus {second.name}?",
        str(total),
        "sum",
        facts,
        (f"{first.value} + {second.value} = {total}",),
    )


def _difference(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = _facts(scene, rng, 2)
    rest = first.value - second.value
    return _question(
        f"What is {first.name} minus {second.name}?",
        str(rest),
        "difference",
        facts,
        (f"{first.value} - {second.value} = {rest}",),
    )


def _fraction(scene: Scene, rng: random.Random) -> Question | None:
    if isinstance(scene, Bars):
        part, whole = _facts(scene, rng, 2)
        text = f"What is {part.name} over {whole.name} as a fraction?"
    else:
        part, whole = _facts(scene, rng, 1)[0], _count(scene, None, None)
        text = f"What fraction of the shapes are {part.name}?"
    if not whole.value:
        return None
    value = Fraction(part.value, whole.value)
    gold = str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    steps = (f"{part.value} / {whole.value} = {gold}",)
    return _question(text, gold, "fraction", [part, whole], steps, "expression")


def _mean(scene: Scene, rng: random.Random) -> Question:
    if isinstance(scene, Bars):
        facts, text = [Fact(f"{c} bar", h, "") for c, h in scene.bars], "What is the mean height of the bars?"
    else:
        facts, text = [_count(scene, colour, None) for colour in COLOURS], "What is the mean count of the four colours?"
    values = [fact.value for fact in facts]
    mean = sum(values) / 4
    gold = f"{mean:g}"
    steps = (f"{' + '.join(map(str, values))} = {sum(values)}", f"{sum(values)} / 4 = {gold}")
    return _question(text, gold, "mean", facts, steps, "decimal")


def _chain(scene: Scene, rng: random.Random) -> Question:
    first, second, third = facts = _facts(scene, rng, 3)
    sign, word = rng.choice([("+", "plus"), ("-", "minus")])
    total = first.value + second.value
    result = total + third.value if sign == "+" else total - third.value
    steps = (f"{first.value} + {second.value} = {total}", f"{total} {sign} {third.value} = {result}")
    text = f"What is {first.name} plus {second.name} {word} {third.name}?"
    return _question(text, str(result), "chain", facts, steps)


def _choose_number(scene: Scene, rng: random.Random) -> Question:
    base = rng.choice([_single, _sum, _difference])(scene, rng)
    gold = int(base.answer)
    near = [value for value in range(gold - 3, gold + 4) if value != gold and (value >= 0 or gold < 0)]
    values = [*rng.sample(near, 3), gold]
    rng.shuffle(values)
    letter = LETTERS[values.index(gold)]
    options = tuple(map(str, values))
    steps = (*base.steps, f"{gold} is {letter}")
    return Question(
        base.text, letter, "choice", base.reads, base.short_reads, steps, options, kind=f"choose_{base.kind}"
    )


def _choose_most(scene: Scene, rng: random.Random) -> Question | None:
    if isinstance(scene, Bars):
        facts = {colour: Fact(f"{colour} bar", height, "") for colour, height in scene.bars}
        text = "Which bar is the tallest?"
    else:
        facts = {colour: _count(scene, colour, None) for colour in COLOURS}
        text = "Which colour is the most common?"
    best = max(facts, key=lambda colour: facts[colour].value)
    if [fact.value for fact in facts.values()].count(facts[best].value) > 1:
        return None
    options = rng.sample(COLOURS, 4)
    letter = LETTERS[options.index(best)]
    reads = tuple(facts[colour].read() for colour in options)
    short = tuple(facts[colour].short() for colour in options)
    return Question(text, letter, "choice", reads, short, (f"{best} is {letter}",), tuple(options), kind="choose_most")
