"""Objects a second of this encoder and of the official package, in turns."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.observations import Observation
from benchmarks.encoding.made_up import KINDS, made_up
from benchmarks.memory import peak
from benchmarks.scale.results import write_results

__all__ = ["measure_rates"]

Announce = Callable[[str], None]

_SEED = 1
_SYSTEMS = ("package", "float32", "bfloat16")
"""In this order, again and again, so that what else the machine does weighs on all."""


@dataclass
class _Turn:
    """What one system said of a batch, and what it took."""

    tokens: dict[str, np.ndarray[Any, Any]]
    vectors: np.ndarray[Any, Any]
    seconds: float
    peak_bytes: int


def measure_rates(
    results: Path, folder: Path, *, count: int, rounds: int, announce: Announce
) -> Path:
    """Encode the same observations with the package and with this encoder; write the results.

    Times are the clock's, of several rounds the least: the systems take turns, so that what else
    the machine does weighs on all, but only a free machine gives rates.

    Parameters
    ----------
    results
        Folder of the file, ``encoding-cpu.json``.
    folder
        Where a checkpoint with random weights is kept.
    count
        Objects in a batch, of each modality.
    rounds
        How often every system encodes the batch.
    """
    import torch

    from aion_encoder import Pooling, open_encoder
    from aion_encoder.training.blank import write_random_checkpoint
    from aion_encoder.transformer import Transformer
    from benchmarks.encoding.package import Package

    checkpoint = folder / "full"
    if not checkpoint.exists():
        announce("writing a checkpoint with random weights")
        partial = checkpoint.with_suffix(".partial")
        changes = {"domains_out": ["tok_z"]}
        write_random_checkpoint(partial, size="full", seed=_SEED, modalities=KINDS, changes=changes)
        partial.rename(checkpoint)
    package = Package(checkpoint)
    ours = open_encoder(str(checkpoint), device="cpu", pooling=Pooling.MEAN_OUTPUT)
    place = torch.device("cpu")
    fast = Transformer(ours.model, Pooling.MEAN_OUTPUT, place, autocast=True)
    encoders = {"float32": ours, "bfloat16": replace(ours, transformer=fast)}

    def by_ours(name: str, observations: Sequence[Observation]) -> Any:
        encoded = encoders[name].encode([(each,) for each in observations], tokens=True)
        (vectors,) = encoded.vectors.values()
        return encoded.tokens, vectors

    measures: dict[str, float] = {}
    for modality in KINDS:
        observations = made_up(modality, count, seed=_SEED)
        turns: dict[str, list[_Turn]] = {name: [] for name in _SYSTEMS}
        for number in range(rounds):
            for name in _SYSTEMS:
                announce(f"{modality}, round {number + 1} of {rounds}: {name}")
                encode = package.encode if name == "package" else _bound(by_ours, name)
                turns[name].append(_timed(encode, observations))
        measures |= {f"cpu.{modality}.{key}": value for key, value in _told(turns, count).items()}
    return write_results(
        results,
        "encoding-cpu",
        seed=_SEED,
        versions={"torch": torch.__version__},
        objects=count,
        rounds=rounds,
        threads=torch.get_num_threads(),
        bfloat16_in_hardware=bool(
            torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        ),
        measures=measures,
    )


def _bound(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    return lambda observations: call(name, observations)


def _timed(encode: Callable[..., Any], observations: Sequence[Observation]) -> _Turn:
    with peak() as seen:
        began = time.perf_counter()
        tokens, vectors = encode(observations)
        taken = time.perf_counter() - began
    return _Turn(tokens, vectors, taken, seen.bytes)


def _told(turns: dict[str, list[_Turn]], count: int) -> dict[str, float]:
    """Rates, ratios, memory, and how far the answers are from the package's."""
    package = turns["package"][0]
    least = {name: min(each.seconds for each in of) for name, of in turns.items()}
    told: dict[str, float] = {"package.per_s": round(count / least["package"], 3)}
    told["package.peak_bytes"] = max(each.peak_bytes for each in turns["package"])
    for name in _SYSTEMS[1:]:
        first = turns[name][0]
        same = [np.mean(first.tokens[key] == each) for key, each in package.tokens.items()]
        told |= {
            f"{name}.per_s": round(count / least[name], 3),
            f"{name}.ratio_to_package": round(least["package"] / least[name], 3),
            f"{name}.peak_bytes": max(each.peak_bytes for each in turns[name]),
            f"{name}.tokens_agree": round(float(np.mean(same)), 6),
            f"{name}.least_cosine": round(_least_cosine(first.vectors, package.vectors), 7),
        }
    # What a build does unless it is told otherwise.
    told["ratio_to_package"] = told["float32.ratio_to_package"]
    return told


def _least_cosine(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())
