"""A network of one's own: any `torch.nn.Module` that takes a batch of counts and gives logits.

Params say whose code it is, in JSON's types; the code itself is passed beside them and never imported from here.
Foreign code draws random numbers from global generators: they are seeded for each call of it, and put back after.
"""

from __future__ import annotations

import copy
import inspect
import json
import math
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from spikedata.checks import Count, Positive, check_fields
from spikedata.nn.networks.activity import Activity
from spikedata.nn.networks.inputs import Inputs, as_dense, check_inputs, check_time_grid, count_inputs, count_steps

#: Makes a network of one's own: ``make(n_units=..., n_classes=..., **arguments)``.
MakeModule = Callable[..., nn.Module]

_LARGEST_SEED = 2**62
_CLOSE = 1e-3  # relative: rounding is far smaller, what another clip changes is far larger
_ALLOCATORS = ("allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True, kw_only=True)
class NetworkCode:
    """Whose code a network of one's own is.

    Parameters
    ----------
    name : str
        Module and class, or function, that makes it, as "my_networks:MyNet" [1].
    arguments : dict of str to object
        Its keyword arguments besides the sizes, in JSON's types: a tuple becomes a list [1].
    file : str or None
        Name of the source file [1]; None if there is none.
    sha256 : str or None
        SHA-256 of the bytes of that file, or of the cell of a notebook [1]; None where no source is found.
    package : str or None
        Name and version of the installed package that it is part of [1]; None if it is part of none.

    Raises
    ------
    ValueError
        If the name is not as above, or an argument is not of JSON's types.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)
    file: str | None = None
    sha256: str | None = None
    package: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        module, _, qualname = self.name.partition(":")
        if not module or not qualname:
            raise ValueError(f"NetworkCode.name must be module:Class, got {self.name!r}")
        for key, value in self.arguments.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                raise ValueError(f"NetworkCode.arguments: {key} must be of JSON's types, got {value!r:.80}") from None
        object.__setattr__(self, "arguments", json.loads(json.dumps(self.arguments)))

    @property
    def class_name(self) -> str:
        """Name of the class or function alone."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class CustomParams:
    """Code and time grid of a network of one's own.

    Parameters
    ----------
    code : NetworkCode
        Whose code it is [1].
    n_merged : int
        Number of neighboring units of the file that are merged into one input [1].
    duration : float
        Length to which clips are padded or cropped [s]; a whole number of steps.
    dt : float
        Length of a step [s].

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    code: NetworkCode
    n_merged: Count = 1
    duration: Positive = 1.0
    dt: Positive = 10e-3

    def __post_init__(self) -> None:
        check_fields(self)
        check_time_grid(self)

    @property
    def n_steps(self) -> int:
        """Number of steps to which a clip is padded or cropped."""
        return count_steps(self.duration, self.dt)


class CustomNetwork(nn.Module):
    """A module of one's own, called as the other networks are.

    Parameters
    ----------
    params : CustomParams
        Code and time grid.
    n_units : int
        Number of units of the spike file [1]; merged, they are the inputs.
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Seeds the global generators of PyTorch, NumPy and Python while the module draws its weights.
    make : callable
        Makes the module: ``make(n_units=..., n_classes=..., **arguments)``, where ``n_units`` is the number of inputs
        in a step. ``dt`` [s] and ``n_steps`` are passed as well if its signature names them.

    Attributes
    ----------
    module : nn.Module
        The module itself.

    Raises
    ------
    ValueError
        If the module cannot be made, has nothing to train, or seeds the global generators itself.

    Examples
    --------
    >>> import torch
    >>> def mean_rates(n_units, n_classes):
    ...     return torch.nn.Sequential(torch.nn.Linear(n_units, n_classes), torch.nn.AdaptiveAvgPool2d((1, None)),
    ...         torch.nn.Flatten())
    >>> params = CustomParams(code=NetworkCode(name="mine:mean_rates"), duration=0.05)
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = CustomNetwork(params, n_units=3, n_classes=2, generator=generator, make=mean_rates)
    >>> tuple(network.eval()(torch.ones(4, 5, 3)).logits.shape)
    (4, 2)
    """

    def __init__(
        self, params: CustomParams, *, n_units: int, n_classes: int, generator: torch.Generator, make: MakeModule
    ) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.n_inputs = count_inputs(n_units, params.n_merged)
        seed = int(torch.randint(_LARGEST_SEED, (), generator=generator))
        with drawing_from(seed):
            self.module = self._made(make)
            if torch.initial_seed() != seed:
                self._refuse(
                    "sets the seed of PyTorch itself, so all seeds would draw the same weights; leave that out"
                )
            if any(is_lazy(tensor) for tensor in (*self.module.parameters(), *self.module.buffers())):
                self._size_lazy_weights()
        if not any(weight.requires_grad for weight in self.module.parameters()):
            self._refuse("has no weights to train")

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for a batch of inputs.

        Parameters
        ----------
        inputs : Tensor (batch, step, input), or ListBatch
            Spikes.
        generator : torch.Generator, optional
            In training, seeds what the module draws; without one, the module draws from the global generators, as in a
            loop of one's own. In evaluation it draws the same for every batch.
        """
        inputs = check_inputs(inputs, self.n_inputs, self.dt)
        weight = next(self.module.parameters())
        dense = as_dense(inputs, dtype=weight.dtype if weight.dtype.is_floating_point else torch.float32)
        if self.training and generator is None:
            return self._activity(dense)
        seed = 0
        if self.training and generator is not None:
            seed = int(torch.randint(_LARGEST_SEED, (), generator=generator, device=generator.device))
        with drawing_from(seed, dense.device):
            return self._activity(dense)

    def _made(self, make: MakeModule) -> nn.Module:
        code = self.params.code
        sizes: dict[str, Any] = {"n_units": self.n_inputs, "n_classes": self.n_classes}
        try:
            named = inspect.signature(make).parameters
        except (TypeError, ValueError):  # of a class in C: it has to take the sizes
            named = inspect.signature(lambda n_units, n_classes: None).parameters
        sizes |= {name: getattr(self, name) for name in ("dt", "n_steps") if name in named}
        takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in named.values())
        lacking = [] if takes_all else [name for name in ("n_units", "n_classes") if name not in named]
        if lacking:
            self._refuse(f"must take {' and '.join(lacking)} by name, as {code.class_name}(n_units=..., n_classes=...)")
        unknown = [] if takes_all else [name for name in code.arguments if name not in named]
        if unknown:
            taken = [name for name in named if name not in ("n_units", "n_classes", "dt", "n_steps")]
            self._refuse(f"takes no argument {unknown[0]!r}; it takes: {', '.join(taken) or 'none but the sizes'}")
        twice = [name for name in code.arguments if name in sizes]
        if twice:
            self._refuse(f"is given {twice[0]} by the data and the time grid, so leave it out of its arguments")
        with self._explained("cannot be made"):
            module = make(**sizes, **code.arguments)
        if not isinstance(module, nn.Module):
            self._refuse(f"must make a torch.nn.Module, got {type(module).__name__}")
        return module

    def _size_lazy_weights(self) -> None:
        """Pass a batch through, at which modules such as `nn.LazyLinear` learn their number of inputs."""
        self.module.eval()
        with torch.no_grad(), self._explained(f"fails on a batch of shape {self._batch_shape(2)}"):
            self.module(self._some_clips(1)[: self._batch_shape(2)[0]])
        self.module.train()
        lazy = [name for name, weight in self.module.named_parameters() if is_lazy(weight)]
        if lazy:
            self._refuse(f"has weights without a size even after a batch: {lazy[0]}")

    def _activity(self, dense: Tensor) -> Activity:
        """What the module returns, checked."""
        n_clips = len(dense)
        with ExitStack() as hooks:
            fired = [
                _spikes_from(part, hooks) for part in self.module.modules() if getattr(part, "emits_spikes", False)
            ]
            with self._explained(f"fails on a batch of shape {tuple(dense.shape)}"):
                returned = self.module(dense)
        logits = returned.logits if isinstance(returned, Activity) else returned
        if not isinstance(logits, Tensor):
            several = f" of {len(logits)}" if isinstance(logits, tuple | list) else ""
            self._refuse(f"must return logits (batch, class) or an Activity, got a {type(logits).__name__}{several}")
        if logits.shape != (n_clips, self.n_classes):
            wanted = (n_clips, self.n_classes)
            self._refuse(f"must return logits of shape (batch, class), here {wanted}, got {tuple(logits.shape)}")
        if not logits.is_floating_point():
            self._refuse(f"must return logits of floating point, got {str(logits.dtype).removeprefix('torch.')}")
        if logits.device != dense.device:
            self._refuse(f"must return logits on the device of its inputs, {dense.device}, got {logits.device}")
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.to(torch.float32)
        if not isinstance(returned, Activity):
            return Activity(
                logits, logits[:, None], tuple(part for one in fired for part in _joined(one, n_clips, self.n_steps))
            )
        self._check_shape("readout", returned.readout, (n_clips, None, self.n_classes))
        for spikes in returned.spikes:
            self._check_shape("spikes", spikes, (n_clips, self.n_steps, None))
        return Activity(logits, returned.readout, tuple(returned.spikes))

    def _check_shape(self, name: str, part: Any, wanted: tuple[int | None, ...]) -> None:
        found = tuple(part.shape) if isinstance(part, Tensor) else ()
        if len(found) != len(wanted) or any(n not in (None, has) for has, n in zip(found, wanted, strict=True)):
            shape = ", ".join("..." if n is None else str(n) for n in wanted)
            self._refuse(f"must return {name} of shape ({shape}) in its Activity, got {found or type(part).__name__}")

    def _batch_shape(self, n_clips: int) -> tuple[int, int, int]:
        return n_clips, self.n_steps, self.n_inputs

    def _some_clips(self, number: int) -> Tensor:
        """Two clips of made-up counts; the second differs by the number."""
        step, unit = torch.arange(self.n_steps)[:, None], torch.arange(self.n_inputs)[None, :]
        clips = torch.stack([(31 * step + 17 * unit) % 11 == 0, (7 * step + 5 * unit) % (2 + number) == 0])
        weight = next(self.parameters())
        dtype = weight.dtype if weight.dtype.is_floating_point else torch.float32
        return clips.to(weight.device, dtype)

    def _refuse(self, reason: str) -> NoReturn:
        raise ValueError(f"{self.params.code.class_name}: {reason}")

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Give an error of foreign code one line that says where it arose; running out of memory stays what it is."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            is_memory = isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATORS)
            if is_memory or isinstance(error, torch.OutOfMemoryError):
                raise
            code = self.params.code
            raise ValueError(f"{code.class_name}: {what}: {told(error, code.file)}") from error


