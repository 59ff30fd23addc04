"""HDF5 files in the layout of the Multimodal Universe, version 1.

One file per release and HEALPix cell: a dataset per column, one row per object. Legacy Surveys
files are compressed with lzf, HSC files with gzip, the others not at all. Nothing in a file
depends on when or by how many processes it was written.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

RELEASE_FOLDER = {
    "legacysurvey": "legacysurvey/dr10_south_21",
    "hsc": "hsc/pdr3_dud_22.5",
    "sdss": "sdss/sdss",
    "desi": "desi/edr_sv3",
    "gaia": "gaia/gaia",
}
"""Folder of each release below the root, as published."""

COMPRESSION = {"legacysurvey": "lzf", "hsc": "gzip"}

# What SDSS spectra shorter than the longest of their file are padded with.
_SDSS_PADDING: dict[str, Any] = {
    "spectrum_lambda": -1.0,
    "spectrum_flux": "edge",
    "spectrum_lsf_sigma": "edge",
    "spectrum_ivar": 0.0,
    "spectrum_mask": True,
}


def release_file(directory: Path, survey: str, file_pixel: int) -> Path:
    """Path of the file of one release and one nested nside 16 pixel."""
    return directory / RELEASE_FOLDER[survey] / f"healpix={file_pixel}" / "001-of-001.hdf5"


class ReleaseFileWriter:
    """Writes the objects of one file, one after the other, in a context.

    Pictures go to disk at once, spectra and columns on leaving. The file appears under its name
    only when it is complete.

    Parameters
    ----------
    path : pathlib.Path
    survey : str
    rows : int
        Number of objects that will be added; fewer or more is an error.
    """

    def __init__(self, path: Path, survey: str, rows: int) -> None:
        self._path, self._survey, self._rows = path, survey, rows
        self._unfinished = path.with_suffix(".tmp")
        self._records: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = h5py.File(self._unfinished, "w")

    def __enter__(self) -> "ReleaseFileWriter":
        return self

    def add(self, record: dict[str, Any]) -> None:
        """Add one object."""
        row = len(self._records)
        small: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, np.ndarray) and value.ndim >= 2:
                self._picture_dataset(name, value)[row] = value
            else:
                small[name] = value
        self._records.append(small)

    def _picture_dataset(self, name: str, value: np.ndarray) -> h5py.Dataset:
        if name not in self._file:
            self._file.create_dataset(
                name,
                (self._rows, *value.shape),
                value.dtype,
                chunks=(1, *value.shape),
                compression=COMPRESSION.get(self._survey),
                shuffle=True,
                **({"compression_opts": 2} if self._survey == "hsc" else {}),
                track_times=False,
            )
        return self._file[name]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._write_columns()
        finally:
            self._file.close()
        if error is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)

    def _write_columns(self) -> None:
        if len(self._records) != self._rows:
            raise ValueError(
                f"{self._path} was opened for {self._rows} objects and got {len(self._records)}; "
                "add exactly as many as announced"
            )
        compression = COMPRESSION.get(self._survey)
        for name in self._records[0]:
            column = stack_column(self._survey, name, [record[name] for record in self._records])
            self._file.create_dataset(
                name,
                data=column,
                track_times=False,
                **({"compression": compression, "chunks": column.shape} if compression else {}),
            )


def stack_column(survey: str, name: str, values: Sequence[Any]) -> np.ndarray:
    """Stack one column of several objects as the survey's files hold it.

    SDSS spectra are padded at the end to the longest; all SDSS numbers but `healpix` are
    big-endian, as they come from FITS. Text is bytes padded with blanks in SDSS.
    """
    if survey == "sdss" and name in _SDSS_PADDING:
        return _pad(values, _SDSS_PADDING[name])
    column = np.stack([np.asarray(value) for value in values])
    if survey == "sdss":
        if column.dtype.kind == "S":
            return np.char.ljust(column, column.dtype.itemsize)
        if name != "healpix" and column.dtype.kind in "if":
            return column.astype(column.dtype.newbyteorder(">"))
    return column


def _pad(values: Sequence[np.ndarray], padding: Any) -> np.ndarray:
    longest = max(len(value) for value in values)
    padded = np.empty((len(values), longest), values[0].dtype)
    for row, value in zip(padded, values, strict=True):
        row[: len(value)] = value
        row[len(value) :] = value[-1] if isinstance(padding, str) else padding
    return padded
