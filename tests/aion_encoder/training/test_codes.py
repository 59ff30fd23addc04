"""What codes mean before anything is learned."""

import numpy as np
import torch
from aion.codecs.quantizers import FiniteScalarQuantizer, LucidrainsLFQ

from aion_encoder.training.codes import coordinates, is_line, soft_targets
from aion_encoder.training.image_codec import IMAGE_CODEC


def test_image_codes_are_the_points_of_the_official_quantizer() -> None:
    quantizer = FiniteScalarQuantizer(levels=list(IMAGE_CODEC["quantizer_levels"]))
    official = quantizer.decode(torch.arange(4375)[None]).squeeze(0).T
    assert np.allclose(coordinates("tok_image", 4375), official)


def test_spectrum_codes_are_the_corners_of_the_official_quantizer() -> None:
    quantizer = LucidrainsLFQ(dim=10, codebook_size=1024)
    official = quantizer.decode(torch.arange(1024)[None]).squeeze(0).T
    table = coordinates("tok_spectrum_desi", 1024)
    assert np.allclose(table[:, :10], official)
    # The same table serves the brightness: the rest are places on a line.
    assert np.array_equal(table[:, 10:], coordinates("tok_flux_g", 1024))


def test_neighbours_on_a_line_are_alike_and_ends_are_not() -> None:
    table = coordinates("tok_z", 1025)
    table = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert table[500] @ table[501] > 0.98
    assert table[10] @ table[1000] < 0.5


def test_only_scalars_are_lines() -> None:
    assert is_line("tok_z")
    assert is_line("tok_xp_bp")
    assert not is_line("tok_image_hsc")
    assert not is_line("tok_spectrum_sdss")


def test_soft_targets_sum_to_one_and_peak_at_the_code() -> None:
    targets = soft_targets(torch.tensor([0, 511, 1023]), 1024)
    assert torch.allclose(targets.sum(dim=1), torch.ones(3))
    assert targets.argmax(dim=1).tolist() == [0, 511, 1023]
