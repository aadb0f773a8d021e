"""Prompts: one conversation form for the engines, the trainers and the processor."""

import io

import pytest
from PIL import Image

from coldstart.errors import UserError
from coldstart.prompts import decode_images, messages, reserved_tokens

PLAIN = {"system": None, "suffix": "", "option_format": "({letter}) {text}"}
IMAGE, TEXT = {"type": "image"}, lambda text: {"type": "text", "text": text}


def problem(question: str, images: int = 0, options: tuple[str, ...] = ()) -> dict:
    return {"id": "p1", "question": question, "images": [{}] * images, "options": list(options)}


CASES = [
    ("text only", problem("1+1?"), [TEXT("1+1?")]),
    ("images stand first without marks", problem("How many?", 2), [IMAGE, IMAGE, TEXT("How many?")]),
    ("leading marks are the same prompt", problem("<image>\n<image>\nHow many?", 2), [IMAGE, IMAGE, TEXT("How many?")]),
    (
        "marks between words keep their place",
        problem("Compare <image> with <image>.", 2),
        [TEXT("Compare "), IMAGE, TEXT(" with "), IMAGE, TEXT(".")],
    ),
    ("options are lettered lines", problem("Which?", 1, ("red", "blue")), [IMAGE, TEXT("Which?\n(A) red\n(B) blue")]),
    (
        "a mark in an option",
        problem("Which?", 1, ("<image>", "none")),
        [TEXT("Which?\n(A) "), IMAGE, TEXT("\n(B) none")],
    ),
    ("braces in the text are no fields", problem(r"Is {letter} \boxed{x}?"), [TEXT(r"Is {letter} \boxed{x}?")]),
]


@pytest.mark.parametrize("row,content", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_content_parts(row: dict, content: list[dict]) -> None:
    assert messages(row, PLAIN) == [{"role": "user", "content": content}]


def test_system_and_suffix() -> None:
    config = {"system": "Be brief.", "suffix": r"Put it in \boxed{}.", "option_format": "{letter}: {text}"}
    assert messages(problem("Which?", 0, ("red",)), config) == [
        {"role": "system", "content": [TEXT("Be brief.")]},
        {"role": "user", "content": [TEXT("Which?\nA: red\nPut it in \\boxed{}.")]},
    ]


@pytest.mark.parametrize("row,found", [(problem("<image> <image>?", 1), "2 <image> mark"), (problem("<image>?"), "1 ")])
def test_marks_must_match_images(row: dict, found: str) -> None:
    with pytest.raises(UserError, match=f"problem p1: its text has {found}"):
        messages(row, PLAIN)


def test_more_options_than_letters() -> None:
    with pytest.raises(UserError, match="27 options"):
        messages(problem("Which?", 0, tuple(map(str, range(27)))), PLAIN)


def test_decode_images_gives_rgb_in_order() -> None:
    images = []
    for color in ("red", "blue"):
        buffer = io.BytesIO()
        Image.new("RGB", (28, 28), color).save(buffer, "PNG")
        images.append({"bytes": buffer.getvalue(), "path": None})
    pictures = decode_images({"images": images})
    assert [picture.getpixel((0, 0)) for picture in pictures] == [(255, 0, 0), (0, 0, 255)]


def test_reserved_tokens() -> None:
    special = ["<|im_start|>", "<|im_start|>x", "<s>"]
    assert reserved_tokens(["say <|im_start|>x", "<s>", "a < b"], special) == ["<s>", "<|im_start|>x"]
    assert reserved_tokens(["anything"], []) == []


@pytest.mark.slow
def test_trl_and_the_processor_take_the_same_conversation(tiny_model) -> None:
    """TRL fills our image parts; the meter renders what the processor's own chat template renders."""
    from transformers import AutoProcessor
    from trl.data_utils import prepare_multimodal_messages

    from coldstart.lengths import load_meter
    from coldstart.prompts import banned_token_ids, render

    processor, meter = AutoProcessor.from_pretrained(tiny_model), load_meter(str(tiny_model))
    configs = [PLAIN, {**PLAIN, "system": "Be brief.", "suffix": "Think."}]
    for _, row, _ in CASES:
        for config in configs:
            text = render(processor, row, config)
            assert text == render(meter, row, config)
            assert text.count("<|image_pad|>") == len(row["images"])
            pictures = [Image.new("RGB", (56, 56)) for _ in row["images"]]
            filled = prepare_multimodal_messages(messages(row, config), images=pictures)
            assert [part["image"] for message in filled for part in message["content"] if "image" in part] == pictures
            assert processor.apply_chat_template(filled, tokenize=False, add_generation_prompt=True) == text
    banned = processor.tokenizer.convert_ids_to_tokens(banned_token_ids(processor))
    assert {"<|im_start|>", "<|vision_start|>", "<|image_pad|>", "<|video_pad|>"} <= set(banned)
    assert "<|im_end|>" not in banned and banned_token_ids(processor.tokenizer) == banned_token_ids(processor)
