"""The spectrum tokenizer's layers with channels last, against the package's own."""

from copy import deepcopy

import pytest
import torch
from aion.codecs.modules.convnext import ConvNextEncoder1d
from torch import nn

from aion_encoder.convnext import keep_channels_last


class _Codec(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder


@pytest.fixture
def encoder() -> ConvNextEncoder1d:
    """Small, and nothing in it is zero or one, as much of a new one is."""
    torch.manual_seed(5)
    encoder = ConvNextEncoder1d(in_chans=2, depths=(2, 1, 2), dims=(6, 10, 14))
    for parameter in encoder.parameters():
        parameter.data.normal_(std=0.5)
    return encoder.eval().requires_grad_(False)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("length", [16, 64, 75])
def test_the_same_numbers_as_the_package(
    encoder: ConvNextEncoder1d, batch: int, length: int
) -> None:
    """Also where positions are left over, which no stride reaches."""
    x = torch.randn(batch, 2, length)
    before = x.clone()
    expected = encoder(x)
    found = keep_channels_last(_Codec(deepcopy(encoder))).encoder(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(x, before)


def test_one_row_does_not_hang_on_another(encoder: ConvNextEncoder1d) -> None:
    """Each response is normalised by its own row."""
    codec = keep_channels_last(_Codec(deepcopy(encoder)))
    x = torch.randn(3, 2, 64)
    changed = x.clone()
    changed[1:] *= 100.0
    torch.testing.assert_close(codec.encoder(changed)[0], codec.encoder(x)[0])


def test_only_this_module_is_changed(encoder: ConvNextEncoder1d) -> None:
    """Another user of the package keeps what there was."""
    other = deepcopy(encoder)
    keep_channels_last(_Codec(encoder))
    assert "forward" in vars(encoder)
    assert "forward" not in vars(other)


def test_another_tokenizer_stays_as_it_is() -> None:
    """Pictures have no such layers."""
    codec = _Codec(nn.Linear(2, 2))
    assert keep_channels_last(codec) is codec
    assert "forward" not in vars(codec.encoder)
