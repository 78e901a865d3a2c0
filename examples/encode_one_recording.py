"""How do I turn one recording into spikes?

    python examples/encode_one_recording.py [RECORDING]

Without a recording, it encodes one that ships with the package.
"""

import sys

import numpy as np

import cochlea
import spikedata as sd

path = sys.argv[1] if len(sys.argv) > 1 else sd.embedded_corpus() / "lang-english_speaker-04_trial-0_digit-7.flac"
waveform, sample_rate = sd.read_audio(path)
spikes = cochlea.encode(waveform, sample_rate, seed=0, key="my first clip")

duration = len(waveform) / sample_rate
busiest = np.bincount(spikes.units, minlength=700).argmax()
frequency = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())[busiest]
print(f"{path}: {duration:.3f} s at {sample_rate} Hz")
print(f"{len(spikes.times):,} spikes in 700 channels; channel {busiest} ({frequency:.0f} Hz) fires most")
