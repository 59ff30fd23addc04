"""What a learned pooling is trained on: the cells of observations that a frozen encoder saw.

A working folder gets, for every file of packed sources, ``turned/*.npz`` (tokens of pictures that
were turned, mirrored and shifted before they were tokenized) and ``features/<view>-*.npy`` (cells,
float16), so that training a pooling costs no pass through the encoder.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.modalities import Image as AionImage
from jaxtyping import Float16, Float32, UInt16

from aion_encoder.attention import fuse_attention
from aion_encoder.checkpoint import load_transformer
from aion_encoder.learned_pooling import cells_of
from aion_encoder.surveys import SURVEYS
from aion_encoder.tokenizer import exact_arithmetic
from aion_encoder.training.batches import TokenSky
from aion_encoder.training.fluxes import fluxes_of
from aion_encoder.training.simulated import BANDS, packed_sky

__all__ = [
    "IMAGE_KEYS",
    "KEYS",
    "Features",
    "features_of",
    "turn",
    "write_features",
    "write_turned",
]

IMAGE_KEYS = {"legacysurvey": "tok_image", "hsc": "tok_image_hsc"}

KEYS: Mapping[str, tuple[str, ...]] = {name: each.token_keys for name, each in SURVEYS.items()}
"""Token keys of one observation in each survey."""

MODALITY = {survey: SURVEYS[survey].modality for survey in KEYS}

TURNED = "@turned"
"""Ends the names of pictures that were turned before they were tokenized."""

VIEWS = (*KEYS, *(survey + TURNED for survey in IMAGE_KEYS))
"""The ways in which a source is seen."""

_BATCH = 50


def turn(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures in one of eight orientations each, shifted by up to a pixel either way.

    Parameters
    ----------
    images
        Shape (n, bands, height, width).
    """
    out = np.empty_like(images)
    for row, picture in enumerate(images):
        turned = np.rot90(picture, int(rng.integers(4)), axes=(1, 2))
        if rng.integers(2):
            turned = turned[:, :, ::-1]
        padded = np.pad(turned, ((0, 0), (1, 1), (1, 1)), "edge")
        y, x = rng.integers(3, size=2)
        out[row] = padded[:, y : y + images.shape[2], x : x + images.shape[3]]
    return out


@torch.inference_mode()
def write_turned(codec: Any, sky_file: Path, folder: Path, seed: int, device: str = "cpu") -> None:
    """Tokenize the turned pictures of a packed file into ``folder``, unless they are there."""
    folder.mkdir(exist_ok=True)
    if (folder / sky_file.name).exists():
        return
    sky = packed_sky([sky_file])
    rng = np.random.default_rng([seed, int(sky_file.stem)])
    tokens: dict[str, list[np.ndarray]] = {}
    for survey, bands in BANDS.items():
        for start in range(0, len(sky), _BATCH):
            pixels = turn(sky.images[survey][start : start + _BATCH].astype(np.float32), rng)
            flux = torch.from_numpy(pixels).to(device)
            with exact_arithmetic(flux.device):
                coded = codec.encode(AionImage(flux=flux, bands=list(bands)))
            tokens.setdefault(IMAGE_KEYS[survey] + TURNED, []).append(coded.cpu().numpy())
    TokenSky({key: np.concatenate(parts).astype(np.uint16) for key, parts in tokens.items()}).save(
        folder / sky_file.name
    )


