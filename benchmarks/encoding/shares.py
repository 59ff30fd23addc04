"""How much of what a device can do the transformer reaches, and the whole way of pictures."""

from collections.abc import Mapping
from types import MappingProxyType

import torch

from aion_encoder.encoder import Encoder
from aion_encoder.packed import pack_products
from benchmarks.devices import matmul_flops, seconds
from benchmarks.encoding.made_up import made_up

__all__ = ["GFLOP", "shares"]

GFLOP: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "aion-base": {"image": (110.8, 63.1), "spectrum": (49.4, 18.4), "xp": (19.3, 0.0)},
        "aion-large": {"image": (381.7, 63.1), "spectrum": (172.8, 18.4), "xp": (67.9, 0.0)},
        "aion-xlarge": {"image": (1461.6, 63.1), "spectrum": (676.5, 18.4), "xp": (269.0, 0.0)},
    }
)
"""Arithmetic of one object: of the transformer, and of the tokenizer. It is counted, not timed.

That of the transformer is a n + b n^2 for n tokens: 576 of a picture, 273 of a spectrum, 110 of
coefficients. Coefficients of the larger models follow from their other two."""

_SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the matrices whose product is the best that a device can do."""


def shares(encoder: Encoder, place: torch.device, *, count: int, seed: int) -> dict[str, float]:
    """Measure an encoder as large as AION-1-Base on pictures.

    Parameters
    ----------
    encoder
        On that device; on a GPU its transformer runs in bfloat16, elsewhere in float32.
    place
        The device.
    count
        Pictures.
    seed
        Of them.

    Returns
    -------
    ``transformer.share_of_peak``: its arithmetic a second, over that of one large matrix product in
    the same precision, the best of before and after. ``image.share_of_floor``: the time that the
    arithmetic of tokenizer (float32) and transformer would take at such rates, over what the whole
    way takes, from pixels to vectors. Both peaks, in operations a second.
    """
    fast = torch.bfloat16 if place.type == "cuda" else torch.float32
    side = _SIDE[place.type]

    def peaks() -> tuple[float, float]:
        if place.type == "cuda":
            return matmul_flops(place, fast, side), matmul_flops(place, torch.float32, side)
        # MKL's product or oneDNN's: which is faster depends on the processor.
        best = max(matmul_flops(place, fast, side), _packed_flops(side))
        return best, best

    before = peaks()
    pictures = made_up("image", count, seed=seed)
    tokens = [each.tokens for each in encoder.tokenizer.encode(pictures)]
    transformer_s = seconds(lambda: encoder.transformer.encode(tokens), place) / count
    objects = [(each,) for each in pictures]
    whole_s = seconds(lambda: encoder.encode(objects), place) / count
    half, single = (max(pair) for pair in zip(before, peaks(), strict=True))
    transformer, tokenizer = (1e9 * each for each in GFLOP["aion-base"]["image"])
    return {
        "transformer.share_of_peak": round(transformer / transformer_s / half, 4),
        "image.share_of_floor": round((transformer / half + tokenizer / single) / whole_s, 4),
        "transformer.peak_flops": round(half),
        "tokenizer.peak_flops": round(single),
    }


def _packed_flops(side: int) -> float:
    """Return operations a second of a layer of a CPU, as the transformer has them."""
    layer = torch.nn.Linear(side, side, bias=False)
    pack_products(layer)
    given = torch.randn(side, side)
    return 2.0 * side**3 / seconds(lambda: layer(given), torch.device("cpu"))
