"""The decoder as a bridge: make up the other modality, encode it, and search with that.

Nothing is fitted. Asked are few, since every one costs a pass through encoder and decoder.
"""

import numpy as np

from aion_encoder.errors import EncoderError
from indexer.evaluate.bench import Bench
from indexer.evaluate.pool import Pool
from indexer.evaluate.records import Recorder

__all__ = ["IMAGINED", "imagined"]

IMAGINED = "made up by the decoder"

ASKED = 100
"""Sources whose other modality is made up, at most."""


def imagined(
    bench: Bench, recorder: Recorder, asking: Pool, gallery: Pool, direction: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the sources that ask and the vectors of what is made up for them.

    Parameters
    ----------
    asking
        Objects of test cells with a partner.
    gallery
        What is searched: objects of one release, in the space of their modality.
    direction
        Stated where nothing can be asked.

    Returns
    -------
    Numbers of objects in `asking`, and unit vectors in the space of the gallery; None where the
    decoder cannot be asked, which is said in the record.
    """
    files, (release,) = bench.files, gallery.releases

    def without(reason: str) -> None:
        recorder.skipped.append(f"{direction} {IMAGINED}: {reason}")

    if files is None or files.imagine is None:
        without("takes observations and a decoder; name the manifest of the index")
        return None
    partners = np.flatnonzero(np.isin(asking.sources, gallery.sources))
    numbers = bench.picked(partners, min(ASKED, bench.queries))
    places = asking.places(numbers)
    rows = {
        name: np.array(sorted(row for of, row in places if of == name), np.int64)
        for name in asking.releases
    }
    read = files.observations(bench.index, rows, asking.modality)
    there = [at for at, place in enumerate(places) if place in read]
    if not there:
        without("the files hold none of the sources that ask")
        return None
    encoder = files.encoder(bench.index)
    survey = bench.index.info.releases[release].survey
    try:
        raw = files.imagine(encoder, [read[places[at]] for at in there], survey)
    except EncoderError as error:
        without(str(error))
        return None
    told = np.isfinite(raw).all(axis=1)
    return numbers[there][told], bench.index.space(gallery.space).apply(raw[told])
