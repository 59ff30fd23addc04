"""Measures of vectors of spectra: partners, linear probes, overlap of neighbour lists."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

__all__ = ["Partners", "class_accuracy", "overlap_at", "partners", "ridge_probe"]

RECALL_AT = 10


@dataclass(frozen=True)
class Partners:
    """How well one side finds its own source on the other.

    Attributes
    ----------
    r_at_10, interval
        Share whose partner is among the first ten, and its 95 % bootstrap interval.
    median_rank
        From 1.
    gallery
        How many are asked.
    """

    r_at_10: float
    interval: tuple[float, float]
    median_rank: float
    gallery: int


def partners(
    asking: Float32[np.ndarray, "n dim"], gallery: Float32[np.ndarray, "n dim"], seed: int
) -> Partners:
    """Rank every partner by cosine among all others; rows are sources."""
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (asking, gallery))
    scores = one @ other.T
    ranks = 1 + (scores > scores.diagonal()[:, None]).sum(axis=1)
    hit = ranks <= RECALL_AT
    rng = np.random.default_rng(seed)
    again = hit[rng.integers(len(hit), size=(1000, len(hit)))].mean(axis=1)
    low, high = np.percentile(again, [2.5, 97.5])
    return Partners(
        float(hit.mean()), (float(low), float(high)), float(np.median(ranks)), len(ranks)
    )


def overlap_at(
    asking: Float32[np.ndarray, "n dim"],
    changed: Float32[np.ndarray, "n dim"],
    gallery: Float32[np.ndarray, "m dim"],
    k: int,
) -> float:
    """Return the mean share of the k nearest that stay when the query is changed.

    Row i of the gallery is the query's own spectrum and does not count.
    """
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (asking, changed)]
    side = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    lists = []
    for each in unit:
        scores = each @ side.T
        scores[np.arange(len(scores)), np.arange(len(scores))] = -np.inf
        lists.append(np.argpartition(-scores, k, axis=1)[:, :k])
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*lists, strict=True)]))


def _standardised(
    fit: np.ndarray, test: np.ndarray
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "m d"]]:
    mean, spread = fit.mean(axis=0, dtype=np.float64), fit.std(axis=0, dtype=np.float64) + 1e-9
    return (fit - mean) / spread, (test - mean) / spread


def ridge_probe(
    fit: np.ndarray, truth: np.ndarray, test: np.ndarray, ridge: float = 1.0
) -> Float64[np.ndarray, " m"]:
    """Predict a property by a linear map; rows without a finite truth are left out of the fit."""
    known = np.isfinite(truth)
    x, z = _standardised(fit[known], test)
    centre = truth[known].mean()
    products = x.T @ x + ridge * np.eye(x.shape[1])
    weights = np.linalg.solve(products, x.T @ (truth[known] - centre))
    return np.asarray(z @ weights + centre)


def class_accuracy(
    fit: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray
) -> float:
    """Return the accuracy of multinomial logistic regression with a slight ridge."""
    x, z = (torch.from_numpy(each) for each in _standardised(fit, test))
    names, codes = np.unique(labels, return_inverse=True)
    target: Int64[torch.Tensor, " n"] = torch.from_numpy(codes)
    weight = torch.zeros(x.shape[1], len(names), dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(len(names), dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weight + bias, target)
        loss = loss + 1e-3 * (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        found = names[(z @ weight + bias).argmax(dim=1).numpy()]
    return float((found == truth).mean())
