"""
A word in babble
================

**What is left of a word when others talk?** At 10 dB its spikes are still mostly those of the word alone; at 0 dB, half
of the pattern is that of eight other speakers. A hall smears it over time.
"""

# %%
# A scene is what a sound goes through before it reaches the ear. Each of these is one clip's: a number is fixed, a pair
# such as ``snr=(0, 20)`` would be drawn from anew for each clip and epoch.

import matplotlib.pyplot as plt
import numpy as np

import cochlea
import spikedata as sd
from spikedata.torch import SoundDataset

scenes = {
    "alone": None,
    "babble at 20 dB": sd.Scene(noise="babble", snr=20),
    "babble at 10 dB": sd.Scene(noise="babble", snr=10),
    "babble at 0 dB": sd.Scene(noise="babble", snr=0),
    "alone, in a hall": sd.Scene(room=0.8, direct_to_reverberant=0),
}

# %%
# ``SoundDataset`` encodes recordings as they are asked for. Babble is made of other recordings of the same data set, by
# other speakers. Seed, clip and epoch decide everything that is drawn, so that these differ by their scenes alone.

name = "lang-english_speaker-04_trial-0_digit-7.flac"
samples = {}
for title, scene in scenes.items():
    digits = SoundDataset(sd.embedded_corpus(), corpus="heidelberg_digits", scene=scene)
    samples[title] = digits.samples([digits.sources.index(name)], epoch=0)[0]

# %%
# How much of it is still the word: the correlation of its counts, in steps of 20 ms and ten bands of frequency, with
# those of the word alone.


def counts_of(sample):
    steps, bands = int(0.8 / 0.02), 10
    spots = np.histogram2d(sample.times, sample.units, bins=(steps, bands), range=((0, 0.8), (0, 700)))[0]
    return spots.ravel()


alone = counts_of(samples["alone"])
likeness = {title: float(np.corrcoef(alone, counts_of(sample))[0, 1]) for title, sample in samples.items()}
print(f"{'scene':<18} {'spikes':>8} {'likeness to the word alone':>28}")
for title, sample in samples.items():
    print(f"{title:<18} {len(sample.times):>8,} {likeness[title]:>28.2f}")

# %%
# The picture. The preset ``default`` brings every sound to one level, so that with more babble the word itself gets
# quieter; the preset ``human`` would hear it at a level of its own (``Scene(level=65)``).

frequencies = cochlea.characteristic_frequencies(cochlea.CochleaParams().basilar_membrane)
figure, axes = plt.subplots(1, len(samples), figsize=(12, 3.4), sharey=True, layout="constrained")
for axis, (title, sample) in zip(axes, samples.items(), strict=True):
    axis.scatter(sample.times, frequencies[sample.units], s=0.4, color="C0", linewidths=0)
    axis.set(title=title, xlabel="Time (s)", xlim=(0, 0.8), yscale="log", ylim=(100, 20_000))
axes[0].set(ylabel="Characteristic frequency (Hz)")
axes[0].set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
plt.show()
