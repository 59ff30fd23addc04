"""Spectra of about one length put together, so that little is padded."""

from collections.abc import Sequence

import numpy as np

__all__ = ["buckets"]

SHORTEST_SHARE = 0.8
"""Least tokens of a spectrum in units of the longest of its batch: at most a fifth is padding."""


def buckets(counts: Sequence[int], budget: int) -> list[list[int]]:
    """Divide spectra into batches.

    Parameters
    ----------
    counts
        Tokens of each spectrum, all positive.
    budget
        Most tokens of a batch, padding included; a longer spectrum is a batch of its own.

    Returns
    -------
    For each batch the numbers of its spectra, from the shortest to the longest; spectra of one
    length in the order given. Every spectrum is in one batch.
    """
    if budget < 1:
        raise ValueError(f"a batch must have room for a token, got a budget of {budget}")
    order = [int(each) for each in np.argsort(np.asarray(counts), kind="stable")]
    batches: list[list[int]] = []
    # From the longest down, which sets the size of its batch.
    for number in reversed(order):
        longest = counts[batches[-1][0]] if batches else 0
        full = not batches or (len(batches[-1]) + 1) * longest > budget
        if full or counts[number] < SHORTEST_SHARE * longest:
            batches.append([number])
        else:
            batches[-1].append(number)
    return [batch[::-1] for batch in batches[::-1]]
