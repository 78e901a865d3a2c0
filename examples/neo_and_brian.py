"""
To neo and Brian
================

**How do the spikes get into neo, and into a simulation with Brian 2?** ``sd.export.neo_block`` makes neo's spike
trains in memory, and a ``SpikeGeneratorGroup`` of Brian takes the units and times of a clip as they are.
"""

# %%
# Neither is a part of this package: ``pip install neo brian2``. One word through the default ear:

import brian2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import ms, second

import cochlea
import spikedata as sd

path = sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac"
waveform, sample_rate = sd.read_audio(path)
times, units = cochlea.encode(waveform, sample_rate, key=path.name)

# %%
# neo: a segment for each clip, and a ``SpikeTrain`` for each channel, in seconds. Of a file,
# ``neo_block("words.h5")``.

events = sd.Events.from_samples([sd.Sample(times, units, label=0, speaker=4)], keys=["sieben"])
block = sd.export.neo_block(events)
(segment,) = block.segments
busiest = max(segment.spiketrains, key=len)
print(f"{len(segment.spiketrains)} trains; the busiest is that of channel {busiest.annotations['unit']}")
print(f"{len(busiest)} spikes until {busiest.t_stop:.3f}, the first at {busiest[0].rescale('ms'):.1f}")

# %%
# Brian: the spikes drive 70 neurons, each of which listens to ten neighboring channels and fires where several of
# these fire within a millisecond, as octopus cells of the cochlear nucleus do.

brian2.prefs.codegen.target = "numpy"  # no compiler needed
brian2.start_scope()
brian2.defaultclock.dt = 0.1 * ms
nerve = brian2.SpikeGeneratorGroup(700, units, times * second)
cells = brian2.NeuronGroup(
    70, "dv/dt = -v / (1 * ms) : 1", threshold="v > 1", reset="v = 0", refractory=1 * ms, method="exact"
)
synapses = brian2.Synapses(nerve, cells, on_pre="v += 0.3")
synapses.connect(i=np.arange(700), j=np.arange(700) // 10)
monitor = brian2.SpikeMonitor(cells)
brian2.run(len(waveform) / sample_rate * second)
print(f"{len(times):,} spikes in, {monitor.num_spikes:,} spikes out")

# %%
# The picture: what goes in, and what the coincidence detectors make of it. They mark the onset and each period of the
# voice.

frequencies = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), sharex=True, sharey=True, layout="constrained")
left.scatter(times, frequencies[units], s=0.5, color="0.25", linewidths=0, rasterized=True)
left.set(title=f"From the ear: {len(times):,} spikes", xlabel="Time (s)", ylabel="Characteristic frequency (Hz)")
out = frequencies[10 * np.asarray(monitor.i) + 5]
right.scatter(np.asarray(monitor.t / second), out, s=3, color="C0", linewidths=0)
right.set(title=f"70 neurons of Brian: {monitor.num_spikes:,} spikes", xlabel="Time (s)")
right.set(yscale="log", ylim=(100, 20_000), xlim=(0, len(waveform) / sample_rate))
right.set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
plt.show()
