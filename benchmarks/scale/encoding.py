"""How many objects a second a frozen AION-1 encodes, on this device."""

import time
from pathlib import Path

from benchmarks.devices import short_name
from benchmarks.encoding.made_up import KINDS, made_up
from benchmarks.scale.results import write_results

__all__ = ["measure_encoding"]

_OBJECTS = {"cpu": 48, "cuda": 1024}


def measure_encoding(results: Path, weights: str, device: str) -> Path:
    """Encode made-up observations, and write ``encoding.json``.

    Of a CPU the rate is that of one core's time, so that what runs beside it does not count; of a
    GPU it is that of the clock.

    Parameters
    ----------
    results
        Folder of the file.
    weights, device
        As `open_encoder` takes them.
    """
    import torch

    from aion_encoder import open_encoder

    encoder = open_encoder(weights, device=device)
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    known = "aion-demo" if weights == "demo" else Path(weights.partition("@")[0]).name
    count = _OBJECTS["cuda" if on_gpu else "cpu"]
    short = short_name(torch.cuda.get_device_name()) if on_gpu else "cpu"
    rates = []
    for modality in KINDS:
        observations = [(each,) for each in made_up(modality, count, seed=1)]
        encoder.encode(observations[:2])
        clock = time.perf_counter if on_gpu else time.process_time
        began = clock()
        encoder.encode(observations)
        per_s = round(count / (clock() - began), 2)
        rates.append({"model": known, "device": short, "modality": modality, "per_s": per_s})
    return write_results(
        results,
        "encoding",
        seed=1,
        versions={"torch": torch.__version__},
        measures={f"{e['model']}.{e['device']}.{e['modality']}.per_s": e["per_s"] for e in rates},
        rates=rates,
    )
