"""Files that are hard to show, pages of them, and a browser to look at these with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter
from spikedata.report import report_data_set

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

RATE = 8_000
# what ends an element, a script or a comment, what a template or a number format would take, and other scripts
KEYS = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=alert(1)>",
    "fünf & “五”",
    "$title %s {0}",
)
N_UNITS = 40


def _tone(index: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * (200 + 100 * index) * np.arange(int((0.6 + 0.05 * index) * RATE)) / RATE)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tones of 0.6 to 1.15 s; the name of one is HTML, as far as a file can be named so."""
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(12):
        soundfile.write(folder / _name(index), _tone(index), RATE)
    return folder


def _name(index: int) -> str:
    return "<b>&0.wav" if index == 0 else f"{index}.wav"


@pytest.fixture(scope="session")
def keys() -> tuple[str, ...]:
    return KEYS


@pytest.fixture(scope="session")
def hostile(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spike file of these recordings: four classes with the worst names, three speakers and a clip without one."""
    path = tmp_path_factory.mktemp("hostile") / "<i>&'names'.h5"
    made = Provenance(package_version="0.1.0", params='{"preset": "</pre><script>"}', seed=0, corpus="folder")
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=KEYS, n_units=N_UNITS, provenance=made) as writer:
        for index in range(12):
            duration = len(_tone(index)) / RATE
            times = np.sort(rng.uniform(0, duration, 0 if index == 11 else 60 + index))
            units = rng.integers(0, N_UNITS, len(times))
            speaker = -1 if index == 10 else index % 3
            options = {"source": _name(index), "sample_rate": RATE, "duration": duration}
            writer.append(times, units, label=index % 4, speaker=speaker, **options)
    return path


@pytest.fixture(scope="session")
def page(hostile: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of that file, with sound."""
    out = tmp_path_factory.mktemp("pages") / "page.html"
    report_data_set(hostile, out, audio=recordings)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Chromium, driven by Selenium, one window for all tests of a module; what it would say on its console is kept."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, place in found.items() if place is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found; on Debian: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found["chromium"]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "mute-audio", "window-size=1200,900"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(found["chromedriver"]))
    yield driver
    driver.quit()
