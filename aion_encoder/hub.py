"""Weights from the Hugging Face Hub, and its errors in words that say what to do.

The usual variables hold: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT.
"""

import hashlib
import re
from fnmatch import fnmatch
from pathlib import Path

from aion_encoder.errors import CheckpointError
from aion_encoder.strict import sha256_of

__all__ = ["fetch", "split_revision"]

_SHA1, _SHA256 = (re.compile(rf"[0-9a-f]{{{digits}}}") for digits in (40, 64))

_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def split_revision(weights: str) -> tuple[str, str | None] | None:
    """Split ``owner/name@revision``; None if this is no repository's name."""
    match = _REPOSITORY.fullmatch(weights)
    return (match["repository"], match["revision"]) if match else None


def fetch(repository: str, revision: str | None, patterns: list[str]) -> tuple[Path, str]:
    """Return the local copy of some files of a repository, and the commit it is of.

    Every file of the copy is hashed: a download may be cut off, and a disk may be full.

    Parameters
    ----------
    repository
        ``owner/name``.
    revision
        Branch, tag or commit; None for the default branch.
    patterns
        Which files, as glob patterns.

    Raises
    ------
    CheckpointError
        If the repository cannot be had or the local copy is damaged, with what to do about it.
    """
    import httpx2
    import huggingface_hub
    from huggingface_hub import errors

    asked = f"{repository}@{revision}" if revision else repository
    prefetch = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
    try:
        found = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=patterns
        )
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{asked} is gated: accept its terms at https://huggingface.co/{repository}, then run "
            "`hf auth login` or set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{asked} was not found: check the name; if it is private, run `hf auth login` or set "
            "HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(
            f"{asked} was not found: {repository} has no such branch, tag or commit"
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise CheckpointError(
            f"{asked} is not in the local cache and HF_HUB_OFFLINE is set: run `{prefetch}` where "
            "there is a network, with the same HF_HOME, or unset HF_HUB_OFFLINE"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise _answered(asked, error.__cause__) from error
        raise CheckpointError(
            f"{asked} is not in the local cache and the Hub cannot be reached: check the network, "
            f"or run `{prefetch}` where there is one, with the same HF_HOME; a local directory in "
            "the official layout does as well"
        ) from error
    except errors.HfHubHTTPError as error:
        raise _answered(asked, error) from error
    except errors.HFValidationError as error:
        raise CheckpointError(f"{asked} is no name of a repository: {error}") from error
    except (httpx2.TransportError, OSError) as error:
        raise CheckpointError(
            f"{asked} could not be fetched from the Hub: {_first_line(error)}; give the command "
            "again: what has been fetched is kept"
        ) from error
    directory = Path(found)
    # The cache keeps each commit in a folder named after it.
    commit = directory.name if directory.parent.name == "snapshots" else (revision or "")
    for path in sorted(directory.rglob("*")):
        if any(fnmatch(path.relative_to(directory).as_posix(), each) for each in patterns):
            _check(path, asked)
    return directory, commit


def _answered(asked: str, error: Exception) -> CheckpointError:
    """Return the error of an answer that is none of those with a name of their own."""
    code = getattr(getattr(error, "response", None), "status_code", 0)
    if code in (401, 403):
        return CheckpointError(
            f"{asked} was refused by the Hub ({code}): the token of HF_TOKEN or `hf auth login` "
            "must be valid and may read this repository; make one at "
            "https://huggingface.co/settings/tokens"
        )
    return CheckpointError(
        f"{asked} could not be fetched from the Hub: {_first_line(error)}; try again later"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0].rstrip('.') if text else 'no details'}"


def _check(path: Path, asked: str) -> None:
    """See that a file of the cache is what the Hub says; its blob is named after its hash."""
    blob = path.resolve()
    if not path.is_symlink() or not blob.is_file():
        return
    if _SHA256.fullmatch(blob.name):
        right = sha256_of(blob) == blob.name
    elif _SHA1.fullmatch(blob.name):
        # Files outside of LFS go by git's name: small, so that they may be read whole.
        data = blob.read_bytes()
        named = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
        right = named.hexdigest() == blob.name
    else:
        return
    if not right:
        raise CheckpointError(
            f"{asked}: the local copy of {path.name} is damaged: its hash must be {blob.name}, got "
            f"another; remove {blob} and give the command again, which fetches it anew"
        )
