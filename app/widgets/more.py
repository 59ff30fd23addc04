"""The button below a list of which more can be shown."""

from collections.abc import Callable

import streamlit as st

__all__ = ["draw_more"]


def draw_more(words: str, key: str, on_click: Callable[[int], None], count: int) -> None:
    """Draw it; a click calls `on_click` with `count`, and the page is drawn again."""
    st.button(
        words,
        key=key,
        icon=":material/expand_more:",
        width="stretch",
        on_click=on_click,
        args=(count,),
    )
