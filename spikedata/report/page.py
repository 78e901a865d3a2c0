"""One page in one file: template, style, script and data, closed to every other host and to what names may hold.

Every name goes through `text`, every number that a script reads through `json_in_script`; the policy of the page allows
the one script and the one style that stand in it, by their hashes, and sound and pictures that it makes itself.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from spikedata import __version__
from spikedata.checks import Positive, checked, whole_number
from spikedata.disk import check_output, write_atomically
from spikedata.printable import printable

SUFFIXES = (".html", ".htm")
MEGABYTE = 1_000_000  # bytes
USUAL_SIZE = 5.0  # [MB] of a page, unless the user wants another
_LONGEST_NAME = 120  # characters of a name; a longer one loses its middle
# no policy in a page can forbid to be framed, so nothing is said of it
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


class Report(NamedTuple):
    """A page that was written.

    Parameters
    ----------
    file : str
        The page.
    kind : str
        What it is about: "data set", "run", "group" or "board".
    clips : int
        Clips that can be looked at on it.
    bytes : int
        Its size.
    notes : tuple of str
        What is not on it, and why, a line each.
    """

    file: str
    kind: str
    clips: int
    bytes: int
    notes: tuple[str, ...] = ()


class Section(NamedTuple):
    """A part of a page that the list of contents names.

    Attributes
    ----------
    title : str
        Its heading.
    body : str
        HTML.
    """

    title: str
    body: str


class Tile(NamedTuple):
    """A number that stands at the top of a page.

    Attributes
    ----------
    value, name : str
        The number with its unit, and what it is.
    note : str
        What else must be said with it.
    """

    value: str
    name: str
    note: str = ""


def check_page(
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    about: str | os.PathLike[str] | None = None,
    clips: int | None = None,
    max_size: float = 1.0,
) -> None:
    """Raise unless a page can be written; called before the work, not after it.

    Parameters
    ----------
    out : str or path-like
        The page.
    overwrite : bool
        Whether an existing file may be replaced.
    about : str or path-like, optional
        The file that the page is about.
    clips, max_size
        What the page may hold, as `report_data_set` takes it.

    Raises
    ------
    OutputError
        If it exists, or its folder cannot be written to.
    ValueError
        If its name does not say that it is a page, which a browser goes by; if it is the file that it is about; or if
        ``clips`` or ``max_size`` is no such number.
    """
    if clips is not None:
        whole_number("clips", clips, at_least=0)
    checked("max_size", max_size, Positive)
    if Path(out).suffix.lower() not in SUFFIXES:
        raise ValueError(f"{out}: must end in .html, as page.html")
    check_output(out, overwrite=overwrite)
    if about is not None and os.path.realpath(about) == os.path.realpath(out):
        raise ValueError(f"{out}: is the file that the page is about; give another output")


def write_page(
    out: str | os.PathLike[str],
    page: bytes,
    *,
    max_size: float,
    clips: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a page that is small enough; it appears whole or not at all.

    Parameters
    ----------
    out : str or path-like
        The page.
    page : bytes
        Its content.
    max_size : float
        The largest size [MB].
    clips : int, optional
        How many clips the user has asked for, if any are on it.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If it is larger.
    OutputError
        If it cannot be written.
    """
    if len(page) > max_size * MEGABYTE:
        size = math.ceil(10 * len(page) / MEGABYTE) / 10
        fewer = f"fewer --clips than {clips}, or " if clips else ""
        raise ValueError(
            f"{out}: needs {size:g} MB, more than --max-size {max_size:g}: give {fewer}--max-size {size:g}"
        )
    write_atomically(out, page, overwrite=overwrite)


def build_page(
    title: str,
    lead: str,
    tiles: Sequence[Tile],
    sections: Sequence[Section],
    *,
    kind: str,
    data: Mapping[str, Any] | None = None,
) -> bytes:
    """The bytes of a page; the same arguments give the same bytes.

    Parameters
    ----------
    title, lead : str
        Heading, and the sentence below it; plain text.
    tiles : sequence of Tile
        Numbers that stand at the top.
    sections : sequence of Section
        The rest, in its order.
    kind : str
        What the page is about, said in its foot.
    data : mapping, optional
        What the script of the page reads.
    """
    style, script = part_of_page("page.css"), part_of_page("page.js")
    name = shortened(title)
    listed = [(_anchor(section.title), section) for section in sections]
    # one section alone needs no list
    links = "".join(f'<li><a href="#{anchor}">{text(section.title)}</a></li>' for anchor, section in listed)
    contents = f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(listed) > 1 else ""
    body = "\n".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<h2 id="{anchor}-title">{text(section.title)}</h2>\n{section.body}\n</section>'
        for anchor, section in listed
    )
    return (
        Template(part_of_page("page.html"))
        .substitute(
            policy=html.escape(_POLICY.format(script=_digest(script), style=_digest(style)), quote=False),
            version=text(__version__),
            title=text(name),
            lead=text(lead),
            tiles=_tiles(tiles),
            contents=contents,
            sections=body,
            foot=f"Made by spikedata-audio {text(__version__)}: <code>spikedata report</code> of a {text(kind)}. "
            "The page is one file, loads nothing and sends nothing.",
            data=json_in_script(data or {}),
            style=style,
            script=script,
        )
        .encode()
    )


