"""A spike file and a corpus for the commands."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.files.writer import SpikeWriter


@pytest.fixture(scope="session")
def spike_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ in their channels, spoken by six speakers."""
    path = tmp_path_factory.mktemp("spikes") / "words.h5"
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=["low", "high"]) as writer:
        for speaker in range(6):
            for label in (0, 1) * 3:
                units = rng.integers(350 * label, 350 * (label + 1), 200)
                writer.append(np.sort(rng.uniform(0, 0.5, 200)), units, label=label, speaker=speaker)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two class folders with a recording each."""
    root = tmp_path / "words"
    rng = np.random.default_rng(1)
    for name in ("cat/1.wav", "dog/1.wav"):
        (root / name).parent.mkdir(parents=True)
        soundfile.write(root / name, rng.uniform(-0.5, 0.5, 1600), 16_000)
    return root