@torch.inference_mode()
def features_of(
    model: Any, tokens: Mapping[str, UInt16[np.ndarray, "n count"]], view: str
) -> Float16[np.ndarray, "n cells size"]:
    """Return the cells of observations encoded alone.

    Parameters
    ----------
    model
        The official transformer, its attention fused.
    tokens
        Tokens by token key.
    view
        One of `VIEWS`.
    """
    device = next(model.parameters()).device
    survey = view.removesuffix(TURNED)
    turned = view[len(survey) :]
    keys = KEYS[survey]
    count = len(tokens[keys[0] + turned])
    parts = []
    for start in range(0, count, _BATCH):
        embedded, codes = [], []
        for key in keys:
            embedding = model.encoder_embeddings[key]
            ids = torch.from_numpy(tokens[key + turned][start : start + _BATCH].astype(np.int64))
            embedded.append(embedding.token_emb(ids.to(device)))
            codes.append(embedding.pos_emb + embedding.mod_emb)
        first = torch.cat(embedded, dim=1)
        hidden = first + torch.cat([each.expand(1, -1, -1) for each in codes], dim=1)
        with torch.autocast(device.type, torch.bfloat16):
            for block in model.encoder:
                hidden = block(hidden)
        cells = cells_of(MODALITY[survey], first, model.encoder_norm(hidden.float()))
        parts.append(cells.to(torch.float16).cpu().numpy())
    return np.concatenate(parts)


def write_features(checkpoint: Path, work: Path, name: str, device: str = "cpu") -> None:
    """Write the features of all views of one packed file, unless they are there.

    Parameters
    ----------
    checkpoint
        Whose encoder.
    work
        The working folder; its tokens must be there.
    name
        Stem of the packed file.
    device
        Where the encoder runs.
    """
    folder = work / "features"
    folder.mkdir(exist_ok=True)
    missing = [view for view in VIEWS if not (folder / f"{view}-{name}.npy").exists()]
    if not missing:
        return
    model: Any = load_transformer(checkpoint)
    fuse_attention(model.encoder)
    model.to(device)
    tokens: dict[str, np.ndarray] = {}
    for part in (f"tokens/images-{name}", f"tokens/others-{name}", f"turned/{name}"):
        tokens |= TokenSky.load(work / f"{part}.npz").tokens
    for view in missing:
        path = folder / f"{view}-{name}.npy"
        partial = path.with_name(path.name + ".tmp.npy")
        np.save(partial, features_of(model, tokens, view))
        partial.replace(path)


class Features:
    """The features of many packed files, and what the catalogues say of the same sources.

    Parameters
    ----------
    work
        The working folder.
    names
        Stems of the packed files, in order.
    """

    def __init__(self, work: Path, names: Sequence[str]) -> None:
        self._work, self._names = work, tuple(names)
        labels: dict[str, list[np.ndarray]] = {"z": [], "spectral_class": []}
        for name in names:
            with np.load(work / "sky" / f"{name}.npz", allow_pickle=False) as stored:
                for label, parts in labels.items():
                    parts.append(stored[label])
        self.redshift = np.concatenate(labels["z"]).astype(np.float64)
        self.spectral_class = np.concatenate(labels["spectral_class"])

    def __len__(self) -> int:
        return len(self.redshift)

    def cells(self, view: str) -> Iterator[Float16[np.ndarray, "n cells size"]]:
        """Give the cells of all sources as a view shows them, file by file."""
        for name in self._names:
            yield np.load(self._work / "features" / f"{view}-{name}.npy")

    def first_cells(self, view: str, at_least: int) -> Float32[np.ndarray, "m cells size"]:
        """Return the cells of the first sources; whole files are read."""
        found: list[np.ndarray] = []
        for each in self.cells(view):
            found.append(each.astype(np.float32))
            if sum(len(part) for part in found) >= at_least:
                break
        return np.concatenate(found)

    def first_fluxes(self, at_least: int) -> dict[str, Float32[np.ndarray, "m cells fluxes"]]:
        """Measure what the cells of the first sources should tell, see `fluxes_of`.

        Returns
        -------
        By survey, for those sources whose cells `first_cells` gives.
        """
        found: dict[str, list[np.ndarray]] = {}
        sources = 0
        for name in self._names:
            sky = packed_sky([self._work / "sky" / f"{name}.npz"])
            sources += len(sky)
            for survey in KEYS:
                measured = fluxes_of(sky, survey)
                if measured is not None:
                    found.setdefault(survey, []).append(measured)
            if sources >= at_least:
                break
        return {survey: np.concatenate(parts) for survey, parts in found.items()}
