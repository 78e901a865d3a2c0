"""Pages in a real browser: they load without a word of complaint, play, filter, and are used by keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spikedata.report import report_data_set

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

LONGEST_WAIT = 20.0  # s


def until(find: Callable[[], Any]) -> Any:
    """What is found, as soon as it is true."""
    end = time.monotonic() + LONGEST_WAIT
    while not (found := find()) and time.monotonic() < end:
        time.sleep(0.02)
    assert found
    return found


def part(browser: Chrome, name: str) -> WebElement:
    return browser.find_element("css selector", f'[data-part="{name}"]')


def shown(browser: Chrome) -> list[str]:
    """Names of the clips in the list."""
    items = browser.find_elements("css selector", "[role=option]:not([hidden]) .name")
    return [item.get_attribute("textContent") for item in items]


def chosen(browser: Chrome) -> str:
    return browser.find_element("css selector", "[aria-selected=true]").get_attribute("id")


def line(browser: Chrome) -> float:
    """Where the line over the pictures stands, in pixels."""
    return browser.execute_script("return document.querySelector('.head').getBoundingClientRect().left")


def press(element: WebElement, *names: str) -> None:
    from selenium.webdriver.common.keys import Keys

    element.send_keys(*(getattr(Keys, name) for name in names))


RESET = """
const play = document.querySelector("[data-part=play]"), list = document.querySelector("[data-part=list]");
if (play.textContent === "Pause") play.click();
for (const field of document.querySelectorAll(".filters select, .filters input, [data-part=speed]")) {
  field.value = field.dataset.part === "speed" ? "1" : "";
  field.dispatchEvent(new Event(field.type === "search" ? "input" : "change"));
}
for (const key of ["End", "Home"]) list.dispatchEvent(new KeyboardEvent("keydown", { key }));
"""


@pytest.fixture
def opened(browser: Chrome, page: Path) -> Chrome:
    """The page as it is when it has been loaded, which takes longer than all else."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    if browser.current_url != page.as_uri():
        browser.get(page.as_uri())
    browser.execute_script(RESET)
    browser.get_log("browser")
    return browser


def test_a_page_loads_without_complaint_and_asks_for_nothing_else(browser: Chrome, page: Path) -> None:
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")

    browser.get(page.as_uri())
    part(browser, "play").click()
    until(lambda: part(browser, "clock").text > "0.05")

    assert browser.get_log("browser") == []  # violations of the policy would stand there, too
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert all(url == page.as_uri() or url.startswith(("blob:", "data:")) for url in asked)


def test_the_policy_stops_a_script_and_a_host_that_get_in_all_the_same(opened: Chrome) -> None:
    opened.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.broken = 1';"
        "document.body.append(script);"
        "const picture = document.createElement('img'); picture.src = 'http://127.0.0.1:9/x.png';"
        "document.body.append(picture);"
    )

    complaints = until(lambda: opened.get_log("browser"))
    assert "Content Security Policy" in complaints[0]["message"]
    assert opened.execute_script("return window.broken === undefined")
    opened.execute_script("document.body.lastElementChild.remove(); document.body.lastElementChild.remove()")


def test_names_are_shown_as_they_are(opened: Chrome, keys: tuple[str, ...]) -> None:
    assert set(shown(opened)) == set(keys)
    assert opened.title == opened.find_element("css selector", "h1").text == "<i>&'names'.h5"
    rows = opened.find_elements("css selector", ".counts th[scope=row]")
    assert [row.text for row in rows][: len(keys)] == list(keys)
    assert not opened.find_elements("css selector", "img, b, i")


def test_the_sound_plays_and_the_line_runs_with_it_to_the_end(opened: Chrome) -> None:
    begin = line(opened)
    heard = "const audio = window.heard; return audio.currentTime"
    opened.execute_script(
        "const play = HTMLMediaElement.prototype.play;"
        "HTMLMediaElement.prototype.play = function () { window.heard = this; return play.call(this); };"
    )
    part(opened, "play").click()

    until(lambda: line(opened) > begin + 20)
    until(lambda: opened.execute_script(heard) > 0.1)
    until(lambda: part(opened, "play").text == "Play")
    assert part(opened, "clock").text == "0.60 of 0.60 s"
    # the page stops the sound at the end of the clip, which may be just before the sound ends by itself
    assert opened.execute_script("return window.heard.currentTime > 0.58 && !window.heard.error")
    assert abs(opened.execute_script("return window.heard.duration") - 0.6) < 1e-3


