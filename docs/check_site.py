"""Check the built site: every link leads somewhere, no page loads anything from elsewhere, every public name is shown.

python docs/check_site.py FOLDER
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path[:0] = [str(Path(__file__).parent / "extensions"), str(Path(__file__).parents[1])]

from public_names import NAMES, PAGES, ROOMS  # noqa: E402

# attributes whose address a browser loads by itself
_LOADED = {("a", "href"): False, ("area", "href"): False}
_ADDRESSES = ("href", "src", "srcset", "data", "poster", "action", "xlink:href")
_IN_CSS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
_IN_SCRIPT = re.compile(r"""(?:import\s*\(?|from|fetch\(|\.src\s*=|importScripts\()\s*["'`](https?:)?//""")


class Page(HTMLParser):
    """The anchors of a page, where it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top"}
        self.links: list[str] = []
        self.loaded: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        self._within = tag
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name == "style":
                self.loaded += _addresses_in_css(value)
            elif name in _ADDRESSES and _LOADED.get((tag, name), True) and not _is_name(tag, attrs):
                self.loaded.append(value.split(" ")[0])
            elif name in _ADDRESSES and tag in ("a", "area"):
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        """Note what a style sheet or a script in the page loads."""
        if self._within == "style":
            self.loaded += _addresses_in_css(data)
        elif self._within == "script" and _IN_SCRIPT.search(data):
            self.loaded.append("https://another-host/in-a-script")


def _is_name(tag: str, attrs: list[tuple[str, str | None]]) -> bool:
    # <link rel="canonical"> and its like say where something is, and nothing is loaded
    return tag == "link" and not {"stylesheet", "preload", "icon", "modulepreload"} & set(
        (dict(attrs).get("rel") or "").split()
    )


def _addresses_in_css(text: str) -> list[str]:
    return [one or other for one, other in _IN_CSS.findall(text)]


def faults_of_pages(site: Path) -> Iterator[str]:
    """Links that lead nowhere, and what is loaded from elsewhere or is not there."""
    pages = {
        path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    for path, page in pages.items():
        for address in page.links:
            yield from _fault_of_link(site, path, address, pages)
        for address in page.loaded:
            yield from _fault_of_loaded(site, path, address)
    for path in sorted(site.rglob("*.css")):
        for address in _addresses_in_css(path.read_text("utf-8")):
            yield from _fault_of_loaded(site, path, address)
    for path in sorted(site.rglob("*.js")):
        if _IN_SCRIPT.search(path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: loads a script from elsewhere"


def _fault_of_link(site: Path, path: Path, address: str, pages: dict[Path, Page]) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(site):
        yield f"{path.relative_to(site)}: {address} leads to no file"
    elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
        yield f"{path.relative_to(site)}: {address} names no place of that page"


def _fault_of_loaded(site: Path, path: Path, address: str) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        yield f"{path.relative_to(site)}: loads {address} from elsewhere"
    elif parts.path and not (path.parent / unquote(parts.path)).exists():
        yield f"{path.relative_to(site)}: loads {address}, which is not there"


def faults_of_names(site: Path) -> Iterator[str]:
    """Public names without a page, others that have one, and rooms that do not link to a name of theirs."""
    from sphinx.util.inventory import InventoryFile  # the other checks need no Sphinx

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    shown = {
        name: item.uri
        for kind, items in inventory.items()
        if kind.startswith("py:") and kind not in ("py:method", "py:attribute", "py:property")
        for name, item in items.items()
    }
    wanted = {*PAGES, *ROOMS}
    yield from (f"{name}: is public and on no page" for name in sorted(wanted - shown.keys()))
    others = {name for name in shown.keys() - wanted if not any(shown[name] == shown.get(page) for page in PAGES)}
    yield from (f"{name}: is on a page and is not public" for name in sorted(others))
    private = {name for items in inventory.values() for name in items if name.startswith("spikedata") and "._" in name}
    yield from (f"{name}: is on a page and is private" for name in sorted(private))
    for room in ROOMS:
        text = (site / "reference" / "api" / room.replace(".", "/") / "index.html").read_text("utf-8")
        titles = set(re.findall(r'title="([\w.]+)"', text))
        for public in NAMES:
            if public.room == room and public.page not in titles:
                yield f"{room}: its page has no link to {public.page}"


def main() -> int:
    """Print the faults of a site; 1 if there are any."""
    site = Path(sys.argv[1]).resolve()
    faults = [*faults_of_pages(site), *faults_of_names(site)]
    for fault in faults:
        print(fault, file=sys.stderr)
    n_pages = sum(1 for _ in site.rglob("*.html"))
    print(f"{n_pages} pages, {len(PAGES)} public names, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
