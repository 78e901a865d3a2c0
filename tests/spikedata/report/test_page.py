"""What a page promises without a browser: nothing from elsewhere, nothing unescaped, colors that can be read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from spikedata.disk import OutputError
from spikedata.report import report_data_set
from spikedata.report.page import build_page, part_of_page

LEAST_CONTRAST = 4.5  # of text to what is behind it: WCAG 2.2, level AA
VOID = {"meta", "link", "input", "br", "path", "rect", "circle"}


class Outline(HTMLParser):
    """The elements of a page, each with its attributes, and what stands in scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def having(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
def outline(page: Path) -> Outline:
    return Outline(page.read_bytes())


def test_every_element_is_closed(outline: Outline) -> None:
    assert outline.open == []


def test_nothing_comes_from_elsewhere(outline: Outline) -> None:
    assert set(outline.having("src")) == set()
    assert all(href.startswith(("#", "data:,")) for href in outline.having("href"))
    assert "http" not in "".join(outline.text["style"])
    assert "fetch(" not in "".join(outline.text["script"])


def test_the_policy_names_the_one_script_and_the_one_style(outline: Outline) -> None:
    policy = next(a["content"] for t, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy")
    scripts = [s for s in outline.text["script"] if not s.startswith("{")]
    for name, (content,) in (("style-src", outline.text["style"]), ("script-src", scripts)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_no_attribute_is_style_or_script(outline: Outline) -> None:
    names = {name for _, attributes in outline.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


def test_names_are_text(page: Path, outline: Outline, keys: tuple[str, ...]) -> None:
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"img", "b", "i"}
    assert sum(tag == "script" for tag, _ in outline.elements) == 2
    data = json.loads(next(s for s in outline.text["script"] if s.startswith("{")))
    assert data["classes"] == list(keys)
    assert data["clips"][0]["id"] == "<b>&0.wav"
    assert f"<title>{'&lt;i&gt;&amp;&#x27;names&#x27;.h5'}</title>" in page.read_text("utf-8")


def test_a_reader_of_the_screen_finds_its_way(outline: Outline) -> None:
    tags = [tag for tag, _ in outline.elements]
    assert [tags.count(tag) for tag in ("html", "header", "nav", "main", "footer", "h1")] == [1] * 6
    assert dict(outline.elements[0][1]) == {} or outline.elements[0][1].get("lang") == "en"
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(a.get("scope") in ("row", "col") for tag, a in outline.elements if tag == "th")
    ids = outline.having("id")
    assert len(ids) == len(set(ids))
    assert {*outline.having("aria-labelledby")} <= {*ids}
    assert {href[1:] for href in outline.having("href") if href.startswith("#")} <= {*ids}
    assert all(a.get("aria-label") for tag, a in outline.elements if tag == "svg" and "aria-hidden" not in a)
    assert "status" in outline.having("role")


def _rules(css: str) -> list[dict[str, str]]:
    """The colors of light and of dark mode."""
    found = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    light, dark = ({n: v.strip() for n, v in re.findall(r"--([\w-]+): ([^;]+);", rule)} for rule in found)
    return [light, light | dark]


def _rgb(color: str) -> np.ndarray:
    if color.startswith("#"):
        return np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)], float)
    return np.array([float(part) for part in color.split()])


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    def luminance(rgb: np.ndarray) -> float:
        part = rgb / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(mode: int) -> None:
    css = part_of_page("page.css")
    colors = {name: _rgb(value) for name, value in _rules(css)[mode].items() if name != "color-scheme"}
    for behind in ("paper", "panel"):
        for ink in ("ink", "soft", "accent"):
            assert _contrast(colors[ink], colors[behind]) >= LEAST_CONTRAST, (ink, behind)
    assert _contrast(colors["on-accent"], colors["accent"]) >= LEAST_CONTRAST
    shades = re.findall(
        r"\.q(\d) \{ background: rgb\(var\(--heat\)(?: / ([\d.]+))?\);( color: var\(--on-heat\);)?", css
    )
    assert len(shades) == 9
    for level, opacity, is_dark in shades:
        share = float(opacity or 1)
        behind = share * colors["heat"] + (1 - share) * colors["paper"]
        assert _contrast(colors["on-heat" if is_dark else "ink"], behind) >= LEAST_CONTRAST, level
    for drawn in ("mark", "third", "accent", "line"):  # lines and dots need 3
        assert _contrast(colors[drawn], colors["paper"]) >= (2 if drawn == "line" else 3), drawn


def test_the_same_file_gives_the_same_page(hostile: Path, recordings: Path, page: Path, tmp_path: Path) -> None:
    report_data_set(hostile, tmp_path / "again.html", audio=recordings)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_a_page_says_neither_when_nor_where_it_was_made(hostile: Path, page: Path) -> None:
    content = page.read_text("utf-8")
    assert str(hostile.parent) not in content
    assert not re.search(r"\b20\d\d-\d\d-\d\d", content)


def test_names_that_steer_a_line_are_escaped() -> None:
    page = build_page("a\x1b[31m\u202eb", "", [], [], kind="data set").decode()
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ({"clips": -1}, "clips must be .*0, got -1"),
        ({"clips": 1.5}, "clips must be .*0, got 1.5"),
        ({"max_size": float("nan")}, "max_size must be a number > 0, got nan"),
        ({"max_size": -1.0}, "max_size must be > 0, got -1"),
    ],
)
def test_a_number_that_cannot_be_is_refused(option: dict[str, float], rule: str, hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rule):
        report_data_set(hostile, tmp_path / "page.html", **option)
    assert not (tmp_path / "page.html").exists()


def test_a_page_does_not_replace_the_file_that_it_is_about(hostile: Path, tmp_path: Path) -> None:
    spikes = tmp_path / "spikes.html"
    spikes.write_bytes(hostile.read_bytes())
    (tmp_path / "link.html").symlink_to(spikes)
    for out in (spikes, tmp_path / "link.html"):
        with pytest.raises(ValueError, match=r"is the file that the page is about; give another output$"):
            report_data_set(spikes, out, overwrite=True)
    assert spikes.read_bytes() == hostile.read_bytes()


def test_a_page_without_clips_says_that_none_was_asked_for(hostile: Path, tmp_path: Path) -> None:
    report_data_set(hostile, tmp_path / "page.html", clips=0)
    assert "No clip was asked for." in (tmp_path / "page.html").read_text("utf-8")


def test_a_page_is_a_page_and_replaces_nothing(hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.html"):
        report_data_set(hostile, tmp_path / "page.png")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        report_data_set(hostile, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "mine"
    report_data_set(hostile, tmp_path / "page.html", overwrite=True)
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