def told(error: BaseException, file: str | None) -> str:
    """An error of foreign code in one line: where in its file it arose, its kind, and what it says first.

    Parameters
    ----------
    error : BaseException
        What it raised.
    file : str or None
        Name of its file; None if there is none.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file and Path(frame.filename).name == file] or frames
    where = f"{Path(own[-1].filename).name}:{own[-1].lineno}: " if own else ""
    if isinstance(error, SyntaxError) and error.filename:  # of a file that was read, not run
        where = f"{Path(error.filename).name}:{error.lineno}: "
    said = str(error.msg if isinstance(error, SyntaxError) else error).strip().splitlines()
    return f"{where}{type(error).__name__}" + (f": {said[0]}" if said else "")


@contextmanager
def drawing_from(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators for foreign code, and put them back after, with what else such code may set.

    These are the generators of PyTorch, on the CPU and one GPU, of NumPy and of Python; and PyTorch's usual data type,
    number of threads and whether gradients are computed.

    Parameters
    ----------
    seed : int
        At least 0 [1].
    device : torch.device, optional
        GPU whose generator is seeded as well.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_rng_state()
    >>> with drawing_from(1):
    ...     first = torch.rand(3)
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002  foreign code may draw from it
    dtype, threads, has_gradients = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=gpus):
            torch.default_generator.manual_seed(seed)  # of the CPU: `torch.manual_seed` would seed every GPU for good
            for gpu in gpus:
                with torch.cuda.device(gpu):
                    torch.cuda.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
        torch.set_grad_enabled(has_gradients)
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def check_custom(network: CustomNetwork, again: CustomNetwork, *, loss: str = "cross_entropy") -> None:
    """Raise ValueError unless a network of one's own can be trained and scored as the protocol promises.

    Made-up counts are passed through a copy of it, in evaluation and in training.

    Parameters
    ----------
    network : CustomNetwork
        Untrained network, on its device.
    again : CustomNetwork
        The same, made once more with the same seed.
    loss : str
        Of the training, as `spikedata.training.losses.classification_loss` knows it.

    Raises
    ------
    ValueError
        If the same seed draws other weights; it cannot be copied or called; its modules are made for other steps; its
        logits are not finite or have no gradient; or in
        evaluation it keeps state from batch to batch, changes its weights, or scores a clip by other clips.
    """
    name, state = network.params.code.class_name, network.state_dict()
    unlike = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if unlike:
        raise ValueError(f"{name}: its state must be tensors, got {unlike[0]} of {type(state[unlike[0]]).__name__}")
    others = again.state_dict()
    for key, value in state.items():
        other = others.get(key)
        if other is None or other.shape != value.shape or not _is_close(value, other.to(value.device), 0.0):
            raise ValueError(f"{name}: draws other first weights with the same seed ({key}); draw them from PyTorch")
    _check_steps(name, network)
    try:
        trial = copy.deepcopy(network)
    except Exception as error:
        raise ValueError(f"{name}: cannot be copied: {told(error, network.params.code.file)}") from error
    _check_evaluation(name, trial.eval())
    _check_training(name, trial.train(), loss=loss)


def _check_steps(name: str, network: CustomNetwork) -> None:
    from spikedata.nn.modules import step_of  # which is above this module

    dt = step_of(network.module)
    if dt is not None and not math.isclose(dt, network.dt, rel_tol=1e-9):
        raise ValueError(
            f"{name}: its modules are made for steps of {dt} s, but clips come in steps of {network.dt} s; "
            "give both the same dt"
        )


def _check_evaluation(name: str, trial: CustomNetwork) -> None:
    before = {key: value.clone() for key, value in trial.state_dict().items()}
    clips, beside_another = trial._some_clips(1), trial._some_clips(5)
    with torch.no_grad():
        first, second, other = (trial(counts.clone()).logits for counts in (clips, clips, beside_another))
    changed = [key for key, value in trial.state_dict().items() if not _is_close(value, before[key], 0.0)]
    if changed:
        raise ValueError(f"{name}: must not change its state in evaluation, changes {changed[0]}")
    if not torch.isfinite(first).all():
        raise ValueError(f"{name}: its logits must be finite, got {float(first[~torch.isfinite(first)][0])}")
    if not _is_close(first, second, _CLOSE):
        raise ValueError(
            f"{name}: gives other logits when the same batch comes again: it keeps state from batch to batch, or draws "
            "from a generator of its own; begin anew in forward"
        )
    if not _is_close(first[:1], other[:1], _CLOSE):
        raise ValueError(f"{name}: must score each clip by itself, but other clips of the batch change its logits")
    with torch.no_grad():
        trial(clips[:1].clone())  # as the last batch may be: `squeeze` would take its only clip for no dimension


def _check_training(name: str, trial: CustomNetwork, *, loss: str) -> None:
    seed, clips = 1, trial._some_clips(1)
    with drawing_from(seed, clips.device):
        activity = trial(clips)
        if torch.initial_seed() != seed:
            raise ValueError(f"{name}: sets the seed of PyTorch in forward; leave that out")
    if loss == "step_cross_entropy" and activity.readout.shape[1] == 1 < trial.n_steps:
        raise ValueError(f"{name}: the loss {loss} needs an Activity with its readout at each step, not logits alone")
    if not activity.logits.requires_grad:
        raise ValueError(f"{name}: its logits have no gradient: they must be computed from its weights, not detached")
    with trial._explained("its gradient fails"):
        activity.logits.sum().backward()


def _is_close(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether two tensors are equal up to a share of the largest number in them."""
    if not one.numel() or not tolerance:
        return bool(torch.equal(one, other)) or bool(((one == other) | ((one != one) & (other != other))).all())
    largest = max(float(one.abs().max()), float(other.abs().max()), 1e-6)
    return bool(torch.allclose(one, other, rtol=0.0, atol=tolerance * largest, equal_nan=True))


def _spikes_from(part: nn.Module, hooks: ExitStack) -> list[Tensor]:
    """The list that the spikes of a module, which says that it ``emits_spikes``, are in once it has been called."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: Any, output: Any) -> None:
        found = output[0] if isinstance(output, tuple) and output else output
        if isinstance(found, Tensor):
            seen.append(found)

    hooks.callback(part.register_forward_hook(keep).remove)
    return seen


def _joined(seen: list[Tensor], n_clips: int, n_steps: int) -> list[Tensor]:
    """The spikes of a module as (batch, step, neuron), also where it was called step by step; none of another shape."""
    if len(seen) == n_steps and all(part.ndim == 2 and len(part) == n_clips for part in seen):
        return [torch.stack(seen, dim=1)]
    return seen if all(part.ndim == 3 and part.shape[:2] == (n_clips, n_steps) for part in seen) else []
