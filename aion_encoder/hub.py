"""Weights from the Hugging Face Hub, and its errors in words that say what to do.

The usual variables hold: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT.
"""

import re
from pathlib import Path

from aion_encoder.errors import CheckpointError

__all__ = ["fetch", "split_revision"]

_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def split_revision(weights: str) -> tuple[str, str | None] | None:
    """Split ``owner/name@revision``; None if this is no repository's name."""
    match = _REPOSITORY.fullmatch(weights)
    return (match["repository"], match["revision"]) if match else None


def fetch(repository: str, revision: str | None, patterns: list[str]) -> tuple[Path, str]:
    """Return the local copy of some files of a repository, and the commit it is of.

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
        If the repository cannot be had, with what to do about it.
    """
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
        raise CheckpointError(
            f"{asked} is not in the local cache and the Hub cannot be reached: check the network, "
            f"or run `{prefetch}` where there is one, with the same HF_HOME; a local directory in "
            "the official layout does as well"
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        raise CheckpointError(
            f"{asked} could not be fetched from the Hub: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no details'}"
        ) from error
    directory = Path(found)
    # The cache keeps each commit in a folder named after it.
    commit = directory.name if directory.parent.name == "snapshots" else (revision or "")
    return directory, commit
