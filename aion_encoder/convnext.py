"""The ConvNeXt of the spectrum tokenizer with its channels last, in the place of the package's.

The package turns its arrays around before and after every block, and goes through the widest of
them, four times the channels, five times to normalise its responses. Here the channels stay last,
the normalisation's factor takes one pass, and its offset goes into that of the layer that follows.
The numbers are the same to float rounding. Modules are patched one by one, never their class: other
users of the package in this process keep what they had.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear, pad

__all__ = ["keep_channels_last"]


def keep_channels_last(codec: nn.Module) -> nn.Module:
    """Give a spectrum tokenizer's encoder the faster way through its own layers.

    Parameters
    ----------
    codec
        The official tokenizer of spectra, which is changed in place and returned; any other one is
        returned as it is. What it holds cannot be trained afterwards: blocks write over their
        input.
    """
    from aion.codecs.modules.convnext import ConvNextEncoder1d

    encoder: Any = getattr(codec, "encoder", None)
    if type(encoder) is ConvNextEncoder1d:
        encoder.forward = MethodType(_encode, encoder)
    return codec


def _encode(self: Any, x: Tensor) -> Tensor:
    """Shape (batch, channels, positions) in and out, as the package's."""
    x = x.transpose(1, 2).contiguous()
    for before, stage in zip(self.downsample_layers, self.stages, strict=True):
        for layer in before:
            x = _joined(layer, x) if isinstance(layer, nn.Conv1d) else _normalised(layer, x)
        for block in stage:
            x = _block(block, x)
    return _normalised(self.norm, x).transpose(1, 2)


def _normalised(norm: Any, x: Tensor) -> Tensor:
    return layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _joined(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """Convolve where the stride is the kernel: positions side by side, then one product."""
    (width,) = convolution.kernel_size
    batch, count, channels = x.shape
    kept = x[:, : count // width * width].reshape(batch, -1, width * channels)
    weight = convolution.weight.transpose(1, 2).reshape(convolution.out_channels, -1)
    return linear(kept, weight, convolution.bias)


def _block(block: Any, x: Tensor) -> Tensor:
    inner = _normalised(block.norm, _by_channel(block.dwconv, x))
    inner = block.act(block.pwconv1(inner))
    # As a product with itself: the norm along other than the last axis takes twice as long.
    response = torch.linalg.vecdot(inner, inner, dim=1).sqrt_().unsqueeze(1)
    response = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
    # What follows is factor * inner + beta, and a product with the weights.
    factor = torch.addcmul(torch.ones_like(response), block.grn.gamma, response)
    last = block.pwconv2
    offset = linear(block.grn.beta.flatten(), last.weight, last.bias)
    return linear(inner.mul_(factor), last.weight, offset).add_(x)


def _by_channel(convolution: Any, x: Tensor) -> Tensor:
    """Convolve each channel with its own kernel: a sum of shifted and scaled positions."""
    weight = convolution.weight[:, 0].T.contiguous()
    (edge,) = convolution.padding
    padded, count = pad(x, (0, 0, edge, edge)), x.shape[1]
    found: Tensor = torch.addcmul(convolution.bias, padded[:, :count], weight[0])
    for shift, each in enumerate(weight[1:], start=1):
        found.addcmul_(padded[:, shift : shift + count], each)
    return found
