"""Questions about a scene, with their golds and worked solutions in three habits.

Families: ``perception`` (one step: a count, a height), ``multistep`` (sums, differences, fractions, means),
``choice`` (four options), ``ood`` (what training never shows: a wider grid, chains of three terms).
Answer types: integer, decimal with tolerance, expression (a fraction), choice.

    python -c "from coldstart.testbed.world import problems; print(problems(['ood'], 1, 'test', 0))"
"""

import random
from dataclasses import dataclass, replace
from fractions import Fraction

from coldstart.testbed.scenes import COLOURS, SHAPES, Bars, Cell, Grid, Scene

FAMILIES = ("perception", "multistep", "choice", "ood")
LETTERS = "ABCD"


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


def count(grid: Grid, colour: str | None, shape: str | None) -> Fact:
    def matches(cell: Cell) -> bool:
        return cell is not None and colour in (None, cell[0]) and shape in (None, cell[1])

    per_row = [sum(map(matches, row)) for row in grid.rows]
    name = f"{colour} shapes" if colour else f"{shape or 'shape'}s"
    return Fact(name, sum(per_row), " + ".join(map(str, per_row)))


def facts_of(scene: Scene, rng: random.Random, number: int) -> list[Fact]:
    """``number`` different facts about the scene, in random order."""
    if isinstance(scene, Bars):
        return [Fact(f"{colour} bar", height, "") for colour, height in rng.sample(scene.bars, number)]
    wanted = [(colour, None) for colour in COLOURS] + [(None, shape) for shape in SHAPES]
    return [count(scene, colour, shape) for colour, shape in rng.sample(wanted, number)]


def ask(scene: Scene, family: str, rng: random.Random) -> Question | None:
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
    (fact,) = facts_of(scene, rng, 1)
    text = f"How tall is the {fact.name}?" if isinstance(scene, Bars) else f"How many {fact.name} are there?"
    return _question(text, str(fact.value), "single", [fact])


def _sum(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = facts_of(scene, rng, 2)
    total = first.value + second.value
    return _question(
        f"What is {first.name} plus {second.name}?",
        str(total),
        "sum",
        facts,
        (f"{first.value} + {second.value} = {total}",),
    )


def _difference(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = sorted(facts_of(scene, rng, 2), key=lambda fact: -fact.value)
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
        part, whole = facts_of(scene, rng, 2)
        text = f"What is {part.name} over {whole.name} as a fraction?"
    else:
        part, whole = facts_of(scene, rng, 1)[0], count(scene, None, None)
        text = f"What fraction of the shapes are {part.name}?"
    if not whole.value:
        return None
    value = Fraction(part.value, whole.value)
    gold = str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    written = f"\\frac{{{part.value}}}{{{whole.value}}}"
    return replace(_question(text, gold, "fraction", [part, whole], (), "expression"), written=written)


def _mean(scene: Scene, rng: random.Random) -> Question:
    first, second = facts = facts_of(scene, rng, 2)
    total = first.value + second.value
    gold = f"{total / 2:g}"
    steps = (f"{first.value} + {second.value} = {total}", f"{total} / 2 = {gold}")
    return _question(f"What is the mean of {first.name} and {second.name}?", gold, "mean", facts, steps, "decimal")


def _chain(scene: Scene, rng: random.Random) -> Question | None:
    first, second, third = facts = facts_of(scene, rng, 3)
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