def test_without_sound_the_line_runs_in_time(browser: Chrome, hostile: Path, tmp_path: Path) -> None:
    report_data_set(hostile, tmp_path / "page.html", clips=1)
    browser.get((tmp_path / "page.html").as_uri())
    length = float(part(browser, "clock").text.split()[2])
    browser.execute_script(
        "window.times = []; const play = document.querySelector('[data-part=play]');"
        "new MutationObserver(() => window.times.push([play.textContent, performance.now() / 1000]))"
        ".observe(play, { childList: true }); play.click();"
    )
    until(lambda: part(browser, "clock").text.startswith(f"{length:.2f} of"))

    (_, begun), (_, ended) = until(lambda: len(found := browser.execute_script("return times")) == 2 and found)
    assert length - 0.05 < ended - begun < length + 1


def test_the_list_filters_by_class_speaker_and_text(opened: Chrome, keys: tuple[str, ...]) -> None:
    from selenium.webdriver.support.select import Select

    Select(part(opened, "class")).select_by_visible_text(keys[1])
    assert set(shown(opened)) == {keys[1]}
    assert part(opened, "title").text == keys[1]
    Select(part(opened, "speaker")).select_by_visible_text("1")
    assert part(opened, "status").text == "1 of 12 clips shown"
    part(opened, "text").send_keys("no clip is called so")
    assert part(opened, "status").text == "No clip matches."
    part(opened, "text").clear()
    Select(part(opened, "class")).select_by_value("")
    Select(part(opened, "speaker")).select_by_visible_text("unknown")
    assert chosen(opened) == "clip-10"


def test_keys_reach_everything(opened: Chrome) -> None:
    clips = part(opened, "list")
    press(clips, "ARROW_DOWN", "ARROW_DOWN", "ARROW_UP")
    assert chosen(opened) == clips.get_attribute("aria-activedescendant") == "clip-1"
    press(clips, "END")
    assert chosen(opened) == "clip-11"
    press(clips, "HOME")
    said = opened.execute_script(  # in one turn, since the clip may end before the next call
        "const play = document.querySelector('[data-part=play]'), list = document.activeElement;"
        "const press = () => list.dispatchEvent(new KeyboardEvent('keydown', { key: ' ' })), said = [];"
        "for (let n = 0; n < 2; n += 1) { press(); said.push(play.textContent); } return said"
    )
    assert said == ["Pause", "Play"]

    press(part(opened, "place"), "END")
    assert part(opened, "clock").text == "0.60 of 0.60 s"


def test_the_tab_key_goes_through_the_page_in_its_order(browser: Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    reached = []
    for _ in range(14):
        press(browser.switch_to.active_element, "TAB")
        focus = browser.switch_to.active_element
        reached.append(focus.get_attribute("data-part") or focus.get_attribute("class") or focus.text)
        if reached == ["skip"]:
            assert focus.rect["x"] >= 0  # it is out of sight only until it is reached
    sections = ["Clips", "Classes and speakers", "Rates by channel", "Durations and spikes", "Card"]
    assert reached == ["skip", *sections, "class", "speaker", "text", "list", "play", "place", "speed", reached[-1]]


def test_a_picture_says_what_it_shows(opened: Chrome, keys: tuple[str, ...]) -> None:
    press(part(opened, "list"), "END")
    pictures = opened.find_elements("css selector", "canvas[role=img]")
    assert len(pictures) == 2
    for picture in pictures:
        said = picture.get_attribute("aria-label")
        assert keys[3] in said
        assert "There is no spike in it." in said


def test_a_picture_has_the_spikes_of_the_clip(opened: Chrome) -> None:
    dark = (
        "const c = document.querySelector('[data-kind=raster] canvas'), d = c.getContext('2d')"
        ".getImageData(60, 8, c.width - 80, c.height - 16).data; let n = 0;"
        "for (let k = 0; k < d.length; k += 4) n += d[k + 3] > 200 && d[k] < 80; return n"
    )
    first = opened.execute_script(dark)
    press(part(opened, "list"), "END")

    assert first > 60 > opened.execute_script(dark) == 0


def test_dark_mode_changes_page_and_pictures(opened: Chrome) -> None:
    look = "return [getComputedStyle(document.body).backgroundColor, document.querySelector('canvas').toDataURL()]"
    light = opened.execute_script(look)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})

    until(lambda: all(a != b for a, b in zip(opened.execute_script(look), light, strict=True)))


def test_nothing_is_wider_than_a_telephone(opened: Chrome) -> None:
    telephone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", telephone)
    try:
        until(lambda: opened.execute_script("return document.documentElement.clientWidth") == 360)
        assert opened.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
