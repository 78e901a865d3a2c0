"""Commands that run in forks of one process, so that PyTorch, Numba and HDF5 are loaded once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import pytest

# A fork kills itself right before the n-th call of a function, or right after it; or its files may only grow so far.
SERVER = """
import json, os, resource, signal, sys, traceback
from pathlib import Path
import numpy as np
import cochlea
from spikedata import disk
from spikedata.cli import main
from spikedata.files import reader, row_stream, writer

FUNCTIONS = {
    "a sync": (os, "fsync"),
    "a rename": (Path, "replace"),
    "rows on their way": (row_stream.RowStream, "_hand_over"),
    "the end of a file": (row_stream.RowStream, "finish"),
    "a writer's close": (writer.SpikeWriter, "close"),
    "reading back": (reader.SpikeFile, "read_events"),
    "removing blocks": (disk.WorkFolder, "remove"),
    "removing a file": (Path, "unlink"),
}

def kill_at(point, number):
    when, _, function = point.partition(" ")
    owner, name = FUNCTIONS[function]
    inner, calls = getattr(owner, name), []
    def replacement(*args, **kwargs):
        calls.append(name)
        if len(calls) == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*args, **kwargs)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, replacement)

def run(argv, point, number, limit):
    sys.stderr = open(2, "w", buffering=1, closefd=False)
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if point:
        kill_at(point, number)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return main(argv)

cochlea.encode(np.ones(40), 8000, cochlea.CochleaParams.published())  # compiles, once for all forks
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            status = run(*json.loads(line))
        except BaseException:
            traceback.print_exc()
            status = 70
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Ended(NamedTuple):
    """Exit status, and what the command said on standard error."""

    status: int
    error: str


class Run(Protocol):
    """Runs ``spikedata`` with these words, kills it at a point, and lets no file grow above a limit [byte]."""

    def __call__(self, *words: object, point: str = "", number: int = 0, limit: int = 0) -> Ended: ...


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs commands, each in a fork of its own."""
    said = tmp_path_factory.mktemp("commands") / "stderr"
    command = [sys.executable, "-c", SERVER, str(said)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run_one(*words: object, point: str = "", number: int = 0, limit: int = 0) -> Ended:
            server.stdin.write(json.dumps([[*map(str, words)], point, number, limit]) + "\n")
            return Ended(int(server.stdout.readline()), said.read_text("utf-8"))

        yield run_one
        server.stdin.close()
