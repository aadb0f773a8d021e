"""What SFT and GRPO share: models, encoding, sampling, checkpoints, callbacks and the final model folder."""
