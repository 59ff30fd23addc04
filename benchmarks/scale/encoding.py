"""How many objects a second a frozen AION-1 encodes, on this device."""

import time
from pathlib import Path

import numpy as np

from benchmarks.scale.results import write_results

__all__ = ["measure_encoding"]

_OBJECTS = {"cpu": 48, "cuda": 1024}
_PIXELS = 160
_CENTRE_PIXELS = 30.0


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
    from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum

    encoder = open_encoder(weights, device=device)
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    rng = np.random.default_rng(1)
    wavelength = np.linspace(3600.0, 9800.0, 7800)
    bands = ("DES-G", "DES-R", "DES-I", "DES-Z")
    offset = np.hypot(*np.indices((_PIXELS, _PIXELS)) - _PIXELS / 2) / _CENTRE_PIXELS

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    def image() -> Observation:
        flux = 5.0 * np.exp(-offset) + 0.05 * noise(len(bands), _PIXELS, _PIXELS)
        return Image(flux, bands, "legacysurvey")

    def spectrum() -> Observation:
        flux = 3.0 + 0.3 * noise(wavelength.size)
        return Spectrum(flux, np.full(wavelength.size, 10.0), wavelength, "desi")

    def xp() -> Observation:
        return GaiaXp(bp=noise(55), rp=noise(55))

    known = "aion-demo" if weights == "demo" else Path(weights.partition("@")[0]).name
    count = _OBJECTS["cuda" if on_gpu else "cpu"]
    name = torch.cuda.get_device_name() if on_gpu else "cpu"
    short = next((each for each in ("h100", "h200") if each in name.lower()), name)
    rates = []
    for modality, make in (("image", image), ("spectrum", spectrum), ("xp", xp)):
        observations = [(make(),) for _ in range(count)]
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
