"""Names of the sky, such as M 51, looked up by Sesame at the CDS: only where that is allowed.

Nothing else of this package sends a request for a question. Identifiers and names that hold their
position are read without any.
"""

import threading

from indexer.errors import QueryError, UnknownObjectError
from indexer.positions import Position

__all__ = ["LONGEST_NAME", "place_of_name"]

TIMEOUT_S = 4.0
"""For each of two servers."""

LONGEST_NAME = 80

_LOCK = threading.Lock()


def place_of_name(name: str) -> Position:
    """Ask Sesame (SIMBAD, NED, VizieR) where an object lies.

    Raises
    ------
    UnknownObjectError
        If it knows no object of that name.
    QueryError
        If the name cannot be one, or there is no answer in time.
    """
    # Imported here: it takes half a second, and most searches need no name.
    from astropy.coordinates.name_resolve import NameResolveError, get_icrs_coordinates
    from astropy.utils.data import conf

    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise QueryError(f"a name has 1 to {LONGEST_NAME} letters, got {len(cleaned)}")
    try:
        # The time limit is one of the whole process.
        with _LOCK, conf.set_temp("remote_timeout", TIMEOUT_S):
            found = get_icrs_coordinates(cleaned)
    except NameResolveError as error:
        if "Unable to find coordinates" in str(error):
            raise UnknownObjectError(f"Sesame knows no object called {cleaned!r}") from None
        raise QueryError(
            f"Sesame does not answer, so the name {cleaned!r} cannot be looked up; give its "
            "position or an identifier"
        ) from None
    return Position(
        float(found.ra.deg) % 360.0, float(found.dec.deg), f"the place of {cleaned!r} by Sesame"
    )
