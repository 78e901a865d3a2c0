"""What the site shows, and that the check of the built site finds what it is there for. `make docs` runs both on it."""

import runpy
import sys
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def check():
    before = list(sys.path)
    yield runpy.run_path(str(DOCS / "check_site.py"))
    sys.path[:] = before
    del sys.modules["public_names"]


@pytest.fixture
def site(tmp_path):
    pages = {
        "index.html": '<h1 id="hello">Hello</h1><a href="b/c.html#there">c</a><a href="#hello">up</a>',
        "b/c.html": '<a id="there" href="https://example.org/page">elsewhere</a><img src="../d.png">',
        "d.png": "",
        "e.css": "body { background: url(d.png) }",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_every_name_of_every_all_is_shown_and_has_a_page(check):
    shown = {(public.room, public.name): public for public in check["NAMES"]}
    for room in check["ROOMS"]:
        for name in getattr(import_module(room), "__all__", ()):
            value = getattr(import_module(room), name)
            if type(value) is type(sys) or name == "__version__":
                continue
            assert check["PAGES"][shown[room, name].page].value is value


def test_every_room_of_the_door_is_shown(check):
    import spikedata

    assert {f"spikedata.{room}" for room in spikedata._ROOMS} <= set(check["ROOMS"])


def test_no_private_name_has_a_page(check):
    assert [page for page in check["PAGES"] if "._" in page] == []


def test_code_in_a_text_leads_to_the_page_of_the_name_it_means(check):
    page_of = sys.modules["public_names"].page_of
    assert page_of("SpikeFile") == "spikedata.SpikeFile"
    assert page_of("sd.loader(words, batch_size=64)") == "spikedata.loader"
    assert page_of("Events.from_samples") == "spikedata.Events.from_samples"
    assert page_of("encode", "cochlea.model") == "cochlea.encode"
    assert page_of("encode", "spikedata.encoding.encode") == "spikedata.encode"
    assert page_of("n_steps * dt") is None
    assert page_of("no_such_name") is None
    assert page_of("spikedata._ROOMS") is None


def test_a_whole_site_has_no_faults(check, site):
    assert list(check["faults_of_pages"](site)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="nowhere.html">x</a>', "nowhere.html leads to no file"),
        ('<a href="b/c.html#not-there">x</a>', "names no place of that page"),
        ('<a href="../outside.html">x</a>', "leads to no file"),
        ('<img src="missing.png">', "loads missing.png, which is not there"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js from elsewhere"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css from elsewhere"),
        ('<p style="background: url(http://example.org/a.png)">', "loads http://example.org/a.png from elsewhere"),
        ("<style>@import 'https://example.org/f.css'</style>", "loads https://example.org/f.css from elsewhere"),
        ('<script>import("https://example.org/m.js")</script>', "from elsewhere"),
        ('<iframe src="https://example.org"></iframe>', "from elsewhere"),
    ],
)
def test_a_fault_of_a_page_is_found(check, site, text, fault):
    (site / "page.html").write_text(text, "utf-8")
    (found,) = check["faults_of_pages"](site)
    assert found.startswith("page.html: ")
    assert fault in found


def test_a_font_from_a_foreign_host_in_a_style_sheet_is_found(check, site):
    (site / "e.css").write_text("@font-face { src: url('https://fonts.example.org/f.woff2') }", "utf-8")
    (found,) = check["faults_of_pages"](site)
    assert found == "e.css: loads https://fonts.example.org/f.woff2 from elsewhere"
