"""coldstart: distil, filter, SFT, GRPO and evaluate a vision-language model, stage by stage.

Data flows one way: problems -> responses -> grades -> SFT rows -> checkpoint -> responses -> grades -> table.
Every stage is one command (``coldstart <stage> --help``): files in, files out.
"""

__version__ = "0.1.0"
