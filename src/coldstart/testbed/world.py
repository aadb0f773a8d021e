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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from PIL import Image

from coldstart.testbed.render import render_bars, render_grid

COLOURS = ("red", "blue", "green", "yellow")
SHAPES = ("circle", "square", "triangle")
FAMILIES = ("perception", "multistep", "choice", "ood")
LETTERS = "ABCD"
EMPTY = "no shape"  # two words like every other cell, so that a cell's place in the text tells its place in the grid
TEST_SHARE = 0.2
MAX_HEIGHT = 6
DECIMAL_TOLERANCE = 0.01

Cell = tuple[str, str] | None


@dataclass(frozen=True)
class Grid:
    """Rows of cells; a cell is (colour, shape) or None."""

    rows: tuple[tuple[Cell, ...], ...]

    def render(self, rng: random.Random) -> Image.Image:
        return render_grid(self.rows, rng)

    def caption(self) -> str:
        return " | ".join(", ".join(" ".join(cell) if cell else EMPTY for cell in row) for row in self.rows)


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
    written: str = ""  # the answer as the worked solution writes it, if not as the gold


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


def sample_small_scene(rng: random.Random) -> Scene:
    """A cut-out of a training scene (one to all rows, columns or bars): easy pictures to learn to see with."""
    scene = sample_scene("train", rng, wide=rng.random() < 0.25)
    if isinstance(scene, Bars):
        return Bars(scene.bars[: rng.randint(1, len(scene.bars))])
    rows, columns = rng.choice([1, 1, 2, 3, 3]), rng.randint(1, len(scene.rows[0]))
    return Grid(tuple(row[:columns] for row in scene.rows[:rows]))


def scene_split(scene: Scene) -> str:
    """train or test, from a hash of what the scene shows."""
    digest = hashlib.sha256(scene.caption().encode()).digest()
    return "test" if digest[0] < 256 * TEST_SHARE else "train"


def solution(scene: Scene, question: Question, style: str) -> str:
    """A response in one of three habits: direct (box only), terse (facts and steps), careful (look at all first)."""
    box = f"\\boxed{{{question.written or question.answer}}}"
    if style == "direct":
        return box
    if style == "terse":
        parts = (*question.short_reads, *question.steps)
    elif style == "careful":
        parts = (scene.caption(), *question.reads, *question.steps)
    else:
        raise ValueError(f"unknown style {style!r}")
    return " ".join(f"{part}." for part in parts) + f" {box}"


def drill(rng: random.Random) -> tuple[str, str]:
    """A text-only exercise (prompt, completion): what a language model knows before it can see.

    Arithmetic, the letter of an option, facts read off a description, and whole problems with a description in place
    of the image.
    """
    skill = rng.choice(["arithmetic", "letter", "read", "solve"])
    if skill == "arithmetic":
        step = _arithmetic(rng)
        return f"Compute {step.split(' = ')[0]}.", f"{step}."
    if skill == "letter":
        start = rng.randint(0, 15)
        words = list(COLOURS) if rng.random() < 0.2 else list(map(str, range(start, start + 4)))
        place = rng.randrange(4)
        answer = f"{words[place]} is {LETTERS[place]}. \\boxed{{{LETTERS[place]}}}"
        return with_options(f"Which option is {words[place]}?", words), answer
    if skill == "solve":
        scene, question = sample(rng.choice(("perception", "multistep", "choice")), "train", rng)
        text = with_options(f"{scene.caption()}\n{question.text}", question.options)
        return text, solution(scene, question, "careful").removeprefix(f"{scene.caption()}. ")
    scene = sample_scene("train", rng, wide=rng.random() < 0.2)
    facts = _facts(scene, rng, rng.randint(1, 2))
    if isinstance(scene, Grid) and rng.random() < 0.2:
        facts.append(_count(scene, None, None))
    asked = ", ".join(fact.name for fact in facts)
    return f"{scene.caption()}\nRead {asked}.", " ".join(f"{fact.read()}." for fact in facts)


