"""The verdict: whether the query is like anything that the index holds."""

import streamlit as st

from app.markup import verdict_html
from app.verdicts import VerdictWords, verdict_warning
from indexer import Query

__all__ = ["draw_approximate", "draw_verdict", "draw_verdict_warning"]


def draw_verdict(verdict: VerdictWords | None) -> None:
    """Draw the verdict beside the query."""
    if verdict is not None:
        st.html(verdict_html(verdict))


def draw_approximate(query: Query) -> None:
    """Draw, above the neighbours, that the query is not what was observed; mostly nothing."""
    if query.approximate:
        words = query.approximate[0].upper() + query.approximate[1:]
        st.warning(f"**Approximate answer.** {words}.", icon=":material/blur_on:")


def draw_verdict_warning(verdict: VerdictWords | None, *, of_file: bool) -> None:
    """Draw, above the neighbours, what must be read before they are; mostly nothing."""
    warning = verdict_warning(verdict, of_file=of_file)
    if warning:
        st.warning(warning, icon=":material/warning:")
