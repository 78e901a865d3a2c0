"""
The parameters of the ear
=========================

**What changes when I change the parameters of the cochlea?** Fewer nerve fibers let chance through, less damping
sharpens the tuning and lets channels ring, and the published preset responds before a sound instead of after it.
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
    "damping 0.05 instead of 0.15": replace(default, basilar_membrane=cochlea.BasilarMembraneParams(damping=0.05)),
    "published (SHD, SSC)": cochlea.CochleaParams.published(),
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
channel = 500
responses = {}
for name, ear in ears.items():
    velocity, rate = cochlea.basilar_membrane(click, 48_000, ear.basilar_membrane)
    responses[name] = np.arange(velocity.shape[1]) / rate, velocity[channel] / np.abs(velocity[channel]).max()

print(f"{'ear':<32} {'spikes':>8} {'channels that fire':>20}")
for name, (times, units) in spikes.items():
    print(f"{name:<32} {len(times):>8,} {len(np.unique(units)):>20}")

# %%
# The picture. The published preset conjugates the phase, as the converter that made SHD and SSC did: the response
# comes before the click, at 50 ms, and the order of the channels in the raster is reversed.

frequencies = {name: cochlea.characteristic_frequencies(ear.basilar_membrane) for name, ear in ears.items()}
figure, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharey="row", layout="constrained", height_ratios=(2.2, 1))
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
axes[1, 0].set(ylabel=f"Click at {frequencies[next(iter(ears))][channel]:.0f} Hz\n(of its peak)")
plt.show()
