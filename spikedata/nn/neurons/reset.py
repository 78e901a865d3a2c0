"""What a spike does to the membrane that fired it."""

from __future__ import annotations

from torch import Tensor

RESETS = ("subtract", "zero")


def reset_membrane(membrane: Tensor, spikes: Tensor, *, threshold: float, reset: str, detach_reset: bool) -> Tensor:
    """The membrane after the reset.

    A gradient that flows through the reset opposes the spike that caused it and, with a surrogate, can impair learning:
    Zenke & Vogels, Neural Computation 33:899 (2021). ``detach_reset`` blocks it.

    Parameters
    ----------
    membrane : Tensor, any shape
        Membrane before the reset [1].
    spikes : Tensor, same shape
        0 or 1.
    threshold : float
        Amount that "subtract" subtracts [1].
    reset : str
        "subtract" lowers the membrane of a neuron that fired by the threshold, "zero" sets it to zero.
    detach_reset : bool
        Whether the reset counts as a constant in the backward pass.

    Returns
    -------
    Tensor, same shape

    Examples
    --------
    >>> import torch
    >>> membrane, spikes = torch.tensor([1.5, 0.5]), torch.tensor([1.0, 0.0])
    >>> reset_membrane(membrane, spikes, threshold=1.0, reset="subtract", detach_reset=True).tolist()
    [0.5, 0.5]
    >>> reset_membrane(membrane, spikes, threshold=1.0, reset="zero", detach_reset=True).tolist()
    [0.0, 0.5]
    """
    fired = spikes.detach() if detach_reset else spikes
    if reset == "subtract":
        return membrane.sub(fired, alpha=threshold)
    return membrane * (1.0 - fired)
