"""The identity of a training: two trainings with the same identity give the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.card import Card, RefitEntry


def training_identity(
    recipe: Recipe, *, seed: int, data: str, split: str, keep_epochs: bool, refit: RefitEntry | None = None
) -> dict[str, Any]:
    """The identity of a training, in JSON's types.

    Parameters
    ----------
    recipe : Recipe
        Network and training.
    seed : int
        Of all chance [1].
    data : str
        Digest of the spike file, and how it is read: `DataEntry.identity`.
    split : str
        Digest of the split.
    keep_epochs : bool
        Whether the weights after each epoch are kept.
    refit : RefitEntry, optional
        Of a refit, what its card says of the run that chose; how that one is called does not matter.
    """
    return _identity(
        recipe.structure,
        seed=seed,
        data=data,
        split=split,
        keep_epochs=keep_epochs,
        refit=refit,
    )


def identity_of_card(card: Card) -> dict[str, Any]:
    """The identity of the training that a result card describes."""
    return _identity(
        card.recipe.structure,
        seed=card.seed,
        data=card.data.identity,
        split=card.split.digest,
        keep_epochs=card.training.keep_epochs,
        refit=card.refit,
    )


def _identity(
    structure: Mapping[str, Any],
    *,
    seed: int,
    data: str,
    split: str,
    keep_epochs: bool,
    refit: RefitEntry | None,
) -> dict[str, Any]:
    return {
        **structure,
        "seed": seed,
        "data": data,
        "refitted run": refit.weights if refit else None,
        "refitted epochs": refit.epochs if refit else None,
        "split": split,
        "keep_epochs": keep_epochs,
    }
