"""Losses of spike trains: how far spikes are from target trains, and how early the right neuron fires first."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spikedata.checks import NotNegative, Positive, checked


def van_rossum_distance(spikes: Tensor, target: Tensor, *, tau_rise: float, tau_decay: float, dt: float) -> Tensor:
    """The distance between spike trains, in unmatched spikes.

    Both trains are filtered with the double exponential ``exp(-t / tau_decay) - exp(-t / tau_rise)``, and the integral
    of the squared difference is divided by that of one filtered spike (van Rossum, Neural Computation 13:751, 2001;
    the kernel is that of Zenke, Ganguli, Neural Computation 30:1514, 2018). The distance is 0 for equal trains, 1 if
    one spike is missing or too many, and 2 if one is far from where it should be; n spikes at once count n squared.
    What the filter does after the last step is left out, so a spike shortly before the end counts less.

    Parameters
    ----------
    spikes : Tensor, (batch, step, neuron)
        Spikes of each step [1]; gradients flow through them.
    target : Tensor, (batch, step, neuron)
        Spikes that should be; any shape that extends to that of ``spikes``.
    tau_rise : float
        Time constant with which the filtered spike rises [s]. If it equals ``tau_decay``, the kernel is
        ``t exp(-t / tau_decay)``.
    tau_decay : float
        Time constant with which it decays [s].
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, neuron)
        The distance of each train.

    Raises
    ------
    ValueError
        If a time is not positive, the spikes have no step, or the shapes do not fit.

    Examples
    --------
    >>> target = torch.zeros(1, 200, 1)
    >>> target[0, 20, 0] = 1.0
    >>> van_rossum_distance(torch.zeros(1, 200, 1), target, tau_rise=5e-3, tau_decay=10e-3, dt=1e-3).round(decimals=3)
    tensor([[1.]])
    """
    tau_rise, tau_decay = checked("tau_rise", tau_rise, Positive), checked("tau_decay", tau_decay, Positive)
    dt = checked("dt", dt, Positive)
    if spikes.ndim != 3 or not spikes.shape[1]:
        raise ValueError(f"spikes must be (batch, step, neuron), got {tuple(spikes.shape)}")
    try:
        target.expand_as(spikes)
    except RuntimeError:
        found = f"{tuple(target.shape)} and {tuple(spikes.shape)}"
        raise ValueError(f"target must have the shape of the spikes, got {found}") from None
    n_steps = spikes.shape[1]
    response = _response(n_steps, tau_rise, tau_decay, dt).to(spikes)
    # convolved by way of the spectrum: a product of matrices would take n_steps squared numbers
    size = 2 * n_steps
    spectrum = torch.fft.rfft(target.to(spikes) - spikes, n=size, dim=1) * torch.fft.rfft(response, n=size)[:, None]
    filtered = torch.fft.irfft(spectrum, n=size, dim=1)[:, :n_steps]
    distance: Tensor = filtered.square().sum(dim=1)
    return distance


def first_spike_loss(first_times: Tensor, labels: Tensor, *, tau_0: float, tau_1: float, alpha: float) -> Tensor:
    """The mean loss of the times at which the neurons of the classes fire first [nat].

    ``-log softmax(-t / tau_0)`` of the true class asks its neuron to fire first, and ``alpha (exp(t / tau_1) - 1)`` of
    it to fire early (Wunderlich, Pehle, Scientific Reports 11:12829, 2021; Göltz et al., Nature Machine Intelligence
    3:823, 2021, with ``tau_0`` and ``tau_1`` as multiples of the synapse's time constant).

    Parameters
    ----------
    first_times : Tensor, (batch, class)
        Time of the first spike of each class's neuron [s]; infinite if it does not fire.
    labels : Tensor of int64, (batch,)
        True classes.
    tau_0 : float
        Difference of times that counts [s].
    tau_1 : float
        Time after which a late spike costs much [s].
    alpha : float
        Weight of the second term [1].

    Returns
    -------
    Tensor, ()
        A clip whose true neuron does not fire has no gradient, for there is no time to move; it counts as much as a
        guess, the logarithm of the number of classes.

    Raises
    ------
    ValueError
        If a time is not positive, or the weight negative.

    Examples
    --------
    >>> times = torch.tensor([[0.010, 0.012]])
    >>> round(first_spike_loss(times, torch.tensor([0]), tau_0=1e-3, tau_1=10e-3, alpha=0.0).item(), 4)
    0.1269
    """
    tau_0, tau_1 = checked("tau_0", tau_0, Positive), checked("tau_1", tau_1, Positive)
    alpha = checked("alpha", alpha, NotNegative)
    own = first_times.gather(1, labels[:, None])
    fires = torch.isfinite(own)
    # the silent are set aside before the logarithm: infinity times a gradient of 0 would be no number
    times = torch.where(fires, first_times, torch.zeros_like(first_times))
    early = torch.where(fires, own, torch.zeros_like(own))
    order = -torch.log_softmax(-times / tau_0, dim=1).gather(1, labels[:, None])
    loss = order + alpha * torch.expm1(early / tau_1)
    return torch.where(fires, loss, math.log(first_times.shape[1])).mean()


def _response(n_steps: int, tau_rise: float, tau_decay: float, dt: float) -> Tensor:
    """The filtered spike at each step, of energy 1 over all steps there will ever be."""
    steps = torch.arange(n_steps, dtype=torch.float64)
    a, b = math.exp(-dt / tau_decay), math.exp(-dt / tau_rise)
    if math.isclose(tau_rise, tau_decay, rel_tol=1e-6):  # below it, the difference of the exponentials is rounding
        # sum n^2 q^n = q (1 + q) / (1 - q)^3
        q = a * a
        return steps * a**steps / math.sqrt(q * (1 + q) / (1 - q) ** 3)
    energy = 1 / (1 - a * a) - 2 / (1 - a * b) + 1 / (1 - b * b)
    return (a**steps - b**steps) / math.sqrt(energy)
