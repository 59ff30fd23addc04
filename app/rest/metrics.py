"""Numbers for whoever runs the server, as Prometheus reads them."""

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING

from indexer.canaries import Canary, canaries

if TYPE_CHECKING:
    from app.rest.limits import Gate
    from indexer.index_file import Index

__all__ = ["MEDIA_TYPE", "Canaries", "Metrics", "exposition"]

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the bins of every histogram."""

CANARIES_LAST_S = 3600.0
"""For how long the canaries' recall is told before they are asked again."""

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counts requests and seconds; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: defaultdict[Labels, int] = defaultdict(int)
        self._seconds: dict[tuple[str, Labels], list[float]] = {}

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[("endpoint", endpoint), ("status", str(status))] += 1
        self._observe("request", (("endpoint", endpoint),), seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of an answer."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._observe("stage", (("stage", name),), time.perf_counter() - start)

    def _observe(self, what: str, labels: Labels, seconds: float) -> None:
        with self._lock:
            bins = self._seconds.setdefault((what, labels), [0.0] * (len(BOUNDS_S) + 2))
            bins[bisect_left(BOUNDS_S, seconds)] += 1
            bins[-1] += seconds

    def lines(self) -> Iterator[str]:
        """Give the text of all counts."""
        with self._lock:
            requests = dict(self._requests)
            histograms = {key: list(bins) for key, bins in self._seconds.items()}
        yield from _family(
            "requests_total", "counter", "Answers, by status.", sorted(requests.items())
        )
        for what, text in (("request", "Whole answers."), ("stage", "Stages of answers.")):
            name = f"{what}_seconds"
            yield from _head(name, "histogram", text)
            for (kind, labels), bins in sorted(histograms.items()):
                if kind == what:
                    yield from _histogram(name, labels, bins)


class Canaries:
    """Measures recall now and then, in a thread of its own.

    Parameters
    ----------
    measure
        Returns the recall of every space of an index.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        measure: "Callable[[Index], Sequence[Canary]]" = canaries,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure = measure
        self._clock = clock
        self._lock = threading.Lock()
        self._of: Index | None = None
        self._when = 0.0
        self._found: Sequence[Canary] = ()
        self._running: threading.Thread | None = None

    def latest(self, index: "Index") -> tuple[Sequence[Canary], float]:
        """Return what was last measured and its age in seconds; measures anew what is old."""
        with self._lock:
            fresh = self._of is index and self._clock() - self._when < CANARIES_LAST_S
            if not fresh and self._running is None:
                self._running = threading.Thread(
                    target=self._run, args=(index,), name="canaries", daemon=True
                )
                self._running.start()
            if self._of is not index:
                return (), 0.0
            return self._found, self._clock() - self._when

    def wait(self) -> None:
        """Wait for a measurement that runs."""
        running = self._running
        if running is not None:
            running.join()

    def _run(self, index: "Index") -> None:
        found: Sequence[Canary] = ()
        try:
            found = self._measure(index)
        finally:
            with self._lock:
                # Where it failed, it is not tried again at once; no recall is told.
                self._of, self._found, self._when = index, found, self._clock()
                self._running = None


def exposition(
    metrics: Metrics, gates: Iterable["Gate"], index: "Index | None", canaried: Canaries
) -> str:
    """Return the whole text."""
    gates = list(gates)
    lines = [*metrics.lines()]
    for name, text in (("waiting", "Requests that wait."), ("working", "Requests at work.")):
        values = [((("gate", gate.name),), getattr(gate, name)) for gate in gates]
        lines += _family(f"queue_{name}", "gauge", text, values)
    lines += _family(
        "ready", "gauge", "Whether an index is served.", [((), int(index is not None))]
    )
    if index is not None:
        lines += _of_index(index, *canaried.latest(index))
    return "\n".join(lines) + "\n"


def _of_index(index: "Index", found: Sequence[Canary], age_s: float) -> Iterator[str]:
    info = index.info
    identity = (("id", info.index_id), ("name", info.name), ("created", info.created))
    yield from _family("index_info", "gauge", "The index that is served.", [(identity, 1)])
    objects = [((("release", name),), each.indexed) for name, each in info.releases.items()]
    yield from _family("objects", "gauge", "Objects of the index.", objects)
    vectors = [
        ((("release", name), ("modality", modality)), count)
        for name, each in info.releases.items()
        for modality, count in each.vectors.items()
    ]
    yield from _family("vectors", "gauge", "Objects that have a vector.", vectors)
    yield from _family(
        "files_missing",
        "gauge",
        "Files of the index that are not there.",
        [((), len(index.missing))],
    )
    compared = [(_labels_of(each), each.recall) for each in found if not isnan(each.recall)]
    yield from _family(
        "canary_recall", "gauge", "Recall at 10 of fixed queries against exact search.", compared
    )
    queries = [(_labels_of(each), each.queries) for each in found]
    yield from _family("canary_queries", "gauge", "Queries behind it.", queries)
    if found:
        yield from _family(
            "canary_age_seconds", "gauge", "Since it was measured.", [((), round(age_s, 1))]
        )


def _labels_of(each: Canary) -> Labels:
    return (("release", each.release), ("space", each.space), ("modality", each.modality))


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP aion_search_{name} {text}"
    yield f"# TYPE aion_search_{name} {kind}"


def _family(
    name: str, kind: str, text: str, values: Iterable[tuple[Labels, float]]
) -> Iterator[str]:
    yield from _head(name, kind, text)
    for labels, value in values:
        yield f"aion_search_{name}{_text(dict(labels))} {value}"


def _histogram(name: str, labels: Labels, bins: Sequence[float]) -> Iterator[str]:
    *counts, total = bins
    below = 0.0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
        below += count
        yield f"aion_search_{name}_bucket{_text({**dict(labels), 'le': bound})} {int(below)}"
    yield f"aion_search_{name}_sum{_text(dict(labels))} {total:.6f}"
    yield f"aion_search_{name}_count{_text(dict(labels))} {int(below)}"


def _text(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    escaped = {
        name: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
