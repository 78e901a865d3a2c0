"""The part of a page in which clips are chosen, looked at and played."""

from __future__ import annotations

from string import Template
from typing import NamedTuple

from spikedata.report.page import part_of_page, text

ANSWER_FILTER = (
    '<label>Answer<select data-part="answer"><option value="">all</option></select></label>'  # page.js fills it
)


class Panel(NamedTuple):
    """A picture of a clip, which the script of the page draws.

    Attributes
    ----------
    kind : str
        What it shows: "rates", "raster", "hidden" or "readout".
    title : str
        What is said below it.
    """

    kind: str
    title: str


def player(about: str, panels: list[Panel], *, has_answers: bool = False) -> str:
    """HTML of the part, empty until the script fills it.

    Parameters
    ----------
    about : str
        Which clips these are, of how many; plain text.
    panels : list of Panel
        The pictures, from top to bottom, over one scale of time.
    has_answers : bool
        Whether clips can be chosen by whether the network is right.
    """
    figures = [
        f'<figure data-kind="{panel.kind}"><div><canvas role="img"></canvas><div class="head"></div></div>'
        f"<figcaption>{text(panel.title)} <span></span></figcaption></figure>"
        for panel in panels
    ]
    time = '<div><canvas aria-hidden="true"></canvas></div><figcaption hidden></figcaption>'
    figures.append(f'<figure data-kind="time">{time}</figure>')
    shown = {"about": text(about), "panels": "\n".join(figures), "filter": ANSWER_FILTER if has_answers else ""}
    return Template(part_of_page("player.html")).substitute(shown)
