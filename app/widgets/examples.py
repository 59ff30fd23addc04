"""Further examples, for and against: marked on the neighbours, joined with the query."""

from collections.abc import Sequence

import streamlit as st

from app import state
from app.address import Address
from indexer import IndexerError, Query, Searcher, examples_query
from indexer.examples import Method

__all__ = ["draw_examples", "draw_marks", "joined"]

PROBE_HELP = (
    "Search with the weights of a logistic regression between the examples for and against, worth "
    "it once a dozen are marked; otherwise with the mean of those for, less half of the mean of "
    "those against."
)


def joined(searcher: Searcher, query: Query, asked: Address) -> tuple[Query, tuple[str, ...]]:
    """Return a query with its examples as one query, and remarks on those that were left out."""
    remarks: list[str] = []
    also = _found(searcher, query, asked.also, remarks)
    against = _found(searcher, query, asked.against, remarks)
    if not also and not against:
        return query, tuple(remarks)
    method: Method = "probe" if asked.probe and against else "mean"
    try:
        return examples_query((query, *also), against, method=method), tuple(remarks)
    except IndexerError as error:
        return query, (*remarks, f"The examples were left out: {error}.")


def _found(
    searcher: Searcher, query: Query, keys: Sequence[str], remarks: list[str]
) -> tuple[Query, ...]:
    found = []
    for key in keys:
        try:
            example = searcher.query_text(key)
            found.append(searcher.in_space(example, query.space) if query.space else example)
        except IndexerError as error:
            remarks.append(f"The example “{key}” was left out: {error}.")
    return tuple(found)


def draw_examples(asked: Address) -> None:
    """Draw the examples that are in force; a click takes one away."""
    if not asked.also and not asked.against:
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="examples"):
        for words, keys in (("More like", asked.also), ("Less like", asked.against)):
            if keys:
                st.caption(words, width="content")
            for key in keys:
                st.button(
                    f"`{key.replace('`', ' ')}`",
                    key=f"unmark:{key}",
                    icon=":material/close:",
                    icon_position="right",
                    help="Take this example away",
                    on_click=state.unmark,
                    args=(key,),
                )
        if asked.against:
            st.toggle(
                "Probe",
                key=state.PROBE,
                help=PROBE_HELP,
                on_change=state.touched,
                persist_state="session",
            )


def draw_marks(key: str, row: int) -> None:
    """Draw what makes a neighbour an example for or against."""
    with st.container(horizontal=True, gap="xsmall"):
        for kind, icon, words in (
            (state.ALSO, ":material/add:", "Look for this as well"),
            (state.AGAINST, ":material/remove:", "Look for less like this"),
        ):
            st.button(
                "more" if kind == state.ALSO else "less",
                key=f"{kind}:{row}",
                icon=icon,
                type="tertiary",
                help=words,
                on_click=state.mark,
                args=(kind, key),
            )
