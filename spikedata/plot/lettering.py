"""Names of any script in pictures: what a font draws is drawn, what none draws is escaped, and nothing is a formula.

Matplotlib warns of a glyph that its font does not have, and draws a box. Class names come from all over the world and
from folders, so each text is given the fonts that it needs, of those that are installed; a character that no font has,
and one that has no place in a picture (a control character, half of a pair), is written as Python escapes it:
``\\u4e94``.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.text import Text

FONT = "DejaVu Sans"  # comes with Matplotlib
LONGEST_LABEL, LONGEST_ID = 24, 48  # characters of a class name beside an axis, and of a clip id in a title

# Looked at first, for they are made to be read; then all others in the order of their names.
_PREFERRED = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "PingFang SC", "Hiragino Sans", "Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "Noto Sans", "Noto Sans Arabic", "Noto Sans Devanagari", "Arial Unicode MS", "Segoe UI", "Noto Emoji",
    "Segoe UI Symbol", "Symbola",
)  # fmt: skip
# have a glyph for everything, a box, or other glyphs than their code points say, as the fonts of TeX do
_NOT_FOR_NAMES = ("Last Resort", "LastResort", "Adobe Blank", "STIXNonUnicode", "STIXSize", "cm")
# control characters, halves of pairs, not assigned, private use, and breaks of lines and paragraphs
_NEVER_DRAWN = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
_DIRECTIONS = {"\u200e", "\u200f", "\u061c", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def shown(text: object) -> str:
    """A name as a picture can show it, on one line.

    Parameters
    ----------
    text : object
        Such as a class name or a clip id.

    Returns
    -------
    str
        The name, with what no installed font draws escaped.

    Examples
    --------
    >>> print(shown("fünf"), shown("a\\tb\\n"), shown("\\ue000"))
    fünf a\\tb\\n \\ue000
    """
    return "".join(c if _font_of(c) is not None else _escaped(c) for c in unicodedata.normalize("NFC", str(text)))


def shortened(name: object, n_most: int = LONGEST_LABEL) -> str:
    """A name as `shown` gives it, without its middle if it is long.

    Parameters
    ----------
    name : object
        Such as a class name or a clip id.
    n_most : int
        Number of characters.

    Examples
    --------
    >>> shortened("lang-german_speaker-04_trial-0_digit-7.flac", 20)
    'lang-germa…it-7.flac'
    """
    text = shown(name)
    half = n_most // 2
    return text if len(text) <= n_most else f"{text[:half]}…{text[len(text) - (n_most - half - 1) :]}"


def letter(text: Text, *, is_number: bool = False) -> None:
    """Give a text of a picture the fonts that it needs, and draw it as it stands.

    Parameters
    ----------
    text : matplotlib.text.Text
        The text, in which what no font draws is escaped; lines may break.
    is_number : bool
        Whether Matplotlib wrote it and may mean a formula by it.
    """
    lines = text.get_text().split("\n")
    readable = "\n".join(map(shown, lines))
    if readable != text.get_text():
        text.set_text(readable)
    found = {c: name for c in readable if (name := _font_of(c)) is not None}
    text.set(family=[FONT, *sorted(set(found.values()) - {FONT})], usetex=False)
    if text.get_fontweight() == "bold" and not all(_is_bold(name, c) for c, name in found.items()):
        text.set_fontweight("normal")
    if not is_number:
        text.set_parse_math(False)  # a $ in a name is one


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _font_of(character: str) -> str | None:
    """The family of an installed font that draws a character, FONT if it does; None if none may or can."""
    if unicodedata.category(character) in _NEVER_DRAWN or character in _DIRECTIONS:
        return None
    return _first_with(character, _n_installed())


def _is_bold(family: str, character: str) -> bool:
    """Whether a family draws a character in bold, too."""
    bold = _fonts(_n_installed())[family].bold
    return bool(bold) and ord(character) in _drawn_by(bold)


def _n_installed() -> int:
    """How many fonts there are: part of the key of what is remembered, so that all is asked again if one is added."""
    from matplotlib.font_manager import fontManager

    return len(fontManager.ttflist)


@lru_cache(maxsize=4096)
def _first_with(character: str, n_installed: int) -> str | None:
    fonts = _fonts(n_installed)
    return next((name for name, font in fonts.items() if ord(character) in _drawn_by(font.path)), None)


class _Font(NamedTuple):
    path: str
    distance: int  # of its weight from a normal one
    bold: str  # path of the bold font of the family, empty if there is none


@lru_cache(maxsize=2)
def _fonts(n_installed: int) -> dict[str, _Font]:
    """The upright fonts, FONT first, then those of normal weight: of others Matplotlib speaks in its log."""
    from matplotlib.font_manager import fontManager, weight_dict

    found: dict[str, _Font] = {}
    for font in fontManager.ttflist:
        if font.style != "normal" or not font.name.isprintable() or font.name.startswith(_NOT_FOR_NAMES):
            continue
        weight = weight_dict[font.weight] if isinstance(font.weight, str) else int(font.weight)
        other = found.get(font.name, _Font("", 1000, ""))
        distance = abs(weight - 400)
        best = (font.fname, distance) if distance < other.distance else other[:2]
        found[font.name] = _Font(*best, font.fname if weight == 700 else other.bold)
    ranks = {name: rank for rank, name in enumerate((FONT, *_PREFERRED))}
    order = sorted(found, key=lambda name: (found[name].distance > 0, ranks.get(name, len(ranks)), name))
    return {name: found[name] for name in order}


@lru_cache(maxsize=4096)
def _drawn_by(path: str) -> frozenset[int]:
    """Code points that a font draws; none if it cannot be drawn at all."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        glyphs = font.get_charmap()
        # fonts of colored bitmaps, such as those of emoji, load and fail when they are drawn
        font.set_size(10, 72)
        font.load_char(max(glyphs))
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset(glyphs)
