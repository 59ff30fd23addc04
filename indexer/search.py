"""The searcher: a query and options -> hits."""

import threading
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from indexer.answers import assemble
from indexer.calibration import ANY_RELEASE
from indexer.cone import Around, objects_around
from indexer.errors import QueryError, SearchError
from indexer.examples import combined_vector
from indexer.finding import Search
from indexer.folding import folded
from indexer.hits import Hits
from indexer.index_file import Index, open_index
from indexer.index_model import NATIVE, modality_of
from indexer.known_objects import counterparts_of, known_of_object, place_of, random_keys
from indexer.native_queries import in_space, spaces_of
from indexer.neighbours import key_of, nearest, vector_of
from indexer.options import LARGEST_K, SearchOptions
from indexer.passing import Passing, column_kinds
from indexer.queries import Query
from indexer.receipts import receipt_of
from indexer.reconstructions import Understood, understood
from indexer.resolve import (
    resolve_object,
    resolve_place,
    resolve_position,
    resolve_text,
)
from indexer.routes import route_of
from indexer.self_matches import Places, here, identical
from indexer.spaces import SHARED
from indexer.upload_queries import encode_upload, open_same_encoder, open_same_native
from indexer.vector_queries import vector_query
from indexer.verdicts import Verdict, unknown_verdict, verdict

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from aion_encoder.identity import Identity
    from indexer.positions import Position
    from indexer.previews import Preview
    from indexer.readers.uploads import Upload

__all__ = ["Searcher", "open_searcher"]

_FILTERS_KEPT = 8
"""Sets of filters whose rows are kept: a bit for each object of the index."""


