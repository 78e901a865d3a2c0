"""Shared by all commands: common options, types of arguments, and how a result is printed."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TypeAlias

from spikedata.cli.output import in_words, styled, to_width, write_error, write_fault, write_out
from spikedata.cli.progress import Progress
from spikedata.printable import printable

# a text, since the class takes its argument only from a type checker
Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"

# what the help sorts the commands by, in the order in which a newcomer meets them
TASKS = ("start here", "get data", "make spikes", "look at them", "train networks", "this machine", "more")
MOST = 2**63 - 1  # largest seed: an HDF5 file stores it as a signed 64-bit integer


class UsageError(ValueError):
    """The command line is not valid: the process exits with status 2, as when argparse finds the fault."""


class Misused(SystemExit):
    """The end of a program whose words argparse cannot take: status 2, and why."""

    def __init__(self, message: str) -> None:
        super().__init__(2)
        self.message = message


class HelpText(argparse.HelpFormatter):
    """Fills text to the width of the terminal, but for lines that begin with a space: a command to be copied."""

    def start_section(self, heading: str | None) -> None:
        """As that of argparse, with the heading in bold."""
        super().start_section(heading and styled(heading, "bold", sys.stdout))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        def fill(line: str) -> str:
            return textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)

        return "\n".join(line if line.startswith(" ") else fill(line) for line in text.splitlines())


class CommandParser(argparse.ArgumentParser):
    """A parser that can take `--NAME VALUE` for names that are not listed in advance, at any position.

    Parameters
    ----------
    takes_params : bool
        Whether options that the parser does not know are params, kept as texts in the dict `params` of the namespace.
    task : str
        One of `TASKS`, below which the program's help lists the command.
    examples : sequence of str
        Command lines that the help shows.
    **options
        Of `argparse.ArgumentParser`.
    """

    def __init__(
        self, *, takes_params: bool = False, task: str = TASKS[-1], examples: Sequence[str] = (), **options: Any
    ) -> None:
        self._takes_params = takes_params
        self._own_options: set[str] = set()
        self.task, self.examples = task, tuple(examples)
        if sys.version_info >= (3, 14):  # argparse has colors of its own since then, and knows fewer environments
            options["color"] = False
        # an abbreviation would be another option as soon as one is added, and hide a param of a recipe
        super().__init__(**{"formatter_class": HelpText} | options, allow_abbrev=False)

    def format_help(self) -> str:
        """As that of argparse, with the examples."""
        if self.examples and not any(group.title == "examples" for group in self._action_groups):
            self.add_argument_group("examples", "\n".join(f"  {example}" for example in self.examples))
        return super().format_help()

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """As that of argparse."""
        action = super().add_argument(*names, **options)
        self._own_options.update(action.option_strings)
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As that of argparse; params are taken out first, lest the value of one be taken for a positional argument."""
        words = list(sys.argv[1:] if args is None else args)
        if not self._takes_params:
            return super().parse_known_args(self._positionals_first(words), namespace)
        own, params = [], {}
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if not name.startswith("--") or name in self._own_options:
                own.append(word)
                continue
            if not equals and (not words or words[0].startswith("--")):
                self.error(f"{name} needs a value, as {name} VALUE")
            params[name[2:].replace("-", "_")] = value if equals else words.pop(0)
        parsed, rest = super().parse_known_args(self._positionals_first(own), namespace)
        parsed.params = params
        return parsed, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, not_among(str(value), action.choices))

    def error(self, message: str) -> NoReturn:
        """As that of argparse; what it raises bears the message, and the last line says where to look."""
        # not the whole usage: it is up to ten lines of options, above which nobody reads on
        for line in self._brief_usage().splitlines():
            write_error(line)
        if "--help" not in message:
            message += f"; see: {self.prog} --help"
        write_fault(f"{self.prog}: error", message)
        raise Misused(message)

    def _brief_usage(self) -> str:
        """The usage with what must be given, and an example."""
        needed = [action for action in self._actions if action.required or not action.option_strings]
        formatter = self._get_formatter()
        formatter.add_usage(None, needed, ())
        usage = formatter.format_help().strip().replace(self.prog, f"{self.prog} [OPTIONS]", 1)
        return "\n".join([usage, *(f"example: {example}" for example in self.examples[:1])])

    def _print_message(self, message: str, file: Any = None) -> None:
        # all that argparse prints comes by here; it would fail where a stream does
        if file is sys.stdout:
            write_out(message.rstrip("\n"))
        else:
            for line in message.splitlines():
                write_error(line)

    def _positionals_first(self, words: list[str]) -> list[str]:
        """The words with those of no option in front.

        argparse matches positional arguments as soon as it meets some, so an optional one such as FILE.h5 would have
        to stand before all options: `evaluate RUN --device cpu FILE.h5` would leave FILE.h5 over.
        """
        if self._subparsers is not None:  # what stands behind a command is for the parser of that command
            return words
        words, first, behind = list(words), [], []
        while words and words[0] != "--":
            word = words.pop(0)
            if not word.startswith("-") or word == "-":
                first.append(word)
                continue
            behind.append(word)
            action = self._option_string_actions.get(word)
            nargs = 0 if action is None else 1 if action.nargs is None else action.nargs
            most = nargs if isinstance(nargs, int) else 1 if nargs == "?" else len(words)
            if nargs == 1 and action is not None and word.startswith("--") and words and _is_range(words[0]):
                behind[-1] = f"{word}={words.pop(0)}"  # argparse takes -5:20 for an option
                continue
            # a value that must be there may begin with a dash, as -1 does
            while words and most and (isinstance(nargs, int) or not words[0].startswith("-")):
                behind.append(words.pop(0))
                most -= 1
        return [*first, *behind, *words]

    def refuse(self, word: str) -> NoReturn:
        """End with status 2: a word that no argument takes."""
        nearest = difflib.get_close_matches(word.partition("=")[0], self._own_options)
        hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
        self.error(f"unknown argument {word!r}; {hint}see: {self.prog} --help")