@cache
def part_of_page(name: str) -> str:
    """A file of this package, such as the style of all pages.

    Parameters
    ----------
    name : str
        Its name.
    """
    # line ends of a checkout on Windows would change the page
    return files("spikedata.report").joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def text(value: object) -> str:
    """A name or number as the text of an element or attribute.

    Parameters
    ----------
    value : object
        Anything; what would steer or reverse a line is escaped as Python escapes it.

    Examples
    --------
    >>> text("<b>Ann & 'Bob'</b>"), text("a\\x1b[31m")
    ('&lt;b&gt;Ann &amp; &#x27;Bob&#x27;&lt;/b&gt;', 'a\\\\x1b[31m')
    """
    return html.escape(printable(str(value)), quote=True)


def shortened(name: str) -> str:
    """A name without its middle if it is long, and without what would steer a line.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> shortened("seven"), len(shortened("x" * 5000))
    ('seven', 120)
    """
    shown = printable(name)
    half = _LONGEST_NAME // 2
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:half]}…{shown[1 - half :]}"


def json_in_script(data: Mapping[str, Any]) -> str:
    """Data as JSON that no text in it can end, of the element that holds it.

    Parameters
    ----------
    data : mapping
        Of JSON's types.

    Examples
    --------
    >>> json_in_script({"name": "</script><!--"})
    '{"name":"\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    written = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def paragraphs(lines: Iterable[str], *, kind: str = "") -> str:
    """Lines of plain text, a paragraph each.

    Parameters
    ----------
    lines : iterable of str
        The texts.
    kind : str
        Class of the paragraphs: "note" for what a reader must know.
    """
    return "\n".join(f"<p{_class(kind)}>{text(line)}</p>" for line in lines)


def sentences(lines: Iterable[str], *, kind: str = "") -> str:
    """Lines of plain text without capital and period as `paragraphs`, a sentence each.

    Parameters
    ----------
    lines : iterable of str
        The texts.
    kind : str
        Class of the paragraphs.
    """
    return paragraphs([f"{line[:1].upper()}{line[1:]}." for line in lines], kind=kind)


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values as a table.

    Parameters
    ----------
    rows : iterable of (str, str)
        Plain texts.
    """
    lines = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows)
    return f'<div class="wide"><table class="facts"><tbody>{lines}</tbody></table></div>'


def table(
    caption: str, names: Sequence[str], rows: Iterable[Sequence[str]], *, n_texts: int = 1, kind: str = ""
) -> str:
    """A table whose first column names the rows.

    Parameters
    ----------
    caption : str
        What it shows; plain text.
    names : sequence of str
        Heading of each column; plain texts.
    rows : iterable of sequence of str
        Cells as HTML.
    n_texts : int
        How many of the first columns are texts; the others are numbers, which end below each other.
    kind : str
        Class of the table.
    """
    head = "".join(
        f'<th scope="col"{_class("" if n < n_texts else "n")}>{text(name)}</th>' for n, name in enumerate(names)
    )
    lines = []
    for row in rows:
        cells = [
            f"<td{_class('' if n < n_texts else 'n')}>{cell}</td>" if n else f'<th scope="row">{cell}</th>'
            for n, cell in enumerate(row)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide" role="region" aria-label="{text(caption)}">'
        f"<table{_class(kind)}><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def folded(title: str, body: str) -> str:
    """What only some readers want: shown when its title is clicked.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    """
    return f"<details><summary>{text(title)}</summary>{body}</details>"


def preformatted(content: str) -> str:
    """A text of several lines as it is.

    Parameters
    ----------
    content : str
    """
    return f"<pre>{html.escape(printable(content, keep=chr(10)))}</pre>"


def _tiles(tiles: Sequence[Tile]) -> str:
    shown = []
    for tile in tiles:
        note = f'<dd class="also">{text(tile.note)}</dd>' if tile.note else ""
        shown.append(f"<div><dt>{text(tile.name)}</dt><dd>{text(tile.value)}</dd>{note}</div>")
    return f'<dl class="tiles">{"".join(shown)}</dl>' if shown else ""


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
