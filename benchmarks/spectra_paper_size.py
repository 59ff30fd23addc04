"""How fast the tokenizer encodes at the paper's size, beside what the machine could do.

    python -m benchmarks.spectra_paper_size [--device auto] [--spectra 64]

6 + 6 layers, 512 wide, with random weights: speed does not depend on what they are. Made-up
spectra as long as those of SDSS and of DESI are encoded; on a GPU in bfloat16. The arithmetic of
one spectrum is counted, and its rate compared with that of a large square matrix product of the
same type, measured on the same device before and after. Prints the machine, a table, and one JSON
object on the last line.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from aion_encoder.devices import device_named
from aion_encoder.universal_spectra import PAPER, NativeSpectrum, UstConfig, prepare
from aion_encoder.universal_spectra.batches import SpectrumBatch, stack
from aion_encoder.universal_spectra.buckets import buckets
from aion_encoder.universal_spectra.codes import GRID_FEATURES
from aion_encoder.universal_spectra.encoder import TOKEN_BUDGET
from aion_encoder.universal_spectra.model import blank_model
from aion_encoder.universal_spectra.token_encoder import CHANNELS
from benchmarks.devices import matmul_flops, name_of, seconds
from benchmarks.search_latency import machine

__all__ = ["PaperRates", "Rate", "devices_at_hand", "encoding_flops", "paper_rates", "told"]

GRIDS = {
    "sdss": 10.0 ** (3.58 + 1e-4 * np.arange(3840)),
    "desi": 3600.0 + 0.8 * np.arange(7781),
}
SQUARE = {"cpu": 1024, "cuda": 8192}
"""Side of the matrices of the ceiling: large enough that memory does not count."""


@dataclass(frozen=True)
class Rate:
    """How fast spectra of one length are encoded.

    Attributes
    ----------
    tokens
        Patches of a spectrum.
    gflop
        Arithmetic of one spectrum, in 1e9 operations; see `encoding_flops`.
    spectra_per_second
        From fluxes to vectors, one batch after the other.
    model_spectra_per_second
        Of the model alone, its batches on the device.
    share_of_ceiling
        Arithmetic a second of the model, in units of the matrix product's.
    """

    tokens: int
    gflop: float
    spectra_per_second: float
    model_spectra_per_second: float
    share_of_ceiling: float


@dataclass(frozen=True)
class PaperRates:
    """What was measured on one device.

    Attributes
    ----------
    device
        Its name; of a CPU with the threads.
    dtype
        In which matrices are multiplied.
    ceiling_gflops
        Arithmetic a second of a large square matrix product, in 1e9.
    rates
        By instrument.
    """

    device: str
    dtype: str
    ceiling_gflops: float
    rates: Mapping[str, Rate]


def devices_at_hand() -> list[str]:
    """Return the names of what can be measured here."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def encoding_flops(config: UstConfig, tokens: int) -> int:
    """Return the arithmetic that turns a spectrum into a vector: matrix products alone.

    A product and a sum count as two. What is left out (normalisations, codes, softmax) grows with
    the width, not with its square.
    """
    dim = config.dim
    enters = CHANNELS * config.patch + 2 * config.periods + GRID_FEATURES
    # Query, key, value and output; and the network.
    linear = 4 * dim * dim + 2 * config.mlp_ratio * dim * dim
    # Products of queries and keys, and of weights and values.
    attention = 2 * tokens * dim
    head = 0
    if config.head_dim:
        hidden, out = config.head_hidden, config.head_dim
        head = config.pooled_dim * (out + hidden) + hidden * out
    return 2 * (tokens * (enters * dim + config.encoder_layers * (linear + attention)) + head)


def made_up(grid: np.ndarray, count: int) -> list[NativeSpectrum]:
    """Return spectra of noise about one."""
    rng = np.random.default_rng(0)
    ivar = np.full(grid.size, 25.0)
    return [
        NativeSpectrum(1.0 + 0.2 * rng.normal(size=grid.size), grid, ivar) for _ in range(count)
    ]


def paper_rates(
    device: str = "cpu", *, spectra: int = 8, config: UstConfig = PAPER, side: int | None = None
) -> PaperRates:
    """Measure on one device: the best of three rounds after one that does not count.

    Parameters
    ----------
    device
        See `aion_encoder.devices`.
    spectra
        Of each instrument.
    config
        Sizes.
    side
        Of the matrices of the ceiling; None for one that fits the device.

    Raises
    ------
    EncoderError
        If there is no such device.
    """
    place = device_named(device)
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
    ceilings = [matmul_flops(place, dtype, side or SQUARE[place.type])]
    model = blank_model(config, 0).eval().requires_grad_(False).to(place)

    def vectors(batch: SpectrumBatch) -> torch.Tensor:
        with torch.autocast(place.type, dtype, enabled=place.type == "cuda"):
            pooled = model.pooled(model.encode(batch))
            return pooled if model.head is None else model.aligned(pooled)

    timed = {}
    for name, grid in GRIDS.items():
        given = made_up(grid, spectra)
        tokens = prepare(given[0]).tokens
        rows = buckets([tokens] * spectra, TOKEN_BUDGET[place.type])
        ready = [stack([prepare(given[row]) for row in some]).to(place) for some in rows]

        def alone(ready: list[SpectrumBatch] = ready) -> None:
            for batch in ready:
                vectors(batch)

        def whole(rows: list[list[int]] = rows, given: list[NativeSpectrum] = given) -> None:
            for some in rows:
                vectors(stack([prepare(given[row]) for row in some]).to(place)).cpu()

        timed[name] = tokens, spectra / seconds(whole, place), spectra / seconds(alone, place)
        ceilings.append(matmul_flops(place, dtype, side or SQUARE[place.type]))
    # The best of those before and after: others may be at work on the machine.
    ceiling = max(ceilings)
    rates = {}
    for name, (tokens, from_fluxes, of_model) in timed.items():
        flops = encoding_flops(config, tokens)
        rates[name] = Rate(tokens, flops / 1e9, from_fluxes, of_model, of_model * flops / ceiling)
    return PaperRates(name_of(place), str(dtype).removeprefix("torch."), ceiling / 1e9, rates)


def told(measured: PaperRates) -> str:
    """Return the table in Markdown."""
    lines = [
        f"{measured.device}, {measured.dtype}; the matrix product: "
        f"{measured.ceiling_gflops:,.0f} GFLOP/s.",
        "",
        "| spectra | tokens | GFLOP each | spectra a second | model alone | share of the product |",
        "|---|---|---|---|---|---|",
    ]
    for name, rate in measured.rates.items():
        lines.append(
            f"| {name} | {rate.tokens} | {rate.gflop:.2f} | {rate.spectra_per_second:.1f} | "
            f"{rate.model_spectra_per_second:.1f} | {rate.share_of_ceiling:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--spectra", type=int, default=64)
    given = parser.parse_args()
    measured = paper_rates(given.device, spectra=given.spectra)
    print(machine())
    print(told(measured))
    print(json.dumps({"machine": machine(), **asdict(measured)}))


if __name__ == "__main__":
    main()
