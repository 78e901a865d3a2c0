"""Which devices PyTorch can compute on here, and the one that a name stands for."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Device(NamedTuple):
    """A device that PyTorch can compute on.

    Attributes
    ----------
    name : str
        What `resolve_device` takes: "cpu", "cuda:0", "cuda:1", ...
    description : str
        The product's name; for the processor its number of threads.
    memory : int
        Memory of the device [byte]; 0 for the processor, which shares the machine's.
    """

    name: str
    description: str
    memory: int


def describe_devices() -> list[Device]:
    """The processor and every GPU that PyTorch sees.

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
    """The device that a name stands for, if it is there.

    Parameters
    ----------
    name : str
        "cpu", "cuda" (the current GPU), "cuda:1" (a certain one), or "auto": a GPU where there is one, else the
        processor.

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
