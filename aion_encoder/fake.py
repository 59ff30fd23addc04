"""A deterministic stand-in for an encoder: no weights, no torch, milliseconds.

For tests and for trying out an index. Its vectors come from a few plain measurements of an
observation (a coarse picture, a coarse spectrum), so that similar observations get similar
vectors; they know nothing of astronomy.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32

from aion_encoder.encoded import Encoded, Refusal
from aion_encoder.errors import ObservationError
from aion_encoder.heads import LinearHead
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.observations import GaiaXp, Image, Observation, Photometry, Spectrum

__all__ = ["FakeEncoder", "open_fake_encoder"]

_GRID = 8
_SPECTRUM_BINS = 64
_FEATURES = 128


def open_fake_encoder(weights: str = "fake", *, device: str = "auto") -> "FakeEncoder":
    """Return a fake encoder; the signature is that of `open_encoder`.

    Parameters
    ----------
    weights
        Any text; another text gives another identity and other vectors.
    device
        Without meaning.
    """
    del device
    return FakeEncoder(weights)


class FakeEncoder:
    """Encodes observations by fixed measurements and one random projection.

    Attributes
    ----------
    dim
        Length of the vectors: 32.
    identity
        States that this is a fake.
    encoded
        How many observations were encoded so far.
    """

    dim = 32

    def __init__(self, weights: str = "fake") -> None:
        digest = hashlib.sha256(weights.encode()).hexdigest()
        self.identity = EncoderIdentity(
            repository=f"fake/{weights}",
            codecs_repository=f"fake/{weights}",
            files={"fake": digest},
            pooling=Pooling.MEAN_CONTEXT,
            dim=self.dim,
        )
        self.encoded = 0
        self.reference_spaces: Mapping[str, tuple[np.ndarray, np.ndarray]] = {}
        self.bridges: Mapping[str, LinearHead] = {}
        rng = np.random.default_rng(int(digest[:8], 16))
        self._projection = rng.standard_normal((_FEATURES, self.dim)).astype(np.float32)
        self._offset = 3.0 * rng.standard_normal(self.dim).astype(np.float32)

    def encode(
        self,
        objects: Sequence[Sequence[Observation]],
        *,
        tokens: bool = False,
        batch_size: int | None = None,
    ) -> Encoded:
        """Encode observations; see `Encoder.encode`. Observations of an object stay apart.

        A spectrum whose median flux is negative is refused, so that refusals can be tried out.
        """
        del tokens, batch_size
        vectors: dict[str, np.ndarray] = {}
        refusals: list[Refusal] = []
        for index, observations in enumerate(objects):
            for observation in observations:
                empty = np.full((len(objects), self.dim), np.nan, dtype=np.float32)
                modality_vectors = vectors.setdefault(observation.modality, empty)
                try:
                    modality_vectors[index] = self._vector(observation)
                except ObservationError as error:
                    refusals.append(Refusal(index, observation.modality, str(error)))
        return Encoded(
            vectors=vectors,
            present={name: np.isfinite(values[:, 0]) for name, values in vectors.items()},
            refusals=tuple(refusals),
        )

    def encode_alone(self, observations: Sequence[Observation]) -> Float32[np.ndarray, "n dim"]:
        """Encode each observation by itself."""
        if not observations:
            return np.empty((0, self.dim), dtype=np.float32)
        return np.stack([self._vector(observation) for observation in observations])

    def _vector(self, observation: Observation) -> np.ndarray:
        measured = _measure(observation).astype(np.float32)
        features = np.zeros(_FEATURES, dtype=np.float32)
        features[: min(_FEATURES, measured.size)] = measured[:_FEATURES]
        self.encoded += 1
        # One einsum per observation: the vector must not depend on what it is encoded with.
        projected = np.einsum("f,fd->d", features, self._projection)
        return np.asarray(projected + self._offset, dtype=np.float32)


def _measure(observation: Observation) -> np.ndarray:
    if isinstance(observation, Image):
        good = np.where(np.asarray(observation.mask), 0.0, observation.flux)
        top, left = ((side - 96) // 2 for side in good.shape[1:])
        centre = good[:, top : top + 96, left : left + 96].astype(np.float64)
        cell = 96 // _GRID
        grid = centre.mean(axis=0).reshape(_GRID, cell, _GRID, cell).mean(axis=(1, 3))
        colours = np.arcsinh(centre.sum(axis=(1, 2)))
        return np.concatenate([np.arcsinh(10.0 * grid).ravel(), colours])
    if isinstance(observation, Spectrum):
        good = ~np.asarray(observation.mask)
        flux, wavelength = observation.flux[good], observation.wavelength_angstrom[good]
        level = float(np.median(flux))
        if level < 0.0:
            raise ObservationError("the median flux is negative")
        edges = np.geomspace(3500.0, 10462.4, _SPECTRUM_BINS + 1)
        bins = np.digitize(wavelength, edges[1:-1])
        counts = np.bincount(bins, minlength=_SPECTRUM_BINS)
        sums = np.bincount(bins, weights=flux, minlength=_SPECTRUM_BINS)
        shape = sums / np.maximum(counts, 1) / max(level, 1e-6)
        return np.append(np.arcsinh(shape), np.log10(max(level, 1e-6)))
    if isinstance(observation, GaiaXp):
        coefficients = np.concatenate([observation.bp, observation.rp]).astype(np.float64)
        scale = float(np.abs(coefficients).max())
        return np.append(np.arcsinh(10.0 * coefficients / scale), np.log10(scale))
    assert isinstance(observation, Photometry)
    return np.arcsinh(np.array(list(observation.values.values()), dtype=np.float64))
