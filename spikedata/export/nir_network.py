"""Export of networks to NIR, the Neuromorphic Intermediate Representation: LIF neurons, weights, loops and a readout.

Pedersen et al., "Neuromorphic intermediate representation: A unified instruction set for interoperable brain-inspired
computing", Nature Communications 15:8122 (2024). NIR's neuron is continuous; its readers put it on a grid. In steps of
h, the equations of the node `nir.CubaLIF`, and those of `spikedata.nn.neurons.lif`::

    tau_syn dI/dt = -I + w_in x        I[n+1] = I[n] + h / tau_syn (w_in x[n] - I[n]) = alpha I[n] + x[n]
    tau_mem dU/dt = -U + r I           U[n+1] = U[n] + h / tau_mem (r I[n] - U[n])    = beta U[n] + I[n]

are the same with ``tau = h / (1 - decay)`` and the gains ``w_in, r = tau / h``: forward Euler makes of that node our
neuron, exactly. Where a reader integrates the exponentials themselves, ``tau`` is the neuron's own; the gains stay.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from spikedata import __version__
from spikedata.checks import OneOf, Positive, checked
from spikedata.disk import check_output, write_atomically

if TYPE_CHECKING:
    import nir

    from spikedata.nn import IntegratorParams, LIFParams, Network, SpikingNetwork
    from spikedata.nn.networks.layers import Linear, SpikingLayer

#: Schemes by which a reader may put NIR's neurons on a grid.
DISCRETIZATIONS = ("euler", "exponential")
#: Nodes by which the readout can be written.
READOUT_NODES = ("CubaLIF", "CubaLI")
NEVER = 1e30  # [1]: a threshold that no membrane reaches; infinity times 0 is no number
_SUFFIX = ".nir"


class ExportedNetwork(NamedTuple):
    """What was exported.

    Parameters
    ----------
    file : str
        The file.
    format : str
        "nir".
    neurons : tuple of int
        Number of neurons of each hidden layer, and of the readout.
    weights : int
        Number of weights and constants.
    notes : tuple of str
        What a reader has to know beside the nodes, a line each.
    """

    file: str
    format: str
    neurons: tuple[int, ...]
    weights: int
    notes: tuple[str, ...] = ()


def to_nir(
    network: Network | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dt: float | None = None,
    readout: str = "CubaLIF",
    discretization: str = "euler",
    class_names: Sequence[str] = (),
    overwrite: bool = False,
) -> ExportedNetwork:
    """Export a network of LIF neurons to a file that `nir.read` reads.

    Nodes are ``input``, ``merge`` (where neighboring units become one input), ``hidden_1_weight``, ``hidden_1`` and so
    on, ``readout_weight``, ``readout`` and ``output``. Recurrent weights are the loop ``hidden_1``,
    ``hidden_1_recurrent``, ``hidden_1_loop`` and back; the last of them changes nothing, but snntorch 1.0 fails on a
    loop of two nodes. Batch normalization is folded into the weights. What NIR has no place for is in the metadata, see
    `nir_graph`. Needs nir.

    Parameters
    ----------
    network : SpikingNetwork, or path-like
        The network, or the folder of a run.
    out : path-like
        The file to make; its name ends in ``.nir``.
    dt, readout, discretization, class_names
        As `nir_graph` takes them; a run says itself which classes it has.
    overwrite : bool
        Whether an existing file is replaced.

    Returns
    -------
    ExportedNetwork

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    OutputError
        If the file cannot be written, or exists and may not be replaced.
    ValueError
        If the run is damaged or of another version, NIR has no node for something in the network, or the name has
        another suffix.
    """
    import nir

    if Path(out).suffix.lower() != _SUFFIX:
        raise ValueError(f"{out}: must end in {_SUFFIX}, the format that is written")
    check_output(out, overwrite=overwrite)
    if isinstance(network, str | os.PathLike):
        from spikedata.baseline import load_run
        from spikedata.baseline.runs.folder import refuse_own_network

        run_dir = network
        refuse_own_network(run_dir, "whose nodes nobody knows")
        network, card = load_run(run_dir)
        options: dict[str, Any] = {"class_names": class_names or card.data.keys, "prefix": f"{os.fspath(run_dir)}: "}
    else:
        options = {"class_names": class_names, "prefix": ""}
    graph = _graph_of(network, dt=dt, readout=readout, discretization=discretization, **options)
    content = io.BytesIO()  # HDF5 would crash the process on a full disk
    nir.write(content, graph)
    write_atomically(out, content.getvalue(), overwrite=overwrite)
    sizes = tuple(len(node.tau_mem) for node in graph.nodes.values() if isinstance(node, nir.CubaLIF | nir.CubaLI))
    trained = [node for name, node in graph.nodes.items() if hasattr(node, "weight") and name != "merge"]
    n_weights = sum(node.weight.size + (node.bias.size if isinstance(node, nir.Affine) else 0) for node in trained)
    return ExportedNetwork(str(out), "nir", sizes, n_weights, _notes_of(graph))


def nir_graph(
    network: Network,
    *,
    dt: float | None = None,
    readout: str = "CubaLIF",
    discretization: str = "euler",
    class_names: Sequence[str] = (),
) -> nir.NIRGraph:
    """A network of LIF neurons as a graph of NIR, in memory; `to_nir` writes it.

    The metadata of the graph say ``dt`` [s], the length of a step of the network, and ``step`` [s], that of a step in
    the file; ``n_steps``, ``n_units`` and ``n_merged``; ``discretization``; ``readout``, how the readout becomes scores
    (see `spikedata.nn.class_scores`); ``class_names``, as JSON; ``made_by``. Those of each neuron say its own
    ``tau_mem`` and ``tau_syn`` [s] and ``reset``: "subtract" or "zero", at the step after the spike, after the decay.

    Parameters
    ----------
    network : SpikingNetwork
        The network. Its neurons are LIF neurons, without delays.
    dt : float, optional
        Length of a step in the file [s], by which all time constants are measured; default: that of the network.
        Readers with a clock of their own, as snntorch's 0.1 ms, get the same decays by that.
    readout : str
        Node of the readout [1]: "CubaLIF", which all readers have, with a threshold that is never reached, or "CubaLI",
        NIR's leaky integrator, whose output is the membrane, which fewer readers have.
    discretization : str
        How the reader puts neurons on a grid [1]: "euler", decays by 1 - step / tau, or "exponential", by
        exp(-step / tau).
    class_names : sequence of str
        Names of the classes, in the order of the outputs; default: none are said [1].

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    ValueError
        If NIR has no node for something in the network, or an argument is out of range.
    """
    return _graph_of(network, dt=dt, readout=readout, discretization=discretization, class_names=class_names, prefix="")


def _graph_of(
    network: Network, *, dt: float | None, readout: str, discretization: str, class_names: Sequence[str], prefix: str
) -> nir.NIRGraph:
    import nir

    checked("readout", readout, Annotated[str, OneOf(READOUT_NODES)])
    checked("discretization", discretization, Annotated[str, OneOf(DISCRETIZATIONS)])
    network = _check_network(network, prefix)
    if class_names and len(class_names) != network.n_classes:
        raise ValueError(f"class_names must be {network.n_classes}, one per output, got {len(class_names)}")
    step = network.dt if dt is None else float(checked("dt", dt, Positive))
    grid = _Grid(network.dt, step, discretization)

    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([network.n_units])})}
    edges: list[tuple[str, str]] = []
    last = "input"

    def append(name: str, node: Any) -> None:
        nonlocal last
        nodes[name] = node
        edges.append((last, name))
        last = name

    if network.n_merged > 1:
        append("merge", nir.Linear(_merging(network.n_units, network.n_inputs, network.n_merged)))
    layers = cast("Iterable[SpikingLayer]", network.layers)
    for number, (layer, neuron) in enumerate(zip(layers, network.params.neurons, strict=True), start=1):
        hidden, n = f"hidden_{number}", layer.projection.weight.shape[1]
        append(f"{hidden}_weight", _weights_of(layer.projection))
        append(hidden, _neurons(cast(Any, neuron), n, grid, threshold=neuron.threshold))
        if layer.recurrent_weight is not None:
            nodes[f"{hidden}_recurrent"] = nir.Linear(_array(layer.recurrent_weight).T.copy())
            # flattening the last dimension alone changes nothing, whether or not a batch stands before it
            nodes[f"{hidden}_loop"] = nir.Flatten({"input": np.array([n])}, start_dim=-1, end_dim=-1)
            edges += pairwise((hidden, f"{hidden}_recurrent", f"{hidden}_loop", hidden))
    append("readout_weight", _weights_of(network.readout.projection))
    threshold = NEVER if readout == "CubaLIF" else None
    append("readout", _neurons(network.readout.integrator, network.n_classes, grid, threshold=threshold))
    append("output", nir.Output({"output": np.array([network.n_classes])}))

    said: dict[str, Any] = {**grid._asdict(), "n_steps": network.n_steps, "n_units": network.n_units}
    said |= {"n_merged": network.n_merged, "readout": network.params.readout}
    said |= {"class_names": json.dumps(list(class_names), ensure_ascii=False)}
    return nir.NIRGraph(nodes, edges, metadata=said | {"made_by": f"spikedata-audio {__version__}"})


def _check_network(network: Any, prefix: str) -> SpikingNetwork:
    """The network, if every value in it has its place in NIR."""
    from spikedata.nn import LIFParams, SpikingNetwork

    if type(network) is not SpikingNetwork:
        found = type(network).__name__
        raise ValueError(f"{prefix}network must be one of LIF neurons on a grid (SpikingNetwork) for NIR, got {found}")
    for number, neuron in enumerate(network.params.neurons, start=1):
        if type(neuron) is not LIFParams:
            found = type(neuron).__name__
            raise ValueError(
                f"{prefix}hidden layer {number} must have LIF neurons for NIR, which has no node for {found}"
            )
    readout = network.readout.integrator
    for params, known in (
        (network.params, _NETWORK),
        *((neuron, _NEURON) for neuron in network.params.neurons),
        (readout, _READOUT),
    ):
        name = _other_choice(params, known)
        if name is not None:
            found = f"{type(params).__name__}.{name} = {getattr(params, name)!r}"
            raise ValueError(
                f"{prefix}network must do without {found} for NIR, to which it is not known how to export it"
            )
    if network.params.n_delays:
        longest = network.params.max_delay
        raise ValueError(
            f"{prefix}max_delay must be 0 for NIR, which delays neurons and not connections, got {longest} s"
        )
    values = network.state_dict()
    held = {f"{place}.{key}" for place in _places(network) for key in _KEYS} | {
        f"layers.{number}.recurrent_weight" for number in range(len(network.layers))
    }
    left = sorted(values.keys() - held)
    if left:
        raise ValueError(f"{prefix}network must have none of {left[0]} for NIR, which has no node for it")
    for key, value in values.items():
        if not bool(value.isfinite().all()):
            raise ValueError(f"{prefix}{key} must be finite")
    return network


# Params that the export knows, or that matter for training alone.
_NETWORK = frozenset(
    (
        "hidden", "recurrent", "neuron", "readout", "tau_readout", "bias", "dropout", "dropout_of", "batch_norm",
        "max_delay", "initialization", "n_merged", "duration", "dt",
    )
)  # fmt: skip
_NEURON = frozenset(("tau_mem", "tau_syn", "threshold", "reset", "detach_reset", "surrogate"))
_READOUT = frozenset(("tau_mem", "tau_syn"))


def _other_choice(params: Any, known: frozenset[str]) -> str | None:
    """The first param that the export does not know and that is not at its default, which changes nothing."""
    for entry in dataclasses.fields(params):
        default = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
        if entry.name not in known and getattr(params, entry.name) != default:
            return entry.name
    return None


_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_KEYS = ("weight", "bias", *(f"norm.{key}" for key in _NORM))  # of a projection


def _places(network: SpikingNetwork) -> list[str]:
    return [*(f"layers.{number}.projection" for number in range(len(network.layers))), "readout.projection"]


def _weights_of(projection: Linear) -> nir.Linear | nir.Affine:
    """The node of weights (to, from), with the constants of a bias and of batch normalization."""
    import nir

    weight = _array(projection.weight).T
    if projection.bias is None and projection.norm is None:
        return nir.Linear(weight.copy())
    bias = np.zeros(len(weight)) if projection.bias is None else _array(projection.bias).astype(np.float64)
    dtype, norm = weight.dtype, projection.norm
    if norm is not None:
        gain, shift, mean, variance = (
            _array(value).astype(np.float64) for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        gain = gain / np.sqrt(variance + norm.eps)
        weight, bias = weight * gain[:, None], (bias - mean) * gain + shift
    return nir.Affine(np.ascontiguousarray(weight, dtype), bias.astype(dtype))


class _Grid(NamedTuple):
    # Length of a step of the network and of one in the file [s], and how the reader steps.
    dt: float
    step: float
    discretization: str


def _neurons(
    params: LIFParams | IntegratorParams, n: int, grid: _Grid, *, threshold: float | None
) -> nir.CubaLIF | nir.CubaLI:
    """The node of neurons whose decays in a step are those of the params, whatever a step lasts in the file."""
    import nir

    said = {"tau_mem": params.tau_mem, "tau_syn": cast(float, params.tau_syn)}  # LIF networks have no other readout
    values: dict[str, npt.NDArray[np.float64]] = {"v_leak": np.zeros(n)}
    for name, gain_name in (("tau_syn", "w_in"), ("tau_mem", "r")):
        gain = -1 / math.expm1(-grid.dt / said[name])  # 1 / (1 - decay)
        tau = grid.step * gain if grid.discretization == "euler" else said[name] * grid.step / grid.dt
        values[name], values[gain_name] = np.full(n, tau), np.full(n, gain)
    if threshold is None:
        return nir.CubaLI(**values, metadata=said)
    reset = getattr(params, "reset", "none")
    return nir.CubaLIF(
        **values, v_threshold=np.full(n, threshold), v_reset=np.zeros(n), metadata={**said, "reset": reset}
    )


def _merging(n_units: int, n_inputs: int, n_merged: int) -> npt.NDArray[np.float32]:
    """Weights (input, unit) by which each input counts the spikes of its units."""
    return np.asarray(np.arange(n_inputs)[:, None] == np.arange(n_units) // n_merged, np.float32)


def _array(value: Any) -> npt.NDArray[Any]:
    """A tensor as an array, one of sixteen bits as float32."""
    tensor = value.detach().cpu()
    return np.asarray((tensor.float() if tensor.element_size() < 4 else tensor).numpy())


def _notes_of(graph: nir.NIRGraph) -> tuple[str, ...]:
    resets = {node.metadata.get("reset", "none") for node in graph.nodes.values()} - {"none"}
    notes = [
        f"reset {reset!r} at the step after a spike, with the decay; NIR resets at once" for reset in sorted(resets)
    ]
    if any(name.endswith("_loop") for name in graph.nodes):
        notes.append(
            "a spike moves its own layer two steps later; readers that take one step hold the loops back by one"
        )
    return tuple(notes)
