"""Names of any script in pictures. A warning, such as of a glyph that is missing, is an error in tests."""

import io
import logging

import numpy as np
import pytest
from matplotlib.font_manager import fontManager
from matplotlib.text import Text

from spikedata import plot
from spikedata.events import Events, Sample
from spikedata.plot.lettering import FONT, shortened, shown

AWKWARD = [
    "五",
    "خمسة",
    "fünf 😀",
    "$5^{five}$ & <b>",
    "_silence_",
    "a\tb\nc\x1b[31m",
    "नमस्ते",
    "\u202eabc",
    "\ue000",
    "\udc80",
]
ESCAPED = {"a\tb\nc\x1b[31m": r"a\tb\nc\x1b[31m", "\u202eabc": r"\u202eabc", "\ue000": r"\ue000", "\udc80": r"\udc80"}


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(0)
    clips = [
        Sample(np.sort(rng.random(30)), rng.integers(0, 16, 30).astype(np.uint16), label, -1)
        for label in range(len(AWKWARD))
    ]
    return Events.from_samples(clips, keys=AWKWARD, n_units=16)


def draw_every_name(events, name):
    draw = {
        "classes": lambda: plot.plot_classes(events, title=" ".join(AWKWARD)),
        "speakers": lambda: plot.plot_speakers(events),
        "means": lambda: plot.plot_means(events),
        "confusion": lambda: plot.plot_confusion(np.eye(len(AWKWARD)), AWKWARD),
        "hidden": lambda: plot.plot_hidden(np.eye(10), 0.1, np.eye(10), AWKWARD, title="$x$"),
    }
    return draw[name]()


@pytest.mark.parametrize("name", ["classes", "speakers", "means", "confusion", "hidden"])
def test_names_of_every_script_are_drawn_without_a_warning(events, name, caplog):
    figure = draw_every_name(events, name)
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        figure.draw_without_rendering()
    assert caplog.records == []
    said = {text.get_text().strip("\u200b") for text in figure.findobj(Text)}
    if name != "hidden":  # which names three
        assert {shortened(key, 14 if name == "means" else 24) for key in AWKWARD} <= said


@pytest.mark.parametrize("kind", ["png", "svg", pytest.param("pdf", marks=pytest.mark.slow)])
def test_names_of_every_script_are_saved_without_a_warning(kind):
    plot.plot_confusion(np.eye(10), AWKWARD, title=" ".join(AWKWARD)).savefig(io.BytesIO(), format=kind)


@pytest.mark.parametrize("name", ESCAPED)
def test_what_has_no_place_in_a_picture_is_escaped(name):
    assert shown(name) == ESCAPED[name]


def test_what_the_font_draws_stays_and_names_have_one_form():
    assert shown("fünf $5$ خمسة 😀") == "fünf $5$ خمسة 😀"
    assert shown("fu\u0308nf") == "fünf"
    assert shown("five\u2028") == r"five\u2028"


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    readout = np.array([[3.0, 2.0, 1.0]] * 5)
    (legend,) = [axes.get_legend() for axes in plot.plot_hidden(np.eye(5), 0.1, readout, ["_a_", "b", "c"]).axes[1:]]
    assert [text.get_text().strip("\u200b") for text in legend.get_texts()] == ["_a_", "b", "c"]


def test_long_names_lose_their_middle():
    assert shortened("a" * 24) == "a" * 24
    assert shortened("a" * 20 + "b" * 20) == "a" * 12 + "…" + "b" * 11


@pytest.fixture
def chinese_font(tmp_path):
    """A font that draws 五 and no other character, installed for one test."""
    builder = pytest.importorskip("fontTools.fontBuilder")
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    pen = pens.TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (900, 700), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "five"])
    font.setupCharacterMap({ord("五"): "five"})
    font.setupGlyf({".notdef": pens.TTGlyphPen(None).glyph(), "five": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "five": (1000, 100)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Five Alone", "styleName": "Regular"})
    font.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200, usWeightClass=400)
    font.setupPost()
    font.save(tmp_path / "five.ttf")
    before = list(fontManager.ttflist)
    fontManager.addfont(tmp_path / "five.ttf")
    yield "Five Alone"
    fontManager.ttflist[:] = before


@pytest.mark.skipif(shown("五") == "五", reason="a font of this machine draws Chinese")
def test_a_font_that_has_the_characters_is_taken_where_one_is_installed(chinese_font, caplog):
    assert shown("五 fünf 六") == r"五 fünf \u516d"
    figure = plot.plot_confusion(np.eye(2), ["五", "fünf"], title="五 in bold")
    labels = [text for text in figure.findobj(Text) if "五" in text.get_text()]
    assert labels
    assert {tuple(label.get_fontfamily()) for label in labels} == {(FONT, chinese_font)}
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        for kind in ("png", "svg", "pdf"):
            figure.savefig(io.BytesIO(), format=kind)
    assert caplog.records == []


def test_a_font_that_is_gone_is_not_taken():
    assert shown("五") in ("五", r"\u4e94")
    plot.plot_confusion(np.eye(1), ["五"]).draw_without_rendering()
