"""What PyTorch may look into: it cannot trace, transform or export compiled passes, but it can the plain loops."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

_P = ParamSpec("_P")
_R = TypeVar("_R")
_plain: ContextVar[bool] = ContextVar("plain_loops", default=False)
# an exported program must run where this package is not; PyTorch before 2.7 does not tell an export from a compilation
_is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


@contextmanager
def plain_loops() -> Iterator[None]:
    """Compute in a block, or in a decorated function, by the plain loops of PyTorch, not by the compiled ones.

    The loops are several times slower and need more memory, but everything of PyTorch works with them: second
    derivatives, and `torch.func` with `vmap`. `torch.export` takes them by itself. Results are those of the kernels up
    to rounding.

    Examples
    --------
    >>> import torch
    >>> from spikedata.nn.kernels import run_lif
    >>> from spikedata.nn.neurons import LIFParams
    >>> drive = torch.full((1, 5, 1), 0.6)
    >>> with plain_loops():
    ...     run_lif(drive, None, LIFParams(), dt=2e-3).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0]
    """
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def wants_plain_loops() -> bool:
    """Whether compiled passes may not run: in `plain_loops`, and while a program is exported."""
    if _is_exporting():
        return True
    # torch.compile cannot read a context variable; what it runs untraced reads it
    return not torch.compiler.is_compiling() and _plain.get()


def untraced(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Have `torch.compile` call a function as it is, instead of tracing into compiled passes and reading values.

    Like `torch.compiler.disable`, which would load the compiler for everybody; that takes more than a second.
    """
    disabled = _disable_dynamo(function)

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if "torch._dynamo" in sys.modules:
            return disabled(*args, **kwargs)
        return function(*args, **kwargs)

    return run


@untraced
def apply(kernel: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """The result of a compiled kernel.

    Parameters
    ----------
    kernel : type of autograd.Function
        With a forward and a backward pass.
    *arguments
        Of the forward pass.

    Raises
    ------
    RuntimeError
        Inside a transform of `torch.func`, for which kernels have no rules.
    """
    if torch._C._are_functorch_transforms_active():
        raise RuntimeError(
            "compiled kernels have no rules for torch.func (vmap, grad, ...); compute inside spikedata.nn.plain_loops()"
        )
    result: Tensor = kernel.apply(*arguments)
    return result