def _is_range(text: str) -> bool:
    return re.fullmatch(r"-[\d.]+:-?[\d.]+", text) is not None


def add_command(
    commands: Commands,
    name: str,
    handler: Callable[[argparse.Namespace], None],
    summary: str,
    *,
    task: str = TASKS[-1],
    examples: Sequence[str] = (),
    takes_params: bool = False,
) -> CommandParser:
    """A new command with the options that every command has.

    Parameters
    ----------
    commands : argparse subparsers
        Where it is added.
    name : str
        What is typed.
    handler : callable
        Called with the parsed arguments.
    summary : str
        What it does, in one line.
    task : str
        One of `TASKS`: below which heading the program's help lists it.
    examples : sequence of str
        Command lines for its help, as they are typed; the first stands on the front page where the command does.
        Their files are those that the examples of other commands make, so that all run one after the other.
    takes_params : bool
        Whether it takes `--NAME VALUE` for any NAME.

    Returns
    -------
    CommandParser
    """
    described = summary[0].upper() + summary[1:] + "."
    parser = commands.add_parser(
        name, help=summary, description=described, task=task, examples=examples, takes_params=takes_params
    )
    parser.set_defaults(handler=handler, refuse=parser.refuse)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what is done")
    parser.add_argument("--no-progress", action="store_true", help="draw no progress bar")
    return parser


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The option `--seed`."""
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="seed of all randomness (default: 0)")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The options that say of a file by another writer what it does not say itself."""
    parser.add_argument(
        "--time-unit", metavar="UNIT", help="unit of the times in the file: s (default), ms, us, ns or samples@RATE"
    )
    parser.add_argument(
        "--units",
        type=whole(1, 65536),
        metavar="N",
        help="number of units, where a file does not say it (default: 700)",
    )


