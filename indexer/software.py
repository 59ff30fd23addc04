"""Which version of this package is running."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["software_version"]


@cache
def software_version() -> str:
    """Return name and version of the installed package, for receipts."""
    try:
        return f"aion-search {version('aion-search')}"
    except PackageNotFoundError:
        return "aion-search (not installed)"
