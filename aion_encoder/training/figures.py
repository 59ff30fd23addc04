"""Figures of a model card: what the tokenizers give back, and how training went."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Picture
from PIL import ImageDraw

from aion_encoder.training.image_codec import _compressed, _reconstruct
from aion_encoder.training.simulated import BANDS, PackedSky
from aion_encoder.training.spectrum_codec import reconstruct_on_grid

__all__ = ["draw_images", "draw_losses", "draw_spectra"]

INK, QUIET, ACCENT = (30, 34, 42), (150, 156, 168), (200, 60, 40)

RGB = {"legacysurvey": (3, 1, 0), "hsc": (2, 1, 0)}
"""Channels shown as red, green and blue."""


def _colour(compressed: np.ndarray, channels: tuple[int, int, int]) -> np.ndarray:
    """Turn an image in the codec's compressed range into 8-bit colour, north up."""
    planes = np.stack([compressed[channel] for channel in channels], axis=-1)
    low, high = -0.05, np.percentile(planes, 99.7) * 1.1 + 0.1
    scaled = np.clip((planes - low) / (high - low), 0.0, 1.0)
    return np.asarray(255 * scaled[::-1], np.uint8)


@torch.inference_mode()
def draw_images(codec: Any, sky: PackedSky, rows: Sequence[int], path: Path) -> None:
    """Draw pictures above what the tokenizer makes of them, one strip per survey."""
    strips = []
    for survey, bands in BANDS.items():
        pixels = torch.from_numpy(sky.images[survey][list(rows)].astype(np.float32))
        target = _compressed(codec, pixels, bands)
        decoded, _, _ = _reconstruct(codec, target, bands)
        for planes in (target.numpy(), decoded.numpy()):
            strips.append(np.concatenate([_colour(one, RGB[survey]) for one in planes], axis=1))
    picture = Picture.fromarray(np.concatenate(strips, axis=0))
    # 256 colours: half the bytes, and a checkpoint is bundled with the code.
    picture.quantize(256).save(path, optimize=True)


def _polyline(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    x: np.ndarray,
    y: np.ndarray,
    limits: tuple[float, float, float, float],
    colour: tuple[int, int, int],
) -> None:
    left, top, right, bottom = box
    x0, x1, y0, y1 = limits
    px = left + (right - left) * (x - x0) / (x1 - x0)
    py = bottom - (bottom - top) * (np.clip(y, y0, y1) - y0) / (y1 - y0)
    draw.line(list(zip(px.tolist(), py.tolist(), strict=True)), fill=colour, width=1)


def draw_spectra(codec: Any, sky: PackedSky, survey: str, rows: Sequence[int], path: Path) -> None:
    """Draw spectra (grey, as observed) and what the tokenizer makes of them (red)."""
    width, height = 900, 130
    picture = Picture.new("RGB", (width, height * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    wavelength, observed, decoded, inside = reconstruct_on_grid(
        codec, sky.spectra[survey], np.array(rows)
    )
    for index in range(len(rows)):
        good = inside[index]
        low, high = np.percentile(observed[index][good], (1, 99))
        margin = 0.25 * (high - low)
        limits = (3500.0, 10000.0, low - margin, high + margin)
        box = (10, height * index + 8, width - 10, height * (index + 1) - 20)
        _polyline(draw, box, wavelength[good], observed[index][good], limits, QUIET)
        _polyline(draw, box, wavelength[good], decoded[index][good], limits, ACCENT)
        for tick in range(4000, 10000, 1000):
            x = box[0] + (box[2] - box[0]) * (tick - limits[0]) / (limits[1] - limits[0])
            draw.line([(x, box[3]), (x, box[3] + 4)], fill=INK)
            draw.text((x - 12, box[3] + 5), f"{tick} A", fill=INK)
    picture.save(path, optimize=True)


def draw_losses(log: Sequence[Mapping[str, Any]], keys: Sequence[str], path: Path) -> None:
    """Draw losses against steps, one small panel per key."""
    width, height = 300, 140
    picture = Picture.new("RGB", (width * 3, height * -(-len(keys) // 3)), "white")
    draw = ImageDraw.Draw(picture)
    for index, key in enumerate(keys):
        points = [(row["step"], row[key]) for row in log if key in row]
        left, top = width * (index % 3), height * (index // 3)
        draw.text((left + 10, top + 4), key, fill=INK)
        if len(points) < 2:
            continue
        x, y = np.array(points, float).T
        limits = (0.0, float(x.max()), float(y.min()) - 0.05, float(y.max()) + 0.05)
        box = (left + 10, top + 22, left + width - 60, top + height - 10)
        _polyline(draw, box, x, y, limits, ACCENT)
        draw.text((left + width - 55, top + height - 24), f"{y[-1]:.2f}", fill=INK)
        draw.text((left + width - 55, top + 20), f"{y[0]:.2f}", fill=QUIET)
    picture.save(path, optimize=True)