def reading_of(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_reading` has taken, as functions that read a file take it."""
    from spikedata.events.time_units import check_time_unit

    try:
        return {"time_unit": check_time_unit(args.time_unit), "n_units": args.units}
    except ValueError as error:
        raise UsageError(str(error).replace("time_unit", "--time-unit", 1)) from None


def add_network(parser: argparse.ArgumentParser, what: str) -> None:
    """The option `--network` for the code of a network of one's own.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    what : str
        What it is in the help.
    """
    parser.add_argument("--network", metavar="MODULE:CLASS", help=f"{what}: module:Class or path/to/file.py:Class")


@contextmanager
def foreign_code_quiet(args: argparse.Namespace) -> Iterator[None]:
    """Send what a network of one's own prints to standard error: standard output is for the result alone."""
    if getattr(args, "network", None) is None:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """The option `--overwrite`."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is at the output path")


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """A type for an argument that must be a whole number in a range, both ends included."""

    def check_number(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            bounds = f"of at least {least}" if most == MOST else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be a whole number {bounds}, got {text!r}")
        return number

    return check_number


def seconds(text: str) -> float:
    """A type for an argument that must be a time above 0 [s]."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return number


def wholes(text: str) -> tuple[int, ...]:
    """A type for whole numbers of at least 0 with commas between."""
    try:
        return tuple(whole(0)(part) for part in text.split(",") if part.strip())
    except argparse.ArgumentTypeError:
        rule = "must be whole numbers of at least 0 with commas between, as 4,5"
        raise argparse.ArgumentTypeError(f"{rule}; got {text!r}") from None


def columns(text: str) -> dict[str, str]:
    """A type for the columns of a table, by what they hold."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(role and name for role, _, name in pairs) or len({role for role, _, _ in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"must be ROLE=NAME with commas between, as path=Path,label=word, got {text!r}"
        )
    return {role.strip(): name.strip() for role, _, name in pairs}


def one_of(find_names: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """A type for an argument that must be one of some names, which are looked up no sooner than it is read.

    Parameters
    ----------
    find_names : callable
        Called for the names: it may import what takes long.
    """

    def check_name(text: str) -> str:
        names = tuple(find_names())
        if text not in names:
            raise argparse.ArgumentTypeError(not_among(text, names))
        return text

    check_name.find_names = find_names  # type: ignore[attr-defined]
    return check_name


def not_among(text: str, names: Iterable[str]) -> str:
    """Why a word cannot be taken: the names that can, and that which is nearest to it.

    Parameters
    ----------
    text : str
        What was typed.
    names : iterable of str
        What it must be one of.

    Examples
    --------
    >>> not_among("trian", ["train", "plot"])
    "must be one of train, plot, got 'trian'; nearest: train"
    """
    names = [str(name) for name in names]
    nearest = difflib.get_close_matches(text, names, n=1)
    return f"must be one of {', '.join(names)}, got {text!r}" + (f"; nearest: {nearest[0]}" if nearest else "")


def offer(action: argparse.Action, find_names: Callable[[], Iterable[str]]) -> None:
    """Let a shell complete names that an argument takes beside others: a recipe, not one of a user's own."""
    action.find_names = find_names  # type: ignore[attr-defined]


def names_of(action: argparse.Action) -> tuple[str, ...]:
    """The names that an argument takes, by `offer` or a type from `one_of`; none of any other."""
    find_names = getattr(action, "find_names", None) or getattr(action.type, "find_names", None)
    return tuple(find_names()) if find_names is not None else ()


@contextmanager
def saying_what_is_kept(describe: Callable[[], str]) -> Iterator[None]:
    """Give an interruption by the user the words that tell what of the work is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(describe()) from None


def print_result(
    args: argparse.Namespace, record: Mapping[str, Any], text: str, *, paint: Callable[[str], str] = str
) -> None:
    """Print what a command returns: one JSON object, or text, or nothing where the user asked for quiet.

    The object is printed when the command has ended, with the error that it may still end with.

    Parameters
    ----------
    args : argparse.Namespace
        Of the command.
    record : mapping
        The result, by the names of the library (see `spikedata.cli.output.VOCABULARY`).
    text : str
        The result for people.
    paint : callable
        Called with the lines that are printed; may add color.
    """
    if args.json:
        args.record.update(in_words(record))
    elif not args.quiet:
        lines = printable(text, keep="\n")
        if sys.stdout.isatty():  # a pipe gets each row on one line
            lines = to_width(lines, shutil.get_terminal_size().columns)
        write_out(paint(lines))


def show_progress(args: argparse.Namespace, unit: str, total: int | None = None) -> Progress:
    """A progress bar, hidden where the user asked for none."""
    return Progress(unit, total, hidden=args.quiet or args.no_progress)
