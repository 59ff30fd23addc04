"""Files of labels -> typed tables: which objects, by which identifiers, with which values."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.durable import sha256_of
from indexer.errors import QueryError, ReadError
from indexer.identifiers import clean_identifier
from indexer.label_catalogues import (
    LABEL_NAMES,
    LAYOUTS,
    OWN_IDENTIFIERS,
    TEXT_LABELS,
    Layout,
    Rule,
    layout_of,
    numbers_of,
    texts_of,
)

__all__ = ["LabelTable", "read_label_table"]

Column = np.ndarray[Any, Any]

_TABLES = {".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits", ".vot": "votable"}
_WHOLE = re.compile(r"[-+]?\d+")


@dataclass(frozen=True, eq=False)
class LabelTable:
    """One table of labels.

    Attributes
    ----------
    name, sha256
        Of its file.
    layout
        Name of the kind of catalogue.
    labels
        By name, one value a row: float64 with NaN, or text, empty where there is none.
    keys
        Keys of objects (``release:object_id``), empty where a row has none; None without them.
    identifiers
        By survey, bare identifiers, empty where a row has none.
    ra_deg, dec_deg
        Shape (n,), NaN where a row has no position.
    elsewhere
        Value of a label for objects that the table does not list.
    distrusted
        By label, how many values were not used because a flag beside them says so.
    """

    name: str
    sha256: str
    layout: str
    labels: Mapping[str, Column]
    keys: Sequence[str] | None
    identifiers: Mapping[str, Sequence[str]]
    ra_deg: Column
    dec_deg: Column
    elsewhere: Mapping[str, float]
    distrusted: Mapping[str, int]

    def __post_init__(self) -> None:
        lengths = {len(each) for each in (*self.labels.values(), *self.identifiers.values())}
        lengths |= {len(self.ra_deg), len(self.dec_deg)}
        if self.keys is not None:
            lengths.add(len(self.keys))
        if len(lengths) != 1:
            raise ValueError(f"the columns of {self.name} must have one length, got {lengths}")

    def __len__(self) -> int:
        return len(self.ra_deg)


def read_label_table(path: Path | str) -> LabelTable:
    """Read a table of labels (CSV, ECSV, FITS, HDF5, Parquet or VOTable, by its suffix).

    Raises
    ------
    ReadError
        If the file cannot be read, is of no known kind, does not say which objects its rows are,
        or holds identifiers or numbers that cannot be used.
    """
    path = Path(path)
    try:
        columns = _read(path)
    except ReadError:
        raise
    except Exception as error:
        # Each of five libraries raises what it likes.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ReadError(f"cannot read labels from {path.name}: {reason[:200]}") from None
    layout = layout_of(columns)
    if layout is None:
        known = ", ".join(each.name for each in LAYOUTS)
        raise ReadError(
            f"{path.name} must be one of the known catalogues ({known}) or have a column named "
            f"after a label ({', '.join(LABEL_NAMES)}); it has {', '.join(columns) or 'none'}"
        )
    columns = {name.lower(): values for name, values in columns.items()}
    try:
        return _typed(path, layout, columns)
    except (ValueError, QueryError) as error:
        raise ReadError(f"{path.name}: {error}") from None


def _typed(path: Path, layout: Layout, columns: Mapping[str, Column]) -> LabelTable:
    labels, distrusted = {}, {}
    for name, rule in layout.labels.items():
        if any(column in columns for column in rule.columns):
            labels[name], distrusted[name] = _label(name, rule, columns)
    count = len(next(iter(columns.values())))
    if count == 0:
        raise ValueError("the table must have rows, it has none")
    ra_deg, dec_deg = (_first_of(names, columns) for names in (layout.ra, layout.dec))
    placed = ra_deg is not None and dec_deg is not None
    identifiers = {
        survey: _identifiers(column, columns[column])
        for column, survey in layout.surveys.items()
        if column in columns
    }
    keys = _keys(columns)
    if not placed and not identifiers and keys is None:
        raise ValueError(
            "labels need to say which objects they are of: by a column key, by release and "
            f"object_id, by one of {', '.join(layout.surveys) or 'the surveys'}, or by "
            f"{layout.ra[0]} and {layout.dec[0]}"
        )
    nowhere = np.full(count, np.nan)
    return LabelTable(
        name=path.name,
        sha256=sha256_of(path),
        layout=layout.name,
        labels=labels,
        keys=keys,
        identifiers=identifiers,
        ra_deg=nowhere if ra_deg is None or not placed else _within(ra_deg, 0.0, 360.0),
        dec_deg=nowhere if dec_deg is None or not placed else _within(dec_deg, -90.0, 90.0),
        elsewhere=layout.elsewhere,
        distrusted={name: number for name, number in distrusted.items() if number},
    )


def _first_of(names: Sequence[str], columns: Mapping[str, Column]) -> Column | None:
    return next((numbers_of(columns[name]) for name in names if name in columns), None)


def _within(values: Column, low: float, high: float) -> Column:
    """Catalogues mark an unknown position by a number that is none."""
    return np.where((values >= low) & (values <= high), values, np.nan)


def _label(name: str, rule: Rule, columns: Mapping[str, Column]) -> tuple[Column, int]:
    there = [column for column in rule.columns if column in columns]
    values = rule.read(columns[there[0]])
    for column in there[1:] if rule.join else ():
        further = rule.read(columns[column])
        pairs = zip(values.tolist(), further.tolist(), strict=True)
        values = np.array([" ".join(filter(None, pair)) for pair in pairs], dtype=str)
    trusted = np.ones(len(values), dtype=bool)
    for column, test in rule.trusted.items():
        if column in columns:
            trusted &= test(columns[column])
    text = name in TEXT_LABELS
    known = (values != "") if text else np.isfinite(values)
    nothing: Any = "" if text else np.nan
    return np.where(trusted, values, nothing), int(np.sum(known & ~trusted))


def _identifiers(name: str, values: Column) -> list[str]:
    """Return identifiers as texts, exact for every 64-bit number."""
    plain = np.ma.getdata(values)
    if plain.dtype.kind == "f":
        known = numbers_of(values)
        if np.isfinite(known).any():
            raise QueryError(
                f"the identifiers in {name} are floating-point numbers, which cannot hold all "
                "digits of one; store them as integers or as text"
            )
        return [""] * len(plain)
    if plain.dtype.kind in "iu":
        missing = np.ma.getmaskarray(values).tolist()
        pairs = zip(plain.tolist(), missing, strict=True)
        return ["" if gone else str(value) for value, gone in pairs]
    return [clean_identifier(text) for text in texts_of(values).tolist()]


def _keys(columns: Mapping[str, Column]) -> list[str] | None:
    key, release, object_id = OWN_IDENTIFIERS
    if key in columns:
        return _identifiers(key, columns[key])
    if release in columns and object_id in columns:
        names = texts_of(columns[release]).tolist()
        ids = _identifiers(object_id, columns[object_id])
        return [f"{a}:{b}" if a and b else "" for a, b in zip(names, ids, strict=True)]
    return None


def _wanted(names: Collection[str]) -> list[str]:
    """Return the columns that are worth reading, of tables with hundreds."""
    layout = layout_of(names)
    return [each for each in names if layout is None or each.lower() in layout.columns]


def _read(path: Path) -> dict[str, Column]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix == ".csv":
        import pandas as pd

        header = pd.read_csv(path, nrows=0, comment="#")
        # As text, so that no identifier loses digits in a column that has gaps.
        frame = pd.read_csv(
            path, usecols=_wanted(list(header.columns)), dtype=str, comment="#", na_filter=False
        )
        return {str(name).strip(): frame[name].to_numpy(dtype=str) for name in frame.columns}
    if suffix in (".hdf5", ".h5"):
        return _read_hdf5(path)
    if suffix in _TABLES:
        from astropy.table import Table

        table = Table.read(path, format=_TABLES[suffix])
        return {
            name: np.ma.asarray(getattr(table[name], "value", table[name]))
            for name in _wanted(table.colnames)
            if table[name].ndim == 1
        }
    raise ReadError(
        f"{path.name} must be a table of labels: .csv, .ecsv, .fits, .hdf5, .parquet or .vot"
    )


def _read_parquet(path: Path) -> dict[str, Column]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _wanted(pq.read_schema(path).names)
    table = pq.read_table(path, columns=names)
    columns: dict[str, Column] = {}
    for name in names:
        column = table.column(name).combine_chunks()
        if pa.types.is_nested(column.type):
            continue
        missing = column.is_null().to_numpy(zero_copy_only=False)
        if pa.types.is_boolean(column.type):
            plain = column.fill_null(False).to_numpy(zero_copy_only=False)
        elif pa.types.is_integer(column.type):
            plain = column.fill_null(0).to_numpy(zero_copy_only=False)
        elif pa.types.is_floating(column.type):
            plain = column.to_numpy(zero_copy_only=False)
        else:
            plain = np.array(["" if each is None else str(each) for each in column.to_pylist()])
        columns[name] = np.ma.MaskedArray(plain, missing)
    return columns


def _read_hdf5(path: Path) -> dict[str, Column]:
    """Read the first table of an HDF5 file: one compound data set, or a column a data set."""
    import h5py

    with h5py.File(path, "r") as file:
        sets: dict[str, Any] = {}
        file.visititems(
            lambda name, item: (
                sets.__setitem__(name, item) if isinstance(item, h5py.Dataset) else None
            )
        )
        for item in sets.values():
            if item.dtype.names and item.ndim == 1:
                wanted = [n for n in _wanted(item.dtype.names) if not item.dtype[n].shape]
                return {name: np.asarray(item[name]) for name in wanted}
        flat = {name.rpartition("/")[2]: item for name, item in sets.items() if item.ndim == 1}
        return {name: np.asarray(flat[name]) for name in _wanted(list(flat))}
