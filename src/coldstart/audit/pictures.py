"""Which images are the same picture: exact by decoded pixels, near by a perceptual hash and a look at the blocks.

Two images are near duplicates if all three hold:
* their 128-bit gradient hashes differ in at most ``MAX_BITS`` bits. Bits say whether a cell of an 8x8 grid is brighter,
  or darker, than its left neighbour by more than ``MARGIN`` levels: plain surfaces, of which diagrams are full, give 0
  however an encoder rounds them (a dHash without a margin flips there);
* no block of a 16x16 grid differs in the mean of a colour channel by more than ``audit.image_distance`` levels of 255.
  That keeps apart what a gradient hash alone confuses: the same drawing with one shape or one colour changed;
* their sides have the same ratio within 15 percent.

A blank image (all blocks alike) is never the near duplicate of anything. Nothing is written here.

    from coldstart.audit.pictures import Pictures
    pictures = Pictures(); index = pictures.add(describe(png_bytes)); pictures.near_pairs(image_distance=48)
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

GRID, BLOCKS = 8, 16
MARGIN = 4  # levels of 255
MAX_BITS = 12  # of 128; re-encoded and resized copies differ in 0 to 9
BLANK_RANGE = 8  # levels between the darkest and the brightest block
MAX_RATIO = 1.15
ROWS_AT_ONCE = 128  # images compared with all others at a time: bounds the memory of the search


@dataclass(frozen=True)
class Picture:
    """What is kept of an image: SHA-256 of its pixels, two 64-bit words of gradients, uint8 blocks (16, 16, 3)."""

    pixels: bytes
    width: int
    height: int
    words: tuple[int, int]
    blocks: np.ndarray

    @property
    def blank(self) -> bool:
        """Whether all blocks look alike: such an image says nothing about where it comes from."""
        return bool(np.ptp(self.blocks, axis=(0, 1)).max() < BLANK_RANGE)


def describe(data: bytes | None) -> Picture | str:
    """The picture of an encoded image, or what is wrong with it in words."""
    try:
        with Image.open(io.BytesIO(data or b"")) as file:
            image = file.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        return str(error) or type(error).__name__
    pixels = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).digest()
    cells = np.asarray(image.convert("L").resize((GRID + 1, GRID), Image.Resampling.BOX), dtype=np.int16)
    steps = cells[:, 1:] - cells[:, :-1]
    brighter, darker = (
        int.from_bytes(np.packbits(bits).tobytes(), "big") for bits in (steps > MARGIN, steps < -MARGIN)
    )
    blocks = np.asarray(image.resize((BLOCKS, BLOCKS), Image.Resampling.BOX), dtype=np.uint8)
    return Picture(pixels, image.width, image.height, (brighter, darker), blocks)


class Pictures:
    """Distinct pictures by the order in which they came; about 900 bytes each."""

    def __init__(self) -> None:
        self._index: dict[bytes, int] = {}
        self._kept: list[Picture] = []

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Picture:
        return self._kept[index]

    def add(self, picture: Picture) -> int:
        """The number of a picture; the same pixels have the same number, whatever file format they came in."""
        index = self._index.setdefault(picture.pixels, len(self._kept))
        if index == len(self._kept):
            self._kept.append(picture)
        return index

    def near_pairs(self, image_distance: int) -> list[tuple[int, int]]:
        """All pairs (earlier, later) of different pictures that are near duplicates.

        Exact, not sampled: every pair of hashes is compared, some 200 million pairs a second on one core. Of diagrams
        about two pairs in a thousand get as far as the blocks.
        """
        shown = [index for index, picture in enumerate(self._kept) if not picture.blank]
        if len(shown) < 2:
            return []
        words = np.array([self._kept[index].words for index in shown], dtype=np.uint64)
        ratios = np.array([self._kept[index].width / self._kept[index].height for index in shown])
        blocks = np.stack([self._kept[index].blocks for index in shown])
        blocks = blocks.reshape(len(shown), -1)
        pairs = []
        for one, other in _close_hashes(words):
            keep = np.maximum(ratios[one], ratios[other]) <= MAX_RATIO * np.minimum(ratios[one], ratios[other])
            one, other = one[keep], other[keep]
            apart = np.maximum(blocks[one], blocks[other]) - np.minimum(blocks[one], blocks[other])
            keep = apart.max(1, initial=0) <= image_distance
            pairs += [(shown[a], shown[b]) for a, b in zip(one[keep].tolist(), other[keep].tolist(), strict=True)]
        return sorted(pairs)


def _close_hashes(words: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers (earlier, later) of all pairs of hashes within ``MAX_BITS``, some rows at a time; words is (n, 2)."""
    for start in range(0, len(words), ROWS_AT_ONCE):
        rows = words[start : start + ROWS_AT_ONCE]
        bits = np.bitwise_count(rows[:, None, 0] ^ words[None, start:, 0])
        bits += np.bitwise_count(rows[:, None, 1] ^ words[None, start:, 1])
        one, other = np.nonzero(bits <= MAX_BITS)
        later = other > one
        yield one[later] + start, other[later] + start
