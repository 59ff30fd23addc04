"""Weights from the Hub, without a network: only `snapshot_download` is replaced."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from aion_encoder import CheckpointError, open_encoder
from aion_encoder.checkpoint import locate
from aion_encoder.hub import split_revision

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Response:
    """What the Hub's errors want to know of a response."""

    headers: dict[str, str] = {}  # noqa: RUF012
    request = None
    status_code = 401
    text = ""


def _http(kind: type[Exception]) -> Exception:
    return kind("refused\nwith details", response=_Response())  # type: ignore[call-arg]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[dict[str, Any]]]:
    """Replace the download by an error, or by a function of the repository."""

    def replace(what: Any) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def snapshot_download(repository: str, **options: Any) -> str:
            calls.append({"repository": repository, **options})
            if isinstance(what, Exception):
                raise what
            return str(what(repository))

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return calls

    return replace


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (_http(errors.GatedRepoError), r"is gated: accept its terms at https://huggingface.co/o/n"),
        (_http(errors.RepositoryNotFoundError), "was not found: check the name; if it is private"),
        (_http(errors.RevisionNotFoundError), "o/n has no such branch, tag or commit"),
        (
            errors.LocalEntryNotFoundError("nothing"),
            "local cache and the Hub cannot be reached: .*hf download o/n --revision r",
        ),
        (
            errors.OfflineModeIsEnabled("offline"),
            "local cache and HF_HUB_OFFLINE is set: run `hf download o/n --revision r`",
        ),
        (
            _http(errors.HfHubHTTPError),
            r"was refused by the Hub \(401\): the token of HF_TOKEN",
        ),
        (
            ConnectionError("no route"),
            "could not be fetched from the Hub: ConnectionError: no route",
        ),
    ],
)
def test_errors_say_what_to_do(
    answer: Callable[[Any], list[dict[str, Any]]], error: Exception, message: str
) -> None:
    answer(error)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_encoder("o/n@r")
    assert str(caught.value).startswith("o/n@r ")
    assert "\n" not in str(caught.value)


def _cached(cache: Path, repository: str, source: Path) -> Path:
    """A folder as the Hub's cache keeps it: a snapshot named after its commit."""
    folder = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / COMMIT
    shutil.copytree(source, folder)
    return folder


def test_a_repository_with_its_own_tokenizers(
    answer: Callable[[Any], list[dict[str, Any]]], tiny_directory: Path, tmp_path: Path
) -> None:
    folder = _cached(tmp_path, "someone/their-aion", tiny_directory)
    calls = answer({"someone/their-aion": folder}.__getitem__)
    identity = open_encoder("someone/their-aion@main").identity
    assert [(call["repository"], call["revision"]) for call in calls] == [
        ("someone/their-aion", "main")
    ]
    assert {"config.json", "model.safetensors", "codecs/image/*", "codecs/Z/*"} <= set(
        calls[0]["allow_patterns"]
    )
    assert "codecs/catalog/*" not in calls[0]["allow_patterns"]
    assert (identity.repository, identity.revision) == ("someone/their-aion", COMMIT)
    assert (identity.codecs_repository, identity.codecs_revision) == ("someone/their-aion", COMMIT)
    assert identity.digest == open_encoder(str(tiny_directory)).identity.digest


def test_a_repository_without_tokenizers_borrows_those_of_aion_base(
    answer: Callable[[Any], list[dict[str, Any]]], tiny_directory: Path, tmp_path: Path
) -> None:
    large = _cached(tmp_path, "polymathic-ai/aion-large", tiny_directory)
    base = _cached(tmp_path, "polymathic-ai/aion-base", tiny_directory)
    shutil.rmtree(large / "codecs")
    folders = {"polymathic-ai/aion-large": large, "polymathic-ai/aion-base": base}
    calls = answer(folders.__getitem__)
    identity = open_encoder("polymathic-ai/aion-large").identity
    assert [call["repository"] for call in calls] == list(folders)
    assert all(pattern.startswith("codecs/") for pattern in calls[1]["allow_patterns"])
    assert identity.repository == "polymathic-ai/aion-large"
    assert (identity.codecs_repository, identity.codecs_revision) == (
        "polymathic-ai/aion-base",
        COMMIT,
    )


def test_an_incomplete_download(
    answer: Callable[[Any], list[dict[str, Any]]], tiny_directory: Path, tmp_path: Path
) -> None:
    folder = _cached(tmp_path, "o/n", tiny_directory)
    (folder / "model.safetensors").unlink()
    answer({"o/n": folder}.__getitem__)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing; fetch it again"):
        locate("o/n")


def test_that_a_directory_wins_over_a_repository_of_its_name(
    answer: Callable[[Any], list[dict[str, Any]]],
    tiny_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = answer(ConnectionError("must not be asked"))
    shutil.copytree(tiny_directory, tmp_path / "o" / "n")
    monkeypatch.chdir(tmp_path)
    assert locate("o/n").repository == "n"
    assert not calls


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("polymathic-ai/aion-base", ("polymathic-ai/aion-base", None)),
        ("polymathic-ai/aion-base@main", ("polymathic-ai/aion-base", "main")),
        ("polymathic-ai/aion-base@refs/pr/1", ("polymathic-ai/aion-base", "refs/pr/1")),
        ("aion-base", None),
        ("/a/b", None),
        ("a/b/c", None),
        ("a/b@", None),
    ],
)
def test_repository_names(weights: str, expected: tuple[str, str | None] | None) -> None:
    assert split_revision(weights) == expected
