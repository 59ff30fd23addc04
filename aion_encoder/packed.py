"""Matrix products of frozen layers on a CPU, by weights that lie as oneDNN multiplies them.

torch gives products in single precision to MKL. On an AMD EPYC oneDNN does those of AION-1-Base
with weights that were arranged beforehand in 0.87 of the time, and those in bfloat16, which torch
casts and arranges in every call, in 0.92 of it. Layers are patched one by one, never their class.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["pack_products"]


def pack_products(blocks: nn.Module) -> None:
    """Give every linear layer weights arranged for oneDNN, where torch has it for this processor.

    A layer arranges its weights when it is first asked without gradients, keeps both, and arranges
    them anew when they have changed. With gradients, on another device, and in a precision that
    the processor lacks, it does what it did.

    Parameters
    ----------
    blocks
        Whose layers are changed in place.
    """
    # Elsewhere torch's builds give these operators other libraries, which nobody measured.
    on_x86 = platform.machine() in ("x86_64", "AMD64")
    if not on_x86 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for layer in blocks.modules():
        if type(layer) is nn.Linear:
            layer.forward = _Packed(layer)  # type: ignore[method-assign, assignment]


class _Packed:
    def __init__(self, layer: nn.Linear) -> None:
        self._layer = layer
        self._arranged: dict[torch.dtype, tuple[Any, Tensor, Tensor | None]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        layer, kind = self._layer, _kind(x)
        if kind is None or layer.weight.device.type != "cpu":
            return nn.Linear.forward(layer, x)
        weight, bias = self._weights(kind, x.numel() // x.shape[-1])
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x.to(kind), weight, bias, "none", [], ""
        )
        return product

    def _weights(self, kind: torch.dtype, rows: int) -> tuple[Tensor, Tensor | None]:
        weight, bias = self._layer.weight, self._layer.bias
        now = tuple(None if each is None else _state(each) for each in (weight, bias))
        arranged = self._arranged.get(kind)
        if arranged is None or arranged[0] != now:
            packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(kind), rows)
            arranged = now, packed, None if bias is None else bias.detach().to(kind)
            self._arranged[kind] = arranged
        return arranged[1:]


def _state(values: Tensor) -> tuple[int, int]:
    # Tensors made in inference mode count no changes, and nothing may change them elsewhere.
    return values.data_ptr(), 0 if values.is_inference() else values._version


def _kind(x: Tensor) -> torch.dtype | None:
    """Return the precision of the product; None where it is not for oneDNN to do."""
    if torch.is_grad_enabled() or x.device.type != "cpu" or not x.numel():
        return None
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if kind == torch.float32:
        return kind
    supported = kind == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return kind if supported else None
