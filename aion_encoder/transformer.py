"""Tokens into one vector per modality.

Every token is used, padding is ignored and absent modalities are masked; the mean is taken over
the valid tokens of one modality alone, never over a mixture.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt16
from torch import Tensor

from aion_encoder.attention import fuse_attention
from aion_encoder.devices import onto
from aion_encoder.identity import Pooling
from aion_encoder.learned_pooling import OBSERVATIONS, LearnedPooling
from aion_encoder.packed import pack_products
from aion_encoder.parts import parts_of
from aion_encoder.vocabulary import modality_of, token_count

__all__ = ["TOKENS_PER_BATCH", "Tokens", "Transformer", "part_means"]

Tokens = Mapping[str, UInt16[np.ndarray, " count"]]
"""Tokens of one object by token key; keys that it lacks are left out."""

TOKENS_PER_BATCH = {"cpu": 4_096, "cuda": 147_456}
"""Tokens in one batch unless a batch size is asked for: 256 images on a GPU."""

MAX_PADDING = 1 / 16
"""Share of padding in a batch above which a new one is begun."""


class Transformer:
    """The encoder half of an official AION-1.

    Parameters
    ----------
    model
        An `aion.AION` in evaluation mode; its attention is patched, and its linear layers on a CPU.
    pooling
        What the mean is taken of.
    device
        Where it runs.
    learned
        The learned pooling, where that is the pooling.
    autocast
        Whether matrix products of the blocks run in bfloat16; the weights, the position codes and
        the pooling stay float32. Default: on CUDA.

    Raises
    ------
    ValueError
        If there is a learned pooling without being asked for, or the other way round.
    """

    def __init__(
        self,
        model: Any,
        pooling: Pooling,
        device: torch.device,
        learned: LearnedPooling | None = None,
        *,
        autocast: bool | None = None,
    ) -> None:
        if (learned is not None) is not (pooling is Pooling.LEARNED):
            raise ValueError(
                f"a learned pooling must be given exactly when the pooling is "
                f"{Pooling.LEARNED.value!r}, which is {pooling.value!r}"
            )
        self.model = model.to(device)
        self.pooling = pooling
        self._learned = None if learned is None else learned.to(device)
        self._device = device
        self._autocast = device.type == "cuda" if autocast is None else autocast
        self._at_most: int | None = None
        fuse_attention(self.model.encoder)
        if device.type == "cpu":
            pack_products(self.model.encoder)
        names = {int(info["id"]): key for key, info in self.model.modality_info.items()}
        if len(names) != len(self.model.modality_info):
            raise ValueError("the modality ids of this AION-1 must be distinct")

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.model.dim)

    def encode(
        self, objects: Sequence[Tokens], *, batch_size: int | None = None
    ) -> list[dict[str, Float32[np.ndarray, " dim"]]]:
        """Return one vector per object and modality.

        Parameters
        ----------
        objects
            Tokens of each object; the tokens of one object see each other.
        batch_size
            Objects per batch; by default as many as `TOKENS_PER_BATCH` allows.

        Returns
        -------
        For each object, in order, modality to vector.

        Raises
        ------
        torch.OutOfMemoryError
            If there is too little memory for one object; batches are halved until they fit, and
            stay as small.
        """
        results: list[dict[str, np.ndarray]] = [{} for _ in objects]
        waiting = list(self._batches(objects, batch_size))[::-1]
        while waiting:
            rows = waiting.pop()
            fits = len(rows) if self._at_most is None else self._at_most
            if len(rows) > fits:
                waiting.append(rows[fits:])
                rows = rows[:fits]
            try:
                # Whoever calls may have autocast on; nothing but the blocks may run in it.
                with torch.autocast(self._device.type, enabled=False):
                    pooled = self._pooled([objects[row] for row in rows])
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    raise
                self._at_most = len(rows) // 2
                waiting.append(rows)
                continue
            for modality, (members, vectors) in pooled.items():
                for member, vector in zip(members, vectors, strict=True):
                    results[rows[member]][modality] = vector
        return results

    def _batches(self, objects: Sequence[Tokens], batch_size: int | None) -> Iterator[list[int]]:
        """Rows of like objects together, so that next to nothing is padded."""
        lengths = [sum(token_count(key) for key in tokens) for tokens in objects]
        order = sorted(
            (row for row in range(len(objects)) if lengths[row]),
            key=lambda row: (-lengths[row], sorted(objects[row]), row),
        )
        limit = TOKENS_PER_BATCH.get(self._device.type, TOKENS_PER_BATCH["cpu"])
        batch: list[int] = []
        for row in order:
            longest = lengths[batch[0]] if batch else lengths[row]
            size = batch_size or max(1, limit // longest)
            if batch and (len(batch) >= size or lengths[row] < (1 - MAX_PADDING) * longest):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _inputs(self, objects: Sequence[Tokens]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Token tensors, and masks that are True where an object lacks them."""
        inputs, masks = {}, {}
        for key in sorted({key for tokens in objects for key in tokens}):
            ids = np.zeros((len(objects), token_count(key)), np.int64)
            absent = np.ones(ids.shape, bool)
            for row, tokens in enumerate(objects):
                if key in tokens:
                    ids[row] = tokens[key]
                    absent[row] = False
            inputs[key] = onto(ids, self._device)
            masks[key] = onto(absent, self._device)
        return inputs, masks

    @torch.inference_mode()
    def _pooled(self, objects: Sequence[Tokens]) -> dict[str, tuple[list[int], np.ndarray]]:
        inputs, masks = self._inputs(objects)
        longest = max(sum(token_count(key) for key in tokens) for tokens in objects)
        tokens, codes, mask, owners = self.model.embed_inputs(
            inputs, mask=masks, num_encoder_tokens=longest
        )
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            # Without padding no mask is passed: the kernel is faster, the numbers are the same.
            hidden = self.model.forward_encoder(
                tokens + codes, encoder_mask=mask if bool(mask.any()) else None
            )
        hidden = hidden.float()
        pooled = {}
        for modality in sorted({modality_of(key) for key in inputs}):
            keys = [key for key in inputs if modality_of(key) == modality]
            owned = [owners == self.model.modality_info[key]["id"] for key in keys]
            mine = torch.stack(owned).any(dim=0).unsqueeze(-1)
            count = mine.sum(dim=1)
            members = torch.nonzero(count[:, 0]).flatten()
            if self._learned is not None and modality in OBSERVATIONS:
                found = self._by_learned(
                    modality, dict(zip(keys, owned, strict=True)), tokens, hidden
                )
                pooled[modality] = (members.tolist(), found[members].cpu().numpy())
                continue
            if self.pooling in (Pooling.PART_MEANS, Pooling.LAYERED_PART_MEANS):
                layered = self.pooling is Pooling.LAYERED_PART_MEANS
                values = torch.cat([tokens.float(), hidden], dim=2) if layered else hidden
                # The tokens of a key stand in their own order, whatever stands between them.
                own = [torch.where(some, some.cumsum(dim=1) - 1, -1) for some in owned]
                joined = part_means(values, torch.stack(own).amax(dim=0), modality).flatten(1)
                pooled[modality] = (members.tolist(), joined[members].cpu().numpy())
                continue
            mean = (hidden * mine).sum(dim=1)[members] / count[members]
            if self.pooling in (Pooling.MEAN_CONTEXT, Pooling.MEAN_OUTPUT):
                # The projection is linear: that of the mean is the mean of the projections.
                mean = self.model.decoder_proj_context(mean)
            if self.pooling is Pooling.MEAN_OUTPUT:
                mean = mean + (codes * mine).sum(dim=1)[members] / count[members]
            pooled[modality] = (members.tolist(), mean.float().cpu().numpy())
        return pooled

    def _by_learned(
        self,
        modality: str,
        owned: Mapping[str, Bool[Tensor, "batch tokens"]],
        embedded: Float32[Tensor, "batch tokens dim"],
        hidden: Float32[Tensor, "batch tokens dim"],
    ) -> Float32[Tensor, "batch dim"]:
        """Pool each observation; of several of one object in a modality the mean is taken."""
        assert self._learned is not None
        total = torch.zeros_like(hidden[:, 0])
        seen = torch.zeros_like(hidden[:, 0, :1])
        for keys in OBSERVATIONS[modality]:
            if not all(key in owned for key in keys):
                continue
            has = torch.stack([owned[key].any(dim=1) for key in keys]).all(dim=0)
            # The tokens of a key stand in their own order, whatever stands between them.
            layers = [
                torch.cat(
                    [
                        values[has][owned[key][has]].reshape(-1, token_count(key), values.shape[2])
                        for key in keys
                    ],
                    dim=1,
                )
                for values in (embedded.float(), hidden)
            ]
            total[has] += self._learned(modality, *layers)
            seen[has] += 1
        return total / seen.clamp_min(1)


def part_means(
    hidden: Float32[Tensor, "batch tokens dim"],
    places: Int64[Tensor, "batch tokens"],
    modality: str,
) -> Float32[Tensor, "batch parts dim"]:
    """Return the mean of each part of a modality; 0 where an object has none of its tokens.

    Parameters
    ----------
    hidden
        Values of a layer, or of several joined.
    places
        Place of each token in its token key; -1 for tokens of other modalities.
    """
    means = []
    for start, stop in parts_of(modality):
        part = ((places >= start) & (places < stop)).unsqueeze(-1)
        means.append((hidden * part).sum(dim=1) / part.sum(dim=1).clamp_min(1))
    return torch.stack(means, dim=1)
