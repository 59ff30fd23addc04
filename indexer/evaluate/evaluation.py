"""Run suites over one index, and write what they found."""

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from indexer.durable import replacing, write_json
from indexer.errors import QueryError
from indexer.evaluate.bench import Bench
from indexer.evaluate.classes import classes
from indexer.evaluate.discoveries import discoveries
from indexer.evaluate.fidelity import fidelity
from indexer.evaluate.lenses import lenses
from indexer.evaluate.morphology import morphology
from indexer.evaluate.partners import partners
from indexer.evaluate.records import SuiteResult
from indexer.evaluate.redshifts import redshifts
from indexer.index_file import Index
from indexer.progress import Announce, mute
from indexer.software import software_version
from indexer.spaces import SHARED

__all__ = ["SUITES", "Evaluation", "evaluate", "suites_named", "write_evaluation"]

SUITES: Mapping[str, Callable[[Bench], SuiteResult]] = {
    "fidelity": fidelity,
    "morphology": morphology,
    "lenses": lenses,
    "partners": partners,
    "redshifts": redshifts,
    "classes": classes,
    "discoveries": discoveries,
}
"""In the order of the letters A to G."""

LETTERS = dict(zip("ABCDEFG", SUITES, strict=True))

JSON_FILE, HTML_FILE = "evaluation.json", "evaluation.html"

_KILOBYTE = 1024


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What all suites found.

    Attributes
    ----------
    document
        Model, index, run, labels and all records, as JSON holds them.
    results
        By suite.
    """

    document: Mapping[str, Any]
    results: tuple[SuiteResult, ...]


def suites_named(names: Sequence[str]) -> tuple[str, ...]:
    """Return suites by name or letter, each once, in their order; all for no name.

    Raises
    ------
    QueryError
        If a name is none of a suite; those there are are listed.
    """
    known = {**LETTERS, **{name: name for name in SUITES}}
    asked = set()
    for name in names:
        found = known.get(name) or known.get(name.upper()) or known.get(name.lower())
        if found is None:
            there = ", ".join(f"{letter} ({suite})" for letter, suite in LETTERS.items())
            raise QueryError(f"{name!r} is no suite; there are {there}")
        asked.add(found)
    return tuple(name for name in SUITES if not asked or name in asked)


def evaluate(bench: Bench, names: Sequence[str] = (), *, announce: Announce = mute) -> Evaluation:
    """Run suites.

    Parameters
    ----------
    bench
        The index, labels and settings.
    names
        Suites by name or letter; all by default. One that lacks labels says so in its result.
    announce
        Called with the title of each.

    Raises
    ------
    QueryError
        If there is no suite of a name.
    """
    started = datetime.now(UTC)
    results, seconds = [], {}
    for name in suites_named(names):
        announce(f"suite {name}")
        begun = time.perf_counter()
        results.append(SUITES[name](bench))
        seconds[name] = round(time.perf_counter() - begun, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE
    document = {
        "model": _model(bench.index),
        "index": _about_index(bench.index),
        "labels": _about_labels(bench),
        "run": {
            "date": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "software": software_version(),
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "queries_at_most": bench.queries,
            "seed": bench.seed,
            "seconds": seconds,
            "peak_memory_bytes": peak,
        },
        "suites": [
            {
                "name": each.name,
                "title": each.title,
                "facts": each.facts,
                "skipped": list(each.skipped),
                "records": [record.plain() for record in each.records],
            }
            for each in results
        ],
    }
    return Evaluation(document, tuple(results))


def _model(index: Index) -> dict[str, Any]:
    encoder = index.info.encoder
    return {
        "repository": encoder.repository,
        "revision": encoder.revision,
        "codecs_repository": encoder.codecs_repository,
        "codecs_revision": encoder.codecs_revision,
        "digest": encoder.digest,
        "files": dict(encoder.files),
        "pooling": str(encoder.pooling),
        "tokens": "every valid token of the modality",
        "preprocessing": encoder.preprocessing,
        "dim": encoder.dim,
        "embedding_dtype": "float16 on disk, float32 in comparisons",
    }


def _about_index(index: Index) -> dict[str, Any]:
    spaces = {}
    for name in index.info.spaces:
        method = "heads" if name == SHARED else index.space(name).description.method
        spaces[name] = method
    heads = {
        key: index.heads_facts[key]
        for key in ("method", "dimensions", "pairs", "split")
        if key in index.heads_facts
    }
    return {
        "id": index.info.index_id,
        "name": index.info.name,
        "created": index.info.created,
        "objects": len(index),
        "simulated": all(release.simulated for release in index.info.releases.values()),
        "releases": {
            name: {"indexed": info.indexed, "vectors": info.vectors, "simulated": info.simulated}
            for name, info in index.info.releases.items()
        },
        "spaces": spaces,
        "heads": heads,
        "shards": sum(path.endswith(".faiss") for path in index.info.files),
        "note": "mean and covariance of a space are those of all indexed vectors, without labels",
    }


def _about_labels(bench: Bench) -> list[dict[str, Any]]:
    if bench.labels is None:
        return []
    return [matched.counts.plain() for matched in bench.labels.match(bench.index)]


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write `evaluation.json`, `evaluation.html`, and one Parquet file of queries a suite.

    Returns
    -------
    The files.
    """
    from indexer.evaluate.report import report_html

    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / JSON_FILE, folder / HTML_FILE]
    write_json(written[0], json.loads(json.dumps(evaluation.document, allow_nan=False)))
    with replacing(written[1]) as temporary:
        temporary.write_text(report_html(evaluation), encoding="utf-8")
    for each in evaluation.results:
        path = folder / f"queries_{each.name}.parquet"
        with replacing(path) as temporary:
            pq.write_table(each.rows, temporary)
        written.append(path)
    return tuple(written)
