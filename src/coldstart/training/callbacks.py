"""Callbacks of both trainers: the progress line, and the watch that stops a run which cannot come to any good."""

import math

from transformers import TrainerCallback

from coldstart.errors import UserError
from coldstart.progress import Progress


class ProgressCallback(TrainerCallback):
    """One line with step, ETA and the metrics in ``shown`` (log name -> short name)."""

    def __init__(self, label: str, shown: dict[str, str]) -> None:
        self.label, self.shown = label, shown
        self.bar: Progress | None = None

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        if state.is_world_process_zero:
            start = f" from step {state.global_step}" if state.global_step else ""
            self.bar = Progress(self.label + start, state.max_steps - state.global_step)
            self.bar.__enter__()

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if self.bar is not None and "loss" in logs:
            known = {short: logs[name] for name, short in self.shown.items() if logs.get(name) is not None}
            self.bar.advance(1, "  ".join(f"{short} {value:.3g}" for short, value in known.items()))

    def on_train_end(self, args, state, control, **kwargs) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)


class LossCallback(TrainerCallback):
    """Stops when the loss is no longer a number, before a checkpoint of it is saved."""

    def __init__(self, section: str) -> None:
        self.section = section

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        for name in ("loss", "grad_norm"):
            if name in logs and not math.isfinite(logs[name]):
                raise UserError(
                    f"{self.section}: {name} is {logs[name]} at step {state.global_step}: the training has diverged; "
                    f"lower {self.section}.learning_rate or {self.section}.max_grad_norm"
                )


class RewardCallback(TrainerCallback):
    """Stops a GRPO run that trains on noise: sampler and trainer disagree, or no reward ever varies."""

    LOGP = "sampling/sampling_logp_difference/mean"

    def __init__(self, max_logp_difference: float, hopeless_steps: int | None) -> None:
        self.max_logp_difference, self.hopeless_steps = max_logp_difference, hopeless_steps

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if logs.get(self.LOGP, 0.0) > self.max_logp_difference:
            raise UserError(
                f"grpo: sampler and trainer disagree at step {state.global_step}: their log-probabilities of the "
                f"sampled tokens differ by {logs[self.LOGP]:.3g} on average (grpo.max_logp_difference: "
                f"{self.max_logp_difference}), so the run would train on noise; set grpo.rollout to transformers, "
                "or check that both compute in the same number format"
            )
        if self.hopeless_steps is not None and state.global_step >= self.hopeless_steps:
            steps, self.hopeless_steps = self.hopeless_steps, None  # judged once
            self._judge([entry for entry in state.log_history if "reward" in entry and entry["step"] <= steps], steps)

    def _judge(self, log: list[dict], steps: int) -> None:
        for name, bad, meaning in (
            ("rewards/accuracy/mean", 0.0, "no completion was graded correct"),
            ("frac_reward_zero_std", 1.0, "all completions of every group got the same reward"),
        ):
            if all(entry[name] == bad for entry in log):
                raise UserError(
                    f"grpo: {meaning} in the first {steps} steps, so there is nothing to learn from; "
                    "look at what the model answers, start from a better checkpoint (SFT first), take easier "
                    "problems, or raise grpo.group_size (grpo.hopeless_steps: null turns this check off)"
                )
