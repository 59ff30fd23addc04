"""Records and rejects as tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from indexer.errors import BuildError
from indexer.readers.records import Record, Reject

__all__ = ["REJECT_SCHEMA", "concatenated", "record_schema", "record_table", "reject_table"]

REJECT_SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int32()),
        ("reason", pa.string()),
        ("partition", pa.string()),
        ("modality", pa.string()),
    ]
)
"""Columns of `rejects.parquet`. `modality` is empty for an object that was rejected as a whole;
else it names the one observation that was refused of an object that is indexed with another."""

_OWN = {
    "object_id": pa.string(),
    "ra_deg": pa.float64(),
    "dec_deg": pa.float64(),
    "modalities": pa.uint8(),
    "source_file": pa.string(),
    "source_row": pa.int32(),
}
_STANDARD = {
    "redshift": pa.float64(),
    "redshift_ok": pa.bool_(),
    "magnitude": pa.float64(),
    "object_class": pa.string(),
}
_RESERVED = {*_OWN, "row", "healpix_29", "_healpix_29"}


def record_table(records: Sequence[Record], modalities: Sequence[int]) -> pa.Table:
    """Return records as a table: their own fields, the standard columns, then all others by name.

    A value that a record lacks is null.

    Raises
    ------
    BuildError
        If a column would hide one of the record's own fields, or mixes texts with numbers.
    """
    own: dict[str, list[Any]] = {
        "object_id": [each.object_id for each in records],
        "ra_deg": [each.ra_deg for each in records],
        "dec_deg": [each.dec_deg for each in records],
        "modalities": list(modalities),
        "source_file": [each.source_file for each in records],
        "source_row": [each.source_row for each in records],
    }
    names = {name for each in records for name in each.columns}
    clash = names & _RESERVED
    if clash:
        raise BuildError(
            f"a manifest may not name a column {', '.join(sorted(clash))}: the index has its own"
        )
    arrays = {name: pa.array(values, _OWN[name]) for name, values in own.items()}
    for name in (*_STANDARD, *sorted(names - set(_STANDARD))):
        arrays[name] = _array(name, [each.columns.get(name) for each in records])
    return pa.table(arrays)


def _array(name: str, values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if name in _STANDARD:
        kind = _STANDARD[name]
    elif kinds <= {bool}:
        kind = pa.bool_() if kinds else pa.null()
    elif kinds <= {int}:
        kind = pa.int64()
    elif kinds <= {int, float}:
        kind = pa.float64()
    elif kinds <= {str}:
        kind = pa.string()
    else:
        raise BuildError(
            f"column {name} must hold one kind of value, got "
            f"{', '.join(sorted(kind.__name__ for kind in kinds))}"
        )
    return pa.array(values, kind)


def record_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the columns of tables of records put together.

    Raises
    ------
    BuildError
        If a column is text in one partition and a number in another.
    """
    try:
        # Most partitions have the same columns, and there may be a hundred thousand.
        schema = pa.unify_schemas(list(dict.fromkeys(schemas)), promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BuildError(f"the partitions of a release disagree about a column: {error}") from error
    own = [*_OWN, *_STANDARD]
    fields = [schema.field(name) for name in (*own, *sorted(set(schema.names) - set(own)))]
    return pa.schema(
        [(each.name, pa.string() if pa.types.is_null(each.type) else each.type) for each in fields]
    )


def concatenated(tables: Sequence[pa.Table], schema: pa.Schema | None = None) -> pa.Table:
    """Put tables of records together; columns that some lack are null there.

    Parameters
    ----------
    schema
        Of the result: some columns of `record_schema`. Default: all of these tables.
    """
    if schema is None:
        schema = record_schema(each.schema for each in tables)
    some = [each.select([n for n in schema.names if n in each.column_names]) for each in tables]
    table = pa.concat_tables([schema.empty_table(), *some], promote_options="permissive")
    return table.select(schema.names).cast(schema).combine_chunks()


def reject_table(rejects: Sequence[tuple[Reject, str]], partition: str) -> pa.Table:
    """Return rejects, each with the modality it concerns, as a table of `REJECT_SCHEMA`."""
    columns = {
        "object_id": [reject.object_id for reject, _ in rejects],
        "source_file": [reject.source_file for reject, _ in rejects],
        "source_row": [reject.source_row for reject, _ in rejects],
        "reason": [reject.reason for reject, _ in rejects],
        "partition": [partition] * len(rejects),
        "modality": [modality for _, modality in rejects],
    }
    return pa.table(columns, schema=REJECT_SCHEMA)
