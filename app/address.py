"""The address bar: a question as plain strings, there and back.

An address comes from a person like any other input: what it does not allow falls back to the
default, and is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from indexer.errors import QueryError
from indexer.filters import parse_filters
from indexer.native_queries import SPECTRUM_SPACES

__all__ = [
    "BRIDGES",
    "MAX_EXAMPLES",
    "MAX_NEIGHBOURS",
    "MAX_QUESTION",
    "MAX_WHERE",
    "SAME",
    "SPACES",
    "TARGETS",
    "Address",
    "parse",
]

SAME = "same"
"""Target modality of a question that does not name one: the query's own."""

TARGETS = (SAME, "image", "spectrum", "xp")
Bridge = Literal["auto", "linked", "aligned"]
BRIDGES: tuple[Bridge, ...] = ("auto", "linked", "aligned")
SPACES = SPECTRUM_SPACES
MAX_NEIGHBOURS = 100
MAX_EXAMPLES = 30
MAX_QUESTION = 300
MAX_WHERE = 4000
"""Of the text of filters: a coverage map of some hundred cells, in an address that servers take."""

DEFAULT_NEIGHBOURS = 12


@dataclass(frozen=True)
class Address:
    """One question.

    Parameters
    ----------
    question
        Text of the search box; empty when nothing is asked, or when a file is.
    to
        Modality to find, or `SAME`.
    k
        Number of neighbours, 1 to `MAX_NEIGHBOURS`.
    bridge
        How another modality is reached.
    space
        Where a spectrum is compared, where there is a choice. The first of `SPACES` leaves it to
        the index: AION-1 answers for what it takes.
    where
        Text of the filters as they write themselves; empty without any.
    fold
        Show one hit a place.
    other_sources
        Leave out the query's own source.
    also, against
        Keys of further examples, for and against; at most `MAX_EXAMPLES` of each.
    probe
        Whether those against have a line drawn between them and the others.
    """

    question: str = ""
    to: str = SAME
    k: int = DEFAULT_NEIGHBOURS
    bridge: Bridge = "auto"
    space: str = SPACES[0]
    where: str = ""
    fold: bool = False
    other_sources: bool = False
    also: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    probe: bool = False

    def __post_init__(self) -> None:
        if self.to not in TARGETS or self.bridge not in BRIDGES:
            raise ValueError(
                f"to must be one of {', '.join(TARGETS)} and bridge one of {', '.join(BRIDGES)}, "
                f"got {self.to!r} and {self.bridge!r}"
            )
        if self.space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(SPACES)}, got {self.space!r}")
        if not 1 <= self.k <= MAX_NEIGHBOURS:
            raise ValueError(f"k must be between 1 and {MAX_NEIGHBOURS}, got {self.k}")
        if parse_filters(self.where).text != self.where:
            raise ValueError(f"where must be as filters write themselves, got {self.where!r}")

    def to_params(self) -> dict[str, str]:
        """Return the query parameters of this question; defaults are left out."""
        default = Address()
        params = {
            "q": self.question,
            "to": self.to if self.to != default.to else "",
            "k": str(self.k) if self.k != default.k else "",
            "bridge": self.bridge if self.bridge != default.bridge else "",
            "space": self.space if self.space != default.space else "",
            "where": self.where,
            "fold": "1" if self.fold else "",
            "other_sources": "1" if self.other_sources else "",
            "also": ",".join(self.also),
            "not": ",".join(self.against),
            "probe": "1" if self.probe else "",
        }
        return {name: value for name, value in params.items() if value}


def parse(params: Mapping[str, str]) -> tuple[Address, tuple[str, ...]]:
    """Read a question from query parameters.

    Returns
    -------
    The question, and a remark in words for everything that was not understood.
    """
    remarks: list[str] = []
    default = Address()
    question = params.get("q", "").strip()
    if len(question) > MAX_QUESTION:
        remarks.append(
            f"The question in the address has {len(question)} characters; at most {MAX_QUESTION} "
            "are read, so it was left out."
        )
        question = ""
    to = params.get("to", default.to).strip().lower()
    if to not in TARGETS:
        remarks.append(
            f"The address asks for “{to[:40]}”. What can be found is: {', '.join(TARGETS[1:])}."
        )
        to = default.to
    asked = params.get("bridge", default.bridge).strip().lower()
    bridge = next((each for each in BRIDGES if each == asked), None)
    if bridge is None:
        remarks.append(
            f"The address names the bridge “{asked[:40]}”. There are: {', '.join(BRIDGES)}."
        )
        bridge = default.bridge
    space = params.get("space", default.space).strip().lower()
    if space not in SPACES:
        remarks.append(
            f"The address names the space “{space[:40]}”. A spectrum is compared in: "
            f"{', '.join(SPACES)}."
        )
        space = default.space
    text = params.get("k", "").strip()
    k = default.k
    if text:
        # isdecimal() alone admits other scripts' digits, and int() any length of them.
        if text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) > 0:
            k = min(int(text), MAX_NEIGHBOURS)
        else:
            k = 0
        if str(k) != text.lstrip("0"):
            remarks.append(
                f"The address asks for “{text[:40]}” neighbours; "
                f"{k or default.k} are shown (1 to {MAX_NEIGHBOURS} can be)."
            )
            k = k or default.k
    address = Address(
        question=question,
        to=to,
        k=k,
        bridge=bridge,
        space=space,
        where=_where(params.get("where", ""), remarks),
        fold=_switch("fold", params, remarks),
        other_sources=_switch("other_sources", params, remarks),
        also=_examples("also", params, remarks),
        against=_examples("not", params, remarks),
        probe=_switch("probe", params, remarks),
    )
    return address, tuple(remarks)


def _where(text: str, remarks: list[str]) -> str:
    if len(text) > MAX_WHERE:
        remarks.append(
            f"The filters in the address have {len(text)} characters; at most {MAX_WHERE} are "
            "read, so nothing is filtered."
        )
        return ""
    try:
        return parse_filters(text).text
    except QueryError as error:
        remarks.append(
            f"The filters in the address cannot be read, so nothing is filtered: {error}."
        )
        return ""


def _examples(name: str, params: Mapping[str, str], remarks: list[str]) -> tuple[str, ...]:
    keys = tuple(dict.fromkeys(filter(None, map(str.strip, params.get(name, "").split(",")))))
    if len(keys) > MAX_EXAMPLES or any(len(key) > MAX_QUESTION for key in keys):
        remarks.append(
            f"The address names {len(keys)} examples as “{name}”; the first {MAX_EXAMPLES} are "
            f"read, of at most {MAX_QUESTION} characters each."
        )
    return tuple(key for key in keys[:MAX_EXAMPLES] if len(key) <= MAX_QUESTION)


def _switch(name: str, params: Mapping[str, str], remarks: list[str]) -> bool:
    text = params.get(name, "").strip()
    if text not in ("", "0", "1"):
        remarks.append(f"The address says {name}=“{text[:40]}”; it is 1 or absent.")
    return text == "1"
