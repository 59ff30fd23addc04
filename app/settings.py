"""What the environment says: the one place of the page that reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEFAULT_INDEX", "Settings", "read_settings"]

DEFAULT_INDEX = Path("var/demo/index")


@dataclass(frozen=True)
class Settings:
    """Where the page finds its index, its weights and its labels.

    Parameters
    ----------
    index_dir
        The index to serve: ``AION_SEARCH_INDEX``.
    weights
        The encoder for uploaded files: ``AION_SEARCH_WEIGHTS``. None: those that built the index.
    labels
        Tables of labels for properties from neighbours: ``AION_SEARCH_LABELS``, several joined as
        in ``PATH``. The catalogue's own columns need none.
    """

    index_dir: Path
    weights: str | None
    labels: tuple[Path, ...] = ()


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; a variable that is set to nothing counts as not set."""
    values = os.environ if environment is None else environment
    index = values.get("AION_SEARCH_INDEX", "").strip()
    weights = values.get("AION_SEARCH_WEIGHTS", "").strip()
    labels = values.get("AION_SEARCH_LABELS", "").split(os.pathsep)
    return Settings(
        index_dir=Path(index).expanduser() if index else DEFAULT_INDEX,
        weights=weights or None,
        labels=tuple(Path(each.strip()).expanduser() for each in labels if each.strip()),
    )
