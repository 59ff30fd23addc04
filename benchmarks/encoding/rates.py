"""Objects a second of this encoder and of the official package, in turns, on a CPU or a GPU."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aion_encoder.observations import Observation
from benchmarks.encoding.made_up import KINDS, made_up
from benchmarks.memory import peak
from benchmarks.scale.results import write_results

if TYPE_CHECKING:
    from aion_encoder.encoder import Encoder

__all__ = ["Turn", "measure_rates", "told"]

Announce = Callable[[str], None]

_SEED = 1
_PRECISIONS = {"cpu": ("float32", "bfloat16"), "cuda": ("bfloat16", "float32")}
"""By device: what a build does unless it is told otherwise, and the other one."""

_RESULTS = {"cpu": "cpu", "cuda": "gpu"}
"""What files and measures of a kind of device are called by."""


@dataclass
class Turn:
    """What one system said of a batch, and what it took."""

    tokens: dict[str, np.ndarray[Any, Any]]
    vectors: np.ndarray[Any, Any]
    seconds: float
    peak_bytes: int


def measure_rates(
    results: Path,
    folder: Path,
    *,
    count: int,
    rounds: int,
    announce: Announce,
    device: str = "cpu",
    size: str = "full",
) -> Path:
    """Encode the same observations with the package and with this encoder; write the results.

    Each modality is encoded by a process of its own. Times are the clock's. The systems take
    turns, so that what else the machine does weighs on all; ratios are the median of those of each
    round, but only a free machine gives rates.

    Parameters
    ----------
    results
        Folder of the file, ``encoding-cpu.json`` or ``encoding-gpu.json``.
    folder
        Where a checkpoint with random weights is kept.
    count
        Objects in a batch, of each modality.
    rounds
        How often every system encodes the batch.
    device
        ``cpu`` or ``cuda``.
    size
        Of the weights, as `write_random_checkpoint` takes it; shares of what the device can do
        mean something for ``full`` alone.
    """
    import torch

    from aion_encoder.devices import device_named
    from benchmarks.devices import name_of

    place = device_named(device)
    kind = _RESULTS[place.type]
    checkpoint = _checkpoint(folder, size, announce)
    measures: dict[str, float] = {}

    def note(task: Callable[..., dict[str, float]], prefix: str, *given: Any) -> None:
        announce(prefix)
        # A process of its own: what another modality left to the allocator changes the times.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found = alone.submit(task, checkpoint, device, count, *given).result()
        measures.update({f"{prefix}.{key}": value for key, value in found.items()})

    for modality in KINDS:
        note(_of_modality, f"{kind}.{modality}", modality, rounds)
    note(_of_device, kind)
    return write_results(
        results,
        f"encoding-{kind}",
        seed=_SEED,
        versions={"torch": torch.__version__},
        device=name_of(place),
        objects=count,
        rounds=rounds,
        threads=torch.get_num_threads(),
        bfloat16_in_hardware=place.type == "cuda"
        or bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()),
        measures=measures,
    )


def _of_modality(
    checkpoint: Path, device: str, count: int, modality: str, rounds: int
) -> dict[str, float]:
    from benchmarks.encoding.package import Package

    package, encoders = Package(checkpoint, device), _encoders(checkpoint, device)

    def by_ours(name: str, observations: Sequence[Observation]) -> Any:
        encoded = encoders[name].encode([(each,) for each in observations], tokens=True)
        (vectors,) = encoded.vectors.values()
        return encoded.tokens, vectors

    systems = {"package": package.encode} | {name: partial(by_ours, name) for name in encoders}
    turns: dict[str, list[Turn]] = {name: [] for name in systems}
    observations = made_up(modality, count, seed=_SEED)
    for _ in range(rounds):
        for name, encode in systems.items():
            turns[name].append(_timed(encode, observations, device))
    return told(turns, count)


def _of_device(checkpoint: Path, device: str, count: int) -> dict[str, float]:
    from aion_encoder.devices import device_named
    from benchmarks.encoding.shares import shares

    usual, *_ = _encoders(checkpoint, device).values()
    return shares(usual, device_named(device), count=count, seed=_SEED)


def _encoders(checkpoint: Path, device: str) -> dict[str, "Encoder"]:
    """Return what a build does unless it is told otherwise, and then the other precision."""
    from aion_encoder import Pooling, open_encoder
    from aion_encoder.devices import device_named
    from aion_encoder.transformer import Transformer

    pooling = Pooling.MEAN_OUTPUT
    ours = open_encoder(str(checkpoint), device=device, pooling=pooling)
    return {
        name: replace(
            ours,
            transformer=Transformer(
                ours.model, pooling, device_named(device), autocast=name == "bfloat16"
            ),
        )
        for name in _PRECISIONS[device]
    }


def _checkpoint(folder: Path, size: str, announce: Announce) -> Path:
    """Return a checkpoint with random weights; it is written once."""
    from aion_encoder.training.blank import write_random_checkpoint

    checkpoint = folder / size
    if not checkpoint.exists():
        announce("writing a checkpoint with random weights")
        unfinished = checkpoint.with_suffix(".partial")
        changes = {"domains_out": ["tok_z"]}
        write_random_checkpoint(
            unfinished, size=size, seed=_SEED, modalities=KINDS, changes=changes
        )
        unfinished.rename(checkpoint)
    return checkpoint


def _timed(encode: Callable[..., Any], observations: Sequence[Observation], kind: str) -> Turn:
    with _peak(kind) as seen:
        began = time.perf_counter()
        tokens, vectors = encode(observations)
        taken = time.perf_counter() - began
    return Turn(tokens, vectors, taken, seen())


@contextmanager
def _peak(kind: str) -> Iterator[Callable[[], int]]:
    """Watch the memory of a block: of a GPU, or of this process."""
    import torch

    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield lambda: torch.cuda.max_memory_allocated() - before
        return
    with peak() as seen:
        yield lambda: seen.bytes


def told(turns: Mapping[str, Sequence[Turn]], count: int) -> dict[str, float]:
    """Return rates, ratios, memory, and how far the answers are from the package's.

    Parameters
    ----------
    turns
        Of the package first, then of others; the first of these is what a build does unless it is
        told otherwise.
    count
        Objects of each turn.
    """
    others = [name for name in turns if name != "package"]
    package = turns["package"][0]
    taken = {name: np.array([each.seconds for each in of]) for name, of in turns.items()}
    usual = {name: float(np.median(each)) for name, each in taken.items()}
    found: dict[str, float] = {"package.per_s": round(count / usual["package"], 3)}
    found["package.peak_bytes"] = max(each.peak_bytes for each in turns["package"])
    for name in others:
        first = turns[name][0]
        same = [np.mean(first.tokens[key] == each) for key, each in package.tokens.items()]
        found |= {
            f"{name}.per_s": round(count / usual[name], 3),
            # What else the machine does weighs on the turns of one round alike.
            f"{name}.ratio_to_package": round(float(np.median(taken["package"] / taken[name])), 3),
            f"{name}.peak_bytes": max(each.peak_bytes for each in turns[name]),
            f"{name}.tokens_agree": round(float(np.mean(same)), 6),
            f"{name}.least_cosine": round(_least_cosine(first.vectors, package.vectors), 7),
        }
    found["ratio_to_package"] = found[f"{others[0]}.ratio_to_package"]
    return found


def _least_cosine(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())
