"""Text for people: what would steer a terminal is escaped, wide characters count twice in a table, one clip is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import zip_longest

# control characters, line and paragraph separators, halves of surrogate pairs (names that are not UTF-8)
_STEERING = ("Cc", "Zl", "Zp", "Cs")
_REVERSING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they let a name look like another
_WIDE = ("W", "F")  # drawn in two columns: Chinese, Japanese, Korean, most emoji
_COMBINING = ("Mn", "Me", "Cf")  # drawn in none


def printable(text: str, *, keep: str = "") -> str:
    r"""A text in which no character moves the cursor, changes colors, rings or reverses what stands beside it.

    Parameters
    ----------
    text : str
        Any text: the name of a file, of a class, the message of a library.
    keep : str
        Characters to leave as they are, such as line breaks.

    Examples
    --------
    >>> printable("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    >>> printable("数 fünf")
    '数 fünf'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii") if _is_steering(char) and char not in keep else char
        for char in text
    )


def _is_steering(char: str) -> bool:
    return unicodedata.category(char) in _STEERING or char in _REVERSING


def number_of(number: int, one: str, many: str = "") -> str:
    """So many of something, in words.

    Parameters
    ----------
    number : int
        How many.
    one, many : str
        The noun for one, and for any other number; default: with an s.

    Examples
    --------
    >>> number_of(1, "clip"), number_of(2000, "clip"), number_of(0, "class", "classes")
    ('1 clip', '2,000 clips', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def width(text: str) -> int:
    """Number of columns in which a terminal with a monospaced font draws a text [1].

    Parameters
    ----------
    text : str
        Text without control characters.

    Examples
    --------
    >>> width("seven"), width("数字"), width("fu\u0308nf")
    (5, 4, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in _COMBINING else 2 if unicodedata.east_asian_width(char) in _WIDE else 1
        for char in text
    )


def in_columns(rows: Iterable[Sequence[str]], *, to_the_right: bool = False) -> list[str]:
    """The rows of a table as lines whose cells stand below each other.

    Parameters
    ----------
    rows : iterable of sequence of str
        The cells; control characters in them are escaped.
    to_the_right : bool
        Whether all columns but the first are numbers, which end below each other.

    Examples
    --------
    >>> in_columns([("a", "b"), ("数字", "1")])
    ['a     b', '数字  1']
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip_longest(*cells, fillvalue="")]
    lines = []
    for row in cells:
        gaps = [" " * (most - width(cell)) for cell, most in zip(row, widths, strict=False)]
        lines.append(
            "  ".join(
                gap + cell if to_the_right and place else cell + gap
                for place, (cell, gap) in enumerate(zip(row, gaps, strict=True))
            ).rstrip()
        )
    return lines
