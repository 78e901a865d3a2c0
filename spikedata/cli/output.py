"""What commands print: results on standard output, as text or as JSON in one vocabulary; all else on standard error.

Neither stream is trusted: it may be closed, lead to a reader that has left or to a full disk, or lack most characters.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import textwrap
from collections.abc import Mapping
from io import TextIOBase
from pathlib import Path
from typing import Any

from spikedata.printable import printable

# The words of --json, and what the library calls the same; docs/reference/command_line.md says what each means.
VOCABULARY = {
    "file": ("path", "out"),
    "files": ("outputs", "paths"),
    "clips": ("n_clips", "samples"),
    "spikes": ("n_spikes",),
    "skipped": ("left_out", "unreadable"),
    "kept": ("n_kept",),
    "compared": ("n_compared",),
    "bytes": ("n_bytes",),
}
_WORD_OF = {name: word for word, names in VOCABULARY.items() for name in names}


def ready_streams() -> None:
    """Make it safe to print: nothing raises for a character, and no file that is opened later is a closed stream's."""
    # the lowest free number is the next to be given away: what a library prints would end up in a spike file
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


_FIRST_USE = ("cochlea.compilation", "spikedata.compilation")


def log_to_standard_error(level: int, *, first_use: bool = False) -> None:
    """Print what the library logs, without control characters.

    Parameters
    ----------
    level : int
        The least important that is printed.
    first_use : bool
        Whether to print, whatever the level, what is made once and takes seconds.
    """
    for name in _FIRST_USE if first_use else ():
        logging.getLogger(name).setLevel(logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class _Printable(logging.Formatter):
    """Escapes what would steer a terminal: names of files, and what hosts say."""

    def format(self, record: logging.LogRecord) -> str:
        """As that of logging."""
        return printable(super().format(record), keep="\n")


def wants_color(stream: Any) -> bool:
    """Whether a stream is to be colored: a terminal, unless the environment says otherwise by the usual names.

    NO_COLOR forbids it, FORCE_COLOR and CLICOLOR_FORCE ask for it in a pipe as well, TERM=dumb and CLICOLOR=0 are
    terminals without it.

    Parameters
    ----------
    stream : file object
        Standard output or standard error.
    """
    said = os.environ
    if said.get("NO_COLOR"):
        return False
    if said.get("FORCE_COLOR", "0") not in ("", "0") or said.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if said.get("TERM") == "dumb" or said.get("CLICOLOR") == "0":
        return False
    return bool(stream is not None and stream.isatty())


def styled(text: str, style: str, stream: Any) -> str:
    """A text in bold or a color, where the stream is to be colored.

    Parameters
    ----------
    text : str
        What to print.
    style : str
        One of bold, red, green and yellow.
    stream : file object
        Where it is to be printed.
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if wants_color(stream) else text


_FEW_WORDS, _NARROWEST = 3, 24  # a column of no more words, or narrower, is not filled
_STYLES = {"bold": "1", "red": "1;31", "green": "32", "yellow": "33"}


def to_width(text: str, columns: int) -> str:
    """Text whose lines end at the edge of a terminal: words that stand in a last column go on below it.

    Parameters
    ----------
    text : str
        Lines; of a table whose last column holds numbers or names, they stay as they are.
    columns : int
        Width of the terminal.

    Examples
    --------
    >>> print(to_width("counts  a linear classifier on the counts of each unit", 36))
    counts  a linear classifier on the
            counts of each unit
    """
    return "\n".join(_line_to_width(line, columns) for line in text.splitlines())


def _line_to_width(line: str, columns: int) -> str:
    if len(line) <= columns or not line.isascii():
        return line
    gap = line.rstrip().rfind("  ")
    start = gap + 2 if gap >= 0 else 0
    is_prose = len(line[start:].split()) > _FEW_WORDS
    if not is_prose or columns - start < _NARROWEST:
        return line
    filled = textwrap.wrap(line[start:], columns - start, break_long_words=False, break_on_hyphens=False)
    return line[:start] + f"\n{' ' * start}".join(filled)


def write_fault(who: str, message: str) -> None:
    """Print on standard error why a command failed.

    Parameters
    ----------
    who : str
        The command.
    message : str
        One line.
    """
    _write_error(f"{styled(f'{printable(who)}:', 'red', sys.stderr)} {printable(message)}")


def write_out(text: str = "") -> None:
    """Print on standard output and flush it; a reader that has gone, such as `head`, is not an error.

    Parameters
    ----------
    text : str
        What to print, without line break at its end.

    Raises
    ------
    OSError
        If it cannot be written for another reason, as on a full disk.
    """
    try:
        print(text, end="\n" if text else "", flush=True)
    except OSError as error:
        _silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from None


def write_error(line: str) -> None:
    """Print on standard error, without control characters; no error where nobody can read it.

    Parameters
    ----------
    line : str
        What to print, without line break at its end.
    """
    _write_error(printable(line))


def _write_error(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)


def settle() -> None:
    """Flush standard error, which others write to as well; what fails there would be the exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIOBase | Any) -> None:
    # what Python still holds would fail again at its exit
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def in_words(record: Mapping[str, Any]) -> dict[str, Any]:
    """A result in the vocabulary of --json.

    Parameters
    ----------
    record : mapping
        What a function of the library returns, by its names.

    Examples
    --------
    >>> in_words({"outputs": ["a.h5"], "n_clips": 3})
    {'file': 'a.h5', 'files': ['a.h5'], 'clips': 3}
    """
    said = {_WORD_OF.get(name, name): value for name, value in record.items()}
    files = said.get("files")
    if files and "file" not in said:
        said = {"file": str(files[0] if len(files) == 1 else Path(files[0]).parent), **said}
    return said


def to_json(record: Mapping[str, Any]) -> str:
    """One line of JSON: ASCII, and without the NaN and infinities that JSON has not.

    Parameters
    ----------
    record : mapping
        Numbers, texts, paths, lists and mappings.

    Examples
    --------
    >>> import numpy as np
    >>> to_json({"file": Path("fünf.h5"), "rate": float("nan"), "clips": np.int64(3)})
    '{"file": "f\\\\u00fcnf.h5", "rate": null, "clips": 3}'
    """
    return json.dumps(_plain(record), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain_key(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # an array or number of NumPy, which `--help` has no time to import
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def _plain_key(name: Any) -> str:
    return name if isinstance(name, str) else str(name)