def with_options(text: str, options: Sequence[str]) -> str:
    """A question with its options, one a line, as the default config's prompts have it."""
    return "\n".join([text, *(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))])


def _arithmetic(rng: random.Random) -> str:
    first, second = rng.randint(0, 9), rng.randint(0, 9)
    kind = rng.choice("++-/")
    if kind == "+":
        first += 9 * (rng.random() < 0.25)
        return f"{first} + {second} = {first + second}"
    if kind == "-":
        first = second + rng.randint(0, 9)
        return f"{first} - {second} = {first - second}"
    total = rng.randint(0, 18)
    return f"{total} / 2 = {total / 2:g}"


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
    name = f"{colour} shapes" if colour else f"{shape or 'shape'}s"
    return Fact(name, sum(per_row), " + ".join(map(str, per_row)))


def _facts(scene: Scene, rng: random.Random, number: int) -> list[Fact]:
    """``number`` different facts about the scene, in random order."""
    if isinstance(scene, Bars):
        return [Fact(f"{colour} bar", height, "") for colour, height in rng.sample(scene.bars, number)]
    wanted = [(colour, None) for colour in COLOURS] + [(None, shape) for shape in SHAPES]
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
    first, second = facts = sorted(_facts(scene, rng, 2), key=lambda fact: -fact.value)
    rest = first.value - second.value
    return _question(
        f"What is {first.name} minus {second.name}?",
        str(rest),
        "difference",
        facts,
        (f"{first.value} - {second.value} = {rest}",),
    )


def _fraction(scene: Scene, rng: random.Random) -> Question | None:
    """The gold is in lowest terms; the worked solution leaves the fraction as it comes, which is equal."""
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
    written = f"\\frac{{{part.value}}}{{{whole.value}}}"
    return replace(_question(text, gold, "fraction", [part, whole], (), "expression"), written=written)


def _mean(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = _facts(scene, rng, 2)
    total = first.value + second.value
    gold = f"{total / 2:g}"
    steps = (f"{first.value} + {second.value} = {total}", f"{total} / 2 = {gold}")
    return _question(f"What is the mean of {first.name} and {second.name}?", gold, "mean", facts, steps, "decimal")


def _chain(scene: Scene, rng: random.Random) -> Question | None:
    first, second, third = facts = _facts(scene, rng, 3)
    sign, word = rng.choice([("+", "plus"), ("-", "minus")])
    total = first.value + second.value
    result = total + third.value if sign == "+" else total - third.value
    if result < 0:
        return None
    steps = (f"{first.value} + {second.value} = {total}", f"{total} {sign} {third.value} = {result}")
    text = f"What is {first.name} plus {second.name} {word} {third.name}?"
    return _question(text, str(result), "chain", facts, steps)


def _choose_number(scene: Scene, rng: random.Random) -> Question:
    base = rng.choice([_single, _sum, _difference])(scene, rng)
    gold = int(base.answer)
    start = rng.randint(max(0, gold - 3), gold)
    values = list(range(start, start + 4))
    letter = LETTERS[values.index(gold)]
    options = tuple(map(str, values))
    steps = (*base.steps, f"{gold} is {letter}")
    return Question(
        base.text, letter, "choice", base.reads, base.short_reads, steps, options, kind=f"choose_{base.kind}"
    )


def _choose_most(scene: Scene, rng: random.Random) -> Question | None:
    if isinstance(scene, Grid):
        return _choose_number(scene, rng)
    heights = dict(scene.bars)
    best = max(heights, key=lambda colour: heights[colour])
    if list(heights.values()).count(heights[best]) > 1:
        return None
    letter = LETTERS[COLOURS.index(best)]
    facts = [Fact(f"{colour} bar", heights[colour], "") for colour in COLOURS]
    steps = (f"{best} is {letter}",)
    question = _question("Which bar is the tallest?", letter, "choose_most", facts, steps, "choice")
    return replace(question, options=COLOURS)
