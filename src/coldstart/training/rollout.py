"""TRL's GRPOTrainer, with each image and prompt computed once for its group, and the sampler watched at every step.

What is changed, and nothing else: where completions come from (``coldstart.training.sampling``, or vLLM with one
placeholder an image), how images reach the model (once a problem instead of once a completion), where random numbers
come from (a function of seed, step and process, so that a resumed run draws what an uninterrupted one would), and two
more metrics. Rewards, advantages and loss are TRL's.

``sampling/sampling_logp_difference`` (TRL has it for vLLM only) compares what sampler and trainer give the sampled
tokens; on the first update of a generation step it must be 0 but for rounding. ``sampling/banned_probability`` is
what the ban of vision tokens takes away: the sampler cannot draw them, while the trainer's distribution has them. The
importance ratio, trainer over trainer, is exact all the same; a trained model gives them about 0, random weights
their share of the vocabulary.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from torch.nn.functional import pad
from trl import GRPOTrainer
from trl.models.utils import unwrap_model_for_generation

from coldstart.prompts import messages
from coldstart.training.checkpoints import OwnWeights
from coldstart.training.encoding import Encoder, Prompt
from coldstart.training.sampling import Rules, sample

# Families whose forward asks ``get_image_features`` for one tensor an image, and for nothing else.
SHARING_FAMILIES = ("qwen2_vl", "qwen2_5_vl")
PIECE = 32  # completions of like length that go through the model together


class RolloutTrainer(OwnWeights, GRPOTrainer):
    """GRPOTrainer on problems given by their number (dataset column ``row``)."""

    def __init__(self, *args, problems: list[dict], encoder: Encoder, rules: Rules, **kwargs) -> None:
        self.problems, self.encoder, self.rules = problems, encoder, rules
        self.prompts: list[Prompt] = []  # of the current generation step, each once
        self.slots = torch.zeros(0, dtype=torch.long)  # which of them each row of the current batch has
        self.logps: torch.Tensor | None = None
        super().__init__(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict]) -> dict:
        numbers = [item["row"] for item in inputs]
        unique = list(dict.fromkeys(numbers))
        place = {number: slot for slot, number in enumerate(unique)}
        self.prompts = [self.encoder.prompt(self.problems[number], self.problems[number]["id"]) for number in unique]
        self.slots = torch.tensor([place[number] for number in numbers])
        rows = [
            {
                "prompt": messages(self.problems[number], self.encoder.prompt_config),
                "problem": self.problems[number],
            }
            for number in numbers
        ]
        slots = self.slots
        torch.manual_seed(self._step_seed())
        output = super()._generate_and_score_completions(rows)
        output["slots"] = slots
        return output

    def _tokenize_prompts(self, prompts: list) -> tuple[list[list[int]], None, dict]:
        return [self.prompts[slot].ids for slot in self.slots.tolist()], None, {}

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations, has_tool_images=False):
        if self.use_vllm:
            # vLLM expands an image's placeholder itself: ids that are expanded already would be expanded twice
            rows = [self.prompts[slot] for slot in self.slots.tolist()]
            collapsed = [collapse(prompt, self._image_pad_token_id) for prompt in rows]
            pictures = [prompt.images or None for prompt in rows]
            return super()._generate_single_turn(collapsed, pictures, {}, num_generations)
        with (
            unwrap_model_for_generation(
                self.model_wrapped,
                self.accelerator,
                gather_deepspeed3_params=self.args.ds3_gather_for_generation,
                gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
            ) as model,
            self._dist.summon_full_params(self.model_wrapped, recurse=False),
            self.accelerator.autocast(),
        ):
            samples = sample(model, self.prompts, self.slots, self.rules)
        self._metrics["train"]["sampling/banned_probability"].append(samples.banned)
        return samples.ids, samples.logps

    def _get_per_token_logps_and_entropies(
        self,
        model,
        input_ids,
        attention_mask,
        logits_to_keep,
        batch_size=None,
        compute_entropy=False,
        compute_aux_loss=False,
        **features,
    ):
        places, logps, entropies = [], [], []
        for rows in torch.arange(len(input_ids)).split(batch_size or len(input_ids)):
            lengths = attention_mask[rows, -logits_to_keep:].sum(1)
            # rows of like length go through the model together, cut to their own width: padding costs nothing
            piece = PIECE if self.accelerator.num_processes == 1 else len(rows)
            for some in rows[lengths.argsort(stable=True).cpu()].split(piece):
                prompt, completion = self._widths(attention_mask[some], logits_to_keep)
                columns = slice(input_ids.shape[1] - logits_to_keep - prompt, None)
                ids, mask = input_ids[some, columns], attention_mask[some, columns]
                ids, mask = ids[:, : prompt + completion], mask[:, : prompt + completion]
                labels = ids.masked_fill(mask == 0, -100)
                labels[:, :-completion] = -100
                with self.accelerator.autocast(), self._images(model, self.slots[some], prompt, completion) as images:
                    output = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True, **images)
                places.append(some)
                missing = (0, logits_to_keep - completion)
                logps.append(pad(output.log_probs[:, -completion:], missing))
                if compute_entropy:
                    entropies.append(pad(output.entropy[:, -completion:], missing))
        order = torch.cat(places).argsort().to(input_ids.device)
        together = torch.cat(logps)[order]
        self.logps = together.detach()
        return together, torch.cat(entropies)[order] if compute_entropy else None, None

    @staticmethod
    def _widths(attention_mask: torch.Tensor, logits_to_keep: int) -> tuple[int, int]:
        """Columns that the longest prompt and the longest completion of these rows need."""
        prompt = attention_mask[:, :-logits_to_keep].sum(1).max().item()
        completion = attention_mask[:, -logits_to_keep:].sum(1).max().item()
        return int(prompt), max(int(completion), 1)

    @contextmanager
    def _images(self, model, slots: torch.Tensor, width: int, completion: int) -> Iterator[dict[str, torch.Tensor]]:
        """Model inputs of the images of some rows, while the model computes each of the images only once.

        Prompts are ``width`` columns wide, padded on the left, and followed by ``completion`` columns.
        """
        device = self.accelerator.device
        rows = [self.prompts[slot] for slot in slots.tolist()]
        if all(prompt.pixel_values is None for prompt in rows):
            yield {}
            return
        types = torch.tensor(
            [[0] * (width - len(prompt.ids)) + prompt.token_types + [0] * completion for prompt in rows],
            dtype=torch.int32,
        )
        grid = torch.cat([prompt.grid for prompt in rows if prompt.grid is not None]).to(device)
        inputs = {"mm_token_type_ids": types.to(device), "image_grid_thw": grid}
        if self.model.config.model_type not in SHARING_FAMILIES:
            pixels = [prompt.pixel_values for prompt in rows if prompt.pixel_values is not None]
            yield {**inputs, "pixel_values": torch.cat(pixels).to(device)}
            return
        shown = [slot for slot in dict.fromkeys(slots.tolist()) if self.prompts[slot].pixel_values is not None]
        pixels = torch.cat([self.prompts[slot].pixel_values for slot in shown]).to(device)
        unique_grid = torch.cat([self.prompts[slot].grid for slot in shown]).to(device)
        first, numbers = 0, {}  # slot -> numbers of its images among the unique ones
        for slot in shown:
            numbers[slot] = range(first, first + len(self.prompts[slot].grid))
            first += len(self.prompts[slot].grid)
        order = [number for slot in slots.tolist() if slot in numbers for number in numbers[slot]]
        base = self.accelerator.unwrap_model(model).model
        original = base.get_image_features

        def once_each(base, pixel_values, image_grid_thw=None, **kwargs):
            features = original(pixel_values, unique_grid, **kwargs)
            features.pooler_output = [features.pooler_output[number] for number in order]
            return features

        base.get_image_features = MethodType(once_each, base)
        try:
            yield {**inputs, "pixel_values": pixels}
        finally:
            del base.get_image_features  # the class's own method is back

    def _compute_loss(self, model, inputs):
        self.slots = inputs["slots"]
        loss = super()._compute_loss(model, inputs)
        first_update = self._step % self.args.steps_per_generation < self.args.gradient_accumulation_steps
        if not self.use_vllm and first_update:  # later updates differ from the sampler by design
            mask = inputs["completion_mask"].bool()
            difference = (self.logps - inputs["sampling_per_token_logps"]).abs()[mask]
            gathered = self.accelerator.gather(torch.stack([difference.mean(), difference.max()]).unsqueeze(0))
            metrics = self._metrics["train"]
            metrics["sampling/sampling_logp_difference/mean"].append(gathered[:, 0].mean().item())
            metrics["sampling/sampling_logp_difference/max"].append(gathered[:, 1].max().item())
        return loss

    def _step_seed(self) -> int:
        text = f"{self.args.seed} {self.state.global_step} {self.accelerator.process_index}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def collapse(prompt: Prompt, image_token: int) -> list[int]:
    """A prompt's ids with one placeholder an image, however many tokens the processor expanded it to."""
    ids: list[int] = []
    for token in prompt.ids:
        if token != image_token or not ids or ids[-1] != image_token:
            ids.append(token)
    return ids
