"""The progress bar: where it is shown, and what it says."""

import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from time import monotonic, sleep

import pytest

from spikedata.cli.progress import Progress
from spikedata.printable import width


class Screen(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a bar sees [s], in a list to change it."""
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def last_line(screen: Screen) -> str:
    return screen.getvalue().rstrip("\n").split("\r")[-1]


def test_a_bar_that_nobody_watches_draws_nothing() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), Progress("clip", 3) as progress:
        progress.at(1, 3)
        progress.at_stage("listing", 0, 2)
        progress.step()

    assert stream.getvalue() == ""


@pytest.mark.parametrize("watched", [True, False])
def test_each_stage_says_what_it_counts(watched: bool, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikedata.cli.progress._BETWEEN_LINES", 0.0)
    monkeypatch.setattr("spikedata.cli.progress._UNTIL_SHOWN", 0.0 if watched else 1.0)
    stream = screen if watched else io.StringIO()
    with redirect_stderr(stream), Progress("epoch") as progress:
        for stage, unit in (("encode", "clip"), ("train", "epoch")):
            progress.at_stage(stage, 0, 4, unit=unit)
            sleep(0.01)
            progress.at_stage(stage, 1, 4, unit=unit)

    for stage, unit in (("encode", "clip"), ("train", "epoch")):
        said = [line for line in stream.getvalue().replace("\r", "\n").split("\n") if line.startswith(stage)]
        assert unit in said[-1]


def test_a_hidden_bar_draws_nothing(screen: Screen) -> None:
    with redirect_stderr(screen), Progress("clip", 3, hidden=True) as progress:
        progress.at(1, 3)
        progress.at_stage("listing", 0, 2)
        progress.step()

    assert screen.getvalue() == ""


def test_what_was_done_before_does_not_count_for_the_rate(screen: Screen, clock: list[float]) -> None:
    with redirect_stderr(screen), Progress("clip") as progress:
        clock[0] += 60.0
        progress.at(900, 1000)
        clock[0] += 10.0
        progress.at(920, 1000)

    assert "92%" in last_line(screen)
    assert "920/1000 [00:10<00:40,  2.00clip/s]" in last_line(screen)


def test_bytes_are_shown_with_a_prefix(screen: Screen, clock: list[float]) -> None:
    with redirect_stderr(screen), Progress("B") as progress:
        progress.at_stage("shd_train.h5.zip", 0, 130_000_000)
        clock[0] += 2.0
        progress.at_stage("shd_train.h5.zip", 65_000_000, 130_000_000)

    assert last_line(screen).startswith("shd_train.h5.zip:  50%")
    assert "65.0M/130M [00:02<00:02, 32.5MB/s]" in last_line(screen)


def test_a_size_that_nobody_knows_is_left_out(screen: Screen, clock: list[float]) -> None:
    with redirect_stderr(screen), Progress("B") as progress:
        progress.at_stage("page", 0, 0)
        clock[0] += 2.0
        progress.at_stage("page", 5_000_000, 0)

    assert last_line(screen).startswith("page: 5.00MB [00:02, 2.50MB/s]")


def test_a_stage_begins_its_own_count(screen: Screen, clock: list[float]) -> None:
    with redirect_stderr(screen), Progress("step") as progress:
        progress.at_stage("speak", 0, 4)
        progress.at_stage("speak", 4, 4)
        clock[0] += 30.0
        progress.at_stage("train", 1, 8)
        clock[0] += 2.0
        progress.at_stage("train", 3, 8)

    assert last_line(screen).startswith("train:  38%")
    assert "3/8 [00:02<00:05,  1.00step/s]" in last_line(screen)


def test_what_is_logged_stands_on_a_line_of_its_own(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    with redirect_stderr(screen):
        monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(sys.stderr)])
        with Progress("B") as progress:
            progress.at_stage("fetch", 0, 10)
            logging.getLogger("spikedata").warning("the first host does not answer")

    assert "\rthe first host does not answer\n" in screen.getvalue()


# Where nobody watches


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a log sees [s], in a list to change it."""
    now = [1000.0]
    monkeypatch.setattr("spikedata.cli.progress.monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute(seconds: list[float]) -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), Progress("clip") as progress:
        progress.at(900, 10_000)
        for done in range(901, 1001):
            seconds[0] += 1.0
            progress.at(done, 10_000)

    assert stream.getvalue().splitlines() == [
        "930/10,000 clips, 1.0 clips/s, 2:31:10 left",
        "960/10,000 clips, 1.0 clips/s, 2:30:40 left",
        "990/10,000 clips, 1.0 clips/s, 2:30:10 left",
    ]


def test_a_log_tells_the_stage_the_note_and_slow_work(seconds: list[float]) -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), Progress("epoch", 3) as progress:
        progress.at_stage("train\x1b", 0, 3)
        seconds[0] += 45.0
        progress.step("validation 50.0%")
    with redirect_stderr(stream), Progress("B") as progress:
        progress.at_stage("shd", 0, 0)
        seconds[0] += 60.0
        progress.at_stage("shd", 60_000_000, 0)
        seconds[0] += 60.0
        progress.at_stage("shd", 120_000_000, 180_000_000)

    assert stream.getvalue().splitlines() == [
        "train\\x1b: 1/3 epochs, 45.0 s/epoch, 01:30 left; validation 50.0%",
        "shd: 60.0MB, 1.00MB/s",
        "shd: 120MB/180MB, 1.00MB/s, 01:00 left",
    ]


def test_a_dumb_terminal_gets_lines(screen: Screen, seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(screen), Progress("clip") as progress:
        progress.at(0, 4)
        seconds[0] += 30.0
        progress.at(2, 4)

    assert screen.getvalue() == "2/4 clips, 15.0 s/clip, 00:30 left\n"


@pytest.mark.parametrize("columns", ["20", "5"])
def test_a_bar_fits_a_narrow_terminal(
    columns: str, screen: Screen, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (int(columns), 24))
    with redirect_stderr(screen), Progress("clip") as progress:
        for done in range(5):
            clock[0] += 1.0
            progress.at_stage("数据数据数据", done, 4)

    assert 0 < width(last_line(screen)) <= int(columns)  # an old tqdm draws the first line too wide


def test_a_hidden_log_tells_nothing(seconds: list[float]) -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), Progress("clip", hidden=True) as progress:
        progress.at(0, 4)
        seconds[0] += 300.0
        progress.at(2, 4)

    assert stream.getvalue() == ""


def test_a_log_tells_that_nothing_is_done_yet(seconds: list[float]) -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), Progress("clip") as progress:
        progress.at_stage("encode", 0, 4)
        seconds[0] += 31.0  # within the first clip
        wait_for(lambda: stream.getvalue())

    assert stream.getvalue() == "encode: 0/4 clips\n"


def test_a_bar_is_drawn_before_anything_is_done(screen: Screen) -> None:
    with redirect_stderr(screen), Progress("clip"):
        wait_for(lambda: "clip" in screen.getvalue())

    assert "[00:01" in last_line(screen)


def test_a_wait_tells_the_time_and_leaves_nothing(screen: Screen) -> None:
    with redirect_stderr(screen), Progress("clip") as progress:
        progress.wait("load PyTorch")
        wait_for(lambda: "load PyTorch [00:01]" in screen.getvalue())

    assert screen.getvalue().split("\r")[-1].strip() == ""
    assert "\n" not in screen.getvalue()


def wait_for(happens: Callable[[], object]) -> None:
    end = monotonic() + 20.0
    while not happens() and monotonic() < end:
        sleep(0.02)


def test_work_that_is_done_at_once_draws_no_bar(screen: Screen) -> None:
    with redirect_stderr(screen), Progress("clip") as progress:
        for done in range(4):
            progress.at(done, 3)

    assert screen.getvalue().strip() == ""
