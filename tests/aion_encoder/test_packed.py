"""Layers with arranged weights give what they gave before, whatever happens to the weights."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
import torch
from torch import nn

from aion_encoder.packed import pack_products

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here"
)


@pytest.fixture
def calls() -> Iterator[list[torch.Tensor]]:
    """What plain layers are asked."""
    asked: list[torch.Tensor] = []
    plain = nn.Linear.forward

    def forward(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        asked.append(x)
        return plain(layer, x)

    with patch.object(nn.Linear, "forward", forward):
        yield asked


def pair(*, bias: bool = True) -> tuple[nn.Linear, nn.Sequential]:
    """A layer, and another with the same weights that is packed."""
    torch.manual_seed(3)
    plain, packed = nn.Linear(24, 40, bias=bias), nn.Linear(24, 40, bias=bias)
    packed.load_state_dict(plain.state_dict())
    blocks = nn.Sequential(packed)
    pack_products(blocks)
    return plain, blocks


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(24,), (1, 24), (5, 24), (2, 7, 24), (3, 2, 5, 24)])
def test_products_are_the_same(
    bias: bool, shape: tuple[int, ...], calls: list[torch.Tensor]
) -> None:
    plain, packed = pair(bias=bias)
    x = torch.randn(shape)
    with torch.inference_mode():
        for _ in range(2):
            found = packed(x)
            assert not calls
        torch.testing.assert_close(found, plain(x), rtol=1e-5, atol=1e-6)
        # Views that do not lie in one piece, too.
        turned = torch.randn(*shape[:-1], 24, 2).transpose(-1, -2)
        torch.testing.assert_close(packed(turned), plain(turned), rtol=1e-5, atol=1e-6)


def test_nothing_in_nothing_out() -> None:
    plain, packed = pair()
    with torch.inference_mode():
        assert packed(torch.empty(0, 24)).shape == plain(torch.empty(0, 24)).shape == (0, 40)


def test_autocast_decides_the_precision() -> None:
    plain, packed = pair()
    x = torch.randn(6, 24)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found, expected = packed(x), plain(x)
        assert found.dtype == expected.dtype == torch.bfloat16
        torch.testing.assert_close(found, expected, rtol=1.6e-2, atol=1e-2)
    with torch.inference_mode():
        assert packed(x).dtype == torch.float32
        torch.testing.assert_close(packed(x), plain(x), rtol=1e-5, atol=1e-6)


def test_gradients_go_the_old_way(calls: list[torch.Tensor]) -> None:
    plain, packed = pair()
    x = torch.randn(6, 24)
    packed(x).square().sum().backward()
    assert len(calls) == 1
    plain(x).square().sum().backward()
    torch.testing.assert_close(packed[0].weight.grad, plain.weight.grad)


def test_other_precisions_go_the_old_way(calls: list[torch.Tensor]) -> None:
    plain, packed = pair()
    x = torch.randn(6, 24, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(packed.double()(x), plain.double()(x))
    assert len(calls) == 2


def test_changed_weights_are_arranged_anew() -> None:
    plain, packed = pair()
    x = torch.randn(6, 24)
    with torch.inference_mode():
        before = packed(x).clone()
    with torch.no_grad():
        for layer in (plain, packed[0]):
            layer.weight.mul_(2.0)
            layer.bias.add_(1.0)
    with torch.inference_mode():
        assert not torch.allclose(packed(x), before)
        torch.testing.assert_close(packed(x), plain(x), rtol=1e-5, atol=1e-6)
    replaced = nn.Linear(24, 40)
    packed[0].load_state_dict(replaced.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(packed(x), replaced(x), rtol=1e-5, atol=1e-6)


def test_weights_made_in_inference_mode() -> None:
    with torch.inference_mode():
        plain, packed = pair()
        x = torch.randn(6, 24)
        torch.testing.assert_close(packed(x), plain(x), rtol=1e-5, atol=1e-6)


def test_other_processors_keep_what_they_have() -> None:
    layer = nn.Linear(3, 4)
    with patch("platform.machine", return_value="aarch64"):
        pack_products(nn.Sequential(layer))
    assert "forward" not in vars(layer)
