"""Modules for networks of one's own: spiking neurons, a readout, dropout, and what a network did inside.

They are the layers of `SpikingNetwork` one by one, for ``torch.nn.Sequential``, a Lightning module or a ``forward`` of
one's own. Each takes and gives all steps at once, (batch, step, unit), and begins every call at rest: no state is kept
from one call to the next. On the CPU they run the compiled kernels of `spikedata.nn.kernels`.

A drive is what spikes inject, as `Linear` gives it. Modules that know time have ``dt``, 10 ms unless they are told;
`step_of` finds modules that were told different ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import torch
from torch import Tensor, nn

from spikedata.checks import Count, NotNegative, OneOf, Positive, ShareBelowOne, checked, checked_object
from spikedata.nn.kernels import drop, run_adlif, run_alif, run_lif
from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.initialization import draw_weight
from spikedata.nn.networks.inputs import Inputs
from spikedata.nn.networks.layers import Linear, ReadoutLayer, SpikingLayer
from spikedata.nn.networks.spiking import LOST
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    ALIFParams,
    IntegratorParams,
    LIFParams,
    adlif_coefficients,
)

_Params = TypeVar("_Params", LIFParams, AdLIFParams, ALIFParams, IntegratorParams)


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons with synaptic currents, see `spikedata.nn.neurons.lif`.

    Parameters
    ----------
    n : int
        Number of neurons [1].
    recurrent : bool
        Whether they are connected to each other, and to themselves.
    dt : float
        Length of a step [s].
    params : LIFParams, optional
        Time constants, threshold, reset and surrogate.
    initialization : str
        Of the recurrent weights: "normal", "uniform" or "orthogonal", see `InitializationParams` [1].
    gain : float
        Scale of the initial recurrent weights [1].
    generator : torch.Generator, optional
        Draws them. Default: PyTorch's own, which ``torch.manual_seed`` seeds.
    **fields
        Fields of `LIFParams` that differ from ``params``, such as ``tau_mem=10e-3``.

    Attributes
    ----------
    recurrent_weight : Parameter, (neuron, neuron), or None
        From the row's neuron to the column's.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no such field or initialization.

    Examples
    --------
    >>> import torch
    >>> neurons = LIF(1, dt=2e-3, tau_mem=20e-3)
    >>> neurons
    LIF(1, recurrent=False, dt=0.002 s, tau_mem=0.02, tau_syn=0.01, threshold=1.0, reset='subtract')
    >>> neurons(torch.full((1, 5, 1), 0.6)).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0]
    """

    emits_spikes = True  # so that a network of one's own shows them on its card

    def __init__(
        self,
        n: int,
        *,
        recurrent: bool = False,
        dt: float = 10e-3,
        params: LIFParams | None = None,
        initialization: str = "normal",
        gain: float = 0.5,
        generator: torch.Generator | None = None,
        **fields: Any,
    ) -> None:
        super().__init__()
        self.n, self.dt = checked("LIF.n", n, Count), checked("LIF.dt", dt, Positive)
        self.params = _params_of("LIF", LIFParams, params, fields)
        self.recurrent_weight = _recurrent_weight("LIF", self.n, recurrent, initialization, gain, generator)

    def forward(self, drive: Tensor) -> Tensor:
        """Return the spikes (batch, step, neuron), 0 or 1, for a drive.

        Parameters
        ----------
        drive : Tensor, (batch, step, neuron)
            What reaches each neuron in each step [1].
        """
        _check_drive("LIF", drive, self.n, self.recurrent_weight)
        return run_lif(drive, self.recurrent_weight, self.params, dt=self.dt)

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return _description(self)


