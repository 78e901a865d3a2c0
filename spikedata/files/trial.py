"""Read an HDF5 file in full, in a process that may die of it.

`guard` runs this module as a process of its own; nothing else imports it. Each line of its input names a file, each
line of its output says what is wrong with it. Only what HDF5 itself says is wrong here: whether a file obeys the rules
of a spike file is left to the reader.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import h5py

from spikedata.files.guard import MEMORY
from spikedata.files.hdf5 import (
    READ_ERRORS,
    check_packed,
    filters_of,
    find_column,
    open_unguarded,
    read_attributes,
    reason,
)
from spikedata.files.heap import HeapObjects, check_rows, read_heap
from spikedata.files.kinds import explained
from spikedata.files.schema import FormatError

_MOST_IDLE = 10  # s
_N_AT_ONCE = 256  # rows


def serve() -> None:
    """Try files out until the input ends, or nothing is asked for a while."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks ends this process
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # no library may write between the answers
    requests = os.fdopen(0, "rb", buffering=0)
    answers.write(json.dumps("ready").encode() + b"\n")
    while sys.platform == "win32" or select.select([requests], [], [], _MOST_IDLE)[0]:
        line = b""
        while not line.endswith(b"\n"):
            piece = requests.readline()
            if not piece:
                return
            line += piece
        request = json.loads(line)
        for name in request["plugins"]:
            importlib.import_module(name)
        limit(request["memory"], request["seconds"])
        try:
            fault = fault_of(Path(request["path"]), request["names"])
        except Exception:  # a fault of ours, which the reader meets, too
            fault = ""
        answers.write(json.dumps(fault).encode() + b"\n")
        if fault:
            return  # HDF5 may be in disorder now


def limit(memory: int, seconds: int) -> None:
    """Limit what this process may take from now on.

    Parameters
    ----------
    memory : int
        Further memory [byte].
    seconds : int
        Further time of the processor [s].
    """
    if sys.platform == "win32":  # the time by the clock, which the guard takes, is all that limits it there
        return
    import resource

    status = Path("/proc/self/statm")
    if status.exists():
        size = int(status.read_text("ascii").split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, size + memory)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(which: int, to: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (to if hard == resource.RLIM_INFINITY else min(to, hard), hard))


def fault_of(path: Path, names: Iterable[str]) -> str:
    """What HDF5 says is wrong with a file; "memory" if it takes too much, and empty if all can be read.

    Parameters
    ----------
    path : Path
        The file.
    names : iterable of str
        Paths of the datasets that are read; the root attributes are, too.
    """
    try:
        file = open_unguarded(path)
    except MemoryError:
        return MEMORY
    except READ_ERRORS as error:
        is_systems = isinstance(error, OSError) and error.errno  # not the file's fault: locked, not allowed
        return "" if is_systems else f"not a readable HDF5 file: {explained(path, reason(error))}"
    try:
        _read(file, names)
        file.close()  # which fails, too, if HDF5 lost track of what it holds
    except MemoryError:
        return MEMORY
    except READ_ERRORS as error:
        return f"damaged: {reason(error)}"
    return ""


def _read(file: h5py.File, names: Iterable[str]) -> None:
    """Read what the reader reads; what breaks its rules it will find itself, at the same place."""
    with suppress(FormatError):
        heap = read_heap(file)
        for name in names:
            with suppress(FormatError):
                _read_column(file, name, heap)
        list(file.attrs)
        with suppress(ValueError, TypeError):  # the attributes of a file of ours, of which one may be wrong
            read_attributes(file, "spikedata_")
        if "spikes" not in file:
            list(file)  # `kinds.other_content` names what is there instead


def _read_column(file: h5py.File, name: str, heap: HeapObjects) -> None:
    column = find_column(file, name)
    if column is None or not all(map(h5py.h5z.filter_avail, filters_of(column))):
        return
    check_rows(column, heap)
    check_packed(column)
    for first in range(0, len(column), _N_AT_ONCE if column.dtype.kind == "O" else max(1, len(column))):
        column[first : first + _N_AT_ONCE] if column.dtype.kind == "O" else column[:]
    if len(column):
        column[0]
