"""The same bits on every processor: all that NumPy does faster where it can is switched off, and nothing changes."""

import os
import subprocess
import sys

import pytest

# of every kind of noise, a room, a speed, a level and another sample rate, in five epochs each
SCENES = """
import hashlib
from spikedata.acoustics import *
rate, digest = 16_000, hashlib.sha256()
voice = 0.1 * white_noise(9000, stream_of(0, "voice"))
spectrum = average_spectrum([(voice, rate), (voice[:3000], 8000)])
talkers = [[voice[:2000], voice[3000:4100]], [voice[100:700]]]
makers = {
    "white": None,
    "speech_shaped": lambda n, rate, key, rng: speech_shaped_noise(n, rate, spectrum, rng),
    "babble": lambda n, rate, key, rng: babble(n, rate, talkers, rng),
}
for kind, make in makers.items():
    scene = Scene(noise=kind, snr=(-5, 20), level=(30, 120), speed=(0.5, 2), room=(0.05, 2))
    for epoch in range(5):
        staged = set_scene(voice, rate, scene, seed=epoch, key="x", epoch=epoch, noise=make)
        digest.update(staged.waveform.astype("<f8").tobytes())
        digest.update(repr(staged.drawn).encode())
digest.update(resample(voice, 44_100, 48_000).astype("<f8").tobytes())
print(digest.hexdigest())
"""
GOLDEN = "4023348c6649c39427e7c3c8c4261b929d327d6f36655e6f2a809762f8d3b085"


def features() -> list[str]:
    """What NumPy can switch off on this processor."""
    umath = pytest.importorskip("numpy._core._multiarray_umath")
    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def digest_without(features: str) -> str:
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": features}
    command = [sys.executable, "-W", "ignore", "-c", SCENES]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_scenes_are_these_to_the_bit():
    assert digest_without("") == GOLDEN


def test_scenes_do_not_depend_on_what_the_processor_can_do():
    able = features()
    if not able:
        pytest.skip("NumPy uses nothing here that could be switched off")
    assert digest_without(" ".join(able)) == GOLDEN
