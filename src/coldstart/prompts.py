"""The only place that turns a problem into a prompt: teacher, trainers and evaluation all use these functions.

Columns read of a problem: question, options, images. Nothing is written. A conversation has the form that TRL's
trainers and ``processor.apply_chat_template`` share: content is a list of parts, an image part is ``{"type": "image"}``
and carries no payload (the trainer or engine is handed the images beside it, in order).

    python -c "from coldstart.prompts import messages; print(messages({'id': 'p', 'question': '1+1?', 'options': [],
    'images': []}, {'system': None, 'suffix': '', 'option_format': '({letter}) {text}'}))"
"""

import io
import re
from typing import Any

from PIL import Image

from coldstart.errors import UserError

IMAGE_MARK = "<image>"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def user_text(row: dict, prompt_config: dict) -> str:
    """The user's turn as text: question, one line an option, suffix; image marks are still in it."""
    lines = [row["question"].strip()]
    template = prompt_config["option_format"]
    for letter, text in zip(LETTERS, row["options"], strict=False):
        lines.append(template.replace("{letter}", letter).replace("{text}", text))
    if prompt_config["suffix"]:
        lines.append(prompt_config["suffix"])
    return "\n".join(lines)


def messages(row: dict, prompt_config: dict) -> list[dict[str, Any]]:
    """The conversation up to the assistant's turn; images stand at their ``<image>`` marks, or first without marks."""
    if len(row["options"]) > len(LETTERS):
        raise UserError(f"problem {row['id']}: {len(row['options'])} options, but only {len(LETTERS)} letters")
    text, images = user_text(row, prompt_config), len(row["images"])
    pieces = text.split(IMAGE_MARK)
    marks = len(pieces) - 1
    if marks not in (0, images):
        raise UserError(f"problem {row['id']}: its text has {marks} {IMAGE_MARK} mark(s), but it has {images} image(s)")
    content: list[dict[str, str]] = [{"type": "image"} for _ in range(0 if marks else images)]
    for number, piece in enumerate(pieces):
        if number:
            content.append({"type": "image"})
        if piece.strip():
            # blanks between leading images and the text say nothing: "<image>\nHow" and "How" are the same prompt
            seen_text = any(part["type"] == "text" for part in content)
            content.append({"type": "text", "text": piece if seen_text else piece.lstrip()})
    conversation = [{"role": "user", "content": content}]
    if prompt_config["system"] is not None:
        system = [{"type": "text", "text": prompt_config["system"]}]
        conversation.insert(0, {"role": "system", "content": system})
    return conversation


def render(processor, row: dict, prompt_config: dict) -> str:
    """The prompt as text with one placeholder an image, as the model's own chat template writes it."""
    return processor.apply_chat_template(messages(row, prompt_config), tokenize=False, add_generation_prompt=True)


def decode_images(row: dict) -> list[Image.Image]:
    """The problem's images as RGB pictures, in order."""
    return [Image.open(io.BytesIO(image["bytes"])).convert("RGB") for image in row["images"]]


def banned_token_ids(processor) -> list[int]:
    """Tokens that no model may sample: every special token but the tokenizer's end of turn.

    A sampled vision token makes the number of image tokens differ from the number of image features, which crashes
    the next forward pass; a sampled turn start would let the model write the user's part. vLLM takes the list as
    logit_bias, transformers as suppress_tokens. Takes a processor or its tokenizer.
    """
    from transformers import ProcessorMixin

    tokenizer = processor.tokenizer if isinstance(processor, ProcessorMixin) else processor
    special = [token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special]
    return sorted(token_id for token_id in special if token_id != tokenizer.eos_token_id)


def reserved_tokens(texts: list[str], special: list[str]) -> list[str]:
    """The special tokens that stand in ``texts``, where they would be read as control tokens and not as text."""
    pattern = re.compile("|".join(re.escape(token) for token in sorted(special, key=len, reverse=True)))
    return sorted({match.group() for text in texts for match in pattern.finditer(text)}) if special else []
