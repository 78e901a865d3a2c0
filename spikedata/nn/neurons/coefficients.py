"""The trained values of adaptive neurons, held in their ranges, and the coefficients of one step that follow."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikedata.nn.neurons.adlif import AdLIFCoefficients, AdLIFParams


class AdLIFFractions(NamedTuple):
    """Position of each trained value in its range, each (neuron,), from 0 (lowest) to 1 (highest) [1].

    The ranges are the fields of `AdLIFParams` with the same names.

    Parameters
    ----------
    tau_mem, tau_adaptation, membrane_coupling, spike_coupling : Tensor
        Position of each neuron.
    """

    tau_mem: Tensor
    tau_adaptation: Tensor
    membrane_coupling: Tensor
    spike_coupling: Tensor


def adlif_coefficients(fractions: AdLIFFractions, params: AdLIFParams, *, dt: float) -> AdLIFCoefficients:
    """The coefficients of a step, from the positions of the trained values in their ranges.

    A fraction outside 0..1 counts as the nearer bound, and gets the gradient of that bound, so that training can bring
    it back. A plain clamp would have no gradient there and leave it outside for good.

    Parameters
    ----------
    fractions : AdLIFFractions
        Positions of each neuron's values.
    params : AdLIFParams
        The ranges.
    dt : float
        Length of a step [s].

    Returns
    -------
    AdLIFCoefficients

    Examples
    --------
    >>> import torch
    >>> lowest = AdLIFFractions(*torch.zeros(4, 1))
    >>> params = AdLIFParams(tau_mem=(20e-3, 100e-3), membrane_coupling=(0.0, 1.0))
    >>> found = adlif_coefficients(lowest, params, dt=20e-3)
    >>> round(found.membrane_decay.item(), 4), found.membrane_coupling.item()
    (0.3679, 0.0)
    """
    membrane_decay = torch.exp(-dt / _held(fractions.tau_mem, params.tau_mem))
    adaptation_decay = torch.exp(-dt / _held(fractions.tau_adaptation, params.tau_adaptation))
    gain = params.coupling_gain * (1.0 - adaptation_decay) if params.leaky_coupling else params.coupling_gain
    return AdLIFCoefficients(
        membrane_decay,
        adaptation_decay,
        gain * _held(fractions.membrane_coupling, params.membrane_coupling),
        gain * _held(fractions.spike_coupling, params.spike_coupling),
    )


def _held(fraction: Tensor, value_range: tuple[float, float]) -> Tensor:
    lowest, highest = value_range
    inside = fraction + (fraction.clamp(0.0, 1.0) - fraction).detach()
    return lowest + (highest - lowest) * inside
