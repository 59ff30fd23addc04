"""`indexer/rates.json` from results: what a plan predicts from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.scale.results import read_results
from indexer.durable import write_json
from indexer.forecast import RATES

__all__ = ["ESTIMATES", "rates_of", "write_rates"]

_TENSOR_TFLOPS, _CODEC_TFLOPS, _SHARE = 790.0, 490.0, 0.35
_GFLOP = {
    "aion-base": {"image": (110.8, 63.1), "spectrum": (49.4, 18.4), "xp": (19.3, 0.0)},
    "aion-large": {"image": (381.7, 63.1), "spectrum": (172.8, 18.4)},
    "aion-xlarge": {"image": (1461.6, 63.1), "spectrum": (676.5, 18.4)},
}
"""Arithmetic of one object: of the transformer, and of the tokenizer. It is counted, not timed."""

_CORE_GFLOPS = 70.0


def _estimates() -> list[dict[str, Any]]:
    found = []
    for model, modalities in _GFLOP.items():
        for modality, (transformer, tokenizer) in modalities.items():
            seconds = transformer / (1e3 * _TENSOR_TFLOPS * _SHARE)
            seconds += tokenizer / (1e3 * _CODEC_TFLOPS * _SHARE)
            source = (
                f"arithmetic: {transformer:g} + {tokenizer:g} GFLOP an object at {_SHARE:.0%} of "
                f"{_TENSOR_TFLOPS:g} (bfloat16) and {_CODEC_TFLOPS:g} (TF32) TFLOP/s"
            )
            found += [
                _encode(model, device, modality, 1.0 / seconds, "estimated", source)
                for device in ("h100", "h200")
            ]
            whole = transformer + tokenizer
            source = f"arithmetic: {whole:g} GFLOP an object at {_CORE_GFLOPS:g} GFLOP/s a core"
            rate = _CORE_GFLOPS / whole
            found.append(_encode(model, "cpu", modality, rate, "estimated", source))
    return found


def _encode(
    model: str, device: str, modality: str, per_s: float, basis: str, source: str
) -> dict[str, Any]:
    return {
        "model": model,
        "device": device,
        "modality": modality,
        "per_s": float(f"{per_s:.3g}"),
        "basis": basis,
        "source": source,
    }


ESTIMATES = tuple(_estimates())
"""Rates of encoding that nobody measured; a measured one takes the place of its estimate."""


def rates_of(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the rates that results hold, beside estimates.

    The largest size of ``growth`` is left out where there are others: it shows whether what is
    predicted from the smaller ones is right.
    """
    encode = {(e["model"], e["device"], e["modality"]): e for e in ESTIMATES}
    measured = results.get("encoding", {})
    for each in measured.get("rates", ()):
        source = f"benchmarks/results/encoding.json, {measured['date']}, {measured['machine']}"
        key = each["model"], each["device"], each["modality"]
        encode[key] = _encode(*key, each["per_s"], "measured", source)
    index = []
    if "growth" in results:
        growth = results["growth"]
        sizes = growth["sizes"]
        index += [_index(row, row["recipe"], growth, "growth") for row in sizes[:-1] or sizes]
    if "peers" in results:
        peers = results["peers"]
        ours = [r for r in peers["systems"] if r["kind"] == "ours" and "failed" not in r]
        index += [_index(row, row["system"], peers, "peers") for row in ours]
    return {"encode": list(encode.values()), "index": index}


def _index(
    row: Mapping[str, Any], recipe: str, document: Mapping[str, Any], name: str
) -> dict[str, Any]:
    count, dim = row["count"], document["dim"]
    return {
        "recipe": recipe,
        "count": count,
        "dim": dim,
        "lists": row["lists"],
        "threads": row["threads"],
        "train_s": row["train_s"],
        "filled_per_s": row["filled_per_s"],
        "train_peak_bytes": row["train_peak_bytes"],
        "fill_peak_bytes": row["fill_peak_bytes"],
        "bytes_per_vector": round((row["bytes"] - row["trained_bytes"]) / count, 2),
        "trained_bytes": row["trained_bytes"],
        "serving_bytes": row["anonymous_bytes"],
        "source": f"benchmarks/results/{name}.json, {count:,} of {dim} numbers, {document['date']}",
    }


def write_rates(results: Path, path: Path = RATES) -> Path:
    """Write the rates."""
    write_json(path, rates_of(read_results(results)))
    return path
