"""Drop values at random while training, by a generator that is given: no global chance."""

from __future__ import annotations

import torch
from torch import Tensor

_LEVELS = 2**16


def drop(values: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Values of which each is 0 with a probability, the others scaled up so that the mean stays.

    Srivastava et al., Journal of Machine Learning Research 15:1929 (2014). For the backward pass one byte a value is
    kept.

    Parameters
    ----------
    values : Tensor, any shape
        What to drop from.
    probability : float
        Of each to be dropped [1], at least 0 and below 1, taken to the nearest 1/65536; with 0 the values come back
        and nothing is drawn.
    generator : torch.Generator or None
        What to draw from, on any device.

    Returns
    -------
    Tensor, same shape

    Raises
    ------
    ValueError
        If something is to be dropped and there is no generator.

    Examples
    --------
    >>> import torch
    >>> drop(torch.ones(6), 0.5, torch.Generator().manual_seed(0)).unique().tolist()
    [0.0, 2.0]
    """
    if probability == 0.0:
        return values
    if generator is None:
        raise ValueError("dropout draws from a generator: give the network one in training (generator=...)")
    # 16 bits for each value, four values from each number drawn: half the time of a number for each
    n_dropped = round(probability * _LEVELS)
    numbers = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=generator.device)
    bits = numbers.random_(-(2**63), None, generator=generator).view(torch.int16)[: values.numel()]
    is_dropped = (bits < n_dropped - _LEVELS // 2).view(values.shape).to(values.device)
    return (values * (_LEVELS / (_LEVELS - n_dropped))).masked_fill_(is_dropped, 0.0)
