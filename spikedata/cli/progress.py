"""A progress bar on standard error, for the command line."""

from __future__ import annotations

import sys
from contextlib import ExitStack


class Progress:
    """A bar with rate and time left that is shown where a person watches, and nowhere else.

    Parameters
    ----------
    unit : str
        What is counted; "B" for bytes, which are shown as kB, MB, GB.
    total : int, optional
        How many there will be.
    hidden : bool
        Whether to draw nothing in any case.
    """

    def __init__(self, unit: str, total: int | None = None, *, hidden: bool = False) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total,
            unit=unit,
            unit_scale=unit == "B",
            disable=hidden or not sys.stderr.isatty(),
            file=sys.stderr,
            dynamic_ncols=True,
        )
        self._stage: str | None = None
        self._has_begun = False
        self._until_exit = ExitStack()

    def __enter__(self) -> Progress:
        from tqdm.contrib.logging import logging_redirect_tqdm

        self._until_exit.callback(self._bar.close)
        if not self._bar.disable:  # what is logged stands above the bar, not in it
            self._until_exit.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    def step(self, note: str = "") -> None:
        """One more is done."""
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()

    def at(self, done: int, total: int) -> None:
        """So many of so many are done, 0 if nobody knows how many; what is done at the first call was done before."""
        self._bar.total = total or None
        if not self._has_begun:
            self._begin(done)
        self._bar.update(done - self._bar.n)

    def at_stage(self, stage: str, done: int, total: int) -> None:
        """So many of so many are done in a stage; it begins where it has a new name, or nothing is done."""
        if stage != self._stage or done == 0:
            self._stage, self._has_begun = stage, False
            self._bar.set_description_str(stage, refresh=False)
        self.at(done, total)

    def _begin(self, done: int) -> None:
        # what was done before counts for the length of the bar, and not for the rate
        self._bar.reset()
        self._bar.initial = self._bar.n = self._bar.last_print_n = done
        self._has_begun = True
