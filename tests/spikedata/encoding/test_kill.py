"""Killed at any moment, an encoding or a merge leaves nothing half-written, and goes on to the same bytes."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pytest

from spikedata.corpora import Listing
from spikedata.encoding.encode import encode_clips
from spikedata.splits import make_split

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are forked and killed as on POSIX")


class Case(NamedTuple):
    """A command without its output, and the files that it makes, by their path beside the output."""

    command: Callable[[Path], list[str]]
    output: str
    made: dict[str, bytes]


SPLIT = "stratified_shared_speakers"
NAMES = ("encode", "encode a split", "merge", "merge a split")


@pytest.fixture(scope="module")
def case_of(noises: Path, listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Encodings and merges by name, with what they make where nobody kills them."""
    room = tmp_path_factory.mktemp("whole")

    @cache
    def make(name: str) -> Case:
        split = make_split(listing, SPLIT) if name.endswith("split") else None
        output = "parts" if split else "x.h5"
        encode = partial(encode_clips, listing, room / output, preset="published", split=split)
        words = ["encode", "folder", str(noises), "OUT", "--preset", "published", "--workers", "1", "-q"]
        words += ["--split", SPLIT] if split else []
        if name.startswith("merge"):
            words = ["merge", *(encode(shard=(index, 3)).outputs[0] for index in (1, 2, 3)), "--out", "OUT", "-q"]
        encode()
        return Case(partial(_fill_in, words), output, files_in(room, output))

    return make


def _fill_in(words: list[str], out: Path) -> list[str]:
    return [str(out) if word == "OUT" else word for word in words]


def files_in(room: Path, output: str) -> dict[str, bytes]:
    """The bytes of the output's files, except for hidden ones."""
    out = room / output
    paths = out.iterdir() if out.is_dir() else [out] if out.exists() else []
    return {path.relative_to(room).as_posix(): path.read_bytes() for path in paths if path.name[0] != "."}


def everything_in(room: Path) -> set[str]:
    return {path.relative_to(room).as_posix() for path in room.rglob("*") if path.is_file()}


POINTS = (
    "before a sync",
    "before a rename",
    "after a rename",
    "before rows on their way",
    "before the end of a file",
    "after the end of a file",
    "before a writer's close",
    "before reading back",
    "before removing blocks",
    "before removing a file",
)

QUICK_POINTS = ("before a rename", "before reading back")


def kill_everywhere(run: Callable, case: Case, room: Path, point: str, step: int) -> int:
    """Kill a command at one call after the other, each time from the start; how often it was killed."""
    command = case.command(room / case.output)
    number = 1
    while (ended := run(*command, point=point, number=number)).status != 0:
        assert ended.status == -signal.SIGKILL, ended.error
        assert files_in(room, case.output).items() <= case.made.items()  # what is there is whole
        assert run(*command) == (0, "")
        assert files_in(room, case.output) == case.made
        assert everything_in(room) == set(case.made)
        for name in case.made:
            (room / name).unlink()
        number += step
    assert files_in(room, case.output) == case.made
    return (number - 1) // step


@pytest.mark.parametrize("name", ["encode a split", "merge a split"])
@pytest.mark.parametrize("point", QUICK_POINTS)
def test_a_command_that_is_killed_goes_on_to_the_same_bytes(run, case_of, tmp_path, name, point):
    n_killed = kill_everywhere(run, case_of(name), tmp_path, point, step=29 if "encode" in name else 5)
    assert n_killed or name.startswith("merge")  # a merge removes next to nothing


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("point", POINTS)
def test_a_command_that_is_killed_at_any_call_goes_on_to_the_same_bytes(run, case_of, tmp_path, name, point):
    kill_everywhere(run, case_of(name), tmp_path, point, step=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_killed_at_random_times_goes_on_to_the_same_bytes(case_of, tmp_path, name):
    case, wait, n_killed = case_of(name), random.Random(name), 0
    command = [sys.executable, "-m", "spikedata", *case.command(tmp_path / case.output)]
    for _ in range(20):
        try:  # it begins to write after about a second; what is asserted does not depend on it
            done = subprocess.run(command, capture_output=True, timeout=wait.uniform(0.5, 3), check=False)
        except subprocess.TimeoutExpired:  # and killed by SIGKILL
            n_killed += 1
            assert files_in(tmp_path, case.output).items() <= case.made.items()
        else:
            assert (done.returncode, done.stderr) == (0, b"")
            assert everything_in(tmp_path) == set(case.made)
            for path in case.made:
                (tmp_path / path).unlink()
    assert n_killed
    assert subprocess.run(command, check=False).returncode == 0
    assert everything_in(tmp_path) == set(case.made)
    assert files_in(tmp_path, case.output) == case.made
