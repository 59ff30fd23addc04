"""Configuration of a small AION-1 with the keys of the official config.json."""

from collections.abc import Sequence
from typing import Any

__all__ = ["aion_config"]


def aion_config(
    dim: int,
    encoder_depth: int,
    decoder_depth: int,
    num_heads: int,
    domains_in: Sequence[str],
    domains_out: Sequence[str],
) -> dict[str, Any]:
    """Return a configuration whose blocks are those of AION-1.

    Gated perceptrons of ratio 4, no biases, positions by sines and cosines: with these the
    parameters counted equal those that the paper states (arXiv:2510.17960, appendix B).
    """
    return {
        "dim": dim,
        "encoder_depth": encoder_depth,
        "decoder_depth": decoder_depth,
        "num_heads": num_heads,
        "mlp_ratio": 4.0,
        "qkv_bias": False,
        "proj_bias": False,
        "mlp_bias": False,
        "norm_bias": False,
        "act_layer": "SiLU",
        "gated_mlp": True,
        "qk_norm": False,
        "domains_in": list(domains_in),
        "domains_out": list(domains_out),
    }
