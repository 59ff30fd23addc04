"""Vectors of another model or pooling from the tokens that an index keeps.

What is written are vectors as anybody may bring them: one Parquet file for each release, and a
manifest, of which `build` makes an index with the identity of the encoder.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aion_encoder.identity import EncoderIdentity
from indexer.durable import replacing
from indexer.errors import IndexerError
from indexer.index_file import Index
from indexer.kept_tokens import KeptTokens, read_tokens
from indexer.progress import Progress, silent
from indexer.segment import Segment

if TYPE_CHECKING:
    from aion_encoder import Encoder

__all__ = ["encode_from_tokens"]

_COLUMNS = (
    "object_id",
    "ra_deg",
    "dec_deg",
    "redshift",
    "redshift_ok",
    "magnitude",
    "object_class",
)
_VECTOR = "vector"
_MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class _Work:
    segment: Segment
    kept: KeptTokens

    @property
    def modality(self) -> str:
        # A release has observations of one modality.
        (modality,) = self.segment.info.vectors
        return modality


def encode_from_tokens(
    index: Index, folder: Path, encoder: "Encoder", *, progress: Progress = silent
) -> Path:
    """Encode the tokens of all releases that keep them, without reading a survey file.

    Previews are not taken along, nor columns that serving does not need; objects without a
    position will be rejected, as they are among all vectors that are brought.

    Parameters
    ----------
    index
        With tokens.
    folder
        Where to write; made if it is not there.
    encoder
        Any model or pooling with the same tokenizers.
    progress
        Called with the objects done and their number.

    Returns
    -------
    The manifest, for `indexer.build.build`.

    Raises
    ------
    IndexerError
        If no release keeps tokens.
    TokenError
        If they are of other tokenizers.
    """
    found = [
        (segment, read_tokens(index.path, segment.info.directory))
        for segment in index.segments.values()
    ]
    work = [_Work(segment, kept) for segment, kept in found if kept is not None]
    if not work:
        raise IndexerError(
            f"{index.path} keeps no tokens; build it with --keep-tokens, needing the pixels once"
        )
    folder.mkdir(parents=True, exist_ok=True)
    total, done = sum(len(each.segment) for each in work), 0
    for each in work:
        with replacing(folder / f"{each.segment.name}.parquet") as temporary:
            _write(temporary, each, encoder)
        done += len(each.segment)
        progress(done, total)
    with replacing(folder / _MANIFEST) as temporary:
        text = _manifest(index, work, encoder.identity)
        temporary.write_text(text, encoding="utf-8")
    return folder / _MANIFEST


def _write(path: Path, work: _Work, encoder: "Encoder") -> None:
    dim = encoder.identity.vector_dim(work.modality)
    rows = work.segment.rows
    names = [name for name in _COLUMNS if name in rows.schema.names]
    schema = pa.schema(
        [*(rows.schema.field(name) for name in names), (_VECTOR, pa.list_(pa.float32(), dim))]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for chosen, vectors in work.kept.vectors(encoder, work.modality):
            flat = pa.array(np.ascontiguousarray(vectors).ravel(), pa.float32())
            lists = pa.FixedSizeListArray.from_arrays(flat, dim)
            table = rows.select(names).take(chosen).append_column(schema.field(_VECTOR), lists)
            writer.write_table(table.cast(schema))


def _manifest(index: Index, work: list[_Work], encoder: EncoderIdentity) -> str:
    lines = [
        f"# Vectors encoded from the tokens of the index {index.info.name}.",
        "",
        f"name = {_value(index.info.manifest.name)}",
        f"title = {_value(index.info.manifest.title)}",
        'root = "."',
    ]
    for each in work:
        info, rows = each.segment.info, each.segment.rows.schema.names
        stated = {
            "name": each.segment.name,
            "title": info.title,
            "survey": info.survey,
            "reader": "vectors",
            "files": [f"{each.segment.name}.parquet"],
            "object_id": "object_id",
            "ra": "ra_deg",
            "dec": "dec_deg",
            "simulated": info.simulated,
            **{
                name: value
                for name in ("homepage", "licence", "citation", "acknowledgement")
                if (value := getattr(info, name))
            },
        }
        columns: dict[str, Any] = {
            name: name for name in ("redshift", "object_class") if name in rows
        }
        if "redshift_ok" in rows:
            columns["redshift_ok"] = {"column": "redshift_ok", "good": "true_or_zero"}
        if "magnitude" in rows and info.magnitude_band:
            band = info.magnitude_band
            columns["magnitude"] = {"column": "magnitude", "unit": "mag", "band": band}
        vectors = {"modality": each.modality, "column": _VECTOR}
        lines += ["", "[[releases]]", *_toml(stated)]
        lines += ["", "[releases.columns]", *_toml(columns)]
        lines += ["", "[releases.vectors]", *_toml(vectors)]
        lines += ["", "[releases.vectors.encoder]", *_toml(encoder.model_dump(mode="json"))]
    return "\n".join(lines) + "\n"


def _toml(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{name} = {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(name)} = {_value(each)}" for name, each in value.items())
        return f"{{ {inside} }}"
    # A text, a number, a truth value or a list of texts of JSON is one of TOML.
    return json.dumps(value, ensure_ascii=False)
