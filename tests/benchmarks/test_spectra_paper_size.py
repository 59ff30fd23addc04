"""Arithmetic of an encoding against torch's own count, and what is measured with it."""

import json

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from aion_encoder.universal_spectra import PAPER, SMALL, UstConfig, prepare
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.model import blank_model
from benchmarks import spectra_paper_size
from benchmarks.spectra_paper_size import GRIDS, encoding_flops, made_up, paper_rates, told

TINY = UstConfig(dim=24, heads=2, encoder_layers=2, decoder_layers=1, query_layers=1, periods=8)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("instrument", GRIDS)
@pytest.mark.parametrize("head_dim", [0, 16])
def test_arithmetic_is_what_torch_counts(count: int, instrument: str, head_dim: int) -> None:
    config = TINY.model_copy(update={"head_dim": head_dim})
    model = blank_model(config, 0).eval()
    batch = stack([prepare(each) for each in made_up(GRIDS[instrument], count)])
    # Of the fused kernel of a CPU torch counts nothing.
    plain = sdpa_kernel(SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), plain:
        pooled = model.pooled(model.encode(batch))
        if model.head is not None:
            model.aligned(pooled)
    tokens = batch.flux.shape[1]
    assert counter.get_total_flops() == count * encoding_flops(config, tokens)


def test_arithmetic_at_the_sizes_in_use() -> None:
    """About two operations for each weight and token; attention adds a few per cent."""
    weights = 6 * 12 * 512**2
    assert encoding_flops(PAPER, 120) == pytest.approx(2 * weights * 120, rel=0.06)
    assert encoding_flops(PAPER, 120) > 2 * weights * 120
    # As 512 and 192 squared, all but attention.
    assert 6.0 < encoding_flops(PAPER, 243) / encoding_flops(SMALL, 243) < (512 / 192) ** 2


def test_rates_fit_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    measured = paper_rates("cpu", spectra=2, config=TINY, side=64)
    assert measured.dtype == "float32"
    assert {name: rate.tokens for name, rate in measured.rates.items()} == {
        "sdss": 120,
        "desi": 243,
    }
    for rate in measured.rates.values():
        assert 0.0 < rate.spectra_per_second < 1.5 * rate.model_spectra_per_second
        assert rate.share_of_ceiling == pytest.approx(
            rate.model_spectra_per_second * rate.gflop / measured.ceiling_gflops
        )
    assert "| sdss | 120 |" in told(measured)
    monkeypatch.setattr(spectra_paper_size, "paper_rates", lambda *_, **__: measured)
    monkeypatch.setattr("sys.argv", ["spectra_paper_size", "--device", "cpu"])
    spectra_paper_size.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["rates"]["desi"]["tokens"] == 243
