"""Let nothing open an HDF5 file that could crash this process, make it hang, or fill the memory.

libhdf5 follows what a file says. `layout` knows the usual structure of spike files and vouches for those that have it,
which takes a millisecond. All other files are first read in full by `trial`, in a process of its own with little memory
and time: if it dies, the file is refused. That process serves further files until it has had nothing to do for a few
seconds. What has passed once is not tried again by this process, until it changes.

The memory of the other process is limited on Linux only, its time everywhere.
"""

from __future__ import annotations

import atexit
import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Timer
from typing import Any

from spikedata.disk import file_state
from spikedata.files.layout import is_sound
from spikedata.files.schema import FormatError

_log = logging.getLogger(__name__)

_ROOM, _ROOM_PER_BYTE = 2**29, 8  # memory of a trial [byte], and what it may take for each byte of the file
_SECONDS, _BYTES_PER_SECOND = 2, 2**22  # of the processor for a trial, and what it reads at least in one of them
_WAIT, _WAIT_PER_SECOND = 30, 8  # by the clock until a trial is ended [s]: others may keep the processor busy
_WAIT_FOR_START = 300  # s; Python may lie on a slow disk
_MOST_PASSED = 10_000  # files remembered
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from spikedata.files.trial import serve; serve()"
_GONE = (errno.EPIPE, errno.EINVAL)  # what writing to a process that has ended gives, on Windows the second
MEMORY, _TIME, _CRASH = "memory", "time", "crash"  # how a trial may end
_PLUGINS = ("hdf5plugin",)  # packages whose import adds filters

_passed: set[tuple[int, ...]] = set()  # states of files that need no further trial


def require_harmless(path: Path, names: Iterable[str]) -> None:
    """Raise if HDF5 could crash, hang or fill the memory when it reads some datasets of a file.

    Parameters
    ----------
    path : Path
        An existing file.
    names : iterable of str
        Paths of the datasets.

    Raises
    ------
    FormatError
        If it could.
    """
    state = file_state(path)
    if state in _passed:
        return
    if not is_sound(path, names):
        fault = _helper.try_out(path, names)
        if fault:
            raise FormatError(f"{path}: {fault}")
    if len(_passed) >= _MOST_PASSED:
        _passed.clear()
    _passed.add(state)


class _Helper:
    """The process that tries files out; started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._is_fresh = True

    def try_out(self, path: Path, names: Iterable[str]) -> str:
        """What is wrong with a file; empty if nothing is."""
        size = path.stat().st_size
        memory = _ROOM + _ROOM_PER_BYTE * size
        seconds = _SECONDS + size // _BYTES_PER_SECOND
        request = {
            "path": str(path.absolute()),
            "names": list(names),
            "memory": memory,
            "seconds": seconds,
            "plugins": [name for name in _PLUGINS if name in sys.modules],
        }
        with self._lock:
            try:
                fault = self._ask(request, _WAIT + _WAIT_PER_SECOND * seconds)
            except OSError as error:
                _log.warning("%s: read without a trial, since no process for it can be started: %s", path, error)
                return ""
        faults = {
            MEMORY: f"damaged: HDF5 takes more than {memory >> 20} MB of memory to read it",
            _TIME: f"damaged: HDF5 takes longer than {seconds} s to read it",
            _CRASH: "damaged: HDF5 crashes when it reads it",
        }
        return faults.get(fault, fault)

    def _ask(self, request: dict[str, Any], wait: float) -> str:
        while True:
            if self._process is None or self._process.poll() is not None:
                self._start()
            is_fresh, self._is_fresh = self._is_fresh, False
            answer, is_late = self._answer(request, wait)
            if answer is not None:
                return answer
            status = self.end()
            if is_late or _is_out_of_time(status):
                return _TIME
            # A process that served others may have been idle for too long, or have been broken by one of them
            if is_fresh:
                return _CRASH

    def _answer(self, request: dict[str, Any] | None, wait: float) -> tuple[str | None, bool]:
        """The answer, None if the process died, and whether it was ended for taking too long; first its greeting."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None, False
        late = Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = Timer(wait, end)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
            line = process.stdout.readline()
            return (str(json.loads(line)) if line.endswith(b"\n") else None), late.is_set()
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return None, late.is_set()
        except BaseException:  # an interruption: the next answer would be that to this request
            self.end()
            raise
        finally:
            timer.cancel()

    def _start(self) -> None:
        self.end()
        environment = os.environ | {"MALLOC_PERTURB_": "85"}  # so that glibc lets no read of unset memory seem harmless
        self._process = subprocess.Popen(
            [sys.executable or "", "-I", "-c", _START, json.dumps([os.path.abspath(place) for place in sys.path])],  # noqa: PTH100
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # a fork must not flush what is not its own
            env=environment,
        )
        self._is_fresh = True
        if self._answer(None, _WAIT_FOR_START)[0] is None:
            raise OSError(f"it ended with status {self.end()} before it began")

    def end(self) -> int:
        """End the process; its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            return process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def forget(self) -> None:
        """Leave the process to the one that started it; called in a fork."""
        process, self._process, self._lock = self._process, None, Lock()
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.returncode = 0  # not a child of this process


def _is_out_of_time(status: int) -> bool:
    import signal

    return hasattr(signal, "SIGXCPU") and status == -signal.SIGXCPU


_helper = _Helper()
atexit.register(_helper.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helper.forget)
