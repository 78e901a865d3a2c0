"""Progress on standard error, for the command line: a bar where a person watches, else a line every half minute."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from threading import Event, RLock, Thread
from time import monotonic
from typing import Any

from spikedata.cli.output import write_error
from spikedata.printable import printable

_UNTIL_SHOWN = 1.0  # [s]
_BETWEEN_LINES = 30.0  # [s]; in the log of a cluster's job, a bar would be a line of thousands of characters


class Progress:
    """A bar, or lines in a log, with rate and time left; work that is done within a second shows neither.

    A thread keeps the time that has passed: before the first clip is done, somebody sees that it is being worked on.

    Parameters
    ----------
    unit : str
        What is counted; "B" for bytes, which are shown as kB, MB, GB.
    total : int, optional
        How many there will be.
    hidden : bool
        Whether to show nothing in any case.
    """

    def __init__(self, unit: str, total: int | None = None, *, hidden: bool = False) -> None:
        from tqdm import tqdm

        is_watched = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar: Any = tqdm(
            total=total,
            unit=unit,
            unit_scale=unit == "B",
            disable=hidden or not is_watched,
            file=sys.stderr,
            dynamic_ncols=True,
            delay=_UNTIL_SHOWN,
            miniters=0,  # how often it is drawn is a matter of time, since a clip may take minutes
        )
        self._lines = None if hidden or is_watched else _Lines(unit, total)
        self._stage: str | None = None
        self._has_begun = False
        self._until_exit = ExitStack()
        self._turn, self._has_ended = RLock(), Event()

    def __enter__(self) -> Progress:
        from tqdm.contrib.logging import logging_redirect_tqdm

        self._until_exit.callback(self._bar.close)
        if not self._bar.disable:  # what is logged stands above the bar, not in it
            self._until_exit.enter_context(logging_redirect_tqdm())
        if not self._bar.disable or self._lines is not None:
            clock = Thread(target=self._keep_time, daemon=True, name="progress")
            self._until_exit.callback(clock.join)
            self._until_exit.callback(self._has_ended.set)
            clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    def step(self, note: str = "") -> None:
        """One more is done."""
        with self._turn:
            self.note(note)
            self._bar.update()
            if self._lines is not None:
                self._lines.update(self._lines.done + 1, self._lines.total)

    def at(self, done: int, total: int) -> None:
        """So many of so many are done, 0 if nobody knows how many; what is done at the first call was done before."""
        with self._turn:
            self._bar.total = total or None
            if not self._has_begun:
                self._begin(done)
            self._bar.update(done - self._bar.n)
            if self._lines is not None:
                self._lines.update(done, total or None)

    def note(self, text: str) -> None:
        """Say something beside what is counted, such as how the last epoch went."""
        with self._turn:
            self._bar.set_postfix_str(printable(text), refresh=False)
            if self._lines is not None:
                self._lines.note = text

    def wait(self, what: str) -> None:
        """Say what is being done, and for how long, where nobody can say how much of it is left."""
        with self._turn:
            self.at_stage(what, 0, 0)
            self._bar.bar_format, self._bar.leave = "{desc} [{elapsed}]", False

    def at_stage(self, stage: str, done: int, total: int, *, unit: str = "") -> None:
        """So many of so many are done in a stage; it begins where it has a new name, or nothing is done.

        What is counted is as before where no `unit` is given.
        """
        with self._turn:
            self._bar.bar_format, self._bar.leave = None, True
            if stage != self._stage or done == 0:
                self._stage, self._has_begun = stage, False
                self._bar.set_description_str(printable(stage), refresh=False)
                if not self._bar.disable:
                    self._bar.unit = unit or self._bar.unit
                if self._lines is not None:
                    self._lines.stage, self._lines.unit = stage, unit or self._lines.unit
            self.at(done, total)

    def _begin(self, done: int) -> None:
        bar = self._bar
        if not bar.disable:
            if bar.last_print_t >= bar.start_t + bar.delay:  # a stage was drawn: the next one takes its line at once
                bar.delay = 0.0
            # a bar that begins anew is drawn, unless nothing prints it
            print_line, bar.sp = bar.sp, bar.sp if bar.delay == 0.0 else lambda _: None
            bar.reset()
            bar.sp = print_line
        # what was done before counts for the length of the bar, and not for the rate
        bar.initial = bar.n = bar.last_print_n = done
        if self._lines is not None:
            self._lines.begin(done)
        self._has_begun = True

    def _keep_time(self) -> None:
        while not self._has_ended.wait(_UNTIL_SHOWN):
            with self._turn:
                self._bar.update(0)
                if self._lines is not None:
                    self._lines.update(self._lines.done, self._lines.total)


class _Lines:
    """What a bar would show, as a line of its own at most every half minute; quick work shows none."""

    def __init__(self, unit: str, total: int | None) -> None:
        self.unit, self.total, self.stage, self.note = unit, total, "", ""
        self._last_line = monotonic()
        self.begin(0)

    def begin(self, done: int) -> None:
        """So many were done before: they do not count for the rate."""
        self._began, self._initial, self.done = monotonic(), done, done

    def update(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
        now = monotonic()
        if now - self._last_line >= _BETWEEN_LINES:
            self._last_line = now
            stage = f"{self.stage}: " if self.stage else ""
            write_error(printable(stage + self._told(now - self._began) + (f"; {self.note}" if self.note else "")))

    def _told(self, elapsed: float) -> str:
        from tqdm import tqdm

        size, unit = (_bytes, "") if self.unit == "B" else (_number, f" {self.unit}s")
        if not self.done and self.total is None:
            return f"{elapsed:.0f} s"
        text = f"{size(self.done)}/{size(self.total)}{unit}" if self.total else f"{size(self.done)}{unit}"
        n_new = self.done - self._initial
        if not n_new or not elapsed:
            return text
        rate = n_new / elapsed
        if self.unit == "B":
            text += f", {_bytes(rate)}/s"
        else:
            text += f", {rate:,.1f}{unit}/s" if rate >= 1.0 else f", {1 / rate:,.1f} s/{self.unit}"
        if self.total:
            text += f", {tqdm.format_interval((self.total - self.done) / rate)} left"
        return text


def _number(count: float) -> str:
    return f"{count:,}"


def _bytes(count: float) -> str:
    from tqdm import tqdm

    return str(tqdm.format_sizeof(count, "B"))
