"""What tests of several rooms share: a corpus of noises, and a small task that only timing solves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spikedata.corpora import Listing, list_clips
from spikedata.events import Events, Sample
from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter

if TYPE_CHECKING:
    from spikedata.training.history import EpochRecord

RATE = 8_000
N_CLIPS = 150
# the classes use the same units equally often, in another order
N_UNITS, DURATION = 16, 0.2
ORDERS = ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1))  # of four groups of units, per class
KEYS = ("up", "down", "mixed")


@pytest.fixture(scope="session")
def spoken_digits() -> Path:
    """A corpus of synthetic speech: 20 digits in 12 voices and 2 takes, as ``spikedata synth --words shd`` made it."""
    return Path(__file__).parents[1] / "data" / "spoken_digits"


@pytest.fixture(scope="session")
def one_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Heidelberg Digits in small: every speaker says every digit once in each language, in a noise of its own."""
    folder, rng = tmp_path_factory.mktemp("digits"), np.random.default_rng(0)
    for speaker in range(12):
        for language in ("english", "german"):
            for digit in range(10):
                name = f"lang-{language}_speaker-{speaker:02d}_trial-0_digit-{digit}.flac"
                soundfile.write(folder / name, 0.1 * rng.standard_normal(2400), 48_000, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with 150 noises of 5 ms."""
    root = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(2)
    for index in range(N_CLIPS):
        path = root / ("cat", "dog", "emu")[index % 3] / f"{index}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 40), RATE)
    return root


@pytest.fixture(scope="session")
def listing(noises: Path) -> Listing:
    return list_clips("folder", noises)


def _clip(label: int, speaker: int, take: int, rng: np.random.Generator) -> Sample:
    units = np.repeat(np.arange(N_UNITS), 3)
    slot = np.argsort(ORDERS[label])[units // 4]
    times = 0.005 + 0.04 * slot + rng.uniform(0, 0.03, len(units))
    order = np.argsort(times)
    return Sample(times[order], units[order].astype(np.uint16), label, speaker, f"{speaker}-{label}-{take}.wav", 48_000)


@pytest.fixture
def make_events() -> Callable[..., Events]:
    def make(speakers: Sequence[int] = (0, 1, 2, 3), takes: int = 5, seed: int = 0) -> Events:
        rng = np.random.default_rng(seed)
        clips = [_clip(label, who, take, rng) for who in speakers for take in range(takes) for label in range(3)]
        return Events.from_samples(clips, keys=KEYS, n_units=N_UNITS)

    return make


@pytest.fixture
def write_spikes(tmp_path: Path) -> Callable[..., Path]:
    def write(events: Events, name: str = "spikes.h5", corpus: str | None = "ours", run: str = "") -> Path:
        path = tmp_path / name
        made = corpus and Provenance(
            package_version="0", params='{"preset": "default"}', seed=0, corpus=corpus, run=run
        )
        with SpikeWriter(path, keys=events.keys, n_units=events.n_units, provenance=made or None) as writer:
            for clip in events:
                fields = clip._asdict()
                writer.append(fields.pop("times"), fields.pop("units"), **fields)
        return path

    return write


class Stopped(BaseException):
    """What nobody catches: an interruption at a moment of our choice."""


@pytest.fixture
def stopping_after() -> Callable[[int], AbstractContextManager[Callable[[EpochRecord], None]]]:
    """A block in which a training must stop after so many epochs, by the ``on_epoch`` that it is given."""

    @contextmanager
    def stopping(n_epochs: int) -> Iterator[Callable[[EpochRecord], None]]:
        def on_epoch(record: EpochRecord) -> None:
            if record.epoch == n_epochs:
                raise Stopped

        with pytest.raises(Stopped):
            yield on_epoch

    return stopping
