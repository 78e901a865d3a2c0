"""
Which channels say what
=======================

**Where and when does a word sound in the cochlea?** A word is a pattern of rates over channels, which a mean over
clips shows in Hz, and over time, which a peristimulus time histogram (PSTH) shows: "six" hisses twice above 6 kHz,
"one" never.
"""

# %%
# Four words by six speakers of the recordings that ship with the package, through the default ear, with 700 channels.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

import cochlea
import spikedata as sd

words = {"one": 1, "five": 5, "six": 6, "seven": 7}
recordings = [
    path
    for digit in words.values()
    for path in sorted(sd.embedded_corpus().glob(f"lang-english_speaker-0[0-5]_trial-0_digit-{digit}.flac"))
]
with tempfile.TemporaryDirectory() as temporary:
    sd.encode(recordings, Path(temporary, "words.h5"))
    with sd.SpikeFile(Path(temporary, "words.h5")) as file:
        events = file.read_events()
print(f"{len(events)} clips, {len(events.times):,} spikes")

# %%
# Spikes per clip, counted by word, time and channel. A file of single recordings has one class, so the word comes
# from the name.

digits = np.array([int(Path(source).stem[-1]) for source in events.sources])
clip_of_spike = np.repeat(np.arange(len(events)), np.diff(events.offsets))
frequencies = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())
dt, n_steps = 0.01, 80


def rates_of(digit):
    """Mean rate by step and channel [spikes/s]."""
    chosen = digits[clip_of_spike] == digit
    edges = np.arange(n_steps + 1) * dt, np.arange(events.n_units + 1)
    counts, _, _ = np.histogram2d(events.times[chosen], events.units[chosen], edges)
    return counts / np.sum(digits == digit) / dt


rates = {word: rates_of(digit) for word, digit in words.items()}
print(f"{'word':<8}{'below 500 Hz':>14}{'0.5 to 6 kHz':>14}{'above 6 kHz':>14}   mean spikes/s of a channel")
for word, rate in rates.items():
    low, middle, high = (
        rate[:, (frequencies >= f) & (frequencies < g)].mean() for f, g in ((0, 500), (500, 6000), (6000, 30_000))
    )
    print(f"{word:<8}{low:>14.1f}{middle:>14.1f}{high:>14.1f}")

# %%
# The picture: rates over time and frequency, and the PSTH of low and high channels below it.

figure, axes = plt.subplots(
    2, 4, figsize=(12, 5.5), sharex=True, sharey="row", layout="constrained", height_ratios=(2.2, 1)
)
time = np.arange(n_steps + 1) * dt
scale = PowerNorm(0.5, vmin=0, vmax=250)  # shows what is faint, too
bands = {"above 6 kHz": frequencies >= 6000, "below 500 Hz": frequencies < 500}
for column, (word, rate) in zip(axes.T, rates.items(), strict=True):
    merged = rate.reshape(n_steps, 100, 7).mean(axis=2).T  # seven neighboring channels are one row
    rows = np.append(frequencies[::7], frequencies[-1])
    image = column[0].pcolormesh(time, rows, merged, cmap="magma", norm=scale, rasterized=True)
    column[0].set(title=f'"{word}"', yscale="log", ylim=(100, 20_000))
    for name, chosen in bands.items():
        column[1].plot(time[:-1] + dt / 2, rate[:, chosen].mean(axis=1), label=name)
    column[1].set(xlabel="Time (s)", xlim=(0, n_steps * dt))
axes[0, 0].set(ylabel="Characteristic frequency (Hz)")
axes[0, 0].set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
axes[1, 0].set(ylabel="Rate (spikes/s)", ylim=(0, None))
axes[1, 0].legend(fontsize=9)
figure.colorbar(image, ax=axes[0], label="Rate (spikes/s)")
plt.show()
