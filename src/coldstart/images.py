"""Bring an image to the one pixel budget, once: what is stored is what every model sees.

The size is the one that Qwen2-VL's processor would choose within the budget, so that no processor whose own range
holds the budget resizes a second time. Images that fit already keep their pixels. Always stored as PNG: JPEG decoders
differ, so that two stages could see different pixels.

    from coldstart.images import load_image, fit, to_png
    to_png(fit(load_image("diagram.jpg", folder), images_config, factor=28))
"""

import base64
import binascii
import io
import math
import re
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from coldstart.lengths import smart_resize
from coldstart.sources.rows import RowError

MAX_DISTORTION = 2.0
# an image as base64 text: a data URI, or text that begins as PNG, JPEG, GIF or WebP do (JPEG: "/9j/")
_INLINE = re.compile(r"\s*(?:data:image/[\w.+-]+;base64,|(?=iVBORw0KGgo|/9j/|R0lGOD|UklGR))")
_SHORTEST = 60  # characters; no image is smaller, and paths with such a beginning are shorter


def load_image(value: object, folder: Path | None) -> Image.Image:
    """An RGB picture from bytes, base64 text, a path (relative to ``folder``), {"bytes", "path"} or a picture.

    Transparency becomes white (diagrams are drawn in black), the EXIF orientation is applied.
    """
    try:
        if isinstance(value, Image.Image):
            picture = value
        elif isinstance(value, dict):
            raw = value.get("bytes")
            return load_image(raw if raw is not None else value.get("path"), folder)
        elif isinstance(value, bytes):
            picture = Image.open(io.BytesIO(value))
        elif isinstance(value, str) and (inline := _inline_bytes(value)) is not None:
            picture = Image.open(io.BytesIO(inline))
        elif isinstance(value, str):
            path = Path(value) if folder is None else folder / value
            if not path.is_file():
                raise RowError("missing_image", f"no such file: {path}")
            picture = Image.open(path)
        else:
            raise RowError("missing_image", "the image has neither bytes nor a path")
        picture.load()
        return _rgb(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:  # its own text holds a memory address, another one in every run
        raise RowError("corrupt_image", "this is no image of a kind that Pillow reads") from error
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise RowError("corrupt_image", str(error) or type(error).__name__) from error


def fit(picture: Image.Image, budget: dict, factor: int) -> Image.Image:
    """The picture within the budget, sides multiples of ``factor``; raises RowError if it is too small or too long."""
    width, height = picture.size
    if min(width, height) < budget["min_side"]:
        raise RowError("tiny_image", f"{width}x{height} pixels; images.min_side is {budget['min_side']}")
    rows, columns = fitted_size(height, width, budget, factor)
    distortion = (columns / rows) / (width / height)
    if max(distortion, 1 / distortion) > MAX_DISTORTION:
        raise RowError(
            "long_image",
            f"{width}x{height} pixels would become {columns}x{rows}; its sides are too unequal for "
            f"images.max_pixels={budget['max_pixels']}",
        )
    if (columns, rows) == (width, height):
        return picture
    return picture.resize((columns, rows), Image.Resampling.BICUBIC)


def fitted_size(height: int, width: int, budget: dict, factor: int) -> tuple[int, int]:
    """Height and width that the processor leaves as they are: its choice, repeated until it stays the same."""
    size = (height, width)
    for _ in range(16):
        again = smart_resize(*size, factor, budget["min_pixels"], budget["max_pixels"])
        if again == size and math.prod(size) <= budget["max_pixels"]:
            return size
        size = again
    raise RowError("long_image", f"{width}x{height} pixels find no size within the pixel budget")


def to_png(picture: Image.Image) -> bytes:
    """The picture as PNG; lightly compressed, since diagrams shrink well at any level."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _inline_bytes(text: str) -> bytes | None:
    """The bytes of an image written as base64 text; None for what is a path."""
    start = _INLINE.match(text)
    if start is None or (len(text) < _SHORTEST and not start[0]):
        return None
    try:
        return base64.b64decode("".join(text[start.end() :].split()), validate=True)
    except binascii.Error as error:
        raise RowError("corrupt_image", f"not valid base64 text: {error}") from error


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16B", "I;16L", "I"):
        # 16 bits a pixel; a plain conversion would cut everything above 255 to white
        return picture.convert("I").point(lambda level: level / 256).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")