class Searcher:
    """Answers questions about one open index; safe to use from several threads.

    Parameters
    ----------
    index
        From `indexer.open_index`.
    open_encoder
        Called once, when the first file is brought; must give the encoder of the index.
    open_native
        The same for that of the space ``spectrum_native``, when the first spectrum is brought.
    place_of_name
        Looks up names that are none of the index, such as `indexer.sky_names.place_of_name`.
        None: no request is sent for a question.
    """

    def __init__(
        self,
        index: Index,
        open_encoder: Callable[[], Any] | None = None,
        open_native: Callable[[], Any] | None = None,
        place_of_name: Callable[[str], "Position"] | None = None,
    ) -> None:
        self.index = index
        self._place_of_name = place_of_name
        self._encoder = cache(open_encoder or (lambda: open_same_encoder(index, None)))
        self._native = cache(open_native or (lambda: open_same_native(index, None)))
        self._other = cache(lambda modality: open_same_encoder(index, None, modality))
        self._lock = threading.Lock()
        self._passing = lru_cache(_FILTERS_KEPT)(lambda filters: Passing(index, filters))

    # What is asked.

    def query_object(self, text: str) -> Query:
        """Find the object that an identifier names; see `indexer.identifiers.find_objects`.

        Raises
        ------
        QueryError
            If none has that name.
        AmbiguousError
            If several have; they are in `candidates`.
        """
        return resolve_object(self.index, text)

    def query_position(self, text: str, radius_arcsec: float | None = None) -> Query:
        """Find the object nearest to a position; see `indexer.positions.parse_position`.

        Raises
        ------
        QueryError
            If the text is no position, or nothing lies inside the radius.
        """
        return resolve_position(self.index, text, radius_arcsec)

    def query_name(self, name: str, radius_arcsec: float | None = None) -> Query:
        """Find the object nearest to where something of that name lies; asks Sesame.

        Raises
        ------
        QueryError
            If the name is unknown, there is no answer, or nothing lies inside the radius.
        """
        # Imported here: only names need it.
        from indexer.sky_names import place_of_name

        return resolve_place(self.index, name, place_of_name(name), radius_arcsec)

    def query_text(self, text: str) -> Query:
        """Understand an identifier or a position; a name, where names may be looked up.

        Raises
        ------
        QueryError
            If it is neither, or names nothing in the index.
        AmbiguousError
            If several objects have that identifier.
        """
        return resolve_text(self.index, text, self._place_of_name)

    def query_upload(self, upload: "Upload") -> Query:
        """Encode a file that `indexer.readers.uploads` read.

        Raises
        ------
        ReadError
            If the encoder refuses it, with the reason.
        SearchError
            If the encoder at hand is not that of the index; both identities are stated. If
            AION-1 does not take a spectrum and the index has no space for those.
        """
        with self._lock:
            # One at a time: the encoders are the only part that is not safe to share.
            return encode_upload(self.index, upload, self._encoder_of, self._native)

    def query_vector(
        self, vector: "ArrayLike", modality: str, identity: "Identity | None" = None
    ) -> Query:
        """Understand a raw vector of the encoder of the index; see `vector_queries.vector_query`.

        Raises
        ------
        QueryError
            If it is no such vector.
        SearchError
            If it is of another encoder than the vectors of its modality; both are stated.
        """
        return vector_query(self.index, vector, modality, identity)

    def in_space(self, query: Query, space: str) -> Query:
        """Return the query with its spectrum compared in a space; see `native_queries.in_space`."""
        return in_space(self.index, query, space)

    def spaces(self, query: Query) -> tuple[str, ...]:
        """Return where a query's spectrum can be compared; see `native_queries.spaces_of`."""
        return spaces_of(self.index, query)

    def reconstruct(self, query: Query) -> Understood:
        """Return a brought spectrum as the universal spectral tokenizer gives it back.

        Raises
        ------
        SearchError
            If the query is no file with a spectrum in the space ``spectrum_native``.
        """
        with self._lock:
            encoder = None if query.native is None else self._native()
        # Its model changes nothing when it runs, and a long spectrum must not hold up other files.
        return understood(self.index, query, encoder)

    # What is answered.

    def search(self, query: Query, options: SearchOptions = SearchOptions()) -> Hits:  # noqa: B008
        """Find what is most similar.

        The query itself is left out of the answer: the indexed object, and for a file any indexed
        vector identical to it.

        Raises
        ------
        QueryError
            If an option names a modality, a release or a column that the index does not have, or
            no object that passes the filters can be found; how many pass is said.
        SearchError
            If the index cannot answer, such as through a bridge that it lacks.
        """
        passing = self._passing(options.filters) if options.filters else None
        route = route_of(self.index, query, options, passing)
        selves = self._selves(query)
        source = self._source(query, selves)
        hidden = selves | source if options.exclude_source else selves
        search = Search(
            self.index,
            query,
            self._vector(query, route.side, route.space),
            route,
            selves=selves,
            hidden=hidden,
            exclude_source=options.exclude_source,
            passing=passing,
        )
        if options.fold_duplicates:
            found = folded(self.index, search.find, options.k)
        else:
            found = search.find(options.k)
        if passing is not None and not found:
            raise QueryError(passing.nothing_found(route.to, route.releases))
        receipt = receipt_of(
            self.index,
            search,
            options,
            left_out=sorted(key_of(self.index.segment(name), row) for name, row in hidden),
            verdict=self._verdict(query, route.side, source),
        )
        return assemble(
            self.index,
            query,
            found,
            receipt,
            bridge=route.bridge,
            own=route.own,
            space=route.space,
        )

    def verdict(self, query: Query) -> Verdict:
        """Say whether a query is like what the index holds; every answer carries it, too."""
        return self._verdict(query, query.home, self.source(query))

    def vector(self, query: Query, modality: str) -> Float32[np.ndarray, " dim"]:
        """Return the query's unit vector in the space of one of its modalities."""
        return self._vector(query, modality, modality)

    def source(self, query: Query) -> Places:
        """Return release and row of every object of the query's source, itself included."""
        return self._source(query, self._selves(query))

    # What is known of an object.

    def object(self, key: str) -> dict[str, Any]:
        """Return what the index knows of an object; numbers that are unknown are NaN.

        Raises
        ------
        QueryError
            If the key names nothing.
        """
        return known_of_object(self.index, key)

    def cone(self, text: str, radius_arcsec: float, limit: int = LARGEST_K) -> Around:
        """Return the objects around a position; see `indexer.cone.objects_around`."""
        return objects_around(self.index, text, radius_arcsec, limit)

    def preview(self, key: str, modality: str | None = None) -> "Preview | None":
        """Return the picture or the short spectrum of an object; None if the index has none."""
        segment, row = place_of(self.index, key)
        return segment.preview(row, modality)

    def counterparts(self, key: str) -> list[str]:
        """Return the keys of the other objects of the same source, sorted."""
        return counterparts_of(self.index, key)

    def columns(self) -> dict[str, str]:
        """Return the columns that filters know by name: ``number``, ``text`` or ``flag``."""
        return column_kinds(self.index)

    def random_keys(self, count: int, seed: int) -> list[str]:
        """Return some keys, drawn evenly over all objects; the same seed draws the same."""
        return random_keys(self.index, count, seed)

    def _encoder_of(self, modality: str) -> Any:
        """Return the encoder of the vectors of a modality; those that were brought have theirs."""
        own = self.index.info.encoder.digest
        if self.index.encoder_of(modality).digest == own:
            return self._encoder()
        return self._other(modality)

    def _verdict(self, query: Query, side: str, source: Places) -> Verdict:
        """Say whether the query is like what the index holds of its modality."""
        if query.examples is not None:
            return unknown_verdict("the index's own distances are of single objects")
        own = modality_of(side)
        near = nearest(
            self.index,
            self._vector(query, side, side),
            1,
            space=side,
            modality=own,
            releases=self.index.releases,
            skip=source,
        )
        if not near:
            return unknown_verdict(f"the index has no other {own}")
        asking = (query.release or ANY_RELEASE, own)
        return verdict(self.index.calibration(side), asking, near[0].key, near[0].score)

    def _vector(self, query: Query, side: str, space: str) -> Float32[np.ndarray, " dim"]:
        """Return the query's unit vector for one of its sides: in its own space, or in `SHARED`."""
        if query.examples is not None:
            return combined_vector(query.examples, lambda each: self._vector(each, side, space))
        own = modality_of(side)
        if not query.brought:
            # Of the tokenizer's vectors none lies in the shared space.
            lies_in = NATIVE if side == NATIVE else space
            segment = self.index.segment(str(query.release))
            stored = vector_of(segment, lies_in, own, int(query.row or 0))
            if stored is None:
                raise SearchError(f"{query.key} has no {own} vector in the space {lies_in!r}")
            if lies_in == space:
                return stored
            vector = stored[None, :]
        else:
            raw = query.native_vector if side == NATIVE else query.raw_vector
            if raw is None:
                raise SearchError(
                    f"{query.text} has no {own} vector for the space {space!r}: it is "
                    f"{query.answered}"
                )
            vector = self.index.space(side).apply(raw[None, :])
        shared = self.index.to_shared(side, vector) if space == SHARED else vector
        return np.asarray(shared[0], np.float32)

    def _selves(self, query: Query) -> Places:
        """Return the indexed objects that are the query itself."""
        if query.examples is not None:
            return frozenset().union(*(self._selves(each) for each in query.examples.all))
        if not query.brought:
            return frozenset({(str(query.release), int(query.row or 0))})
        if query.home not in self.index.info.spaces:
            return frozenset()
        return identical(self.index, query, self._vector(query, query.home, query.home))

    def _source(self, query: Query, selves: Places) -> Places:
        """Return every object of the query's source."""
        if query.examples is not None:
            each_source = [self._source(each, self._selves(each)) for each in query.examples.all]
            return frozenset().union(*each_source)
        start = selves if not query.brought else selves | here(self.index, query)
        linked_to = [self.index.links.source(name, row) for name, row in start]
        return frozenset(start).union(*linked_to) if linked_to else frozenset(start)


def open_searcher(
    index_dir: Path | str,
    *,
    weights: str | None = None,
    native_weights: str | None = None,
    allow_missing: bool = False,
    look_up_names: bool = False,
) -> Searcher:
    """Open an index for searching. No encoder is loaded before a file is brought.

    Parameters
    ----------
    index_dir
        Folder of the index.
    weights
        Where the weights of the index's encoder are, if not where the index says.
    native_weights
        The same for the encoder of the space ``spectrum_native``.
    allow_missing
        Search without FAISS files that are missing; every answer's receipt names them.
    look_up_names
        Ask Sesame for names that the index does not know.

    Raises
    ------
    IndexFormatError
        If the folder holds no index of a known format version, or one that lacks files.
    """
    from indexer.sky_names import place_of_name

    index = open_index(Path(index_dir), allow_missing=allow_missing)
    return Searcher(
        index,
        lambda: open_same_encoder(index, weights),
        lambda: open_same_native(index, native_weights),
        place_of_name if look_up_names else None,
    )
