"""Tokenize packed sources, file by file, and read the tokens of all of them back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.modalities import Image as AionImage
from aion.modalities import ScalarModalities

from aion_encoder.codecs import load_codec
from aion_encoder.tokenizer import exact_arithmetic
from aion_encoder.training.batches import XP_KEYS, TokenSky
from aion_encoder.training.means import Means
from aion_encoder.training.simulated import BANDS, SCALARS, PackedSky, packed_sky

__all__ = ["KINDS", "claimed", "load_codecs", "read_tokens", "write_tokens"]


@torch.inference_mode()
def _tokenize(
    codecs: Mapping[str, Any], sky: PackedSky, kind: str, device: str
) -> dict[str, np.ndarray]:
    """Tokenize the images, or everything else, of a packed sky."""
    tokens: dict[str, list[np.ndarray]] = {}
    rows = np.arange(len(sky))
    for part in np.array_split(rows, max(1, len(rows) // 50)):
        for survey, bands in BANDS.items() if kind == "images" else ():
            pixels = torch.from_numpy(sky.images[survey][part]).to(device).float()
            key = "tok_image" if survey == "legacysurvey" else "tok_image_hsc"
            coded = codecs["image"].encode(AionImage(flux=pixels, bands=list(bands)))
            tokens.setdefault(key, []).append(coded.cpu().numpy())
        for survey, arrays in sky.spectra.items() if kind != "images" else ():
            coded = codecs["spectrum"].encode(arrays.batch(part, device))
            tokens.setdefault(f"tok_spectrum_{survey}", []).append(coded.cpu().numpy())
    out = {key: np.concatenate(parts).astype(np.uint16) for key, parts in tokens.items()}
    if kind != "images":
        by_key = {m.token_key: m for m in ScalarModalities.values()}
        values = {key: np.asarray(sky.scalars[key], np.float32) for key in SCALARS}
        values["tok_xp_bp"], values["tok_xp_rp"] = np.split(sky.coefficients, 2, axis=1)
        for key, array in values.items():
            filled = np.nan_to_num(array, nan=0.0)
            coded = codecs[key].encode(by_key[key](value=torch.from_numpy(filled)))
            out[key] = coded.numpy().astype(np.uint16).reshape(len(sky), -1)
    return out


def load_codecs(checkpoint: Path, wanted: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Read the trained tokenizers back: ``image``, ``spectrum`` and one per scalar token key.

    Parameters
    ----------
    wanted
        Only these; by default all.
    """
    by_key = {modality.token_key: modality for modality in ScalarModalities.values()}
    folders = {"image": "image", "spectrum": "spectrum"}
    folders |= {key: by_key[key].name for key in (*SCALARS, *XP_KEYS)}
    return {
        key: load_codec(checkpoint, folder)
        for key, folder in folders.items()
        if wanted is None or key in wanted
    }


KINDS = ("images", "others")


@contextmanager
def claimed(target: Path) -> Iterator[bool]:
    """Say whether a file is this process's to make: two may share a stage, whoever comes first."""
    claim = target.with_suffix(".claimed")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        claim.unlink()


def write_tokens(work: Path, paths: Sequence[Path], kind: str, by: Means) -> None:
    """Write ``tokens/<kind>-*.npz`` for packed files, unless they are there.

    Parameters
    ----------
    kind
        ``images`` or ``others``.
    """
    codecs = load_codecs(work / "checkpoint", ("image",) if kind == "images" else None)
    for name in ("image", "spectrum"):
        if name in codecs:
            codecs[name].to(by.device)
    (work / "tokens").mkdir(exist_ok=True)
    for done, path in enumerate(paths, 1):
        target = work / "tokens" / f"{kind}-{path.name}"
        with claimed(target) as mine:
            if mine and not target.exists():
                with exact_arithmetic(torch.device(by.device)):
                    tokens = _tokenize(codecs, packed_sky([path]), kind, by.device)
                TokenSky(tokens).save(target)
        by.tell(done, len(paths))


def read_tokens(work: Path, paths: Sequence[Path]) -> TokenSky:
    """Read the tokens of packed files into one sky, in the order given."""
    tokens: dict[str, list[np.ndarray]] = {}
    for path in paths:
        for kind in KINDS:
            part = TokenSky.load(work / "tokens" / f"{kind}-{path.name}")
            for key, values in part.tokens.items():
                tokens.setdefault(key, []).append(values)
    return TokenSky({key: np.concatenate(parts) for key, parts in tokens.items()})
