"""Turn problems and traces into tensors: prompts by the one prompt function, labels on the assistant's turn only.

Prompts are encoded one by one, so that what is computed for a row can be kept: image features of a problem serve all
its traces, all its epochs and all its rollouts. Nothing is ever truncated: a row that is too long raises UserError.

Columns read: id, problem_id (SFT rows), question, options, images, completion (SFT rows).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from coldstart.errors import UserError
from coldstart.prompts import decode_images, messages, render

if TYPE_CHECKING:
    from PIL import Image
    from transformers import ProcessorMixin

IGNORED = -100
KEPT_BYTES = 512 * 2**20  # image features kept in memory; beyond it the oldest are computed again when needed


@dataclass
class Prompt:
    """One encoded prompt: token ids with images expanded, and what the processor makes of its images."""

    ids: list[int]
    token_types: list[int]
    pixel_values: torch.Tensor | None = None
    grid: torch.Tensor | None = None
    images: "list[Image.Image]" = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return 0 if self.pixel_values is None else self.pixel_values.nbytes


class Encoder:
    """Encodes prompts and completions with a model's own processor and chat template."""

    def __init__(self, processor: "ProcessorMixin", prompt_config: dict, keep_images: bool = False) -> None:
        self.processor, self.prompt_config, self.keep_images = processor, prompt_config, keep_images
        self.tokenizer = processor.tokenizer
        self.eos: int = self.tokenizer.eos_token_id
        self._kept: OrderedDict[str, Prompt] = OrderedDict()
        self._bytes = 0

    def prompt(self, row: dict, key: str) -> Prompt:
        """The prompt of a row; ``key`` names the problem, so that its encoding can be used again."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        images = decode_images(row)
        text = render(self.processor, row, self.prompt_config)
        encoded = self.processor(images=images or None, text=[text], add_special_tokens=False, return_tensors="pt")
        ids = encoded["input_ids"][0].tolist()
        prompt = Prompt(
            ids=ids,
            token_types=encoded["mm_token_type_ids"][0].tolist() if images else [0] * len(ids),
            pixel_values=encoded["pixel_values"] if images else None,
            grid=encoded["image_grid_thw"] if images else None,
            images=images if self.keep_images else [],
        )
        self._keep(key, prompt)
        return prompt

    def completion(self, row: dict) -> list[int]:
        """Token ids of a row's trace as the assistant's turn, end of turn included, nothing after it.

        The turn is cut out of the chat template's own rendering, so that it is exactly what the model must write
        after the prompt. (The template's line break behind the end of turn is never generated and not learnt.)
        """
        conversation = messages(row, self.prompt_config)
        answer = {"role": "assistant", "content": [{"type": "text", "text": row["completion"]}]}
        prompt = render(self.processor, row, self.prompt_config)
        whole = self.processor.apply_chat_template([*conversation, answer], tokenize=False)
        if not whole.startswith(prompt):
            raise UserError(
                f"row {row['id']}: the chat template writes the prompt differently when an answer follows it; "
                "training needs a template whose conversation begins with the prompt"
            )
        turn, end = whole[len(prompt) :], self.tokenizer.eos_token
        if end not in turn:
            raise UserError(
                f"row {row['id']}: the chat template does not close the assistant's turn with the tokenizer's "
                f"eos_token '{end}', so the model would never learn to stop; give model and template the same one"
            )
        turn = turn[: turn.rindex(end) + len(end)]
        return self.tokenizer(turn, add_special_tokens=False)["input_ids"]

    def _keep(self, key: str, prompt: Prompt) -> None:
        self._kept[key] = prompt
        self._bytes += prompt.bytes
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].bytes


class TraceCollator:
    """Makes batches of SFT rows from their numbers: right-padded, labels on the completion only."""

    def __init__(self, rows: list[dict], encoder: Encoder, max_length: int) -> None:
        self.rows, self.encoder, self.max_length = rows, encoder, max_length
        self.pad: int = encoder.tokenizer.pad_token_id
        self._completions: dict[int, list[int]] = {}

    def completion(self, number: int) -> list[int]:
        if number not in self._completions:
            self._completions[number] = self.encoder.completion(self.rows[number])
        return self._completions[number]

    def check_lengths(self) -> int:
        """Check every row's length before training, from the prompt length measured at import; returns the longest."""
        longest = 0
        for number, row in enumerate(self.rows):
            length = row["prompt_tokens"] + len(self.completion(number))
            self._check_length(row, length)
            longest = max(longest, length)
        return longest

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        prompts, sequences, labels = [], [], []
        for number in (item["row"] for item in items):
            row, completion = self.rows[number], self.completion(number)
            prompt = self.encoder.prompt(row, row["problem_id"])
            self._check_length(row, len(prompt.ids) + len(completion))
            prompts.append(prompt)
            sequences.append(prompt.ids + completion)
            labels.append([IGNORED] * len(prompt.ids) + completion)
        batch = {
            "input_ids": _pad_right(sequences, self.pad),
            "attention_mask": _pad_right([[1] * len(ids) for ids in sequences], 0),
            "labels": _pad_right(labels, IGNORED),
        }
        with_images = [prompt for prompt in prompts if prompt.pixel_values is not None]
        if with_images:
            width = batch["input_ids"].shape[1]
            batch["mm_token_type_ids"] = torch.tensor(
                [prompt.token_types + [0] * (width - len(prompt.ids)) for prompt in prompts], dtype=torch.int32
            )
            batch["pixel_values"] = torch.cat([prompt.pixel_values for prompt in with_images])
            batch["image_grid_thw"] = torch.cat([prompt.grid for prompt in with_images])
        return batch

    def check_labels(self, items: list[dict]) -> None:
        """Check a real batch: each row learns its completion and nothing else, and ends by learning to stop."""
        batch = self(items)
        for item, labels in zip(items, batch["labels"], strict=True):
            row, learnt = self.rows[item["row"]], labels[labels != IGNORED].tolist()
            if learnt != self.completion(item["row"]):
                raise UserError(f"row {row['id']}: the labels are not the tokens of its completion")
            if learnt.count(self.encoder.eos) != 1 or learnt[-1] != self.encoder.eos:
                raise UserError(
                    f"row {row['id']}: its labels must end with the end of turn '{self.encoder.tokenizer.eos_token}' "
                    "and hold it once; remove special tokens from the completion"
                )

    def _check_length(self, row: dict, length: int) -> None:
        if length > self.max_length:
            raise UserError(
                f"row {row['id']}: prompt and completion have {length} tokens, more than lengths.max_model "
                f"({self.max_length}); raise lengths.max_model, or lower distill.max_tokens (rows are not truncated)"
            )


def pad_left(sequences: list[list[int]], value: int) -> torch.Tensor:
    """Rows of one width, filled up on the left."""
    width = max(map(len, sequences))
    return torch.tensor([[value] * (width - len(row)) + row for row in sequences])


def _pad_right(sequences: list[list[int]], value: int) -> torch.Tensor:
    width = max(map(len, sequences))
    return torch.tensor([row + [value] * (width - len(row)) for row in sequences])
