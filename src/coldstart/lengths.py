"""The true token length of a prompt with images, exact and quick, without torch or transformers.

Reads a model folder's own tokenizer.json, chat template and image processor settings. The image arithmetic is
Qwen2-VL's and Qwen2.5-VL's: an image is brought to multiples of patch_size * merge_size within the processor's pixel
range, and every such square is one token. Engines compare this count with what they really saw, for every prompt.

    python -c "from coldstart.lengths import load_meter; print(load_meter('testbed/student').image_tokens([(84, 84)]))"
"""

import json
import math
from functools import cached_property
from pathlib import Path
from typing import Any

from coldstart.errors import UserError
from coldstart.hub import resolve_model

IMAGE_PROCESSORS = ("Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil")
IMAGE_PAD = "<|image_pad|>"


def smart_resize(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Height and width as Qwen2-VL's processor chooses them: multiples of ``factor``, area within the range."""
    rows, columns = round(height / factor) * factor, round(width / factor) * factor
    if rows * columns > max_pixels:
        scale = math.sqrt(height * width / max_pixels)
        rows = max(factor, math.floor(height / scale / factor) * factor)
        columns = max(factor, math.floor(width / scale / factor) * factor)
    elif rows * columns < min_pixels:
        scale = math.sqrt(min_pixels / (height * width))
        rows = math.ceil(height * scale / factor) * factor
        columns = math.ceil(width * scale / factor) * factor
    return rows, columns


class Meter:
    """A model's tokenizer, chat template and image grid; sizes are (height, width)."""

    def __init__(self, folder: Path) -> None:
        import jinja2
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        self.folder = folder
        self.tokenizer = Tokenizer.from_file(str(_file(folder, "tokenizer.json")))
        self._text_config = _json(folder, "tokenizer_config.json")
        settings = self._image_settings()
        self.factor: int = settings["patch_size"] * settings["merge_size"]
        size = settings.get("size") or {}
        self.min_pixels: int = settings.get("min_pixels") or size["shortest_edge"]
        self.max_pixels: int = settings.get("max_pixels") or size["longest_edge"]
        # the same environment as transformers renders chat templates in
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = lambda value, **kwargs: json.dumps(value, ensure_ascii=False, **kwargs)

        def raise_exception(message: str) -> None:
            raise jinja2.exceptions.TemplateError(message)

        environment.globals["raise_exception"] = raise_exception
        self._template = environment.from_string(self._template_text())

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], tokenize: bool = False, add_generation_prompt: bool = True
    ) -> str:
        """Render a conversation; the same text as the processor's method of this name with ``tokenize=False``."""
        if tokenize:
            raise ValueError("a meter only renders text; count tokens with prompt_tokens")
        return self._template.render(
            messages=conversation,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **self._special_map,
        )

    def prompt_tokens(self, prompt: str, sizes: list[tuple[int, int]]) -> tuple[int, int]:
        """(length of the prompt, image tokens in it) once each image placeholder is expanded."""
        images = self.image_tokens(sizes)
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        if ids.count(self.image_pad) != len(sizes):
            raise UserError(f"{ids.count(self.image_pad)} image placeholders in a prompt with {len(sizes)} image(s)")
        return len(ids) - len(sizes) + images, images

    def image_tokens(self, sizes: list[tuple[int, int]]) -> int:
        """Tokens that images of these sizes become, the processor's own resizing included."""
        grids = [self.resized(height, width) for height, width in sizes]
        return sum((height // self.factor) * (width // self.factor) for height, width in grids)

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Size to which this model's own processor would bring an image."""
        return smart_resize(height, width, self.factor, self.min_pixels, self.max_pixels)

    @cached_property
    def image_pad(self) -> int:
        token = self.tokenizer.token_to_id(IMAGE_PAD)
        if token is None:
            raise UserError(f"{self.folder}: the tokenizer has no {IMAGE_PAD} token; only Qwen-VL models are supported")
        return token

    @cached_property
    def special_tokens(self) -> list[str]:
        """Texts that the tokenizer reads as control tokens wherever they stand."""
        added = self.tokenizer.get_added_tokens_decoder().values()
        return [token.content for token in added if token.special]

    @cached_property
    def _special_map(self) -> dict[str, str]:
        names = ("bos_token", "eos_token", "pad_token", "unk_token")
        found = {name: self._text_config.get(name) for name in names}
        return {name: token["content"] if isinstance(token, dict) else token for name, token in found.items() if token}

    def _image_settings(self) -> dict:
        settings = _json(self.folder, "processor_config.json").get("image_processor")
        settings = settings or _json(self.folder, "preprocessor_config.json")
        kind = settings.get("image_processor_type")
        if kind not in IMAGE_PROCESSORS:
            raise UserError(
                f"{self.folder}: image processor {kind or '(none found)'} is not supported; "
                f"known: {', '.join(IMAGE_PROCESSORS)}"
            )
        return settings

    def _template_text(self) -> str:
        if (self.folder / "chat_template.jinja").is_file():
            return (self.folder / "chat_template.jinja").read_text(encoding="utf-8")
        for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
            text = _json(self.folder, name).get("chat_template")
            if isinstance(text, str):
                return text
        raise UserError(f"{self.folder}: this model has no chat template (chat_template.jinja)")


def load_meter(model: str) -> Meter:
    """The meter of a model folder or hub id."""
    return Meter(resolve_model(model, weights=False))


def _file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise UserError(f"{folder / name}: no such file; the model's folder must hold its processor too")
    return folder / name


def _json(folder: Path, name: str) -> dict:
    """A JSON file of the model, empty if it has none."""
    path = folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
