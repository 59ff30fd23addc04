"""What the inverted lists of a space share: trained once, on a sample of all of its segments."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from pydantic import BaseModel, ConfigDict, Field

from indexer import ann
from indexer.drift import LOOKED_AT, Spread, spread_of
from indexer.durable import digest_of, sha256_of, write_json
from indexer.errors import IndexFormatError
from indexer.layout import quantizer_facts_file, quantizer_file
from indexer.vectors import Vectors

__all__ = ["Quantizer", "QuantizerFacts", "positions_of", "read_quantizer", "taken", "trained_on"]

_HELD_OUT = 8
"""At most every so many of the sample is kept from training, to compare later vectors with."""

_BLOCK = 65_536


class QuantizerFacts(BaseModel):
    """`quantizer.json`: what the inverted lists of a space were trained on, and how.

    Attributes
    ----------
    recipe, lists, dim
        How vectors are coded, in how many lists, and their length.
    training
        Vectors of the sample by segment and modality, ``release:modality``.
    held_out
        How many of these were not trained on, but looked at.
    seed, faiss, device
        Of the training; the device is ``cpu`` or ``gpu``.
    reference
        How the vectors held out lie in the lists: what later ones are compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    lists: int = Field(gt=0)
    dim: int = Field(gt=0)
    training: dict[str, int]
    held_out: int
    seed: int
    faiss: str
    device: str
    reference: Spread


@dataclass(frozen=True, eq=False)
class Quantizer:
    """Trained, empty inverted lists.

    Attributes
    ----------
    index
        What `indexer.ann.fill` starts from.
    sha256
        Of its file.
    facts
        How it was trained; None of an index that was built before that was kept.
    """

    index: Any
    sha256: str
    facts: QuantizerFacts | None


def trained_on(
    root: Path, unit: str, vectors: Mapping[str, Vectors], *, keep: Path | None = None
) -> Quantizer | None:
    """Train what the inverted lists of a space share, if any of its segments needs them.

    Parameters
    ----------
    root
        Folder that `unit` is relative to.
    unit
        Folder of the space, where `quantizer.faiss` and `quantizer.json` are written.
    vectors
        All vectors of the space, in a fixed order, by segment and modality.
    keep
        Folder in which the result is kept, and found again if the sample is the same.

    Returns
    -------
    None if all segments are flat.
    """
    sizes = [len(each) for each in vectors.values()]
    dim = next(iter(vectors.values())).shape[1]
    recipe = ann.recipe_for(max(sizes), dim)
    if recipe.name == "flat":
        return None
    chosen = positions_of(sizes, recipe.training_vectors + LOOKED_AT)
    count = sum(map(len, chosen))
    held_out = np.arange(count) % max(_HELD_OUT, count // LOOKED_AT) == _HELD_OUT - 1
    if count - int(held_out.sum()) < recipe.lists:
        held_out[:] = False
    sample = _gathered(vectors, chosen, ~held_out)
    kept = None if keep is None else keep / f"quantizer-{_digest(recipe, sample)}.faiss"
    if kept is not None and kept.exists():
        index = ann.load_trained(kept)
    else:
        index = ann.train(recipe, sample)
        if kept is not None:
            ann.save(index, kept)
    looked_at = _gathered(vectors, chosen, held_out) if held_out.any() else sample[:LOOKED_AT]
    facts = QuantizerFacts(
        recipe=recipe.name,
        lists=recipe.lists,
        dim=dim,
        training={name: len(each) for name, each in zip(vectors, chosen, strict=True)},
        held_out=int(held_out.sum()),
        seed=ann.SEED,
        faiss=ann.VERSION,
        device=ann.device(),
        reference=spread_of(index, looked_at),
    )
    return _written(root, unit, index, facts)


def _written(root: Path, unit: str, index: Any, facts: QuantizerFacts | None) -> Quantizer:
    path = root / quantizer_file(unit)
    ann.save(index, path)
    if facts is not None:
        write_json(root / quantizer_facts_file(unit), facts.model_dump(mode="json"))
    return Quantizer(index, sha256_of(path), facts)


def taken(source: Path, published: str, root: Path, unit: str) -> Quantizer | None:
    """Take over the quantizer of a published space; None if it has none.

    Parameters
    ----------
    source, published
        The index, and the folder of the space in it.
    root, unit
        Where it is taken.
    """
    found = read_quantizer(source, published)
    return None if found is None else _written(root, unit, found.index, found.facts)


def read_quantizer(root: Path, unit: str) -> Quantizer | None:
    """Read the quantizer of a space; None if it has none.

    Raises
    ------
    IndexFormatError
        If a file is damaged.
    """
    path, facts_path = root / quantizer_file(unit), root / quantizer_facts_file(unit)
    if not path.exists():
        return None
    facts = None
    if facts_path.exists():
        try:
            facts = QuantizerFacts.model_validate_json(facts_path.read_bytes())
        except ValueError as error:
            raise IndexFormatError(
                f"{facts_path} cannot be read ({error}); build the index again"
            ) from error
    return Quantizer(ann.load_trained(path), sha256_of(path), facts)


def positions_of(sizes: list[int], wanted: int) -> list[Int64[np.ndarray, " n"]]:
    """Pick positions evenly: of each segment in proportion to its size, at least one."""
    every = np.array(sizes, dtype=np.int64)
    counts = ann.shares(every, min(max(wanted, int((every > 0).sum())), int(every.sum())))
    return [
        np.arange(count) * size // max(count, 1)
        for size, count in zip(sizes, counts.tolist(), strict=True)
    ]


def _gathered(
    vectors: Mapping[str, Vectors], chosen: list[np.ndarray[Any, Any]], which: np.ndarray[Any, Any]
) -> Float32[np.ndarray, "n dim"]:
    """Return those of the chosen vectors that `which` picks of all of them together."""
    dim = next(iter(vectors.values())).shape[1]
    found = np.empty((int(which.sum()), dim), np.float32)
    done, before = 0, 0
    for each, positions in zip(vectors.values(), chosen, strict=True):
        picked = positions[which[before : before + len(positions)]]
        before += len(positions)
        for start in range(0, len(picked), _BLOCK):
            block = each[picked[start : start + _BLOCK]]
            found[done : done + len(block)] = block
            done += len(block)
    return found


def _digest(recipe: ann.Recipe, sample: np.ndarray[Any, Any]) -> str:
    of_sample = hashlib.sha256(sample.data).hexdigest()
    stated = [recipe.name, recipe.lists, ann.SEED, ann.VERSION, ann.device(), of_sample]
    return digest_of([*stated, *sample.shape])[:16]
