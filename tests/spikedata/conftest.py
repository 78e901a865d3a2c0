"""A corpus of noises, large enough for several blocks, and cheap to encode."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora import Listing, list_clips

RATE = 8_000
N_CLIPS = 150


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
