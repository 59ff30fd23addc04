"""One partition of observations in, one staged result out: vectors, rows, previews, rejects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.encoded import ABSENT_TOKEN
from aion_encoder.observations import Observation, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.arrow_tables import write_arrow
from indexer.errors import BuildError
from indexer.index_model import NATIVE, VECTOR_BITS
from indexer.layout import staged_partition_dir
from indexer.plan import ReleasePlan, staging_config
from indexer.previews import Preview, preview_of, preview_table
from indexer.readers.records import Partition, Record, Reject
from indexer.record_table import record_table, reject_table
from indexer.staging import Staged, at_hand, check_unchanged, read_staged, stage
from indexer.tools import EncoderLike, NativeEncoderLike, Tools

__all__ = ["BATCH_OBSERVATIONS", "encode_partition"]

BATCH_OBSERVATIONS = 256

_Observed = Observation | NativeSpectrum

_Said = tuple[np.ndarray[Any, Any], str]
"""What a model says of an observation: a vector, or why there is none."""


@dataclass
class _Batch:
    """Objects of a partition while they are encoded."""

    encoder: EncoderLike
    native: NativeEncoderLike | None
    records: list[Record] = field(default_factory=list)
    modalities: list[int] = field(default_factory=list)
    rejects: list[tuple[Reject, str]] = field(default_factory=list)
    vectors: dict[str, list[np.ndarray[Any, Any]]] = field(default_factory=dict)
    previews: list[tuple[int, Preview]] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)
    preview_settings: Any = None
    keep_tokens: bool = False
    tokens: dict[str, dict[int, np.ndarray[Any, Any]]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.waiting.append(record)
        if sum(len(each.observations) for each in self.waiting) >= BATCH_OBSERVATIONS:
            self.flush()

    def flush(self) -> None:
        """Encode what waits, every observation by itself."""
        observations = [each for record in self.waiting for each in record.observations]
        (aion, tokens), native = self._by_aion(observations), self._by_native(observations)
        place = 0
        for record in self.waiting:
            said = slice(place, place + len(record.observations))
            if self._settle(record, aion[said], native[said]):
                for of_observation in tokens[said]:
                    for key, values in of_observation.items():
                        self.tokens.setdefault(key, {})[len(self.records) - 1] = values
            place = said.stop
        self.waiting = []

    def _by_aion(
        self, observations: Sequence[_Observed]
    ) -> tuple[list[_Said | None], list[dict[str, np.ndarray[Any, Any]]]]:
        """Return what AION-1 says of each observation; None of what it is not asked.

        The tokens of each observation come with it, where they are kept.
        """
        said: list[_Said | None] = [None] * len(observations)
        tokens: list[dict[str, np.ndarray[Any, Any]]] = [{} for _ in observations]
        asked = [
            (place, each)
            for place, each in enumerate(observations)
            if not isinstance(each, NativeSpectrum)
        ]
        if not asked:
            return said, tokens
        objects = [(observation,) for _, observation in asked]
        encoded = self.encoder.encode(objects, tokens=self.keep_tokens)
        if self.keep_tokens and encoded.tokens is None:
            raise BuildError(
                f"tokens are to be kept, but {self.encoder.identity.repository} gives none; leave "
                "keep_tokens out"
            )
        reasons = {refusal.index: refusal.reason for refusal in encoded.refusals}
        for number, (place, observation) in enumerate(asked):
            vector = encoded.vectors[observation.modality][number]
            finite = bool(np.isfinite(vector).all())
            unsaid = "" if finite else "the encoder gave numbers that are not finite"
            said[place] = (vector, reasons.get(number, unsaid))
            tokens[place] = {
                key: table[number]
                for key, table in (encoded.tokens or {}).items()
                if table[number, 0] != ABSENT_TOKEN
            }
        return said, tokens

    def _by_native(self, observations: Sequence[_Observed]) -> list[_Said | None]:
        """Return what the tokenizer of native spectra says of each observation; None of others."""
        said: list[_Said | None] = [None] * len(observations)
        spectra = [
            (place, each)
            for place, each in enumerate(observations)
            if isinstance(each, Spectrum | NativeSpectrum)
        ]
        if self.native is None or not spectra:
            return said
        encoded = self.native.encode([spectrum for _, spectrum in spectra])
        reasons = {refusal.index: refusal.reason for refusal in encoded.refusals}
        for number, (place, _) in enumerate(spectra):
            said[place] = (encoded.vectors[number], reasons.get(number, ""))
        return said

    def _settle(
        self, record: Record, aion: Sequence[_Said | None], native: Sequence[_Said | None]
    ) -> bool:
        """Put an object where it belongs; say whether it is indexed."""
        found: dict[str, np.ndarray[Any, Any]] = {}
        refused: list[tuple[str, str]] = []
        shown: list[_Observed] = []
        for observation, *answers in zip(record.observations, aion, native, strict=True):
            before = len(found)
            for kind, answer in zip((observation.modality, NATIVE), answers, strict=True):
                if answer is None:
                    continue
                vector, reason = answer
                if reason:
                    refused.append((kind, reason))
                else:
                    found[kind] = vector
            if len(found) > before:
                shown.append(observation)
        if not found:
            reasons = dict.fromkeys(reason for _, reason in refused)
            reason = "; ".join(reasons) or "the object has no observation"
            whole = Reject(record.object_id, record.source_file, record.source_row, reason)
            self.rejects.append((whole, ""))
            return False
        for kind, reason in refused:
            part = Reject(record.object_id, record.source_file, record.source_row, reason)
            self.rejects.append((part, kind))
        number = len(self.records)
        # The pixels are not needed any more: a partition may be larger than memory.
        self.records.append(_without_observations(record))
        self.modalities.append(sum(VECTOR_BITS[kind] for kind in found))
        for kind, vector in found.items():
            self.vectors.setdefault(kind, []).append(vector)
        for observation in shown:
            preview = preview_of(observation, self.preview_settings)
            if preview is not None:
                self.previews.append((number, preview))
        return True


def _without_observations(record: Record) -> Record:
    return Record(
        record.object_id,
        record.ra_deg,
        record.dec_deg,
        (),
        record.columns,
        record.source_file,
        record.source_row,
    )


def encode_partition(
    index: Path,
    release: ReleasePlan,
    partition: Partition,
    *,
    encoder: EncoderLike,
    native: NativeEncoderLike | None = None,
    tools: Tools,
    manifest: Any,
    on_file: Callable[[], None] = lambda: None,
) -> Staged:
    """Encode one partition, unless a valid staged result is already there.

    Parameters
    ----------
    index
        Folder of the index; the result lies in its build folder.
    encoder, native
        Whose vectors are made; of spectra by both, if there is a `native`, except of those that
        only this takes.
    on_file
        Called for each input file that is done.
    """
    native = native if release.release.modality == "spectrum" else None
    encoders = [encoder.identity, *([] if native is None else [native.identity])]
    config = staging_config(release, partition, "+".join(each.digest for each in encoders))
    folder = staged_partition_dir(index, release.release.name, partition.name)
    ready = read_staged(folder, partition.name, config)
    if ready is not None:
        for _ in partition.files:
            on_file()
        return ready
    batch = _Batch(
        encoder,
        native,
        preview_settings=release.release.preview,
        keep_tokens=release.release.keep_tokens,
    )
    read, seen = 0, ""
    with at_hand(index, manifest.root, release, partition) as (files, hashes):
        here = manifest.model_copy(update={"root": files})
        for each in tools.read_partition(here, release.release, partition):
            read += 1
            if seen not in ("", each.source_file):
                on_file()
            seen = each.source_file
            if isinstance(each, Reject):
                batch.rejects.append((each, ""))
            else:
                batch.add(each)
        batch.flush()
        inputs = hashes()
    check_unchanged(manifest.root, release, partition)

    def write(at: Path) -> dict[str, Any]:
        return {"read": read, **_write(at, batch, partition.name), "inputs": inputs}

    return stage(folder, partition.name, config, write)


def _write(folder: Path, batch: _Batch, partition: str) -> dict[str, Any]:
    write_arrow(record_table(batch.records, batch.modalities), folder / "records.arrow", sync=False)
    write_arrow(reject_table(batch.rejects, partition), folder / "rejects.arrow", sync=False)
    rows, previews = [row for row, _ in batch.previews], [each for _, each in batch.previews]
    write_arrow(preview_table(rows, previews), folder / "previews.arrow", sync=False)
    for modality, vectors in batch.vectors.items():
        stacked = np.stack(vectors).astype(np.float32)
        np.save(folder / f"vectors-{modality}.npy", stacked, allow_pickle=False)
    for key, of_record in batch.tokens.items():
        width = len(next(iter(of_record.values())))
        table = np.full((len(batch.records), width), ABSENT_TOKEN, np.uint16)
        table[list(of_record)] = list(of_record.values())
        np.save(folder / f"tokens-{key}.npy", table, allow_pickle=False)
    return {
        "indexed": len(batch.records),
        "rejected": sum(modality == "" for _, modality in batch.rejects),
        "vectors": {name: len(vectors) for name, vectors in sorted(batch.vectors.items())},
    }
