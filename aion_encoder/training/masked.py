"""Masked modelling across modalities: stage two of the paper, at a small scale.

The official `AION` class is trained to give tokens of some modalities from a random part of the
tokens of others. What is drawn (`aion_encoder.training.batches`) follows section 3 of the paper
with departures that suit a small budget and are listed in the model card:

- many batches see one modality only, since that is what a search encodes;
- in `pooled_share` of the batches the decoder sees nothing but the means that a search takes as the
  vector, so that they have to hold what can be known of the source;
- the scalars of a source (fluxes, shape, redshift) are asked for in every batch, one token each;
- tokens of pictures are asked for more often near the centre, where the object is.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from aion.model import AION
from torch import nn
from torch.nn.functional import cross_entropy

from aion_encoder.attention import differentiable_attention, fuse_attention
from aion_encoder.training.batches import (
    OBSERVED,
    XP_KEYS,
    Batch,
    Drawer,
    MaskedRecipe,
    TokenSky,
)
from aion_encoder.training.codes import is_line, soft_targets, start_from_coordinates
from aion_encoder.training.configuration import aion_config
from aion_encoder.training.course import Course
from aion_encoder.transformer import part_means
from aion_encoder.vocabulary import modality_of

__all__ = ["train_transformer", "transformer_config"]

IMPORTANCE = {"tok_z": 1.0}
SCALAR_IMPORTANCE = 0.5
"""Weight of the loss of one scalar (the redshift has its own) beside 1 for all tokens asked of a
picture or a spectrum: it is one token, and must not outweigh them."""


def transformer_config(
    dim: int, encoder_depth: int, decoder_depth: int, num_heads: int, scalars: tuple[str, ...]
) -> dict[str, Any]:
    """Return the configuration of a small AION with the official keys.

    Parameters
    ----------
    scalars
        Keys of the scalars that are asked for; fluxes among them may also be given.
    """
    observed = [key for key in OBSERVED if key != "tok_xp"] + list(XP_KEYS)
    given = [key for key in scalars if key.startswith("tok_flux")]
    return aion_config(
        dim,
        encoder_depth,
        decoder_depth,
        num_heads,
        domains_in=observed + given,
        domains_out=observed + list(scalars),
    )


def _loss(model: AION, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy averaged within each modality, then over modalities, as in the package."""
    seen, places = [], []
    for key, (where, tokens) in batch.inputs.items():
        embedding = model.encoder_embeddings[key]
        seen.append(embedding.token_emb(tokens))
        places.append(embedding.pos_emb[0][where] + embedding.mod_emb[0])
    x = torch.cat(seen, dim=1)
    emb = torch.cat(places, dim=1)
    hidden = model.forward_encoder(x + emb, None)
    if batch.pooled:
        # No codes of place and modality: the pooled vector of a search has none either.
        where = torch.cat([places for places, _ in batch.inputs.values()], dim=1)
        modality = modality_of(next(iter(batch.inputs)))
        context = model.decoder_proj_context(part_means(hidden, where, modality))
    else:
        context = model.decoder_proj_context(hidden) + emb
    queries, sizes = [], []
    for key, (where, _) in batch.targets.items():
        embedding = model.decoder_embeddings[key]
        queries.append(model.mask_token + embedding.pos_emb[0][where] + embedding.mod_emb[0])
        sizes.append(where.shape[1])
    y = torch.cat(queries, dim=1)
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)).to(y.device)
    apart = (group[:, None] != group[None, :])[None].expand(len(y), -1, -1)
    y = model.forward_decoder(y, context, None, apart)
    parts, total, weight = {}, torch.zeros((), device=y.device), 0.0
    for (key, (_, tokens)), block in zip(batch.targets.items(), y.split(sizes, dim=1), strict=True):
        logits = model.decoder_embeddings[key].to_logits(block)
        logits, answer = logits.flatten(0, 1).float(), tokens.flatten()
        if is_line(key):
            part = cross_entropy(logits, soft_targets(answer, logits.shape[1]))
        else:
            part = cross_entropy(logits, answer)
        importance = 1.0 if key in OBSERVED + XP_KEYS else IMPORTANCE.get(key, SCALAR_IMPORTANCE)
        total = total + importance * part
        weight += importance
        parts[f"mean:{key}" if batch.pooled else key] = float(part.detach())
    return total / weight, parts


def train_transformer(
    sky: TokenSky,
    config: Mapping[str, Any],
    recipe: MaskedRecipe,
    *,
    scalars: tuple[str, ...],
    seed: int,
    start: nn.Module | None = None,
    anew: Collection[str] = (),
    state_path: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[AION, list[dict[str, Any]]]:
    """Train a small AION by masked modelling; resumes from its saved state.

    Parameters
    ----------
    sky
        Tokens of the training sources.
    config
        Configuration of the official class, see `transformer_config`.
    recipe
        Length, budgets and rates.
    scalars
        Keys of the scalars that every batch is asked for.
    seed
        Of the batches and the initial weights.
    start
        A trained AION whose weights are the first ones, wherever it has the same tensor.
    anew
        Token keys whose codes no longer mean what they did there: their tables are not taken.
    state_path
        Where weights, optimizer and log are kept, every 200 steps.
    device
        Where it is trained; all tokens have to fit there.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The model in evaluation mode, on the CPU, and the losses logged on the way.
    """
    torch.manual_seed(seed)
    model = AION(dict(config))
    start_from_coordinates(model, seed)
    if start is not None:
        own = model.state_dict()
        tables = {f"{key}.{part}.weight" for key in anew for part in ("token_emb", "to_logits")}
        own.update(
            {
                name: value
                for name, value in start.state_dict().items()
                if name in own and name.partition(".")[2] not in tables
            }
        )
        model.load_state_dict(own)
    fuse_attention(model.encoder)
    fuse_attention(model.decoder)
    model.to(device)
    decay = [p for name, p in model.named_parameters() if p.ndim > 1 and "emb" not in name]
    ids = {id(p) for p in decay}
    rest = [p for p in model.parameters() if id(p) not in ids and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": decay, "weight_decay": recipe.weight_decay},
            {"params": rest, "weight_decay": 0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    course = Course("transformer", recipe, optimizer, {"model": model}, state_path, progress)
    drawer = Drawer(sky, recipe, scalars, seed + course.first, device)
    kind = torch.device(device).type
    model.train()
    for _ in course.steps():
        optimizer.zero_grad(set_to_none=True)
        with differentiable_attention(kind):
            with torch.autocast(kind, torch.bfloat16, enabled=recipe.fast):
                loss, losses = _loss(model, drawer.draw())
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        course.note(losses)
    return model.eval().to("cpu"), course.log
