"""What completes commands, options, names and files in a shell: `spikedata --print-completion bash`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from spikedata.cli.command import names_of
from spikedata.cli.output import write_out

SHELLS = ("bash", "zsh", "tcsh")
_FILES = ("FILE", "FILE.h5", "FILE|NAME", "F", "F.toml", "SHARD.h5", "OUT", "AUDIO", "shd|ssc|FILE")
_FOLDERS = ("DIR", "RUN")


class PrintCompletion(argparse.Action):
    """The option that prints a completion script and ends the program; only then is shtab loaded."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, shell: Any, option: Any = None) -> None:
        """Print the script for one of `SHELLS`."""
        import shtab

        for action in _actions_of(parser):
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar in _FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif action.choices is None and (names := names_of(action.type)):
                action.choices = names
        write_out(shtab.complete(parser, shell))
        parser.exit()


def _actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public list, and shtab reads this one
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions_of(sub)
        else:
            yield action
