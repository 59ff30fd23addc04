"""Vectors with the structure of embeddings, as many as wanted, made block by block from a seed.

A mixture of Gaussians of few dimensions is bent by a layer of sines and carried into many
dimensions; noise with a spectrum and noise without are added, and every twentieth vector is a
near copy of another. The variance falls with the direction as that of an image encoder does, and
the nearest neighbours stand out from the rest by as much.

The vectors are given in the leading principal directions of their `AMBIENT` dimensions, as an
index holds them after projection. Every chunk can be made alone.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from jaxtyping import Float32

__all__ = ["CHUNK", "SyntheticVectors"]

CHUNK = 100_000
"""Vectors that share one seed; they are drawn in blocks of `BLOCK`."""

BLOCK = 10_000
AMBIENT = 768
CLUSTERS = 500
LATENT = 24
HIDDEN = 384
STRUCTURED = 128
COPIES = 0.05
COPY_NOISE = 0.02
NOISE = (0.10, 0.20)

_QUERY_CHUNK = 10**6
_SAMPLE_CHUNK = 2 * 10**6
_BYTE_DEVIATION = 256.0 / np.sqrt(12.0)


class SyntheticVectors:
    """One distribution of unit vectors.

    Parameters
    ----------
    dim
        Length of the vectors, at most `AMBIENT`.
    seed
        The same seed gives the same vectors.
    """

    def __init__(self, dim: int, seed: int) -> None:
        if not 1 <= dim <= AMBIENT:
            raise ValueError(f"dim must be from 1 to {AMBIENT}, got {dim}")
        self.dim = dim
        self.seed = seed
        rng = np.random.default_rng((seed, 0))
        weights = np.arange(1, CLUSTERS + 1, dtype=np.float64) ** -0.8
        self._cumulative = np.cumsum(weights / weights.sum())
        self._means = rng.standard_normal((CLUSTERS, LATENT)).astype(np.float32)
        widths = 1.3 * (0.35 + 0.35 * rng.random((CLUSTERS, 1)))
        widths = widths * np.exp(0.35 * rng.standard_normal((CLUSTERS, LATENT)))
        self._widths = widths.astype(np.float32)
        first = rng.standard_normal((LATENT, HIDDEN)) / np.sqrt(LATENT) * 0.7
        first *= np.exp(0.8 * rng.standard_normal(HIDDEN))
        self._first = first.astype(np.float32)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, HIDDEN).astype(np.float32)
        second = rng.standard_normal((HIDDEN, AMBIENT)) / np.sqrt(HIDDEN)
        basis = np.linalg.qr(rng.standard_normal((AMBIENT, AMBIENT)))[0][:STRUCTURED]
        scales = np.arange(1, STRUCTURED + 1) ** -0.5
        basis = basis * (scales / np.linalg.norm(scales))[:, None]
        self._second: np.ndarray = second.astype(np.float32)
        self._basis: np.ndarray = basis.astype(np.float32)
        directions = self._principal_directions
        self._second = self._second @ directions
        self._basis = self._basis @ directions

    @cached_property
    def _principal_directions(self) -> Float32[np.ndarray, "ambient dim"]:
        sample = self._block(np.random.default_rng((self.seed, _SAMPLE_CHUNK)), copies=False)
        centred = sample.astype(np.float64) - sample.mean(axis=0)
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, : self.dim]
        return np.ascontiguousarray(directions, dtype=np.float32)

    def chunk(self, number: int) -> Float32[np.ndarray, "chunk dim"]:
        """Return the `CHUNK` vectors of a chunk, rounded to float16 as an index stores them."""
        rng = np.random.default_rng((self.seed, 1 + number))
        blocks = [self._block(rng, copies=True) for _ in range(CHUNK // BLOCK)]
        return np.concatenate(blocks).astype(np.float16).astype(np.float32)

    def chunks(self, count: int) -> Iterator[Float32[np.ndarray, "n dim"]]:
        """Make the first `count` vectors, chunk after chunk."""
        for number in range(-(-count // CHUNK)):
            yield self.chunk(number)[: count - number * CHUNK]

    def queries(self, count: int) -> Float32[np.ndarray, "n dim"]:
        """Return vectors of the same distribution that are in no chunk, `BLOCK` at most."""
        rng = np.random.default_rng((self.seed, _QUERY_CHUNK))
        return self._block(rng, copies=False)[:count]

    def _block(self, rng: np.random.Generator, *, copies: bool) -> Float32[np.ndarray, "block d"]:
        dim = self._second.shape[1]
        cluster = np.searchsorted(self._cumulative, rng.random(BLOCK))
        latent = rng.standard_normal((BLOCK, LATENT), dtype=np.float32)
        latent = self._means[cluster] + self._widths[cluster] * latent
        vectors = np.sin(latent @ self._first + self._phases) @ self._second
        size = np.linalg.norm(vectors, axis=1, keepdims=True)
        amplitude = rng.uniform(*NOISE, (BLOCK, 1)).astype(np.float32) * size * np.sqrt(0.5)
        structured = rng.standard_normal((BLOCK, STRUCTURED), dtype=np.float32) @ self._basis
        vectors += amplitude * (structured + _even_noise(rng, BLOCK, dim))
        if copies:
            kept = round(BLOCK * (1.0 - COPIES))
            sources = rng.integers(0, kept, BLOCK - kept)
            noise = COPY_NOISE * size[sources] * _even_noise(rng, BLOCK - kept, dim)
            vectors[kept:] = vectors[sources] + noise
            vectors = vectors[rng.permutation(BLOCK)]
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit.astype(np.float32)


def _even_noise(rng: np.random.Generator, count: int, dim: int) -> Float32[np.ndarray, "n dim"]:
    """Return noise of the same size in all directions, of unit length over `AMBIENT` of them.

    Bytes: a fifth of the cost of normal numbers, and a sum of many cannot be told from them.
    """
    drawn = np.frombuffer(rng.bytes(count * dim), dtype=np.int8).reshape(count, dim)
    return drawn.astype(np.float32) / np.float32(_BYTE_DEVIATION * np.sqrt(AMBIENT))
