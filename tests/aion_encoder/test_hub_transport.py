"""Weights from the Hub with only the wire replaced: the same code as with a network.

The stand-in answers as the Hub does, so that its client fills a cache in its own layout.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http

from aion_encoder import CheckpointError, Spectrum, open_encoder
from aion_encoder.checkpoint import locate
from aion_encoder.training.blank import write_random_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "polymathic-ai/aion-base"
BLOBS = f"models--{REPOSITORY.replace('/', '--')}/blobs"

Answer = Callable[[httpx2.Request], httpx2.Response]


class Cut(httpx2.SyncByteStream):
    """A body that ends before all of it came."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"\0" * 10
        raise httpx2.RemoteProtocolError("peer closed connection")


def etag(name: str, data: bytes) -> str:
    """Return what the Hub calls a file: by its SHA-256 in LFS, by git's own hash otherwise."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """One repository, as the Hub's interface shows it."""

    def __init__(self, directory: Path) -> None:
        self.files = {
            path.relative_to(directory).as_posix(): path
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        path = request.url.path
        if "/tree/" in path:
            return httpx2.Response(200, json=[self._entry(name) for name in self.files])
        if path.startswith("/api/models/"):
            return httpx2.Response(200, json={"id": REPOSITORY, "sha": COMMIT, "siblings": []})
        if "/resolve/" not in path:
            return httpx2.Response(404)
        name = path.split(f"/resolve/{COMMIT}/")[1]
        data = self.files[name].read_bytes()
        about = {"x-repo-commit": COMMIT, "etag": f'"{etag(name, data)}"'}
        about["content-length"] = str(len(data))
        return httpx2.Response(200, headers=about, content=data if request.method == "GET" else b"")

    def _entry(self, name: str) -> dict[str, object]:
        data = self.files[name].read_bytes()
        entry: dict[str, object] = {
            "type": "file",
            "path": name,
            "size": len(data),
            "oid": "0" * 40,
        }
        if name.endswith(".safetensors"):
            entry["lfs"] = {"oid": etag(name, data), "size": len(data), "pointerSize": 130}
        return entry


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    return folder


@pytest.fixture
def wire(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], None]]:
    """Replace what the Hub's client sends through; it waits for nothing."""

    def connect(answer: Answer) -> None:
        def client() -> httpx2.Client:
            return httpx2.Client(
                transport=httpx2.MockTransport(answer),
                # As the client's own: HF_HUB_OFFLINE is answered there.
                event_hooks={"request": [_http.hf_request_event_hook]},
                follow_redirects=True,
            )

        huggingface_hub.set_client_factory(client)

    monkeypatch.setattr(time, "sleep", lambda _: None)
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    yield connect
    huggingface_hub.set_client_factory(_http.default_client_factory)
    logging.getLogger("huggingface_hub").setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint of spectra alone, which is written in a moment; read only."""
    folder = tmp_path_factory.mktemp("weights") / "small"
    return write_random_checkpoint(folder, seed=1, modalities=["spectrum"])


@pytest.fixture
def hub(weights: Path) -> Hub:
    return Hub(weights)


def refusal(status: int, code: str = "") -> Answer:
    headers = {"x-error-code": code} if code else {}
    return lambda request: httpx2.Response(status, headers=headers, request=request)


def no_network(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("no route to host", request=request)


def test_a_repository_through_the_wire(
    wire: Callable[[Answer], None], hub: Hub, cache: Path, weights: Path
) -> None:
    wire(hub)
    identity = open_encoder(f"{REPOSITORY}@main", device="cpu").identity
    assert (identity.repository, identity.revision) == (REPOSITORY, COMMIT)
    assert identity.digest == open_encoder(str(weights), device="cpu").identity.digest
    # Every file is a link to a blob that is named after its hash.
    names = {path.resolve().name for path in (cache / BLOBS).iterdir()}
    assert names == {etag(name, path.read_bytes()) for name, path in hub.files.items()}
    # All of it is there from now on, with or without a network, by branch and by commit.
    wire(no_network)
    for revision in ("main", COMMIT):
        assert locate(f"{REPOSITORY}@{revision}").revision == COMMIT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(401, "GatedRepo"), "is gated: accept its terms at https://huggingface.co/"),
        (refusal(403, "GatedRepo"), "is gated: accept its terms at https://huggingface.co/"),
        (refusal(401), "was not found: check the name; if it is private, run `hf auth login`"),
        (refusal(403), r"was refused by the Hub \(403\): the token of HF_TOKEN .* must be valid"),
        (refusal(404, "RepoNotFound"), "was not found: check the name"),
        (refusal(404, "RevisionNotFound"), "has no such branch, tag or commit"),
        (refusal(500), "could not be fetched from the Hub: .*500.*; try again later"),
        (no_network, "the Hub cannot be reached: check the network, or run `hf download"),
    ],
    ids=["401", "403", "no-401", "token", "repository", "revision", "500", "network"],
)
def test_refusals(wire: Callable[[Answer], None], answer: Answer, message: str) -> None:
    wire(answer)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_encoder(f"{REPOSITORY}@v1")
    assert str(caught.value).startswith(f"{REPOSITORY}@v1 ")
    assert "\n" not in str(caught.value)


def test_offline_on_purpose(
    wire: Callable[[Answer], None], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="is not in the local cache") as caught:
        open_encoder(f"{REPOSITORY}@main")
    assert f"hf download {REPOSITORY} --revision main" in str(caught.value)
    assert not hub.asked


def test_gated_when_the_files_are_asked_for(wire: Callable[[Answer], None], hub: Hub) -> None:
    """Who may list a gated repository may not have its files."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        files = "/resolve/" in request.url.path
        return refusal(403, "GatedRepo")(request) if files else hub(request)

    wire(answer)
    with pytest.raises(CheckpointError, match="is gated: accept its terms"):
        locate(REPOSITORY)


