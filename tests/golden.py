"""Print the digests of the spikes of some sounds, as JSON: python tests/golden.py

`test_same_bytes.py` holds what it has to print, on every machine. Whoever changes bits on purpose copies the new
digests there, and says so in the changelog: files that were made before can then no longer be remade to the bit.
"""

import hashlib
import json

import numpy as np
import soundfile
from numpy.typing import NDArray

import spikedata as sd
from cochlea import CochleaParams, encode

PRESETS = {"default": CochleaParams(), "published": CochleaParams.published(), "human": CochleaParams.human()}
CLIPS = [
    "lang-english_speaker-00_trial-0_digit-3",
    "lang-english_speaker-00_trial-0_digit-7",
    "lang-german_speaker-04_trial-0_digit-0",
    "lang-german_speaker-04_trial-0_digit-7",
]


def sounds() -> dict[str, tuple[NDArray[np.int16], int]]:
    """Four recordings; one at 16 kHz, which a preset resamples; and one so long that it is cut into segments."""
    read = {clip: soundfile.read(sd.embedded_corpus() / f"{clip}.flac", dtype="int16") for clip in CLIPS}
    first, rate = read[CLIPS[0]]
    every_third = np.ascontiguousarray(first[::3]), rate // 3
    long = np.concatenate([waveform for waveform, _ in read.values()] * 2), rate
    return read | {"16 kHz": every_third, "long": long}


def digest(preset: str, waveform: NDArray[np.int16], rate: int, key: str) -> str:
    """SHA-256 of the times and units, as little-endian float64 and uint16."""
    spikes = encode(waveform, rate, PRESETS[preset], seed=7, key=key)
    content = spikes.times.astype("<f8").tobytes() + spikes.units.astype("<u2").tobytes()
    return f"{spikes.times.size} {hashlib.sha256(content).hexdigest()}"


def main() -> None:
    """Print the digests of all sounds and presets."""
    print(
        json.dumps({p: {name: digest(p, *sound, name) for name, sound in sounds().items()} for p in PRESETS}, indent=4)
    )


if __name__ == "__main__":
    main()
