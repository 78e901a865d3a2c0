"""Sounds and folders that several tests share."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference results beside the repository; it may be absent."""
    return Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """0.3 s at 48 kHz, shaped like a word: a hiss, then a voice whose pitch falls under three formants."""
    sample_rate, rng = 48_000, np.random.default_rng(1)
    time = np.arange(int(0.3 * sample_rate)) / sample_rate
    cycles = 130 * time - 60 * time**2
    voice = np.zeros_like(time)
    for harmonic in range(1, 31):
        frequency = 120 * harmonic
        formants = sum(np.exp(-(((frequency - center) / 150) ** 2)) for center in (600, 1300, 2600))
        voice += (formants + 0.02) * np.sin(2 * np.pi * harmonic * cycles)
    hiss = np.convolve(rng.standard_normal(time.size), [1, -2, 3, -2, 1], "same")
    return voice * np.clip((time - 0.08) / 0.03, 0, 1) + 0.1 * hiss * np.clip((0.1 - time) / 0.03, 0, 1)
