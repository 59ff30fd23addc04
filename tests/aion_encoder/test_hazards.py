"""Every known hazard of `polymathic-aion` 0.0.2 that can touch an encode.

Each test shows first that the official package, used as its own examples use it, has the symptom,
and then that our encoder does not: it would fail without the guard. The numbers are those of the
list of hazards in the documentation of the encoder. Not here, because no encode meets them: 25, 26
(decoding), 29 (wrong names in its documentation).
"""

import inspect
import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION
from aion.codecs import manager as official_manager
from aion.codecs.catalog import CatalogCodec
from aion.codecs.image import ImageCodec
from aion.codecs.manager import CodecManager
from aion.codecs.utils import _codec_path_context
from aion.modalities import (
    DESISpectrum,
    HSCImage,
    LegacySurveyCatalog,
    LegacySurveyFluxG,
    LegacySurveyImage,
    SDSSSpectrum,
)
from huggingface_hub import hub_mixin
from safetensors.torch import load_file, save_file
from torch.profiler import ProfilerActivity

import aion_encoder.codecs
from aion_encoder import (
    CheckpointError,
    Encoder,
    GaiaXp,
    Image,
    ObservationError,
    Photometry,
    Spectrum,
    TokenError,
    open_encoder,
)
from aion_encoder.checkpoint import load_transformer
from aion_encoder.codecs import load_codec
from aion_encoder.tokenizer import Tokenizer
from aion_encoder.training.blank import write_random_checkpoint
from aion_encoder.vocabulary import check_tokens

LS_BANDS = ["DES-G", "DES-R", "DES-I", "DES-Z"]
HSC_BANDS = ["HSC-G", "HSC-R", "HSC-I", "HSC-Z", "HSC-Y"]
CPU = ProfilerActivity.CPU
ImageMaker = Callable[..., Image]
SpectrumMaker = Callable[..., Spectrum]


@pytest.fixture(scope="module")
def model(tiny_directory: Path) -> Any:
    """The transformer as the official package loads it."""
    return AION.from_pretrained(str(tiny_directory)).eval()


@pytest.fixture(scope="module")
def image_codec(tiny_directory: Path) -> Any:
    return load_codec(tiny_directory, "image")


@pytest.fixture(scope="module")
def spectrum_codec(tiny_directory: Path) -> Any:
    return load_codec(tiny_directory, "spectrum")


@pytest.fixture
def official_codecs(
    monkeypatch: pytest.MonkeyPatch, image_codec: Any
) -> Iterator[list[tuple[str, Any]]]:
    """Let the official manager load tokenizers without a network; lists what it asked for."""
    asked: list[tuple[str, Any]] = []

    def from_pretrained(cls: type, where: str, modality: Any) -> Any:
        asked.append((where, modality))
        codec = ImageCodec(
            quantizer_levels=[7, 5, 5, 5, 5], hidden_dims=16, multisurvey_projection_dims=18,
            num_consecutive=1,
        )  # fmt: skip
        codec.load_state_dict(image_codec.state_dict())
        return codec

    monkeypatch.setattr(ImageCodec, "from_pretrained", classmethod(from_pretrained))
    CodecManager._load_codec_from_hf.cache_clear()
    CodecManager._load_codec.cache_clear()
    yield asked
    CodecManager._load_codec_from_hf.cache_clear()
    CodecManager._load_codec.cache_clear()


def _official_spectrum(spectrum: Spectrum, **changes: torch.Tensor) -> DESISpectrum:
    """One spectrum handed to the official package as it is."""
    given = {
        "flux": torch.tensor(spectrum.flux)[None],
        "ivar": torch.tensor(spectrum.ivar)[None],
        "mask": torch.zeros(1, spectrum.flux.size, dtype=torch.bool),
        "wavelength": torch.tensor(spectrum.wavelength_angstrom)[None],
    }
    return DESISpectrum(**{**given, **changes})


def _official_image(image: Image) -> LegacySurveyImage:
    return LegacySurveyImage(flux=torch.tensor(image.flux)[None], bands=list(image.bands))


def _our_tokens(encoder: Encoder, *observations: Any) -> np.ndarray:
    """Tokens of observations of one kind, each of its own object."""
    encoded = encoder.encode([(item,) for item in observations], tokens=True)
    assert not encoded.refusals
    assert encoded.tokens is not None
    (tokens,) = encoded.tokens.values()
    return tokens


