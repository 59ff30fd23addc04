"""Properties of the query from its labelled neighbours; nothing is computed before it is asked."""

import math
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app import resources
from app.figures import BARE_CONFIG, distribution_figure
from app.markup import distribution_key_html, properties_html, shares_html
from app.properties import (
    Estimate,
    coverage_words,
    interval_words,
    is_yes_or_no,
    method_words,
    property_rows,
    property_title,
    shares_of,
)
from app.state import FileAsked
from app.verdicts import VerdictWords
from app.widgets.problems import draw_problem
from indexer import ClassEstimate, IndexerError, NumberEstimate, Query, Searcher

__all__ = ["OPEN", "draw_properties"]

OPEN = "properties_open"
_PLOTTED = "property_plotted"


@st.fragment
def draw_properties(
    searcher: Searcher,
    query: Query,
    verdict: VerdictWords | None,
    file: FileAsked | None,
    labels: Sequence[Path],
) -> None:
    """Draw a panel that reads the properties when it is opened.

    Parameters
    ----------
    file
        The uploaded file that is the query, if one is.
    labels
        Tables of labels.
    """
    panel = st.expander(
        "Properties from labelled neighbours: redshift, class, magnitude …",
        icon=":material/query_stats:",
        key=OPEN,
        on_change="rerun",
    )
    if not panel.open:
        return
    with panel:
        estimates = _estimates(searcher, query, file, labels)
        if verdict is not None and verdict.kind == "out":
            st.caption(":material/warning: Out of distribution: these numbers may mean nothing.")
        if estimates:
            _draw(query, estimates)


def _estimates(
    searcher: Searcher, query: Query, file: FileAsked | None, labels: Sequence[Path]
) -> tuple[Estimate, ...]:
    index_id = searcher.index.info.index_id
    asked = file if file is not None else str(query.key)
    try:
        reader = resources.property_reader(searcher, index_id, labels)
    except IndexerError as error:
        # The catalogue's own columns are still worth something.
        draw_problem(f"The labels cannot be read: {error}", "The catalogue's own columns are used.")
        reader, labels = resources.property_reader(searcher, index_id), ()
    try:
        return resources.estimates_of(reader, query, index_id, bool(labels), asked, query.home)
    except IndexerError as error:
        draw_problem(str(error))
        return ()


def _draw(query: Query, estimates: Sequence[Estimate]) -> None:
    st.html(properties_html(property_rows(estimates)))
    numbers = {
        each.name: each
        for each in estimates
        if isinstance(each, NumberEstimate) and not is_yes_or_no(each)
    }
    classes = [each for each in estimates if isinstance(each, ClassEstimate)]
    if numbers or classes:
        left, right = st.columns([1.6, 1], gap="medium") if numbers and classes else [st] * 2
        if numbers:
            with left.container(gap="xsmall"):
                _draw_distribution(query, numbers)
        if classes:
            with right.container(gap="xsmall"):
                for each in classes:
                    title = f"{property_title(each.name)}: share of the neighbours' weight"
                    st.html(shares_html(title, shares_of(each)))
    words = coverage_words(estimates)
    st.caption(f"{method_words(query.modality)} {words}".strip())


def _draw_distribution(query: Query, numbers: dict[str, NumberEstimate]) -> None:
    name = next(iter(numbers))
    if len(numbers) > 1:
        # What was plotted for another query may not be known of this one.
        if st.session_state.get(_PLOTTED) not in numbers:
            st.session_state[_PLOTTED] = name
        name = st.selectbox(
            "What the neighbours say of",
            list(numbers),
            format_func=property_title,
            key=_PLOTTED,
            label_visibility="collapsed",
        )
    estimate, title = numbers[name], property_title(name)
    scale = estimate.interval_68[1] - estimate.interval_68[0]
    known = query.redshift if name == "redshift" else math.nan
    st.html(distribution_key_html("the query's catalogue" if math.isfinite(known) else ""))
    st.plotly_chart(
        distribution_figure(estimate, title, known=known),
        key="distribution",
        config=BARE_CONFIG,
        alt=f"{title} of the labelled neighbours by their weights; the 68 % interval, "
        f"{interval_words(estimate.interval_68, scale)}, is shaded",
    )
