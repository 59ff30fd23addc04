"""Session keys, and the one rule of who wins: a control that was just used, else the address.

Controls mark a change with `touched`; a run without a mark (first load, the browser's back
button) takes the question from the address bar instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.address import MAX_EXAMPLES, MAX_WHERE, SAME, Address, parse
from app.narrowing import Narrowing, filters_of, narrowing_of
from app.reading import Reading
from indexer import Filters, QueryError, parse_filters

__all__ = [
    "AGAINST",
    "ALSO",
    "BRIDGE",
    "CHOSEN",
    "COUNT",
    "FILES_OPEN",
    "FOLD",
    "NARROW",
    "OTHER_SOURCES",
    "PROBE",
    "QUESTION",
    "SPACE",
    "TARGET",
    "FileAsked",
    "ask",
    "asked_file",
    "choose",
    "current",
    "filters",
    "forget_examples",
    "forget_file",
    "mark",
    "narrow",
    "narrowed",
    "publish",
    "question_changed",
    "reading_key",
    "restore",
    "set_filters",
    "take",
    "touched",
    "unmark",
    "uploader_key",
    "wrong_filters",
]

QUESTION = "question"
TARGET = "target"
COUNT = "count"
BRIDGE = "bridge"
SPACE = "space"
FILES_OPEN = "files_open"
CHOSEN = "chosen_object"
FOLD = "fold"
OTHER_SOURCES = "other_sources"
ALSO = "also"
AGAINST = "against"
PROBE = "probe"
NARROW = "narrow:"
"""Begins the key of every control of filters; a range has two, ending in ``:low``, ``:high``."""

_READING = "reading:"
_WHERE = "where"
_RANGES = ("redshift", "magnitude")
_WRONG = "where_refused"
_TOUCHED = "touched"
_PUBLISHED = "published"
_STATED = "stated"
_GENERATION = "upload_generation"
_KIND = "upload_kind"


@dataclass(frozen=True)
class FileAsked:
    """Uploaded files that are the question.

    Parameters
    ----------
    kind
        `image` or `spectrum`, as its uploader says.
    files
        Name and content of each: one, or bands, or fluxes and errors.
    reading
        What is stated about them.
    """

    kind: str
    files: tuple[tuple[str, bytes], ...]
    reading: Reading = field(default_factory=Reading)


def touched() -> None:
    """Mark that a control changed in this run."""
    st.session_state[_TOUCHED] = True


def restore() -> tuple[str, ...]:
    """Take the question from the address where it changed there; return remarks about it."""
    _state_again()
    params = dict(st.query_params.items())
    used = st.session_state.pop(_TOUCHED, False)
    # Another page's visit takes the controls' values with it.
    here = QUESTION in st.session_state
    if used or (here and params == st.session_state.get(_PUBLISHED)):
        return ()
    address, remarks = parse(params)
    _state(
        {
            QUESTION: address.question,
            TARGET: address.to,
            COUNT: address.k,
            BRIDGE: address.bridge,
            SPACE: address.space,
            FOLD: address.fold,
            OTHER_SOURCES: address.other_sources,
        }
    )
    st.session_state[ALSO] = address.also
    st.session_state[AGAINST] = address.against
    st.session_state[PROBE] = address.probe
    set_filters(parse_filters(address.where))
    st.session_state[_PUBLISHED] = params
    if address.question:
        forget_file()
    return remarks


def _state(values: Mapping[str, Any]) -> None:
    """Give controls their values, now and once more in the next run."""
    for key, value in values.items():
        st.session_state[key] = value
    st.session_state[_STATED] = (*st.session_state.get(_STATED, ()), *values)


def _state_again() -> None:
    """Repeat the values of the run before.

    A browser that had not drawn a control when the next run began, as its script was still on its
    way, forgets what it was told and says that the control is empty.
    """
    for key in st.session_state.pop(_STATED, ()):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def current() -> Address:
    """Return the question as the controls have it."""
    state = st.session_state
    return Address(
        question=str(state.get(QUESTION) or "").strip(),
        to=state.get(TARGET) or SAME,
        k=int(state.get(COUNT) or Address().k),
        bridge=state.get(BRIDGE) or "auto",
        space=state.get(SPACE) or Address().space,
        where=filters().text,
        fold=bool(state.get(FOLD)),
        other_sources=bool(state.get(OTHER_SOURCES)),
        also=tuple(state.get(ALSO, ())),
        against=tuple(state.get(AGAINST, ())),
        probe=bool(state.get(PROBE)),
    )


def filters() -> Filters:
    """Return the filters as they were last understood."""
    return parse_filters(st.session_state.get(_WHERE, ""))


def set_filters(chosen: Filters) -> None:
    """Take these filters; their controls are filled in anew."""
    st.session_state[_WHERE] = chosen.text
    st.session_state.pop(_WRONG, None)
    for key in [key for key in st.session_state if str(key).startswith(NARROW)]:
        del st.session_state[key]


def narrow() -> None:
    """Fill in those controls of filters that have no value yet."""
    controls = _controls(narrowing_of(filters()))
    _state({key: value for key, value in controls.items() if key not in st.session_state})


def narrowed() -> None:
    """Take the filters from their controls."""
    shown = _controls(narrowing_of(filters()))
    shown |= {key: st.session_state[key] for key in shown if key in st.session_state}
    values = {key.removeprefix(NARROW): value for key, value in shown.items()}
    known: dict[str, Any] = {
        name: tuple(values[name]) for name in ("releases", "modalities", "classes")
    }
    known |= {name: (values[f"{name}:low"], values[f"{name}:high"]) for name in _RANGES}
    known |= {name: values[name] or "" for name in ("cone", "moc", "more")}
    known |= {name: values[name] for name in ("good_redshift", "latitude_deg")}
    take(Narrowing(**known))


def take(narrowing: Narrowing) -> None:
    """Take the filters of a narrowing; what cannot be read changes nothing but is said."""
    touched()
    try:
        chosen = filters_of(narrowing)
    except QueryError as error:
        st.session_state[_WRONG] = str(error)
        return
    size = len(chosen.text)
    if size > MAX_WHERE:
        st.session_state[_WRONG] = (
            f"the filters have {size:,} characters, and an address holds {MAX_WHERE:,}: make the "
            "coverage map coarser, or give it to `python -m indexer search --where`"
        )
        return
    set_filters(chosen)


def wrong_filters() -> str:
    """Return why the controls of filters could not be read; empty where they could."""
    return str(st.session_state.get(_WRONG, ""))


def _controls(narrowing: Narrowing) -> dict[str, Any]:
    """Return the value of every control of filters by its key."""
    values: dict[str, Any] = {}
    for name, value in vars(narrowing).items():
        if name in _RANGES:
            values[f"{name}:low"], values[f"{name}:high"] = value
        else:
            values[name] = list(value) if isinstance(value, tuple) else value
    return {NARROW + name: value for name, value in values.items()}


def publish(address: Address) -> None:
    """Write the question into the address bar; one entry in the browser's history."""
    params = address.to_params()
    if params != dict(st.query_params.items()):
        st.query_params.from_dict(params)
    st.session_state[_PUBLISHED] = params


