"""An index of 200 million vectors on one ordinary node, from nothing to answers.

    python -m benchmarks.bench_200m FOLDER [--vectors 200000000] [--dim 128] [--queries 1000]
        [--seed 1] [--json benchmarks/results/scale-200m.json]

Streams vectors with the structure of embeddings, as an index holds them after projection
(`benchmarks.synthetic_vectors`): each is made once, compared with all queries, and kept as 8 bits
a dimension. Trains inverted lists, fills them in pieces, puts these together, and moves all into
its place, by the functions of a build. A process of its own then opens the files and searches
(`benchmarks.large_search`). FOLDER takes 128 + 82 bytes a vector while the pieces are put
together, 128 + 42 afterwards.

It may be killed at any time and called again: finished blocks and pieces, which say in FOLDER that
they are, are not done again, and the result is the same.

    OMP_NUM_THREADS=2 python -m benchmarks.bench_200m var/200m
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import peak
from benchmarks.search_latency import machine
from benchmarks.synthetic_vectors import CHUNK, SyntheticVectors
from indexer import ann, fill
from indexer.ann import recipes
from indexer.build import files_of
from indexer.coded_vectors import fit_scale
from indexer.durable import replacing, sync_tree, write_json
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.layout import next_dir, pieces_dir, quantizer_file, segment_unit, space_unit
from indexer.quantizers import read_quantizer
from indexer.vectors import Nearest, write_vectors

SPACE = "image"
SEGMENT = segment_unit("synthetic")
TRUTH = 100
"""Nearest vectors that are kept of each query."""

PIECES = 5
"""At least so many, so that a small run goes the way of a large one."""

_BLOCK_CHUNKS = 5
_LOOK_AT = 8192


@dataclass(frozen=True)
class Asked:
    """What is measured."""

    folder: Path
    vectors: int
    dim: int
    queries: int
    seed: int

    @property
    def source(self) -> SyntheticVectors:
        """Where vectors and queries come from."""
        return SyntheticVectors(self.dim, self.seed)

    @property
    def plain(self) -> dict[str, int]:
        """The numbers."""
        return {
            "vectors": self.vectors,
            "dim": self.dim,
            "queries": self.queries,
            "seed": self.seed,
        }

    @property
    def block(self) -> int:
        """Vectors that are made, compared and written together."""
        return min(_BLOCK_CHUNKS * CHUNK, -(-self.vectors // PIECES))

    def filling(self, root: Path) -> Filling:
        """Return the vectors below a folder."""
        return Filling(root, SEGMENT, SPACE, SPACE)


class State:
    """What is done, and how long it took, over all runs; kept in the folder."""

    def __init__(self, asked: Asked) -> None:
        self._path = asked.folder / "state.json"
        self.values: dict[str, Any] = {
            "asked": asked.plain,
            "resumes": -1,
            "seconds": {},
            "cpu_seconds": {},
            "peak_mb": {},
            "done": [],
        }
        if self._path.exists():
            self.values = json.loads(self._path.read_text())
        if self.values["asked"] != asked.plain:
            raise SystemExit(
                f"{asked.folder} holds a run of {self.values['asked']}, asked is {asked.plain}; "
                "name another folder"
            )
        if not self.done("search"):
            self.values["resumes"] += 1
        self._clock = time.perf_counter(), time.process_time()
        self._keep()

    def done(self, stage: str) -> bool:
        """Say whether a stage is finished."""
        return stage in self.values["done"]

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter(), time.process_time()
        for kind, before, after in zip(("seconds", "cpu_seconds"), self._clock, now, strict=True):
            took = self.values[kind]
            took[stage] = round(took.get(stage, 0.0) + after - before, 3)
        self._clock = now
        self._keep()

    @contextmanager
    def stage(self, name: str) -> Iterator[bool]:
        """Measure a stage; gives False if it is finished already."""
        if self.done(name):
            yield False
            return
        print(f"{name}...", flush=True)
        with peak() as seen:
            yield True
        peaks = self.values["peak_mb"]
        peaks[name] = round(max(peaks.get(name, 0.0), seen.most / 2**20), 1)
        self.values["done"].append(name)
        self.lap(name)

    def _keep(self) -> None:
        write_json(self._path, self.values)


class Shown:
    """Prints how far a stage is, at what rate, and how long it will take; notes its time."""

    def __init__(self, state: State, stage: str) -> None:
        self._state, self._stage = state, stage
        self._first: int | None = None
        self._began = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        self._state.lap(self._stage)
        if self._first is None:
            self._first, self._began = done, now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = f", {(total - done) / rate / 60:.0f} min left" if rate else ""
        print(f"{self._stage} {done}/{total}, {rate:.0f}/s{left}", flush=True)


def stream(asked: Asked, root: Path, state: State) -> None:
    """Make, compare and write all vectors, going on after the last block that is safe."""
    source, truth_path = asked.source, asked.folder / "truth.npz"
    nearest, start = Nearest(source.queries(asked.queries), TRUTH), 0
    if truth_path.exists():
        kept = np.load(truth_path)
        start = int(kept["rows"])
        nearest.resume(kept["scores"], kept["places"], kept["counts"])
    shown = Shown(state, "vectors")
    shown(start, asked.vectors)

    def blocks() -> Iterator[np.ndarray]:
        at = start
        for block in _blocks(asked, source, start):
            for each in range(0, len(block), _LOOK_AT):
                part = block[each : each + _LOOK_AT]
                nearest.look_at(part, np.arange(at + each, at + each + len(part)))
            at += len(block)
            yield block

    def written(rows: int) -> None:
        scores, places, counts = nearest.found()
        with replacing(truth_path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, scores=scores, places=places, counts=counts, rows=rows)
        shown(rows, asked.vectors)

    path, shape = asked.filling(root).vectors_path, (asked.vectors, asked.dim)
    # A block that was the last, and a kill before the file had its name.
    scale = fit_scale(source.chunk(0)[: asked.vectors])
    if not path.exists():
        write_vectors(path, blocks(), shape, scale=scale, start=start, written=written)


def _blocks(asked: Asked, source: SyntheticVectors, start: int) -> Iterator[np.ndarray]:
    """Give the vectors from `start` on in blocks; the next chunks are made meanwhile."""
    numbers = range(start // CHUNK, -(-asked.vectors // CHUNK))
    with ThreadPoolExecutor(ann.threads()) as pool:
        ahead: list[Future[np.ndarray]] = []
        rest = np.empty((0, asked.dim), np.float32)
        row = numbers.start * CHUNK
        for number in numbers:
            following = range(number + len(ahead), min(number + 2 * _BLOCK_CHUNKS, numbers.stop))
            ahead += [pool.submit(source.chunk, each) for each in following]
            chunk = ahead.pop(0).result()[: asked.vectors - row]
            rest = np.concatenate([rest, chunk[max(0, start - row) :]])
            row += len(chunk)
            while len(rest) >= asked.block or (len(rest) and row == asked.vectors):
                yield rest[: asked.block]
                rest = rest[asked.block :]


def built(asked: Asked, state: State) -> None:
    """Do everything up to the published files."""
    root = next_dir(asked.folder)
    filling, waiting, space = asked.filling(root), pieces_dir(asked.folder), space_unit(SPACE)
    with state.stage("vectors") as wanted:
        if wanted:
            stream(asked, root, state)
    with state.stage("train") as wanted:
        if wanted:
            train_quantizer(root, space, {f"synthetic:{SPACE}": filling}, keep=waiting)
    with state.stage("fill") as wanted:
        if wanted:
            fill_segment(
                filling,
                None,
                read_quantizer(root, space),
                pieces=waiting / SEGMENT,
                progress=Shown(state, "fill"),
            )
            # After the last vector: what puts the pieces together.
            state.lap("merge")
    with state.stage("publish") as wanted:
        if wanted:
            shutil.rmtree(waiting, ignore_errors=True)
            _published(asked.folder, root)


def _published(folder: Path, root: Path) -> None:
    """Hash the files, and move the units to where they stay, as `indexer.publish` does."""
    if root.exists():
        files = {name: each.model_dump() for name, each in files_of(root, None).items()}
        files |= json.loads((folder / "files.json").read_text()) if _some(folder) else {}
        write_json(folder / "files.json", files)
        for unit in (SEGMENT, space_unit(SPACE)):
            if (root / unit).exists():
                sync_tree(root / unit)
                (folder / unit).parent.mkdir(parents=True, exist_ok=True)
                (root / unit).rename(folder / unit)
        shutil.rmtree(root.parent)


def _some(folder: Path) -> bool:
    return (folder / "files.json").exists()


def report(asked: Asked, state: State) -> dict[str, Any]:
    """Search in a process of its own, and put everything together."""
    searched = json.loads((asked.folder / "searches.json").read_text())
    files = json.loads((asked.folder / "files.json").read_text())
    seconds = state.values["seconds"]
    codes = [each["bytes"] for name, each in files.items() if name.endswith(".faiss")]
    trained = files[quantizer_file(space_unit(SPACE))]["bytes"]
    kept = sum(each["bytes"] for each in files.values()) - sum(codes)
    return {
        "machine": machine(),
        "threads": ann.threads(),
        **asked.plain,
        "stage_hours": {name: round(each / 3600, 4) for name, each in seconds.items()},
        "hours": round(sum(seconds.values()) / 3600, 4),
        "microseconds_a_vector": _each(seconds, asked.vectors),
        "cpu_microseconds_a_vector": _each(state.values["cpu_seconds"], asked.vectors),
        "peak_anonymous_mb": state.values["peak_mb"],
        "resumes": state.values["resumes"],
        "disk_bytes_a_vector": {
            "index": round((sum(codes) - trained) / asked.vectors, 2),
            "kept_to_rank_again": round(kept / asked.vectors, 2),
        },
        **searched,
    }


def _each(seconds: dict[str, float], vectors: int) -> dict[str, float]:
    # Searches are of so many queries, not of so many vectors.
    return {
        name: round(1e6 * each / vectors, 3) for name, each in seconds.items() if name != "search"
    }


def main() -> int:
    """Build, search and print."""
    parser = argparse.ArgumentParser(description="Measure an index of 200 million vectors.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vectors", type=int, default=200_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file that the result is written to, too")
    given = parser.parse_args()
    asked = Asked(given.folder, given.vectors, given.dim, given.queries, given.seed)
    # A small run goes the way of a large one: product codes, in pieces.
    recipes.EXACT_UP_TO = recipes.EIGHT_BIT_UP_TO = 0
    fill.PIECE_VECTORS = min(fill.PIECE_VECTORS, -(-asked.vectors // PIECES))
    asked.folder.mkdir(parents=True, exist_ok=True)
    state = State(asked)
    built(asked, state)
    with state.stage("search") as wanted:
        if wanted:
            command = [sys.executable, "-m", "benchmarks.large_search", str(asked.folder)]
            subprocess.run(command, check=True)
    result = report(asked, state)
    print(json.dumps(result))
    if given.json is not None:
        write_json(given.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
