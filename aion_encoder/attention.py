"""Fused attention in the place of the package's explicit one.

The package forms every attention matrix in memory. The fused kernel computes the same numbers (to
float rounding) without it. Modules are patched one by one, never their class: other users of the
package in this process keep what they had.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["fuse_attention"]


def _attend(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    batch, count, dim = x.shape
    heads = self.num_heads
    query, key, value = (
        self.qkv(x).reshape(batch, count, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    )
    if hasattr(self, "q_norm"):
        query, key = self.q_norm(query), self.k_norm(key)
        query, key = query.to(value.dtype), key.to(value.dtype)
    # The package marks what to ignore, the kernel what to keep.
    keep = None if mask is None else torch.logical_not(mask).unsqueeze(1)
    attended = scaled_dot_product_attention(query, key, value, attn_mask=keep, scale=self.scale)
    out: Tensor = self.proj(attended.transpose(1, 2).reshape(batch, count, dim))
    return out


def fuse_attention(blocks: nn.ModuleList) -> None:
    """Give the self-attention of each encoder block the fused kernel.

    Parameters
    ----------
    blocks
        The official `Block` modules; changed in place.
    """
    from aion.fourm.fm_utils import Attention, NormAttention

    for block in blocks:
        attention: Any = block.attn
        if type(attention) in (Attention, NormAttention) and not attention.allow_zero_attn:
            fused: Callable[..., Tensor] = MethodType(_attend, attention)
            attention.forward = fused
