"""What went wrong, in words, with what to do."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import state

__all__ = [
    "draw_ambiguous",
    "draw_index_missing",
    "draw_nothing_found",
    "draw_problem",
    "draw_remarks",
]

MAX_CANDIDATES = 24


def draw_problem(message: str, remedy: str = "") -> None:
    """Draw one refusal."""
    st.error(f"{message}\n\n{remedy}" if remedy else message, icon=":material/error:")


def draw_remarks(remarks: Sequence[str]) -> None:
    """Draw what in the address was not understood."""
    for remark in remarks:
        st.warning(remark, icon=":material/link:")


def draw_ambiguous(
    message: str, candidates: Sequence[str], choose: Callable[[str], None] = state.ask
) -> None:
    """Draw the objects that a question fits, each a click away."""
    st.info(message, icon=":material/help:")
    st.markdown("Which one is meant?")
    with st.container(horizontal=True, gap="xsmall"):
        for key in candidates[:MAX_CANDIDATES]:
            st.button(key, key=f"candidate:{key}", on_click=choose, args=(key,))
    if len(candidates) > MAX_CANDIDATES:
        st.caption(f"… and {len(candidates) - MAX_CANDIDATES:,} more: give the release as well.")


def draw_index_missing(message: str, index_dir: str) -> None:
    """Draw the page of a server that has no index to serve."""
    st.title("AION search")
    st.error(f"There is no index to search at `{index_dir}`.", icon=":material/database_off:")
    st.markdown(
        "Build the demonstration index (a simulated sky, a few minutes):\n\n"
        "```sh\nmake index\n```\n\n"
        "or build one from survey files, and name it when the page is started:\n\n"
        "```sh\n"
        "python -m indexer build data_manifests/real_sky.toml my_index\n"
        "AION_SEARCH_INDEX=my_index python -m streamlit run app/main.py\n"
        "```\n\n"
        "Then reload this page."
    )
    st.caption(message)


def draw_nothing_found() -> None:
    """Draw an answer without neighbours."""
    st.info(
        "No object of this index can be reached this way. Try another kind to find, or the other "
        "bridge: linked needs sources that were seen in both modalities.",
        icon=":material/search_off:",
    )
