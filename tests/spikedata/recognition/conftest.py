"""A run that tells tones by their pitch, and such tones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.baseline import recipe_from, train_run
from spikedata.encoding.encode import encode

RATE = 16_000
PITCHES = {"low": 300.0, "middle": 1000.0, "high": 3000.0}


def tone(pitch: float, seconds: float = 0.1) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture(scope="session")
def tones_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spike file of fifteen tones of three classes, each of another frequency."""
    folder = tmp_path_factory.mktemp("tones")
    for name, pitch in PITCHES.items():
        (folder / "audio" / name).mkdir(parents=True)
        for take in range(5):
            soundfile.write(folder / "audio" / name / f"{take}.wav", tone(pitch * (0.85 + 0.05 * take)), RATE)
    encode(folder / "audio", folder / "tones.h5", workers=1)
    return folder / "tones.h5"


@pytest.fixture(scope="session")
def tones_run(tones_file: Path) -> Path:
    """A linear classifier of them."""
    run = tones_file.parent / "run"
    train_run(tones_file, run, recipe=recipe_from("counts"), split="stratified_shared_speakers")
    return run


@pytest.fixture
def own_run(tones_run: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be damaged."""
    return Path(shutil.copytree(tones_run, tmp_path / "run"))
