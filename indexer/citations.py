"""Whom to cite and to thank for a list: the releases in it, the search, and the model."""

import re
from collections.abc import Iterator, Sequence

from indexer.errors import QueryError
from indexer.hits import Hits
from indexer.index_model import IndexInfo

__all__ = ["acknowledgements", "bibtex", "bibtex_entries", "releases_of"]

_FAISS = """@article{Douze2024Faiss,
  author = {{Douze}, Matthijs and {Guzhva}, Alexandr and {Deng}, Chengqi and others},
  title = {The Faiss library},
  journal = {arXiv e-prints},
  year = {2024},
  eprint = {2401.08281},
  archivePrefix = {arXiv}
}"""
_AION = """@misc{AION1,
  author = {{Parker}, Liam and {Lanusse}, Francois and {Shen}, Jeff and others},
  title = {AION-1: Omnimodal Foundation Model for Astronomical Sciences},
  year = {2025},
  eprint = {2510.17960},
  archivePrefix = {arXiv}
}"""
"""Under the key of the manifests that cite it themselves: it comes once."""
_AION_OWNER = "polymathic-ai/"
_START = re.compile(r"@[A-Za-z]+\s*\{\s*(?P<key>[^\s,{}]+)\s*,")


def releases_of(hits: Hits) -> tuple[str, ...]:
    """Return the releases in a list, sorted: of its objects, and of those they were linked by."""
    linked = {str(key).partition(":")[0] for key in hits.via if key}
    return tuple(sorted({str(name) for name in hits.release} | linked))


def bibtex(info: IndexInfo, releases: Sequence[str]) -> str:
    """Return BibTeX for some releases, the search and the model; an entry comes once.

    Raises
    ------
    QueryError
        If the index has no such release, or what a release gives as its citation is no BibTeX.
    """
    _check(info, releases)
    texts = [info.releases[name].citation for name in releases]
    if info.encoder.repository.lower().startswith(_AION_OWNER):
        texts.append(_AION)
    entries: dict[str, str] = {}
    for text in (*texts, _FAISS):
        for key, entry in bibtex_entries(text):
            entries.setdefault(key, entry)
    return "\n\n".join(entries.values()) + "\n"


def bibtex_entries(text: str) -> Iterator[tuple[str, str]]:
    """Give key and text of every entry.

    Raises
    ------
    QueryError
        If braces are not closed.
    """
    at = 0
    while (found := _START.search(text, at)) is not None:
        depth, at = 0, found.start()
        for end in range(found.start(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0 and text[end] == "}":
                at = end + 1
                break
        else:
            raise QueryError(
                f"the BibTeX entry {found['key']} must close its braces; mend the citation in the "
                "manifest of its release"
            )
        yield found["key"], text[found.start() : at]


def acknowledgements(info: IndexInfo, releases: Sequence[str]) -> str:
    """Return what each release asks to be said, with its licence and address.

    Raises
    ------
    QueryError
        If the index has no such release.
    """
    _check(info, releases)
    parts = []
    for name in releases:
        release = info.releases[name]
        simulated = (
            "Simulated: nothing here was observed, and there is nobody to thank."
            if release.simulated
            else ""
        )
        lines = [
            f"{release.title} ({name})",
            release.acknowledgement.strip(),
            simulated,
            f"Licence: {release.licence}" if release.licence else "",
            release.homepage,
        ]
        parts.append("\n".join(line for line in lines if line))
    return "\n\n".join(parts) + "\n"


def _check(info: IndexInfo, releases: Sequence[str]) -> None:
    unknown = [name for name in releases if name not in info.releases]
    if unknown:
        raise QueryError(
            f"{', '.join(unknown)} is no release of this index; it has: {', '.join(info.releases)}"
        )