def ask(question: str) -> None:
    """Make this text the question: an example, a candidate, or a neighbour."""
    st.session_state[QUESTION] = question
    forget_file()
    forget_examples()
    touched()


def question_changed() -> None:
    """Note that the person typed: the text replaces an uploaded file."""
    if str(st.session_state.get(QUESTION) or "").strip():
        forget_file()
    forget_examples()
    touched()


def uploader_key(kind: str) -> str:
    """Return the key of an uploader; a new one empties it."""
    return f"{kind}_file_{st.session_state.get(_GENERATION, 0)}"


def file_changed(kind: str) -> None:
    """Note that a file came or went: it replaces the text and the other kind's file."""
    if not st.session_state.get(uploader_key(kind)):
        if st.session_state.get(_KIND) == kind:
            st.session_state.pop(_KIND)
    else:
        st.session_state[_KIND] = kind
        _state_nothing()
        st.session_state[QUESTION] = ""
        st.session_state[FILES_OPEN] = False
    forget_examples()
    touched()


def mark(kind: str, key: str) -> None:
    """Make an object an example, `ALSO` or `AGAINST`, and of the other kind no more."""
    unmark(key)
    st.session_state[kind] = (*st.session_state.get(kind, ()), key)[-MAX_EXAMPLES:]


def unmark(key: str) -> None:
    """Make an object an example no more."""
    for kind in (ALSO, AGAINST):
        marked = st.session_state.get(kind, ())
        st.session_state[kind] = tuple(each for each in marked if each != key)
    touched()


def forget_examples() -> None:
    """Go back to one query: what was marked belonged to another."""
    st.session_state[ALSO] = st.session_state[AGAINST] = ()
    st.session_state[PROBE] = False


def forget_file() -> None:
    """Empty both uploaders."""
    if st.session_state.pop(_KIND, None) is not None:
        st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1
    st.session_state[FILES_OPEN] = False


def choose(object_id: str) -> None:
    """Mean this object of the uploaded file."""
    st.session_state[CHOSEN] = object_id
    touched()


def asked_file() -> FileAsked | None:
    """Return the uploaded file that is the question, if one is."""
    kind = st.session_state.get(_KIND)
    if kind is None:
        return None
    uploads = st.session_state.get(uploader_key(kind))
    if not uploads:
        return None
    return FileAsked(kind, tuple((each.name, each.getvalue()) for each in uploads), _reading(kind))


def reading_key(kind: str, name: str) -> str:
    """Return the key of a field that states something about a file."""
    return f"{_READING}{kind}:{name}"


def _reading(kind: str) -> Reading:
    start = reading_key(kind, "")
    stated: dict[str, Any] = {
        str(key).removeprefix(start): value.strip() if isinstance(value, str) else value
        for key, value in st.session_state.items()
        if str(key).startswith(start) and value is not None
    }
    if kind == "spectrum":
        stated["target_id"] = str(st.session_state.get(CHOSEN) or "").strip()
    return Reading(**stated)


def _state_nothing() -> None:
    """Empty the fields about files: what was stated of another one does not hold."""
    st.session_state[CHOSEN] = ""
    for key in [key for key in st.session_state if str(key).startswith(_READING)]:
        del st.session_state[key]