class ALIF(nn.Module):
    """Neurons with an adaptive threshold and a refractory time, see `spikedata.nn.neurons.alif`.

    Parameters
    ----------
    n : int
        Number of neurons [1].
    recurrent : bool
        Whether they are connected to each other, and to themselves.
    dt : float
        Length of a step [s].
    params : ALIFParams, optional
        Time constants, threshold, adaptation, refractory time and surrogate.
    initialization : str
        Of the recurrent weights: "normal", "uniform" or "orthogonal", see `InitializationParams` [1].
    gain : float
        Scale of the initial recurrent weights [1].
    generator : torch.Generator, optional
        Draws them. Default: PyTorch's own, which ``torch.manual_seed`` seeds.
    **fields
        Fields of `ALIFParams` that differ from ``params``.

    Attributes
    ----------
    recurrent_weight : Parameter, (neuron, neuron), or None
        From the row's neuron to the column's.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no such field or initialization.

    Examples
    --------
    >>> import torch
    >>> ALIF(1, dt=1e-3, refractory=2e-3)(torch.full((1, 6, 1), 0.7)).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """

    emits_spikes = True  # so that a network of one's own shows them on its card

    def __init__(
        self,
        n: int,
        *,
        recurrent: bool = False,
        dt: float = 10e-3,
        params: ALIFParams | None = None,
        initialization: str = "normal",
        gain: float = 0.5,
        generator: torch.Generator | None = None,
        **fields: Any,
    ) -> None:
        super().__init__()
        self.n, self.dt = checked("ALIF.n", n, Count), checked("ALIF.dt", dt, Positive)
        self.params = _params_of("ALIF", ALIFParams, params, fields)
        self.recurrent_weight = _recurrent_weight("ALIF", self.n, recurrent, initialization, gain, generator)

    def forward(self, drive: Tensor) -> Tensor:
        """Return the spikes (batch, step, neuron), 0 or 1, for a drive.

        Parameters
        ----------
        drive : Tensor, (batch, step, neuron)
            What reaches each neuron in each step [1].
        """
        _check_drive("ALIF", drive, self.n, self.recurrent_weight)
        return run_alif(drive, self.recurrent_weight, self.params, dt=self.dt)

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return _description(self)


class AdLIF(nn.Module):
    """Adaptive LIF neurons whose time constants and couplings are trained, see `spikedata.nn.neurons.adlif`.

    Parameters
    ----------
    n : int
        Number of neurons [1].
    recurrent : bool
        Whether they are connected to each other, and to themselves.
    dt : float
        Length of a step [s].
    params : AdLIFParams, optional
        Scheme, threshold, reset and surrogate, and the ranges of the trained values.
    initialization : str
        Of the recurrent weights: "normal", "uniform" or "orthogonal", see `InitializationParams` [1].
    gain : float
        Scale of the initial recurrent weights [1].
    generator : torch.Generator, optional
        Draws them, and the initial values uniformly over their ranges. Default: PyTorch's own.
    **fields
        Fields of `AdLIFParams` that differ from ``params``.

    Attributes
    ----------
    recurrent_weight : Parameter, (neuron, neuron), or None
        From the row's neuron to the column's.
    fractions : ParameterDict of Parameter, (neuron,)
        Position of each trained value in its range, see `spikedata.nn.neurons.AdLIFFractions`.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no such field or initialization.

    Examples
    --------
    >>> import torch
    >>> neurons = AdLIF(2, recurrent=True, dt=4e-3, tau_mem=(5e-3, 25e-3))
    >>> tuple(neurons(torch.ones(3, 10, 2)).shape), sorted(neurons.fractions)[-1]
    ((3, 10, 2), 'tau_mem')
    """

    emits_spikes = True  # so that a network of one's own shows them on its card

    def __init__(
        self,
        n: int,
        *,
        recurrent: bool = False,
        dt: float = 10e-3,
        params: AdLIFParams | None = None,
        initialization: str = "normal",
        gain: float = 0.5,
        generator: torch.Generator | None = None,
        **fields: Any,
    ) -> None:
        super().__init__()
        self.n, self.dt = checked("AdLIF.n", n, Count), checked("AdLIF.dt", dt, Positive)
        self.params = _params_of("AdLIF", AdLIFParams, params, fields)
        self.recurrent_weight = _recurrent_weight("AdLIF", self.n, recurrent, initialization, gain, generator)
        self.fractions = nn.ParameterDict(
            {name: nn.Parameter(torch.rand(self.n, generator=generator)) for name in AdLIFFractions._fields}
        )

    def forward(self, drive: Tensor) -> Tensor:
        """Return the spikes (batch, step, neuron), 0 or 1, for a drive.

        Parameters
        ----------
        drive : Tensor, (batch, step, neuron)
            What reaches each neuron in each step [1].
        """
        _check_drive("AdLIF", drive, self.n, self.recurrent_weight)
        coefficients = adlif_coefficients(AdLIFFractions(**self.fractions), self.params, dt=self.dt)
        return run_adlif(drive, self.recurrent_weight, coefficients, self.params)

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return _description(self)


