"""The scenes of the testbed world, grids of coloured shapes and bar charts, and the split each belongs to.

Train and test are disjoint by construction: a scene belongs to the split its own hash falls into, so that no test
image can appear in training, whatever is asked about it.

    python -c "import random; from coldstart.testbed import scenes as s; print(s.sample_scene('test', random))"
"""

import hashlib
import random
from dataclasses import dataclass

from PIL import Image

from coldstart.testbed.render import render_bars, render_grid

COLOURS = ("red", "blue", "green", "yellow")
SHAPES = ("circle", "square", "triangle")
EMPTY = "no shape"  # two words like every other cell, so that a cell's place in the text tells its place in the grid
TEST_SHARE = 0.2
MAX_HEIGHT = 6

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


def _grid(rng: random.Random, columns: int) -> Grid:
    fill = rng.uniform(0.45, 0.95)
    cell = lambda: (rng.choice(COLOURS), rng.choice(SHAPES)) if rng.random() < fill else None  # noqa: E731
    return Grid(tuple(tuple(cell() for _ in range(columns)) for _ in range(3)))


def _bars(rng: random.Random) -> Bars:
    return Bars(tuple((colour, rng.randint(1, MAX_HEIGHT)) for colour in rng.sample(COLOURS, len(COLOURS))))
