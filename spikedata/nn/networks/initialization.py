"""Initial weights: normal, uniform, orthogonal, or such that membranes fluctuate by a chosen amount."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from spikedata.checks import NotNegative, OneOf, Positive, ShareBelowOne, check_fields
from spikedata.nn.neurons import AdLIFParams, ALIFParams, CSiLIFParams, LIFParams, SiLIFParams


class Source(NamedTuple):
    """A population that a neuron gets input from.

    Attributes
    ----------
    n : int
        Number of inputs or neurons in it [1].
    rate : float
        Mean firing rate of each [Hz].
    share : float
        Share of the membrane's variance that should come from it [1].
    """

    n: int
    rate: float
    share: float


class Moments(NamedTuple):
    """Mean and standard deviation of normal weights [1]."""

    mean: float
    deviation: float


def impulse_sums(neuron: LIFParams, *, dt: float) -> tuple[float, float]:
    """The sum of a membrane's impulse response, and the sum of its square [1].

    The response at step k + 2 is the sum over j <= k of alpha^j beta^(k-j). So the two sums are
    ``1 / ((1-alpha) (1-beta))`` and ``(1 + alpha beta) / ((1 - alpha beta) (1 - alpha^2) (1 - beta^2))``.

    Parameters
    ----------
    neuron : LIFParams
        Only its time constants matter.
    dt : float
        Length of a step [s].

    Examples
    --------
    >>> first, second = impulse_sums(LIFParams(tau_mem=20e-3, tau_syn=10e-3), dt=1e-3)
    >>> round(first, 1), round(second, 1)
    (215.5, 774.4)
    """
    alpha, beta = neuron.decays(dt)
    both = alpha * beta
    return 1 / ((1 - alpha) * (1 - beta)), (1 + both) / ((1 - both) * (1 - alpha**2) * (1 - beta**2))


def fluctuation_moments(
    sources: list[Source], sums: tuple[float, float], *, dt: float, mean: float, deviation: float
) -> list[Moments]:
    """Mean and standard deviation of each source's weights that give membranes a chosen mean and deviation.

    Parameters
    ----------
    sources : list of Source
        Where a neuron's input comes from; the shares add up to 1.
    sums : tuple of float
        As returned by `impulse_sums` [1].
    dt : float
        Length of a step [s].
    mean, deviation : float
        Mean and standard deviation that the membranes should have [1].

    Returns
    -------
    list of Moments
        One for each source; all have the same mean.

    Raises
    ------
    ValueError
        If the mean alone causes a larger variance than asked for.

    Examples
    --------
    >>> neuron = LIFParams(tau_mem=20e-3, tau_syn=10e-3)
    >>> sums = impulse_sums(neuron, dt=1e-3)
    >>> found = fluctuation_moments([Source(700, 15.7, 1.0)], sums, dt=1e-3, mean=0.0, deviation=1.0)
    >>> found[0].mean, round(found[0].deviation, 5)
    (0.0, 0.01084)
    """
    spikes = [source.n * source.rate * dt for source in sources]
    weight_mean = mean / (sums[0] * sum(spikes))
    variances = [
        source.share * deviation**2 / (expected * sums[1]) - weight_mean**2
        for source, expected in zip(sources, spikes, strict=True)
    ]
    if min(variances) < 0:
        raise ValueError(
            f"InitializationParams: no weights give a membrane_mean of {mean} with a membrane_deviation of"
            f" {deviation}; choose a larger deviation, or a mean closer to 0"
        )
    return [Moments(weight_mean, math.sqrt(variance)) for variance in variances]


KINDS = ("normal", "uniform", "orthogonal", "fluctuation")


@dataclass(frozen=True, kw_only=True)
class InitializationParams:
    """How the initial weights are drawn.

    Parameters
    ----------
    kind : str
        "normal": normal with standard deviation gain / sqrt(inputs of a neuron). "uniform": uniform within
        +- gain / sqrt(inputs), with gain 1 as PyTorch's Linear. "orthogonal": as uniform, but recurrent weights are an
        orthogonal matrix times their gain. "fluctuation": normal, with the moments that make membranes fluctuate as
        the last five params say; here only the readout has a gain, and is drawn as in "normal" [1].
    input_gain : float
        Scale of the weights from the input [1].
    hidden_gain : float
        Scale of the weights from one hidden layer to the next [1].
    recurrent_gain : float
        Scale of the weights within a hidden layer [1].
    readout_gain : float
        Scale of the weights to the readout [1].
    input_rate : float
        For "fluctuation": mean firing rate of an input [Hz]; of all ``n_merged`` units in it together. 15.7 is the mean
        over the units of the spoken digits.
    hidden_rate : float
        For "fluctuation": assumed firing rate of hidden neurons [Hz].
    membrane_mean : float
        For "fluctuation": mean that membranes should have without reset [1].
    membrane_deviation : float
        For "fluctuation": standard deviation that membranes should have without reset [1]. The paper's xi is
        (threshold - mean) / deviation, and works best between 1 and 3.
    recurrent_share : float
        For "fluctuation": share of the variance that comes from recurrent connections, if there are any [1].

    Raises
    ------
    ValueError
        If there is no such kind, or a number is out of range.
    """

    kind: Annotated[str, OneOf(KINDS)] = "normal"
    input_gain: NotNegative = 0.2
    hidden_gain: NotNegative = 1.0
    recurrent_gain: NotNegative = 0.5
    readout_gain: NotNegative = 1.0
    input_rate: Positive = 15.7
    hidden_rate: Positive = 15.7
    membrane_mean: float = 0.0
    membrane_deviation: Positive = 1.0
    recurrent_share: ShareBelowOne = 0.1

    def __post_init__(self) -> None:
        check_fields(self)


def layer_weights(
    params: InitializationParams,
    neuron: LIFParams | AdLIFParams | ALIFParams | SiLIFParams | CSiLIFParams,
    *,
    dt: float,
    n_from: int,
    n_neurons: int,
    recurrent: bool,
    from_input: bool,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor | None]:
    """Draw the initial weights of a hidden layer.

    Parameters
    ----------
    params : InitializationParams
        How they are drawn.
    neuron : LIFParams, AdLIFParams, ALIFParams, SiLIFParams or CSiLIFParams
        Neurons of the layer.
    dt : float
        Length of a step [s].
    n_from, n_neurons : int
        Number of inputs and of neurons of the layer [1].
    recurrent : bool
        Whether its neurons are connected with each other.
    from_input : bool
        Whether the layer gets the network's inputs; else the spikes of the layer below.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    weight : Tensor, (from, neuron)
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's.

    Raises
    ------
    ValueError
        If "fluctuation" is asked of adaptive neurons, which have no closed form, or has no solution.
    """
    gain = params.input_gain if from_input else params.hidden_gain
    if params.kind != "fluctuation":
        weight = draw_weight("normal" if params.kind == "normal" else "uniform", n_from, n_neurons, gain, generator)
        if not recurrent:
            return weight, None
        return weight, draw_weight(params.kind, n_neurons, n_neurons, params.recurrent_gain, generator)
    if not isinstance(neuron, LIFParams):
        raise ValueError("InitializationParams.kind 'fluctuation' needs LIF neurons, got adaptive ones")
    share = params.recurrent_share if recurrent else 0.0
    sources = [Source(n_from, params.input_rate if from_input else params.hidden_rate, 1.0 - share)]
    sources += [Source(n_neurons, params.hidden_rate, share)] if recurrent else []
    sums = impulse_sums(neuron, dt=dt)
    moments = fluctuation_moments(sources, sums, dt=dt, mean=params.membrane_mean, deviation=params.membrane_deviation)
    weights = [
        torch.randn(source.n, n_neurons, generator=generator) * found.deviation + found.mean
        for source, found in zip(sources, moments, strict=True)
    ]
    return weights[0], weights[1] if recurrent else None


def readout_weight(params: InitializationParams, n_from: int, n_to: int, generator: torch.Generator) -> Tensor:
    """Draw the initial weights to a readout, (from, to)."""
    kind = "uniform" if params.kind in ("uniform", "orthogonal") else "normal"
    return draw_weight(kind, n_from, n_to, params.readout_gain, generator)


def draw_weight(kind: str, n_from: int, n_to: int, gain: float, generator: torch.Generator | None) -> Tensor:
    """Draw weights that are normal, uniform or orthogonal; see `InitializationParams`.

    Returns
    -------
    Tensor of float32, (from, to)

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> import torch
    >>> weight = draw_weight("orthogonal", 3, 3, 2.0, torch.Generator().manual_seed(0))
    >>> torch.allclose(weight @ weight.T, 4 * torch.eye(3), atol=1e-5)
    True
    """
    match kind:
        case "normal":
            return torch.randn(n_from, n_to, generator=generator) * (gain / math.sqrt(n_from))
        case "uniform":
            return (torch.rand(n_from, n_to, generator=generator) * 2 - 1) * (gain / math.sqrt(n_from))
        case "orthogonal":
            return nn.init.orthogonal_(torch.empty(n_from, n_to), gain=gain, generator=generator)
    raise ValueError(f"no weights {kind!r}; there are: normal, uniform, orthogonal")
