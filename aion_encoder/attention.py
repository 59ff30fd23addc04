"""Fused attention in the place of the package's explicit one.

The package forms every attention matrix in memory. The fused kernel computes the same numbers (to
float rounding) without it. Modules are patched one by one, never their class: other users of the
package in this process keep what they had.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["differentiable_attention", "fuse_attention", "fused_attention"]


def fused_attention(
    query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None, scale: float | None = None
) -> Tensor:
    """Attend with the fused kernel, in single precision where the CPU is slow in half.

    Parameters
    ----------
    query, key, value
        Shape (batch, heads, tokens, width of a head).
    keep
        True where a key may be seen, or numbers to add to the products, in a shape that
        broadcasts; None for all.
    scale
        Of the products; one over the root of the width if None.
    """
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        # On a CPU the gradient of this kernel takes five times as long in bfloat16 as in float32
        # (0.15 s against 0.03 s for 48 x 6 heads of 144 tokens, Xeon with AMX).
        with torch.autocast("cpu", enabled=False):
            query, key, value = query.float(), key.float(), value.float()
            return scaled_dot_product_attention(query, key, value, attn_mask=keep, scale=scale)
    if keep is not None and keep.is_floating_point():
        keep = keep.to(query.dtype)
    return scaled_dot_product_attention(query, key, value, attn_mask=keep, scale=scale)


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
    attended = fused_attention(query, key, value, keep, self.scale)
    out: Tensor = self.proj(attended.transpose(1, 2).reshape(batch, count, dim))
    return out


def _attend_across(self: Any, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
    batch, count, dim = x.shape
    heads = self.num_heads
    query = self.q(x).reshape(batch, count, heads, dim // heads).transpose(1, 2)
    key, value = self.kv(context).reshape(batch, -1, 2, heads, dim // heads).permute(2, 0, 3, 1, 4)
    keep = None if mask is None else torch.logical_not(mask).unsqueeze(1)
    attended = fused_attention(query, key, value, keep, self.scale)
    out: Tensor = self.proj(attended.transpose(1, 2).reshape(batch, count, dim))
    return out


def fuse_attention(blocks: nn.ModuleList) -> None:
    """Give the attention of each block the fused kernel.

    Parameters
    ----------
    blocks
        The official `Block` or `DecoderBlock` modules; changed in place. The cross-attention of
        models with normalised queries keeps the package's own.
    """
    from aion.fourm.fm_utils import Attention, CrossAttention, NormAttention

    kernels: dict[type, Callable[..., Tensor]] = {
        Attention: _attend,
        NormAttention: _attend,
        CrossAttention: _attend_across,
    }
    for block in blocks:
        for name in ("attn", "self_attn", "cross_attn"):
            attention: Any = getattr(block, name, None)
            kernel = kernels.get(type(attention))
            if kernel is not None and not attention.allow_zero_attn:
                attention.forward = MethodType(kernel, attention)


def differentiable_attention(kind: str) -> AbstractContextManager[None]:
    """Choose kernels of attention whose gradients can be trusted.

    On an H200 (torch 2.11) the default one gave gradients that are not numbers for pictures of 192
    and 576 tokens in bfloat16, in batches that ask the mean alone.
    """
    if kind != "cuda":
        return nullcontext()
    safe: AbstractContextManager[None] = sdpa_kernel(
        [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    )
    return safe
