"""Devices to train on, the precision of their matrix products, and the error when their memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch


class Device(NamedTuple):
    """A device that PyTorch can compute on.

    Parameters
    ----------
    name : str
        Name that `resolve_device` takes: "cpu", "cuda:0", "cuda:1", ...
    description : str
        Product name; for the CPU its number of threads.
    memory : int
        Memory of the device [byte]; 0 for the CPU, which uses that of the machine.
    """

    name: str
    description: str
    memory: int


def describe_devices() -> list[Device]:
    """The CPU and every GPU that PyTorch finds.

    Examples
    --------
    >>> describe_devices()[0].name
    'cpu'
    """
    devices = [Device("cpu", f"{torch.get_num_threads()} threads", 0)]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        devices.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    return devices


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a name, if this machine has it.

    Parameters
    ----------
    name : str
        "cpu", "cuda" (the current GPU), "cuda:1" (a specific one), or "auto": a GPU if there is one, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the name is none of these, or there is no such GPU here.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if n_gpus else "cpu")
    kind, _, index = name.partition(":")
    if name != "cpu" and (kind != "cuda" or not (name == "cuda" or index.isdecimal())):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if kind == "cuda" and int(index or 0) >= n_gpus:
        raise ValueError(f"no device {name!r}: PyTorch finds {n_gpus} GPUs here")
    return torch.device(name)


PRECISIONS = ("highest", "high", "medium")


@contextmanager
def at_precision(precision: str) -> Iterator[None]:
    """Run a block with `torch.set_float32_matmul_precision`; the former precision is restored.

    Parameters
    ----------
    precision : str
        "highest": float32. "high" and "medium" let a GPU multiply TensorFloat32 or bfloat16 numbers; "medium" lets a
        CPU that supports it multiply bfloat16. Sums stay in float32.

    Examples
    --------
    >>> with at_precision("medium"):
    ...     torch.get_float32_matmul_precision()
    'medium'
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


_ALLOCATOR_SAYS = ("can't allocate memory", "not enough memory", "CUDA out of memory")


class OutOfMemory(OSError):
    """The machine or its GPU ran out of memory; the message says what would need less."""


@contextmanager
def explaining_out_of_memory(advice: str) -> Iterator[None]:
    """Turn the errors that NumPy and PyTorch raise when memory runs out into one error of one line.

    Parameters
    ----------
    advice : str
        What would need less memory.

    Raises
    ------
    OutOfMemory
        If the block ran out of memory.

    Examples
    --------
    >>> with explaining_out_of_memory("batch_size is 256, fewer need less"):
    ...     raise MemoryError
    Traceback (most recent call last):
    ...
    spikedata.training.devices.OutOfMemory: out of memory; batch_size is 256, fewer need less
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        where = " of the GPU" if isinstance(error, torch.OutOfMemoryError) else ""
        raise OutOfMemory(f"out of memory{where}; {advice}") from error
    except RuntimeError as error:  # the CPU's allocator has no class of its own
        if not any(words in str(error) for words in _ALLOCATOR_SAYS):
            raise
        raise OutOfMemory(f"out of memory; {advice}") from error
