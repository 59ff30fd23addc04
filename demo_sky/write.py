"""Write a whole simulated sky: five releases and the truth about their sources."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demo_sky.defects import damage, damaged_rows
from demo_sky.hdf5_layout import RELEASE_FOLDER, ReleaseFileWriter, release_file
from demo_sky.placement import FILE_PIXELS, SLOTS, SURVEYS, file_pixel_of, surveys_of
from demo_sky.sky import simulate_source
from demo_sky.xp_basis import write_xp_basis

LABELS_FILE = "labels.parquet"
XP_BASIS_FILE = "gaia/xp_basis.npz"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class _Task:
    """The sources of one HEALPix cell: at most one file per release."""

    directory: Path
    seed: int
    file_pixel: int
    indices: tuple[int, ...]
    rows: dict[str, int]
    damaged: dict[str, dict[int, str]]


def write_sky(
    directory: str | os.PathLike[str],
    objects: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Write five releases below a directory, `gaia/xp_basis.npz` and `labels.parquet`.

    Files depend on `objects` and `seed` alone: neither on the number of workers nor on the date.

    Parameters
    ----------
    directory : path
        Made if absent; must not hold any of the releases yet.
    objects : int
        Number of physical sources.
    seed : int
        Which sky.
    progress : callable, optional
        Called as progress(sources done, sources in all).
    workers : int, optional
        Processes; by default as many as the machine has cores. They are started afresh, so a script
        needs the usual `if __name__ == "__main__":` guard.

    Raises
    ------
    ValueError
        If a number is out of range.
    FileExistsError
        If a release is already there.
    """
    root = Path(directory)
    if not 1 <= objects <= SLOTS:
        raise ValueError(
            f"objects must be 1 to {SLOTS}, the places 5 arcsec apart in this sky; got {objects}"
        )
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    for name in (*(folder.split("/")[0] for folder in RELEASE_FOLDER.values()), LABELS_FILE):
        if (root / name).exists():
            raise FileExistsError(f"{root / name} exists already; give an empty directory")
    root.mkdir(parents=True, exist_ok=True)
    tasks = _plan(root, objects, seed)
    labels: list[dict[str, Any]] = []
    for done, part in _run(tasks, workers):
        labels += part
        if progress is not None:
            progress(done, objects)
    _write_locks(tasks)
    basis = root / XP_BASIS_FILE
    basis.parent.mkdir(parents=True, exist_ok=True)
    write_xp_basis(basis)
    _write_labels(root / LABELS_FILE, sorted(labels, key=lambda label: int(label["source"])))


def _plan(root: Path, objects: int, seed: int) -> list[_Task]:
    """Deal the sources to cells, in the order of the cells."""
    members: dict[str, list[int]] = {survey: [] for survey in SURVEYS}
    cells: dict[int, list[int]] = {pixel: [] for pixel in FILE_PIXELS}
    for index in range(objects):
        cells[file_pixel_of(seed, index)].append(index)
        for survey in surveys_of(seed, index):
            members[survey].append(index)
    damaged = {survey: damaged_rows(seed, objects, survey, members[survey]) for survey in SURVEYS}
    tasks = []
    for pixel, indices in cells.items():
        inside = set(indices)
        rows = {survey: len(inside.intersection(members[survey])) for survey in SURVEYS}
        here = {
            survey: {index: kind for index, kind in damaged[survey].items() if index in inside}
            for survey in SURVEYS
        }
        if indices:
            tasks.append(_Task(root, seed, pixel, tuple(indices), rows, here))
    return tasks


_counter: Any = None


def _adopt_counter(counter: Any) -> None:
    """Give a new worker the counter of finished sources."""
    global _counter
    _counter = counter


def _write_cell(task: _Task) -> list[dict[str, Any]]:
    """Simulate and write one cell; returns the labels of its sources."""
    labels = []
    with ExitStack() as stack:
        writers = {
            survey: stack.enter_context(
                ReleaseFileWriter(
                    release_file(task.directory, survey, task.file_pixel), survey, rows
                )
            )
            for survey, rows in task.rows.items()
            if rows
        }
        for index in task.indices:
            source = simulate_source(task.seed, index)
            labels.append(source.labels)
            for survey, record in source.data.items():
                kind = task.damaged[survey].get(index)
                if kind is not None:
                    record = damage(record, kind, np.random.default_rng([task.seed, index, 0xBAD]))
                writers[survey].add(record)
            if _counter is not None:
                with _counter.get_lock():
                    _counter.value += 1
    return labels


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Let processes started inside use one thread each.

    Matrix products may round differently with the number of threads; the files must not.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(tasks: list[_Task], workers: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Run the tasks; yields sources done so far with the labels that have come in since."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    with (
        _single_threaded_children(),
        ProcessPoolExecutor(
            min(workers, len(tasks)), context, initializer=_adopt_counter, initargs=(counter,)
        ) as pool,
    ):
        pending = {pool.submit(_write_cell, task) for task in tasks}
        try:
            while pending:
                finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                labels = [label for future in finished for label in future.result()]
                yield int(counter.value), labels
        except BaseException:
            for future in pending:
                future.cancel()
            raise


def _write_locks(tasks: list[_Task]) -> None:
    """Leave a lock file in each release, as crawlers of the real ones meet."""
    for survey in SURVEYS:
        first = next((task for task in tasks if task.rows[survey]), None)
        if first is not None:
            path = release_file(first.directory, survey, first.file_pixel)
            path.with_suffix(".hdf5.lock").touch()


def _write_labels(path: Path, labels: list[dict[str, Any]]) -> None:
    names = ("source", *SURVEYS, *(name for name in labels[0] if name not in ("source", *SURVEYS)))
    columns = {}
    for name in names:
        values = [label[name] for label in labels]
        kind = pa.string() if name in SURVEYS else None
        columns[name] = pa.array(values, type=kind, from_pandas=True)
    pq.write_table(pa.table(columns), path)