class Readout(nn.Module):
    """One score per class: connections to leaky integrators, and what becomes of their membranes over time.

    Parameters
    ----------
    n_from, n_to : int
        Number of neurons that are read out, and of classes [1].
    kind : str
        How membranes over time become scores [1]: "max", "softmax_sum", "last", "mean" or "exp_mean", see
        `class_scores`.
    bias : bool
        Whether each class also gets a trained constant drive, initially 0.
    dt : float
        Length of a step [s].
    params : IntegratorParams, optional
        Time constants.
    weight : Tensor, (from, to), optional
        Initial weights. Default: drawn as `initialization` and `gain` say.
    initialization : str
        "normal", "uniform" or "orthogonal", see `InitializationParams` [1].
    gain : float
        Scale of the initial weights [1].
    generator : torch.Generator, optional
        Draws them. Default: PyTorch's own, which ``torch.manual_seed`` seeds.
    **fields
        Fields of `IntegratorParams` that differ from ``params``, such as ``tau_syn=None`` after adaptive neurons.

    Attributes
    ----------
    membranes : nn.Module
        From spikes to the integrators' membranes (batch, step, class), for whoever needs all of them.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no such kind, field or initialization.

    Examples
    --------
    >>> import torch
    >>> readout = Readout(2, 3, kind="last", weight=torch.eye(2, 3), tau_mem=10e-3, tau_syn=None)
    >>> [round(score, 3) for score in readout(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])).flatten().tolist()]
    [0.233, 0.632, 0.0]
    """

    def __init__(
        self,
        n_from: int,
        n_to: int,
        *,
        kind: str = "max",
        bias: bool = False,
        dt: float = 10e-3,
        params: IntegratorParams | None = None,
        weight: Tensor | None = None,
        initialization: str = "normal",
        gain: float = 1.0,
        generator: torch.Generator | None = None,
        **fields: Any,
    ) -> None:
        super().__init__()
        self.kind = checked("Readout.kind", kind, Annotated[str, OneOf(READOUTS)])
        self.dt = checked("Readout.dt", dt, Positive)
        integrator = _params_of("Readout", IntegratorParams, params, fields)
        projection = Linear(
            n_from,
            n_to,
            bias=bias,
            dt=self.dt,
            weight=weight,
            initialization=initialization,
            gain=gain,
            generator=generator,
        )
        self.membranes = ReadoutLayer(projection, integrator, dt=self.dt)

    def forward(self, spikes: Inputs) -> Tensor:
        """Return the scores (batch, class) for spikes.

        Parameters
        ----------
        spikes : Tensor (batch, step, from), or ListBatch
            What reaches the readout.
        """
        return class_scores(self.membranes(spikes), self.kind)

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return f"kind={self.kind!r}, {_fields_text(self.membranes.integrator)}"


