"""Build the testbed's models: transformers' own Qwen2.5-VL classes at toy size, with a tokenizer of the world's words.

Student and teacher share one shape of 1.1 M parameters; the teacher is the better-trained one. A byte-level BPE that
splits digits is trained on the world's own text, so that a word is one token and any other text still has a spelling.
"""

import random
from pathlib import Path
from typing import TYPE_CHECKING

from coldstart.testbed.questions import FAMILIES, solution
from coldstart.testbed.world import drill, sample, with_options

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

SHAPE = {"hidden": 128, "layers": 4, "heads": 4, "kv_heads": 2, "vision_hidden": 64, "vision_layers": 2}
VOCABULARY = 448
INIT = 0.06  # nearer to 1/sqrt(hidden) than the usual 0.02: learns to see in a third of the steps
MIN_PIXELS, MAX_PIXELS = 28 * 28, 112 * 112
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# Qwen2.5-VL's own turn format, without its default system message.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_processor() -> "Qwen2_5_VLProcessor":
    """Tokenizer and image processor in one, as ``AutoProcessor`` loads them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\d| ?[A-Za-z]+| ?[^\sA-Za-z\d]|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    # not Qwen2TokenizerFast: transformers 5 puts its own pre-tokenizer into that class whenever it is loaded
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS),
    )
    wrapped.chat_template = CHAT_TEMPLATE
    size = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size),
        tokenizer=wrapped,
        video_processor=Qwen2VLVideoProcessor(size=size),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(processor: "Qwen2_5_VLProcessor", seed: int) -> "Qwen2_5_VLForConditionalGeneration":
    """A Qwen2.5-VL with random weights of ``SHAPE``."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    shape, tokenizer = SHAPE, processor.tokenizer
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    head = shape["hidden"] // shape["heads"]
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": shape["hidden"],
            "intermediate_size": shape["hidden"] * 3,
            "num_hidden_layers": shape["layers"],
            "num_attention_heads": shape["heads"],
            "num_key_value_heads": shape["kv_heads"],
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": _sections(head)},
            "initializer_range": INIT,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": shape["vision_layers"],
            "hidden_size": shape["vision_hidden"],
            "intermediate_size": shape["vision_hidden"] * 3,
            "num_heads": 4,
            "out_hidden_size": shape["hidden"],
            "fullatt_block_indexes": list(range(shape["vision_layers"])),
            "window_size": 112,
            "initializer_range": INIT,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    return model


def load_model(folder: Path) -> "Qwen2_5_VLForConditionalGeneration":
    """A saved testbed model, to be trained further."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")


def _sections(head: int) -> list[int]:
    """Split half a head's rotary channels over time, height and width as Qwen2.5-VL does (16:24:24 of 64)."""
    half = head // 2
    time = half // 4
    side = (half - time) // 2
    return [half - 2 * side, side, side]


def _corpus() -> list[str]:
    """Text of the world, enough for every word to be merged into one token."""
    rng = random.Random(0)
    texts = []
    for index in range(4000):
        scene, question = sample(FAMILIES[index % len(FAMILIES)], "train", rng)
        text = with_options(question.text, question.options)
        texts.append(f"user\n{text}\nassistant\n{solution(scene, question, 'careful')}\nsystem\n")
        texts += ["Describe the image.", *drill(rng)]
    return texts