def test_a_download_that_is_cut_off_and_goes_on(wire: Callable[[Answer], None], hub: Hub) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        whole = hub(request)
        if request.method == "GET" and request.url.path.endswith("/model.safetensors"):
            return httpx2.Response(200, headers=whole.headers, stream=Cut())
        return whole

    wire(answer)
    with pytest.raises(CheckpointError, match=r"peer closed connection; give the command again"):
        locate(REPOSITORY)
    wire(hub)
    assert locate(REPOSITORY).revision == COMMIT


def test_a_body_of_another_length(wire: Callable[[Answer], None], hub: Hub) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        whole = hub(request)
        if request.method == "GET" and request.url.path.endswith("/model.safetensors"):
            return httpx2.Response(200, content=b"short")
        return whole

    wire(answer)
    with pytest.raises(CheckpointError, match=r"should be of size \d+ but has size 5 .*again"):
        locate(REPOSITORY)


@pytest.mark.parametrize("file", ["model.safetensors", "codecs/spectrum/config.json"])
@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_copy(
    wire: Callable[[Answer], None], hub: Hub, cache: Path, file: str, damage: str
) -> None:
    wire(hub)
    locate(REPOSITORY)
    (link,) = cache.rglob(f"snapshots/*/{file}")
    blob = link.resolve()
    data = blob.read_bytes()
    blob.write_bytes(data[: len(data) // 2] if damage == "truncated" else data[:-1] + b"?")
    with pytest.raises(CheckpointError, match=r"the local copy of .* is damaged") as caught:
        locate(REPOSITORY)
    assert f"remove {blob} and give the command again" in str(caught.value)
    # What the message says to do helps.
    blob.unlink()
    assert locate(REPOSITORY).revision == COMMIT


def test_real_sizes_from_the_cache_of_the_hub(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transformer of AION-1-B, random weights, in the cache's own layout, offline."""
    made = write_random_checkpoint(tmp_path / "made", size="base", seed=3, modalities=["spectrum"])
    repository = cache / BLOBS.removesuffix("/blobs")
    for path in [each for each in sorted(made.rglob("*")) if each.is_file()]:
        blob = repository / "blobs" / etag(path.name, path.read_bytes())
        link = repository / "snapshots" / COMMIT / path.relative_to(made)
        for folder in (blob.parent, link.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, blob)
        link.symlink_to(blob)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    encoder = open_encoder(f"{REPOSITORY}@main", device="cpu")
    assert (encoder.identity.revision, encoder.identity.dim) == (COMMIT, 768)
    wavelength = 3600.0 + 0.8 * np.arange(7781)
    flux = 5.0 + np.sin(wavelength / 100.0)
    spectrum = Spectrum(flux, np.full(7781, 4.0), wavelength, "desi")
    (vector,) = encoder.encode([(spectrum,)]).vectors["spectrum"]
    assert vector.shape == (768,)
    assert np.isfinite(vector).all()