class Dropout(nn.Module):
    """Spikes of which some are dropped in training; the others are scaled up, so that the mean stays.

    What is dropped follows from ``torch.manual_seed``, and is the same on every device; no mask is kept for the
    backward pass.

    Parameters
    ----------
    probability : float
        Probability that a spike is dropped [1], at least 0 and below 1.
    of : str
        What is dropped [1]: "spikes", each independently, or "neurons", all spikes of a neuron in a clip.

    Raises
    ------
    ValueError
        If the probability is out of range, or nothing of this kind can be dropped.

    Examples
    --------
    >>> import torch
    >>> Dropout(0.5, of="neurons")(torch.ones(1, 4, 3)).std(dim=1).tolist()
    [[0.0, 0.0, 0.0]]
    """

    def __init__(self, probability: float = 0.5, *, of: str = "spikes") -> None:
        super().__init__()
        self.probability = checked("Dropout.probability", probability, ShareBelowOne)
        self.of = checked("Dropout.of", of, Annotated[str, OneOf(LOST)])

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes (batch, step, neuron) that are left; all of them in evaluation.

        Parameters
        ----------
        spikes : Tensor, (batch, step, neuron)
            Spikes of a layer.
        """
        if spikes.ndim != 3:
            raise ValueError(f"Dropout takes spikes (batch, step, neuron), got {tuple(spikes.shape)}")
        n_alike = spikes.shape[1] if self.of == "neurons" else 1
        probability = self.probability if self.training else 0.0
        return drop(spikes, probability, torch.default_generator, n_alike=n_alike)

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return f"{self.probability}, of={self.of!r}"


def activity_of(network: nn.Module, inputs: Any) -> Activity:
    """What a network answers, and what its spiking modules and its readout did on the way.

    All of it carries gradients, for a penalty on spikes that is trained with. The modules are called once, as by
    ``network(inputs)``.

    Parameters
    ----------
    network : nn.Module
        With modules of this file anywhere inside; as it was before ``torch.compile``.
    inputs : Tensor, ListBatch or other
        What the network takes.

    Returns
    -------
    Activity
        The spikes of its `LIF`, `ALIF` and `AdLIF`, in the order in which they ran; the membranes of its `Readout`, or
        the logits as if of one step if it has none.

    Raises
    ------
    ValueError
        If its modules have different ``dt``, it is compiled, or it does not return logits (batch, class).

    Examples
    --------
    >>> import torch
    >>> network = nn.Sequential(Linear(20, 8, gain=3.0), LIF(8, recurrent=True), Readout(8, 2))
    >>> activity = activity_of(network, torch.ones(4, 30, 20))
    >>> tuple(activity.logits.shape), [tuple(spikes.shape) for spikes in activity.spikes]
    ((4, 2), [(4, 30, 8)])
    """
    if hasattr(network, "_orig_mod"):
        raise ValueError("activity_of needs the network from before torch.compile, got the compiled one")
    step_of(network)
    spikes: list[Tensor] = []
    membranes: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, result: spikes.append(result))
        for module in network.modules()
        if isinstance(module, LIF | ALIF | AdLIF | SpikingLayer)
    ]
    hooks += [
        module.register_forward_hook(lambda _module, _inputs, result: membranes.append(result))
        for module in network.modules()
        if isinstance(module, ReadoutLayer)
    ]
    try:
        logits = network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if isinstance(logits, Activity):
        return logits
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"activity_of needs a network that returns logits (batch, class), got {found}")
    return Activity(logits, membranes[-1] if membranes else logits[:, None, :], tuple(spikes))


def step_of(network: nn.Module) -> float | None:
    """The length of a step [s] that the modules of a network were told; None if none knows one.

    Parameters
    ----------
    network : nn.Module
        With modules of this package anywhere inside.

    Raises
    ------
    ValueError
        If they were told different ones.

    Examples
    --------
    >>> step_of(nn.Sequential(Linear(20, 8), LIF(8, dt=4e-3), Readout(8, 2, dt=4e-3)))
    0.004
    >>> step_of(nn.Sequential(Linear(20, 8), LIF(8, dt=4e-3), Readout(8, 2)))
    Traceback (most recent call last):
    ValueError: the modules of a network must have one dt, got 0.004 (LIF '1') and 0.01 (Readout '2')
    """
    found: dict[float, str] = {}
    for name, module in network.named_modules():
        knows_time = isinstance(module, LIF | ALIF | AdLIF | Readout | ReadoutLayer | SpikingLayer | Linear)
        if knows_time and module.dt is not None:
            found.setdefault(module.dt, f"{module.dt:g} ({type(module).__name__} {name!r})")
    if len(found) > 1:
        raise ValueError(f"the modules of a network must have one dt, got {' and '.join(found.values())}")
    return next(iter(found), None)


def _params_of(owner: str, kind: type[_Params], params: _Params | None, fields: Mapping[str, Any]) -> _Params:
    """The params of a module, some of whose fields may be given one by one."""
    base = kind() if params is None else checked_object(f"{owner}.params", params, kind)
    known = [field.name for field in fields_of(kind)]
    for name in fields:
        if name not in known:
            raise ValueError(f"{owner} has no {name!r}; there are: {', '.join(known)}")
    return replace(base, **fields)


def _recurrent_weight(
    owner: str, n: int, recurrent: bool, initialization: str, gain: float, generator: torch.Generator | None
) -> nn.Parameter | None:
    recurrent = checked(f"{owner}.recurrent", recurrent, bool)
    gain = checked(f"{owner}.gain", gain, NotNegative)
    return nn.Parameter(draw_weight(initialization, n, n, gain, generator)) if recurrent else None


def _check_drive(owner: str, drive: Tensor, n: int, recurrent_weight: Tensor | None) -> None:
    if not isinstance(drive, Tensor) or not drive.is_floating_point():
        found = drive.dtype if isinstance(drive, Tensor) else type(drive).__name__
        raise ValueError(f"{owner} takes a drive of floating point, as Linear gives it, got {found}")
    if drive.ndim != 3 or drive.shape[2] != n or not drive.shape[1]:
        raise ValueError(f"{owner} takes a drive (batch, step, {n}), got {tuple(drive.shape)}")
    if recurrent_weight is None or recurrent_weight.dtype == drive.dtype:
        return
    if not torch.is_autocast_enabled(drive.device.type):
        raise ValueError(f"{owner} of {recurrent_weight.dtype} takes a drive of the same type, got {drive.dtype}")


def _description(module: LIF | ALIF | AdLIF) -> str:
    is_recurrent = module.recurrent_weight is not None
    return f"{module.n}, recurrent={is_recurrent}, dt={module.dt:g} s, {_fields_text(module.params)}"


def _fields_text(params: Any) -> str:
    """The fields that are numbers, names or ranges."""
    values = ((field.name, getattr(params, field.name)) for field in fields_of(params))
    return ", ".join(f"{name}={v!r}" for name, v in values if isinstance(v, float | str | tuple) or v is None)