def _ids(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.astype(np.int64))


def test_01_every_token_counts(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official default keeps the first 256 tokens: of an image not even its upper half."""
    tokens = _ids(_our_tokens(tiny, make_image()))
    changed = tokens.clone()
    changed[:, 256:] = (changed[:, 256:] + 1000) % 4375
    with torch.inference_mode():
        official = [model.encode({"tok_image": ids}) for ids in (tokens, changed)]
    assert torch.equal(*official)
    ours = [
        tiny.transformer.encode([{"tok_image": ids[0].numpy().astype(np.uint16)}])[0]["image"]
        for ids in (tokens, changed)
    ]
    assert not np.allclose(*ours, atol=1e-3)


def test_01_a_scalar_behind_an_image_counts(
    tiny: Encoder, model: Any, make_image: ImageMaker
) -> None:
    """With 576 tokens kept, what follows the image is dropped."""
    tokens = _ids(_our_tokens(tiny, make_image()))
    with torch.inference_mode():
        official = [
            model.encode(
                {"tok_image": tokens, "tok_flux_g": torch.tensor([[flux]])}, num_encoder_tokens=576
            )
            for flux in (1, 900)
        ]
    assert torch.equal(*official)
    image = make_image()
    ours = tiny.encode([(image, Photometry({"FLUX_G": flux})) for flux in (0.1, 500.0)])
    assert ours.present["photometry"].all()
    assert not np.array_equal(*ours.vectors["image"])


def test_02_several_images_at_once(
    tiny: Encoder, official_codecs: list[tuple[str, Any]], make_image: ImageMaker
) -> None:
    """The official manager keeps only the last of several observations of one kind."""
    images = [make_image() for _ in range(3)]
    official = CodecManager().encode(*(_official_image(image) for image in images))
    assert official["tok_image"].shape == (1, 576)
    ours = _our_tokens(tiny, *images)
    assert ours.shape == (3, 576)
    np.testing.assert_array_equal(ours[2], official["tok_image"][0].numpy())
    assert len(np.unique(ours, axis=0)) == 3


def test_03_the_pixels_of_the_caller(
    tiny: Encoder, image_codec: Any, make_image: ImageMaker
) -> None:
    """The official tokenizer clamps and rescales the picture that it is given."""
    flux = np.array(make_image("hsc", 96).flux)
    tensor = torch.tensor(flux)[None]
    official = [image_codec.encode(HSCImage(flux=tensor, bands=HSC_BANDS)) for _ in range(2)]
    assert (official[0] != official[1]).float().mean() > 0.2
    assert not np.array_equal(tensor[0].numpy(), flux)

    mine = flux.copy()
    image = Image(mine, HSC_BANDS, "hsc")
    ours = [_our_tokens(tiny, image) for _ in range(2)]
    np.testing.assert_array_equal(*ours)
    np.testing.assert_array_equal(ours[0][0], official[0][0].numpy())
    np.testing.assert_array_equal(mine, flux)
    np.testing.assert_array_equal(image.flux, flux)
    assert not image.flux.flags.writeable


def test_04_memory_mapped_files(
    tiny: Encoder, image_codec: Any, make_image: ImageMaker, tmp_path: Path
) -> None:
    """The official tokenizer overwrites the file behind a memory map."""
    path = tmp_path / "flux.npy"
    np.save(path, np.array(make_image("hsc", 96).flux))
    original = path.read_bytes()
    mapped = np.load(path, mmap_mode="r+")
    image_codec.encode(HSCImage(flux=torch.from_numpy(mapped)[None], bands=HSC_BANDS))
    mapped.flush()
    assert path.read_bytes() != original

    path.write_bytes(original)
    for mode in ("r", "r+"):
        mapped = np.load(path, mmap_mode=mode)  # type: ignore[call-overload]
        _our_tokens(tiny, Image(mapped, HSC_BANDS, "hsc"))
        assert path.read_bytes() == original


@pytest.mark.parametrize(("side", "count"), [(95, 1), (64, 64)])
def test_05_small_pictures(image_codec: Any, side: int, count: int) -> None:
    """Below 96 pixels the official crop starts at a negative index, and few tokens come out."""
    flux = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1))
    tokens = image_codec.encode(LegacySurveyImage(flux=flux, bands=LS_BANDS))
    assert tokens.shape[1] <= count
    with pytest.raises(ObservationError, match=f"too few pixels.* got {side} x {side}"):
        Image(flux[0].numpy(), LS_BANDS, "legacysurvey")
    with pytest.raises(TokenError, match="tok_image must be 576 tokens per observation"):
        check_tokens("tok_image", tokens.numpy().astype(np.int64))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_06_missing_pixels(
    tiny: Encoder, model: Any, image_codec: Any, make_image: ImageMaker, value: float
) -> None:
    """One NaN makes every official token the smallest integer."""
    good, other = make_image(side=96), make_image(side=96)
    flux = good.flux.copy()
    flux[1, 50, 60] = np.nan
    raw = image_codec.encode(
        LegacySurveyImage(flux=torch.tensor(np.stack([flux, other.flux])), bands=LS_BANDS)
    )
    assert (raw[0] == -(2**31)).all()
    with pytest.raises(IndexError):
        model.encode({"tok_image": raw.long()}, num_encoder_tokens=576)
    with pytest.raises(TokenError, match="tok_image must lie in 0-4374, got -2147483648"):
        check_tokens("tok_image", raw.numpy().astype(np.int64))

    flux[1, 50, 60] = value
    filled = good.flux.copy()
    filled[1, 50, 60] = 0.0
    ours = _our_tokens(
        tiny,
        Image(flux, LS_BANDS, "legacysurvey"),
        Image(filled, LS_BANDS, "legacysurvey"),
        other,
    )
    np.testing.assert_array_equal(ours[0], ours[1])
    np.testing.assert_array_equal(ours[2], raw[1].numpy())


class _Constant(torch.nn.Module):
    """A tokenizer that sees nothing, as with NaN on CUDA or with a dead latent grid."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.token = token

    def encode(self, item: Any) -> torch.Tensor:
        return torch.full((len(item.flux), 576), self.token)


def test_06_tokens_that_are_all_equal(make_image: ImageMaker) -> None:
    """On CUDA a NaN may become 576 valid tokens 0, without any error, for each such object."""
    dead = Tokenizer({"image": _Constant(0)}, ["tok_image"], torch.device("cpu"))
    check_tokens("tok_image", np.zeros((1, 576), np.int64))
    (alone,) = dead.encode([make_image()])
    assert "the same token everywhere" in alone.refusal
    assert not alone.tokens
    with pytest.raises(TokenError, match="3 different observations got the same tokens"):
        dead.encode([make_image() for _ in range(3)])


class _Recorder(torch.nn.Module):
    """A tokenizer that notes where its input lies."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.device] = []
        self.register_buffer("here", torch.zeros(1))

    def encode(self, item: Any) -> torch.Tensor:
        self.seen.append(item.flux.device)
        return torch.arange(576).repeat(len(item.flux), 1)


def test_07_devices(image_codec: Any, make_image: ImageMaker, tiny_directory: Path) -> None:
    """The official tokenizer is not given its input on its own device."""
    elsewhere = load_codec(tiny_directory, "image").to("meta")
    image = make_image()
    with pytest.raises(RuntimeError, match="device"):
        elsewhere.encode(_official_image(image))  # type: ignore[operator]
    recorder = _Recorder()
    (result,) = Tokenizer({"image": recorder}, ["tok_image"], torch.device("meta")).encode([image])
    assert {device.type for device in recorder.seen} == {"meta"}
    assert result.tokens["tok_image"].shape == (576,)


def test_08_no_graphs(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official encode builds an autograd graph, which holds all its activations."""
    image = make_image()
    tokens = _ids(_our_tokens(tiny, image))
    assert model.encode({"tok_image": tokens}, num_encoder_tokens=576).requires_grad
    outputs: list[torch.Tensor] = []
    handle = tiny.model.encoder_norm.register_forward_hook(
        lambda _module, _given, output: outputs.append(output)
    )
    tiny.encode_alone([image])
    handle.remove()
    assert outputs[0].is_inference()
    assert not outputs[0].requires_grad
    assert not any(value.requires_grad for value in tiny.model.parameters())


def _latent(codec: Any, item: Any) -> np.ndarray:
    """Tokens without the normalisation."""
    return np.asarray(codec.encode(item)[:, 1:])


@pytest.mark.parametrize("harm", ["descending", "zero tail", "minus one tail", "shuffled"])
def test_09_wavelengths_out_of_order(
    spectrum_codec: Any, make_spectrum: SpectrumMaker, rng: np.random.Generator, harm: str
) -> None:
    """Descending or zero-padded wavelengths give all official spectra the same tokens."""
    spectra = [make_spectrum(), make_spectrum()]
    wavelength = spectra[0].wavelength_angstrom.copy()
    if harm == "descending":
        wavelength = wavelength[::-1].copy()
    elif harm == "shuffled":
        rng.shuffle(wavelength)
    else:
        wavelength[-50:] = 0.0 if harm == "zero tail" else -1.0
    raw = [
        _latent(spectrum_codec, _official_spectrum(item, wavelength=torch.tensor(wavelength)[None]))
        for item in spectra
    ]
    fine = [_latent(spectrum_codec, _official_spectrum(item)) for item in spectra]
    assert not np.array_equal(*fine)
    if harm == "shuffled":
        assert (raw[0] != fine[0]).mean() > 0.1
    else:
        np.testing.assert_array_equal(*raw)
    with pytest.raises(ObservationError, match=r"finite and positive|strictly ascending"):
        Spectrum(spectra[0].flux, spectra[0].ivar, wavelength, "desi")


def test_10_padding(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """A sentinel wavelength behind the last pixel changes official tokens; our padding does not."""
    spectrum = make_spectrum(size=7000)
    unpadded = spectrum_codec.encode(_official_spectrum(spectrum)).numpy()

    def longer(values: np.ndarray, fill: float) -> torch.Tensor:
        return torch.tensor(np.append(values, np.full(300, fill, np.float32)))[None]

    sentinel = _official_spectrum(
        spectrum,
        flux=longer(spectrum.flux, 0.0),
        ivar=longer(spectrum.ivar, 0.0),
        wavelength=longer(spectrum.wavelength_angstrom, 99999.0),
        mask=torch.arange(7300)[None] >= 7000,
    )
    assert (spectrum_codec.encode(sentinel).numpy() != unpadded).mean() > 0.01
    np.testing.assert_array_equal(_our_tokens(tiny, spectrum), unpadded)


@pytest.mark.parametrize("junk", [1e4, -3e3, np.nan])
def test_11_junk_under_the_mask(
    tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker, junk: float
) -> None:
    """What stands in masked pixels changes official tokens, even without any weight."""
    good = make_spectrum()
    mask = np.zeros(good.flux.size, bool)
    mask[2000:2080] = mask[:5] = mask[-7:] = True
    ivar = np.where(mask, 0.0, good.ivar).astype(np.float32)
    dirty = good.flux.copy()
    dirty[mask] = junk
    raw = [
        spectrum_codec.encode(
            _official_spectrum(
                good,
                flux=torch.tensor(flux)[None],
                ivar=torch.tensor(ivar)[None],
                mask=torch.tensor(mask)[None],
            )
        )
        for flux in (good.flux, dirty)
    ]
    assert not torch.equal(*raw)
    ours = _our_tokens(
        tiny,
        Spectrum(dirty, good.ivar, good.wavelength_angstrom, "desi", mask),
        Spectrum(good.flux, good.ivar, good.wavelength_angstrom, "desi", mask),
    )
    np.testing.assert_array_equal(ours[0], ours[1])


def test_12_number_types(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """An integer mask miscounts in silence; float64 raises."""
    spectrum = make_spectrum()
    mask = np.zeros(spectrum.flux.size, np.int64)
    mask[:4000] = 1
    raw = [
        spectrum_codec.encode(_official_spectrum(spectrum, mask=torch.tensor(values)[None]))
        for values in (mask, mask.astype(bool))
    ]
    assert raw[0][0, 0] != raw[1][0, 0]
    with pytest.raises(RuntimeError):
        spectrum_codec.encode(
            _official_spectrum(spectrum, flux=torch.tensor(spectrum.flux).double()[None])
        )
    parts = (spectrum.flux, spectrum.ivar, spectrum.wavelength_angstrom)
    ours = _our_tokens(
        tiny,
        Spectrum(*parts, "desi", mask.astype(bool)),
        Spectrum(*(part.astype(np.float64) for part in parts), "desi", mask),
        Spectrum(*(part.astype(">f8") for part in parts), "desi", mask.astype(np.uint8)),
    )
    np.testing.assert_array_equal(ours[0], ours[1])
    np.testing.assert_array_equal(ours[0], ours[2])


def test_13_flux_units(spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """In cgs units all official spectra get the same tokens."""
    spectra = [make_spectrum(), make_spectrum()]
    raw = [
        spectrum_codec.encode(
            _official_spectrum(
                item,
                flux=torch.tensor(item.flux * np.float32(1e-17))[None],
                ivar=torch.zeros(1, item.flux.size),
            )
        )
        for item in spectra
    ]
    assert torch.equal(*raw)
    for item in spectra:
        with pytest.raises(ObservationError, match="must be in units of 1e-17"):
            Spectrum(item.flux * 1e-17, item.ivar, item.wavelength_angstrom, "desi")


def test_13_faint_spectra_are_noted(
    tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker
) -> None:
    """All spectra of a mean flux below 0.1 share a normalisation token."""
    bright = make_spectrum()
    parts = (bright.ivar, bright.wavelength_angstrom, "desi")
    faint = [Spectrum(bright.flux * factor, *parts) for factor in (0.001, 0.004)]
    raw = [int(spectrum_codec.encode(_official_spectrum(item))[0, 0]) for item in faint]
    assert raw[0] == raw[1]
    encoded = tiny.encode([(item,) for item in (bright, *faint)])
    assert [(note.index, note.modality) for note in encoded.notes] == [
        (1, "spectrum"),
        (2, "spectrum"),
    ]
    assert all(note.text.startswith("normalisation at the floor") for note in encoded.notes)


def test_14_missing_scalars(tiny: Encoder, tiny_directory: Path) -> None:
    """A missing flux becomes the brightest, a negative one the faintest official token."""
    codec: Any = load_codec(tiny_directory, "FLUX_G")
    values = torch.tensor([np.nan, np.inf, -5.0, 0.01, 3.0])
    raw = codec.encode(LegacySurveyFluxG(value=values)).tolist()
    assert raw[:4] == [1023, 1023, 0, 0]
    assert 0 < raw[4] < 1023
    for value in (np.nan, np.inf):
        with pytest.raises(ObservationError, match="missing value for FLUX_G; leave missing"):
            Photometry({"FLUX_G": value, "FLUX_R": 3.0})
    encoded = tiny.encode(
        [
            (Photometry({"FLUX_G": -5.0, "FLUX_R": 3.0}),),
            (Photometry({"FLUX_R": 3.0}),),
            (Photometry({"FLUX_G": 0.01}),),
        ],
        tokens=True,
    )
    assert encoded.tokens is not None
    assert set(encoded.tokens) == {"tok_flux_r"}
    np.testing.assert_array_equal(*encoded.vectors["photometry"][:2])
    assert encoded.notes[0].text.startswith("FLUX_G left out: -5 is not above 0.04979")
    assert [(refusal.index, refusal.modality) for refusal in encoded.refusals] == [
        (2, "photometry")
    ]
    assert "no scalar can be encoded: FLUX_G left out" in encoded.refusals[0].reason


def test_15_masks_of_absent_modalities(
    tiny: Encoder,
    model: Any,
    make_image: ImageMaker,
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The official model takes only a bool mask, and only on its own device."""
    tokens = {"tok_flux_g": torch.zeros(2, 1, dtype=torch.long)}
    with pytest.raises((RuntimeError, IndexError)):
        model.encode(tokens, input_mask={"tok_flux_g": torch.tensor([[0], [1]])})
    seen: list[torch.Tensor] = []
    embed_inputs = tiny.model.embed_inputs

    def spy(*given: Any, mask: dict[str, torch.Tensor], **options: Any) -> Any:
        seen.extend(mask.values())
        return embed_inputs(*given, mask=mask, **options)

    monkeypatch.setattr(tiny.model, "embed_inputs", spy)
    tiny.encode([(make_xp(), make_photometry("FLUX_G")), (make_xp(),), (make_image(),)])
    assert any(mask.any() for mask in seen)
    device = next(tiny.model.parameters()).device
    assert all(mask.dtype == torch.bool and mask.device == device for mask in seen)


def test_16_a_mean_over_padding(tiny: Encoder, model: Any, make_xp: Callable[[], GaiaXp]) -> None:
    """Masked outputs are not zero and stand at the end: a mean over all of them is wrong."""
    xp, other = make_xp(), make_xp()
    encoded = tiny.encode([(xp,), (other,)], tokens=True)
    assert encoded.tokens is not None
    inputs = {key: _ids(values) for key, values in encoded.tokens.items()}
    inputs["tok_flux_g"] = torch.tensor([[3], [0]])
    masks = {"tok_flux_g": torch.tensor([[False], [True]])}
    with torch.inference_mode():
        together = model.encode(inputs, masks, num_encoder_tokens=111)
        alone = model.encode(
            {key: inputs[key][1:] for key in ("tok_xp_bp", "tok_xp_rp")}, num_encoder_tokens=110
        )
    assert together[1, 110:].abs().max() > 1e-3
    assert not torch.allclose(together[1].mean(0), alone[0].mean(0), atol=1e-3)
    mixed = tiny.encode([(xp, Photometry({"FLUX_G": 3.0})), (other,)], batch_size=2)
    np.testing.assert_allclose(
        mixed.vectors["xp"][1], encoded.vectors["xp"][1], atol=1e-5, rtol=1e-5
    )


def test_17_the_constant_in_every_vector(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """Every official vector holds the same position and modality codes."""
    images = [make_image() for _ in range(4)]
    tokens = _ids(_our_tokens(tiny, *images))
    with torch.inference_mode():
        official = model.encode({"tok_image": tokens}, num_encoder_tokens=576).mean(1).numpy()
    ours = tiny.encode_alone(images)
    embedding = model.encoder_embeddings["tok_image"]
    constant = (embedding.pos_emb + embedding.mod_emb).mean(dim=1)[0].detach().numpy()
    assert np.linalg.norm(constant) > 1.0
    np.testing.assert_allclose(official - ours, np.tile(constant, (4, 1)), atol=1e-4)


def _operations(call: Callable[[], Any]) -> set[str]:
    """Names of what torch computes, down to the kernels."""
    with warnings.catch_warnings(), torch.profiler.profile(activities=[CPU]) as profile:
        warnings.simplefilter("ignore")
        call()
    return {event.key for event in profile.key_averages()}


def test_18_attention_matrices(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official attention forms every matrix of 576 x 576 weights in memory."""
    tokens = _our_tokens(tiny, make_image(), make_image())
    with torch.inference_mode():
        official = _operations(
            lambda: model.encode({"tok_image": _ids(tokens)}, num_encoder_tokens=576)
        )
    assert "aten::_softmax" in official
    assert not any("flash_attention" in name for name in official)
    ours = _operations(lambda: tiny.transformer.encode([{"tok_image": row} for row in tokens]))
    assert "aten::_softmax" not in ours
    assert any("flash_attention" in name for name in ours)
    # The patch is on our instance alone.
    assert "forward" not in vars(model.encoder[0].attn)
    assert "forward" in vars(tiny.model.encoder[0].attn)


def test_18_no_mask_without_padding(
    tiny: Encoder,
    make_spectrum: SpectrumMaker,
    make_xp: Callable[[], GaiaXp],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masks: list[torch.Tensor | None] = []
    forward = tiny.model.forward_encoder

    def spy(x: torch.Tensor, encoder_mask: torch.Tensor | None) -> torch.Tensor:
        masks.append(encoder_mask)
        result: torch.Tensor = forward(x, encoder_mask=encoder_mask)
        return result

    monkeypatch.setattr(tiny.model, "forward_encoder", spy)
    spectra = [make_spectrum(), make_spectrum("sdss"), make_spectrum()]
    tiny.encode([(item,) for item in spectra] + [(make_xp(),), (make_xp(),)])
    assert len(masks) == 2
    assert masks == [None, None]


def test_19_shared_tokenizers(
    tiny: Encoder, tiny_directory: Path, official_codecs: list[tuple[str, Any]]
) -> None:
    """Two official managers share one module; two surveys of one tokenizer load it twice."""
    first, second = CodecManager("cpu"), CodecManager("meta")
    assert first._load_codec(HSCImage) is second._load_codec(HSCImage)
    assert first._load_codec(HSCImage) is not first._load_codec(LegacySurveyImage)
    other = open_encoder(str(tiny_directory))
    assert tiny.tokenizer._codecs["image"] is not other.tokenizer._codecs["image"]
    assert {"tok_image", "tok_image_hsc"} <= set(tiny.tokenizer.token_keys)
    assert list(tiny.tokenizer._codecs).count("image") == 1


def test_20_where_tokenizers_come_from(
    tiny_directory: Path,
    official_codecs: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Official tokenizers come from one fixed repository, whatever the transformer's is."""
    monkeypatch.setattr("aion.codecs.config.HF_REPO_ID", "someone/else")
    CodecManager()._load_codec(HSCImage)
    assert official_codecs == [("polymathic-ai/aion-base", HSCImage)]
    assert official_manager.HF_REPO_ID == "polymathic-ai/aion-base"
    official_codecs.clear()
    identity = open_encoder(str(tiny_directory)).identity
    assert not official_codecs
    assert identity.codecs_repository == identity.repository == "tiny"


def test_21_constants_of_other_libraries(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the official package loads a tokenizer, any other load in the process goes wrong."""
    with _codec_path_context(HSCImage):
        assert hub_mixin.constants.CONFIG_NAME == "codecs/image/config.json"
    seen: list[str] = []
    load_strictly = aion_encoder.codecs.load_strictly

    def spy(*given: Any, **options: Any) -> None:
        seen.append(hub_mixin.constants.CONFIG_NAME)
        load_strictly(*given, **options)

    monkeypatch.setattr(aion_encoder.codecs, "load_strictly", spy)
    open_encoder(str(tiny_directory))
    assert set(seen) == {"config.json"}


def test_22_a_missing_tensor(tiny_directory: Path, tmp_path: Path) -> None:
    """The official loader leaves what the file lacks at random values."""
    directory = Path(shutil.copytree(tiny_directory, tmp_path / "copy"))
    path = directory / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.0.mlp.fc2.weight"
    stored = tensors.pop(name)
    save_file(tensors, path)
    loaded = AION.from_pretrained(str(directory)).state_dict()[name]
    assert not torch.equal(loaded, stored)
    with pytest.raises(CheckpointError, match=f"missing: {name}; unexpected: none"):
        open_encoder(str(directory))


def test_23_a_missing_config(tmp_path: Path) -> None:
    """The official loader names a constructor's argument; the reason is a missing file."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'config'"):
        AION.from_pretrained(str(tmp_path))
    with pytest.raises(CheckpointError, match=r"config\.json is missing: weights must lie in"):
        open_encoder(str(tmp_path))


def test_24_catalogues_never_reach_the_model(tmp_path: Path) -> None:
    """Tokens of the official catalogue tokenizer lie outside the model's vocabulary."""
    directory = write_random_checkpoint(
        tmp_path, seed=2, modalities=["xp"], changes={"domains_in": ["catalog", "tok_xp_bp"]}
    )
    model = AION.from_pretrained(str(directory)).eval()
    empty = {
        key: torch.full((1, 20), 9999) for key in ("X", "Y", "SHAPE_E1", "SHAPE_E2", "SHAPE_R")
    }
    empty["X"][0, 0] = empty["Y"][0, 0] = 48
    floats = {key: value.float() if "SHAPE" in key else value for key, value in empty.items()}
    for key in ("SHAPE_E1", "SHAPE_E2", "SHAPE_R"):
        floats[key][0, 0] = 0.5
    tokens = CatalogCodec().encode(LegacySurveyCatalog(**floats))
    with pytest.raises(IndexError):
        model.encode({"catalog": tokens}, num_encoder_tokens=200)
    assert open_encoder(str(directory)).tokenizer.token_keys == ("tok_xp_bp",)


@pytest.mark.parametrize("kind", ["image", "spectrum"])
def test_27_tokens_under_autocast(
    tiny: Encoder,
    image_codec: Any,
    spectrum_codec: Any,
    make_image: ImageMaker,
    make_spectrum: SpectrumMaker,
    kind: str,
) -> None:
    """Under autocast the official tokenizers give other tokens."""
    item = make_image() if kind == "image" else make_spectrum()
    raw = []
    for enabled in (False, True):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            if isinstance(item, Image):
                raw.append(image_codec.encode(_official_image(item)))
            else:
                raw.append(spectrum_codec.encode(_official_spectrum(item)))
    assert not torch.equal(*raw)
    plain = tiny.encode_alone([item])
    with torch.autocast("cpu", torch.bfloat16):
        under = tiny.encode_alone([item])
        tokens = _our_tokens(tiny, item)
    np.testing.assert_array_equal(tokens, raw[0].numpy())
    np.testing.assert_array_equal(under, plain)


def test_28_position_codes_stay_exact(tiny: Encoder, tiny_directory: Path) -> None:
    """Casting the official model to bfloat16 rounds its position codes, too."""
    rough: Any = load_transformer(tiny_directory).bfloat16()
    codes = tiny.model.encoder_embeddings["tok_image"].pos_emb
    assert not torch.equal(rough.encoder_embeddings["tok_image"].pos_emb.float(), codes)
    tensors = [*tiny.model.parameters(), *tiny.model.buffers()]
    assert {value.dtype for value in tensors if value.is_floating_point()} == {torch.float32}
    assert "bfloat16()" not in inspect.getsource(type(tiny.transformer))


def test_30_a_caller_with_another_default_device(tiny_directory: Path, tiny: Encoder) -> None:
    """The official model cannot be built where the caller's default device is meta."""
    config = json.loads((tiny_directory / "config.json").read_text())
    config["drop_path_rate_encoder"] = 0.0
    with torch.device("meta"), pytest.raises((RuntimeError, NotImplementedError)):
        AION(config)
    with torch.device("meta"):
        model = load_transformer(tiny_directory)
        codec = load_codec(tiny_directory, "spectrum")
    assert {value.device.type for value in [*model.parameters(), *codec.buffers()]} == {"cpu"}


@pytest.mark.parametrize("name", ["Z", "ra", "dec", "EBV", "a_g"])
def test_31_what_must_not_be_in_a_vector(tmp_path: Path, tiny: Encoder, name: str) -> None:
    """To the official model, sky position, redshift and dust are tokens like any other."""
    key = {"EBV": "tok_ebv"}.get(name, f"tok_{name.lower()}")
    domains = [key, "tok_flux_g"]
    directory = write_random_checkpoint(
        tmp_path, seed=2, modalities=["photometry"], changes={"domains_in": domains}
    )
    model = AION.from_pretrained(str(directory)).eval()
    with torch.inference_mode():
        raw = [
            model.encode({"tok_flux_g": torch.tensor([[5]]), key: torch.tensor([[token]])})[:, 0]
            for token in (1, 900)
        ]
    assert not torch.allclose(*raw)
    encoded = tiny.encode([(Photometry({"FLUX_G": 3.0, name: 0.5}),)])
    assert not encoded.present["photometry"].any()
    assert encoded.refusals[0].reason.startswith(f"{name} never go into a vector")
    assert open_encoder(str(directory)).tokenizer.token_keys == ("tok_flux_g",)


def test_32_no_hidden_randomness(
    tiny: Encoder, tiny_directory: Path, make_image: ImageMaker
) -> None:
    """The official forward pass shuffles with Python's global random state; ours touches none."""
    model: Any = load_transformer(tiny_directory, keep_decoder=True)
    before = random.getstate()
    target = {"tok_z": torch.zeros(1, 1, dtype=torch.bool)}
    model.embed_targets(target, num_decoder_tokens=1)
    assert random.getstate() != before
    image = make_image()
    states = random.getstate(), torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = tiny.encode_alone([image]), tiny.encode_alone([image])
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])
    np.testing.assert_array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002


def test_dead_spectra(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """Padding with a wavelength of 0, as in a later version, gave all SDSS spectra one code."""
    spectra = [make_spectrum("sdss") for _ in range(4)]
    raw = [
        _latent(
            spectrum_codec,
            SDSSSpectrum(
                **{
                    name: torch.tensor(np.pad(values, (0, 200)))[None]
                    for name, values in (
                        ("flux", item.flux),
                        ("ivar", item.ivar),
                        ("wavelength", item.wavelength_angstrom),
                        ("mask", np.zeros(item.flux.size, bool)),
                    )
                }
            ),
        )
        for item in spectra
    ]
    assert all(np.array_equal(tokens, raw[0]) for tokens in raw)
    ours = _our_tokens(tiny, *spectra)[:, 1:]
    assert len(np.unique(ours, axis=0)) == 4


class _Blind(torch.nn.Module):
    """A tokenizer that gives every spectrum the same, varied, tokens."""

    def encode(self, item: Any) -> torch.Tensor:
        return torch.arange(273).repeat(len(item.flux), 1)


def test_dead_spectra_are_noticed(make_spectrum: SpectrumMaker) -> None:
    blind = Tokenizer({"spectrum": _Blind()}, ["tok_spectrum_sdss"], torch.device("cpu"))
    spectra = [make_spectrum("sdss") for _ in range(3)]
    with pytest.raises(TokenError, match="3 different observations got the same tokens"):
        blind.encode(spectra)
    assert blind.encode(spectra[:1] * 3)[2].tokens
