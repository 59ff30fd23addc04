"""`indexer/rates.json` from results: what a plan predicts from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.devices import short_name
from benchmarks.encoding.feeding import PACKINGS
from benchmarks.encoding.made_up import KINDS
from benchmarks.encoding.shares import GFLOP
from benchmarks.scale.results import BENCHMARKS, read_results
from indexer.durable import write_json
from indexer.rates import RATES

__all__ = ["ESTIMATES", "rates_of", "write_rates"]

_TENSOR_TFLOPS, _CODEC_TFLOPS, _SHARE = 790.0, 490.0, 0.35
_CORE_GFLOPS = 70.0


def _estimates() -> list[dict[str, Any]]:
    found = []
    for model, modalities in GFLOP.items():
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
    encode |= _of_base(results)
    index = []
    if "growth" in results:
        growth = results["growth"]
        sizes = growth["sizes"]
        index += [_index(row, row["recipe"], growth, "growth") for row in sizes[:-1] or sizes]
    if "peers" in results:
        peers = results["peers"]
        ours = [r for r in peers["systems"] if r["kind"] == "ours" and "failed" not in r]
        index += [_index(row, row["system"], peers, "peers") for row in ours]
    read = _read(results["encoding-feeding"]) if "encoding-feeding" in results else []
    return {"encode": list(encode.values()), "read": read, "index": index}


def _of_base(
    results: Mapping[str, Mapping[str, Any]],
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return rates of AION-1-Base, with random weights: of one core, and of a GPU."""
    rates = {}
    for kind, usual in (("cpu", "float32"), ("gpu", "bfloat16")):
        document = results.get(f"encoding-{kind}")
        if document is None:
            continue
        name, of = document["device"], document["threads"] if kind == "cpu" else 1
        device = kind if kind == "cpu" else short_name(name)
        source = (
            f"benchmarks/results/encoding-{kind}.json, {document['date']}, "
            f"{document['machine']}, {name}"
        )
        for modality in KINDS:
            key = "aion-base", device, modality
            per_s = document["measures"][f"{kind}.{modality}.{usual}.per_s"] / of
            rates[key] = _encode(*key, per_s, "measured", source)
    return rates


def _read(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    measures = document["measures"]
    source = f"benchmarks/results/encoding-feeding.json, {document['date']}, {document['machine']}"
    return [
        {
            "reader": packing,
            "modality": modality,
            "per_s": measures[f"{packing}.{modality}.fed_per_s"],
            "bytes_per_object": measures[f"{packing}.{modality}.bytes_per_object"],
            "basis": "measured",
            "source": source,
        }
        for packing in PACKINGS
        for modality in KINDS
    ]


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
    names = (*BENCHMARKS, "encoding-cpu", "encoding-gpu", "encoding-feeding")
    write_json(path, rates_of(read_results(results, names)))
    return path
