"""Attention for training on a CPU: grouped queries without copying keys and values for every group.

transformers repeats keys and values for each group before it calls PyTorch's attention, since CUDA's fast kernels
want that when there is a mask. The CPU kernel takes groups as they are: same numbers, and a decoding step's attention
in a third of the time.

    python -c "from coldstart.training.attention import register; print(register())"
"""

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_grouped"


def register() -> str:
    """Make the attention known to transformers; returns its name, for ``attn_implementation``."""
    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs,
) -> tuple[torch.Tensor, None]:
    """PyTorch's attention; whatever is not the masked, grouped case is left to transformers."""
    if attention_mask is None or query.shape[1] == key.shape[1] or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    output = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scaling, enable_gqa=True
    )
    return output.transpose(1, 2).contiguous(), None
