"""One release inside an open index: its objects, vectors, FAISS files and previews."""

import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from indexer.arrow_tables import map_table, numpy_column
from indexer.catalog import cone, find_id
from indexer.errors import IndexFormatError, SearchError
from indexer.hats_catalog import read_parquet_row, read_placed_row
from indexer.held import Held, hold
from indexer.index_model import ReleaseInfo, bit_of, bits_of
from indexer.layout import (
    catalog_dir,
    keys_file,
    previews_file,
    rejects_file,
    rows_file,
    segment_ann_files,
    segment_vectors_file,
    unplaced_file,
    xp_basis_file,
)
from indexer.previews import Preview, PreviewFile, as_spectrum
from indexer.vectors import Vectors, expect_scattered, map_vectors
from indexer.xp_basis import XpBasis, read_basis

if TYPE_CHECKING:
    from indexer.ann import AnnIndex

__all__ = ["Segment"]

_MAPPING = threading.Lock()
"""NumPy reads the header of a file with the parser of Python, which fails now and then if two
threads use it at once: "AST constructor recursion depth mismatch" of 3.11.7."""


class Segment:
    """A segment, read-only. Its files are mapped; nothing is read before it is used.

    Attributes
    ----------
    name
        The release.
    info
        Its counts and its part of the manifest.
    rows
        The columns of `rows.arrow`, in row order.
    missing
        Its FAISS files that are listed and not there, by space and modality.
    """

    def __init__(self, root: Path, name: str, info: ReleaseInfo, files: Iterable[str]) -> None:
        self.name = name
        self.info = info
        self.rows: pa.Table = map_table(root / rows_file(info.directory))
        if len(self.rows) != info.indexed:
            raise IndexFormatError(
                f"segment {name} must have {info.indexed} rows, got {len(self.rows)}; "
                "build the index again"
            )
        self._root = root
        self._keys = map_table(root / keys_file(info.directory))
        self._previews = PreviewFile(root / previews_file(info.directory))
        with _MAPPING:
            self._vectors = {
                (space, modality): map_vectors(
                    root / segment_vectors_file(info.directory, space, modality)
                )
                for space, modalities in info.spaces.items()
                for modality in modalities
            }
        self._ann: dict[tuple[str, str], AnnIndex] = {}
        self._ann_files: dict[tuple[str, str], list[Held]] = {}
        self.missing: dict[tuple[str, str], tuple[str, ...]] = {}
        own = [each for each in files if each.startswith(f"{info.directory}/")]
        for space, modality in self._vectors:
            names = segment_ann_files(own, info.directory, space, modality)
            held = {each: hold(root / each) for each in names}
            there = [each for each in held.values() if each is not None]
            if len(there) == len(names):
                self._ann_files[space, modality] = there
            else:
                gone = tuple(name for name, each in held.items() if each is None)
                self.missing[space, modality] = gone
        basis = xp_basis_file(info.directory)
        self._basis_file = basis if basis in own else ""
        self._rows_of_bits: dict[int, np.ndarray[Any, Any]] = {}
        self._columns: dict[str, np.ndarray[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Segment({self.name!r}, {len(self)} objects)"

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """Return a column of `rows` as a NumPy array; numbers are views of the mapped file."""
        if name not in self._columns:
            self._columns[name] = numpy_column(self.rows, name)
        return self._columns[name]

    def row_of(self, object_id: str) -> int | None:
        """Return the row of an object id, or None."""
        place = find_id(self._keys.column("object_id"), object_id)
        return None if place is None else int(self._keys.column("row")[place].as_py())

    @property
    def sorted_ids(self) -> pa.ChunkedArray:
        """Every object id, sorted by its UTF-8 bytes; mapped."""
        return self._keys.column("object_id")

    def keys(self) -> tuple[pa.ChunkedArray, Int64[np.ndarray, " n"]]:
        """Return all object ids, ascending as UTF-8 bytes, and the row of each; mapped."""
        return self.sorted_ids, numpy_column(self._keys, "row")

    def object_id(self, row: int) -> str:
        """Return the object id of a row."""
        return str(self.rows.column("object_id")[int(row)].as_py())

    def rows_with(self, modality: str) -> Int64[np.ndarray, " n"]:
        """Return the rows that have a vector of a modality in any space, ascending."""
        return self._rows_with_bits(bits_of(modality))

    def rows_in(self, space: str, modality: str) -> Int64[np.ndarray, " n"]:
        """Return the rows that have a vector of a modality in a space, ascending; may be none."""
        return self._rows_with_bits(bit_of(space, modality))

    def _rows_with_bits(self, bits: int) -> Int64[np.ndarray, " n"]:
        if bits not in self._rows_of_bits:
            there = self.column("modalities") & bits
            self._rows_of_bits[bits] = np.flatnonzero(there).astype(np.int64)
        return self._rows_of_bits[bits]

    def cone(
        self, ra_deg: float, dec_deg: float, radius_arcsec: float
    ) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
        """Return rows within a radius of a position and their separations, nearest first."""
        placed = slice(0, self.info.placed)
        return cone(
            self.column("healpix_29")[placed],
            self.column("ra_deg")[placed],
            self.column("dec_deg")[placed],
            (ra_deg, dec_deg),
            radius_arcsec,
        )

    def record(self, row: int) -> dict[str, Any]:
        """Return every column of one object, those among them that serving does not need."""
        if not 0 <= row < len(self):
            raise SearchError(f"rows of {self.name} are 0 to {len(self) - 1}, got {row}")
        if row < self.info.placed:
            healpix = self.column("healpix_29")[: self.info.placed]
            return read_placed_row(self._root / catalog_dir(self.info.directory), healpix, int(row))
        path = self._root / unplaced_file(self.info.directory)
        return read_parquet_row(path, int(row) - self.info.placed)

    def vectors(
        self, space: str, modality: str | None = None
    ) -> tuple[Int64[np.ndarray, " n"], Vectors]:
        """Return the rows that have a vector in a space, ascending, and the vectors, mapped.

        Parameters
        ----------
        space
            Name of the space.
        modality
            Which vectors. Default: the only ones that this segment has there.

        Raises
        ------
        SearchError
            If it has none, or several and none was named.
        """
        modality = self._one_modality(space, modality)
        return self.rows_in(space, modality), self._vectors[space, modality]

    def stored(
        self, space: str, modality: str | None = None
    ) -> tuple[Int64[np.ndarray, " n"] | None, Vectors]:
        """Return what `vectors` does, but None for the rows if every row has a vector.

        Of 200 million objects, all rows would be 1.6 GB of memory that say nothing.
        """
        modality = self._one_modality(space, modality)
        vectors = self._vectors[space, modality]
        whole = len(vectors) == len(self)
        return None if whole else self.rows_in(space, modality), vectors

    def can_search(self, space: str, modality: str) -> bool:
        """Say whether there are vectors of a modality in a space, and their FAISS file."""
        return (space, modality) in self._ann_files

    def ann(self, space: str, modality: str | None = None) -> "AnnIndex":
        """Return the FAISS index over `vectors`; it is mapped on the first call.

        Raises
        ------
        SearchError
            As `vectors`, or if the file is missing.
        IndexFormatError
            If it is damaged.
        """
        # Imported here: faiss takes as long to import as an index takes to open.
        from indexer.ann import load

        modality = self._one_modality(space, modality)
        if (space, modality) not in self._ann:
            if (space, modality) in self.missing:
                raise SearchError(
                    f"{', '.join(self.missing[space, modality])} is missing, so {modality} of "
                    f"{self.name} cannot be searched in space {space!r}; bring it back or build "
                    "the index again"
                )
            files = self._ann_files[space, modality]
            try:
                self._ann[space, modality] = load(*(each.name for each in files))
            except IndexFormatError as error:
                told = str(error)
                for each in files:
                    told = told.replace(str(each.name), str(each.path))
                raise IndexFormatError(told) from error
            if self._ann[space, modality].recipe.name != "flat":
                expect_scattered(self._vectors[space, modality])
        return self._ann[space, modality]

    def _one_modality(self, space: str, modality: str | None) -> str:
        there = self.info.spaces.get(space, ())
        if modality is None and len(there) == 1:
            return there[0]
        if modality is None and len(there) > 1:
            raise SearchError(
                f"{self.name} has vectors of {' and '.join(there)} in space {space!r}; name one"
            )
        if modality is None or modality not in there:
            spaces = ", ".join(f"{name} ({'/'.join(of)})" for name, of in self.info.spaces.items())
            wanted = f"space {space!r}" + (f" of modality {modality!r}" if modality else "")
            raise SearchError(f"{self.name} has no vectors in {wanted}; it has {spaces or 'none'}")
        return modality

    def preview(self, row: int, modality: str | None = None) -> Preview | None:
        """Return the preview of an object: of one modality, or the first there is."""
        found = self._previews.get(int(row), modality)
        return None if found is None else as_spectrum(found, self.xp_basis)

    @cached_property
    def xp_basis(self) -> XpBasis | None:
        """What its XP coefficients stand for; None where that is not known."""
        return read_basis(self._root / self._basis_file) if self._basis_file else None

    @cached_property
    def rejects(self) -> pa.Table:
        """What was read and not indexed, with reasons."""
        from indexer.arrow_tables import read_parquet

        return read_parquet(self._root / rejects_file(self.info.directory))
