"""What completes commands, options, names and files in a shell: `spikedata --print-completion bash`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from spikedata.cli.command import CommandParser, names_of
from spikedata.cli.output import write_out

SHELLS = ("bash", "zsh", "fish", "tcsh")
_FILES = (
    "FILE", "FILE.h5", "FILE|NAME", "FILE|RUN", "FILE|SOUND", "F", "F.toml", "SHARD.h5", "OUT", "PAGE", "AUDIO",
    "shd|ssc|FILE",
)  # fmt: skip
_FOLDERS = ("DIR", "FOLDER", "RUN", "NAME|RUN")


class PrintCompletion(argparse.Action):
    """The option that prints a completion script and ends the program; only then is shtab loaded."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, shell: Any, option: Any = None) -> None:
        """Print the script for one of `SHELLS`."""
        write_out("\n".join(_fish_lines(parser)) if shell == "fish" else _by_shtab(parser, shell))
        parser.exit()


def _by_shtab(parser: argparse.ArgumentParser, shell: str) -> str:
    import shtab

    for action in _actions_of(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.choices is None and (names := names_of(action)):
            action.choices = names
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    script = str(shtab.complete(parser, shell))
    # shtab's own lines for bash take a name that holds a space for two words
    return re.sub(r"(compgen -[fd] -- )\$1\b", r'\1"$1"', script) if shell == "bash" else script


def _actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public list, and shtab reads this one
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions_of(sub)
        else:
            yield action


def _fish_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The script for fish, which shtab does not know."""
    program = parser.prog
    yield f"# completes {program} in fish"
    # fish's own `__fish_seen_subcommand_from` would take a file that is named like a command for the command
    yield f'function __{program}_command; set -l words (commandline -opc); test "$words[2]" = $argv[1]; end'
    yield f"function __{program}_no_command; test (count (commandline -opc)) -eq 1; end"
    yield f"complete -c {program} -f"
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            yield from _fish_option(program, f"__{program}_no_command", action)
            continue
        for listed in action._get_subactions():
            about = _quoted(listed.help or "")
            yield f"complete -c {program} -n __{program}_no_command -a {listed.dest} -d {about}"
            sub: CommandParser = action.choices[listed.dest]
            condition = _quoted(f"__{program}_command {listed.dest}")
            for of_command in sub._actions:
                yield from _fish_option(program, condition, of_command)


def _fish_option(program: str, condition: str, action: argparse.Action) -> Iterator[str]:
    if action.help == argparse.SUPPRESS:
        return
    line = f"complete -c {program} -n {condition}"
    for option in action.option_strings:
        line += f" -l {option[2:]}" if option.startswith("--") else f" -s {option[1:]}"
    if action.option_strings:
        line += f" -d {_quoted(_brief(action.help or '') % {'prog': program})}"
        if action.nargs != 0:  # what it takes must be there, but for --deep
            line += " -r" if action.metavar in _FILES else " -x"
    values = _quoted(" ".join(map(str, action.choices or names_of(action))))
    if action.metavar in _FILES:
        line += " -F"
    elif action.metavar in _FOLDERS:
        values = _quoted(f"{values[1:-1]} (__fish_complete_directories)".strip())
    yield line + (f" -a {values}" if values != "''" else "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _brief(text: str) -> str:
    # beside each name, the first clause is enough
    return text.partition(";")[0].partition(" (")[0]
