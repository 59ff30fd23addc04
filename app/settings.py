"""What the environment says: the one place of the page that reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.rest.limits import Limits

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
    look_up_names
        Whether the server may ask Sesame for names such as M 51: ``AION_SEARCH_SESAME=1``.
    limits
        What clients of the API are allowed: ``AION_SEARCH_API_PER_MINUTE`` requests of one
        address, ``AION_SEARCH_API_SEARCHES`` at once.
    """

    index_dir: Path
    weights: str | None
    labels: tuple[Path, ...] = ()
    look_up_names: bool = False
    limits: Limits = field(default_factory=Limits)


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
        look_up_names=_allowed(values, "AION_SEARCH_SESAME"),
        limits=Limits(
            per_minute=_count(values, "AION_SEARCH_API_PER_MINUTE", Limits.per_minute),
            searches=_count(values, "AION_SEARCH_API_SEARCHES", Limits.searches),
        ),
    )


def _allowed(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "").strip()
    if text not in ("", "0", "1"):
        raise ValueError(f"{name} must be 1 or 0, got {text!r}")
    return text == "1"


def _count(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name, "").strip()
    if not text:
        return default
    if not (text.isdecimal() and 1 <= int(text) <= 1_000_000):
        raise ValueError(f"{name} must be a whole number from 1 to 1000000, got {text!r}")
    return int(text)
