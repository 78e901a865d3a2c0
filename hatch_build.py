"""README.md as a package index shows it, where a path inside the repository leads nowhere.

With a page of the sources in pyproject.toml (`Source` in [project.urls]), links and pictures become addresses there.
Without one, a link becomes its words and a picture is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_CODE = re.compile(r"(?ms)^```.*?^```[^\n]*$|`[^`\n]+`")
_LINK = re.compile(r"(?P<picture>!?)\[(?P<words>(?:[^\[\]]|!?\[[^\[\]]*\](?:\([^()]*\))?)*)\]\((?P<target>[^()\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#|//", re.IGNORECASE)  # an address, or a heading of the page itself
_HTML = re.compile(r"<(?:img|a|source|picture)\b", re.IGNORECASE)


class LongDescription(MetadataHookInterface):
    """Gives the package its long description."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the readme."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source", "")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_an_index(text, source)}


def for_an_index(text: str, source: str = "") -> str:
    """Markdown without links that lead nowhere once it is taken out of its repository.

    Parameters
    ----------
    text : str
        Markdown; links and pictures as Markdown writes them, not as HTML.
    source : str
        The address of the repository, with `blob/HEAD` and `raw/HEAD` below it; empty if it has none.

    Raises
    ------
    ValueError
        If it has links or pictures in HTML.
    """
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    prose = _CODE.sub(keep, text)
    if found := _HTML.search(prose):
        raise ValueError(f"README.md: links and pictures must be Markdown, got {found[0]!r}")
    prose = _LINK.sub(lambda match: _resolved(match, source.rstrip("/")), prose)
    if not source:
        prose = re.sub(r"\n{3,}", "\n\n", prose)  # where a picture was
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], prose)


def _resolved(match: re.Match[str], source: str) -> str:
    picture, words, target = match["picture"], match["words"], match["target"]
    words = _LINK.sub(lambda inner: _resolved(inner, source), words)  # a picture that is a link
    if _ELSEWHERE.match(target):
        return f"{picture}[{words}]({target})"
    if not source:
        return "" if picture else words
    return f"{picture}[{words}]({source}/{'raw' if picture else 'blob'}/HEAD/{target})"
