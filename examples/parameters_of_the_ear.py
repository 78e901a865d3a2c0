"""
The parameters of the ear
=========================

**What changes when I change the parameters of the cochlea?** Fewer nerve fibers let chance through, fewer channels that
keep their fibers do not, less damping sharpens the tuning and lets channels ring, the published preset responds before
a sound instead of after it, and the human preset tells the harmonics of a voice apart.
"""

# %%
# A preset is a frozen tree of parameters, one branch for each stage of the ear; ``dataclasses.replace`` changes one
# of them. ``spikedata params`` lists all of them with their units.

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import cochlea
import spikedata as sd

default = cochlea.CochleaParams()
ears = {
    "default: 40 fibers per channel": default,
    "10 fibers per channel": replace(default, auditory_nerve=cochlea.AuditoryNerveParams(n_fibers=2)),
    "64 channels": default.with_channels(64),
    "damping 0.05 instead of 0.15": replace(default, basilar_membrane=cochlea.BasilarMembraneParams(damping=0.05)),
    "published (SHD, SSC)": cochlea.CochleaParams.published(),
    "human, at 65 dB SPL": cochlea.CochleaParams.human(),
}

# %%
# The same word through each of them. Seed and key fix the random numbers, so two ears differ by their parameters
# alone.

path = sd.embedded_corpus() / "lang-english_speaker-04_trial-0_digit-7.flac"
waveform, sample_rate = sd.read_audio(path)
spikes = {name: cochlea.encode(waveform, sample_rate, ear, seed=0, key=path.name) for name, ear in ears.items()}

# %%
# And a click, with pauses before and after it, which shows when and for how long each place of the membrane responds.
# The curves are the response of one channel, divided by its peak.

click = np.zeros(4800)
click[2400] = 1  # after 50 ms
share = 0.71  # of the way from base to apex
responses = {}
for name, ear in ears.items():
    velocity, rate = cochlea.basilar_membrane(click, 48_000, ear.basilar_membrane)
    response = velocity[int(share * ear.n_channels)]
    responses[name] = np.arange(len(response)) / rate, response / np.abs(response).max()

print(f"{'ear':<32} {'spikes':>8} {'per channel':>12} {'channels that fire':>20}")
for name, (times, units) in spikes.items():
    each = len(times) / ears[name].n_channels
    print(f"{name:<32} {len(times):>8,} {each:>12.1f} {len(np.unique(units)):>20}")

# %%
# The picture. The published preset conjugates the phase, as the converter that made SHD and SSC did: the response
# comes before the click, at 50 ms, and the order of the channels in the raster is reversed.

frequencies = {name: cochlea.characteristic_frequencies(ear.basilar_membrane) for name, ear in ears.items()}
figure, axes = plt.subplots(2, 6, figsize=(17, 5.5), sharey="row", layout="constrained", height_ratios=(2.2, 1))
for column, name in zip(axes.T, ears, strict=True):
    times, units = spikes[name]
    column[0].scatter(times, frequencies[name][units], s=0.4, color="C0", linewidths=0)
    column[0].set(title=name, xlabel="Time (s)", xlim=(0, 0.8), yscale="log", ylim=(100, 20_000))
    time, velocity = responses[name]
    column[1].plot(1000 * time, velocity, linewidth=1)
    column[1].axvline(50, color="C1", linewidth=1.5, linestyle=":")
    column[1].set(xlabel="Time (ms)", xlim=(20, 80))
axes[0, 0].set(ylabel="Characteristic frequency (Hz)")
axes[0, 0].set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
heard = frequencies["default: 40 fibers per channel"][int(share * default.n_channels)]
axes[1, 0].set(ylabel=f"Click at {heard:.0f} Hz\n(of its peak)")
plt.show()
