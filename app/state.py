"""Session keys, and the one rule of who wins: a control that was just used, else the address.

Controls mark a change with `touched`; a run without a mark (first load, the browser's back
button) takes the question from the address bar instead.
"""

from dataclasses import dataclass

import streamlit as st

from app.address import SAME, Address, parse

__all__ = [
    "BRIDGE",
    "CHOSEN",
    "COUNT",
    "FILES_OPEN",
    "QUESTION",
    "SPACE",
    "TARGET",
    "FileAsked",
    "ask",
    "asked_file",
    "choose",
    "current",
    "forget_file",
    "publish",
    "question_changed",
    "restore",
    "touched",
    "uploader_key",
]

QUESTION = "question"
TARGET = "target"
COUNT = "count"
BRIDGE = "bridge"
SPACE = "space"
FILES_OPEN = "files_open"
CHOSEN = "chosen_object"
_TOUCHED = "touched"
_PUBLISHED = "published"
_GENERATION = "upload_generation"
_KIND = "upload_kind"


@dataclass(frozen=True)
class FileAsked:
    """An uploaded file that is the question.

    Parameters
    ----------
    kind
        `image` or `spectrum`, as its uploader says.
    name, content
        The file.
    chosen
        Identifier of the object that is meant, where a file holds several.
    """

    kind: str
    name: str
    content: bytes
    chosen: str = ""


def touched() -> None:
    """Mark that a control changed in this run."""
    st.session_state[_TOUCHED] = True


def restore() -> tuple[str, ...]:
    """Take the question from the address where it changed there; return remarks about it."""
    params = dict(st.query_params.items())
    used = st.session_state.pop(_TOUCHED, False)
    if used or params == st.session_state.get(_PUBLISHED):
        return ()
    address, remarks = parse(params)
    st.session_state[QUESTION] = address.question
    st.session_state[TARGET] = address.to
    st.session_state[COUNT] = address.k
    st.session_state[BRIDGE] = address.bridge
    st.session_state[SPACE] = address.space
    st.session_state[_PUBLISHED] = params
    if address.question:
        forget_file()
    return remarks


def current() -> Address:
    """Return the question as the controls have it."""
    state = st.session_state
    return Address(
        question=str(state.get(QUESTION) or "").strip(),
        to=state.get(TARGET) or SAME,
        k=int(state.get(COUNT) or Address().k),
        bridge=state.get(BRIDGE) or "auto",
        space=state.get(SPACE) or Address().space,
    )


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
    touched()


def question_changed() -> None:
    """Note that the person typed: the text replaces an uploaded file."""
    if str(st.session_state.get(QUESTION) or "").strip():
        forget_file()
    touched()


def uploader_key(kind: str) -> str:
    """Return the key of an uploader; a new one empties it."""
    return f"{kind}_file_{st.session_state.get(_GENERATION, 0)}"


def file_changed(kind: str) -> None:
    """Note that a file came or went: it replaces the text and the other kind's file."""
    if st.session_state.get(uploader_key(kind)) is None:
        if st.session_state.get(_KIND) == kind:
            st.session_state.pop(_KIND)
    else:
        st.session_state[_KIND] = kind
        st.session_state[CHOSEN] = ""
        st.session_state[QUESTION] = ""
        st.session_state[FILES_OPEN] = False
    touched()


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
    upload = st.session_state.get(uploader_key(kind))
    if upload is None:
        return None
    chosen = str(st.session_state.get(CHOSEN) or "").strip() if kind == "spectrum" else ""
    return FileAsked(kind=kind, name=upload.name, content=upload.getvalue(), chosen=chosen)
