"""Draw the testbed's scenes with Pillow: 28 pixels a grid cell or bar, so that one visual token sees one cell."""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

CELL = 28  # Qwen2.5-VL merges 2x2 patches of 14 pixels into one token
UNIT = 14  # pixels per unit of a bar's height
BACKGROUND = (245, 245, 245)
RGB = {"red": (214, 40, 40), "blue": (38, 84, 214), "green": (32, 150, 64), "yellow": (240, 196, 25)}


def render_grid(rows: Sequence[Sequence[tuple[str, str] | None]], rng: random.Random) -> Image.Image:
    """A grid of shapes; each is jittered by up to two pixels in place and size."""
    image = Image.new("RGB", (CELL * len(rows[0]), CELL * len(rows)), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is not None:
                _shape(draw, cell, x * CELL + CELL // 2, y * CELL + CELL // 2, rng)
    return image


def render_bars(bars: Sequence[tuple[str, int]], max_height: int, rng: random.Random) -> Image.Image:
    """A bar chart; widths are jittered, heights are exact multiples of the unit."""
    size = (CELL * len(bars), UNIT * max_height)
    image = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(image)
    for x, (colour, height) in enumerate(bars):
        margin = rng.randint(3, 6)
        top = size[1] - UNIT * height
        draw.rectangle((x * CELL + margin, top, (x + 1) * CELL - margin - 1, size[1] - 1), fill=_tint(colour, rng))
    return image


def _shape(draw: ImageDraw.ImageDraw, cell: tuple[str, str], x: int, y: int, rng: random.Random) -> None:
    colour, shape = cell
    x, y, r = x + rng.randint(-2, 2), y + rng.randint(-2, 2), rng.randint(9, 11)
    fill = _tint(colour, rng)
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif shape == "square":
        draw.rectangle((x - r + 1, y - r + 1, x + r - 1, y + r - 1), fill=fill)
    else:
        draw.polygon(((x, y - r), (x - r, y + r - 1), (x + r, y + r - 1)), fill=fill)


def _tint(colour: str, rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, channel + rng.randint(-12, 12))) for channel in RGB[colour])
    return red, green, blue
