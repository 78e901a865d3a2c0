"""
To neo and Brian
================

**How do the spikes get into neo, and into a simulation with Brian 2?** ``sd.export.neo_block`` makes neo's spike
trains in memory, and a ``SpikeGeneratorGroup`` of Brian takes the units and times of a clip as they are.
"""

# %%
# One word through the default ear: times in seconds, and the channel of each spike.

import matplotlib.pyplot as plt
import numpy as np
import quantities

import cochlea
import spikedata as sd

path = sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac"
waveform, sample_rate = sd.read_audio(path)
times, units = cochlea.encode(waveform, sample_rate, key=path.name)

# %%
# neo (``pip install neo``): a segment for each clip, and a ``SpikeTrain`` for each channel. Of a file it is
# ``neo_block("words.h5")``.

events = sd.Events.from_samples([sd.Sample(times, units, label=0, speaker=4)], keys=["sieben"])
(segment,) = sd.export.neo_block(events).segments
busiest = max(segment.spiketrains, key=len)
print(
    segment.annotations["class_name"], segment.annotations["n_spikes"], "spikes in", len(segment.spiketrains), "trains"
)
print(f"channel {busiest.annotations['unit']}: {len(busiest)} spikes, the first at {busiest[0].rescale('ms'):.1f}")

# %%
# Brian: a group of 700 sources that fire as the ear did. Here it drives neurons that listen to ten neighboring
# channels each, and fire where several of these fire within a millisecond, as octopus cells of the cochlear nucleus
# do. This block is not run here, because Brian 2.9 does not import beside NumPy 2.4; it was tried with NumPy 1.26,
# where 70 neurons fire about 1,100 times::
#
#     import brian2
#     from brian2 import ms, second
#
#     nerve = brian2.SpikeGeneratorGroup(700, units, times * second)
#     spike = {"threshold": "v > 1", "reset": "v = 0", "refractory": 1 * ms}
#     cells = brian2.NeuronGroup(70, "dv/dt = -v / ms : 1", method="exact", **spike)
#     synapses = brian2.Synapses(nerve, cells, on_pre="v += 0.3")
#     synapses.connect(i=np.arange(700), j=np.arange(700) // 10)
#     monitor = brian2.SpikeMonitor(cells)
#     brian2.run(len(waveform) / sample_rate * second)

# %%
# The picture, from neo's trains: one channel of each ten between 200 and 2,000 Hz, and how long they wait from one
# spike to the next. The highest peak is the period of the voice, to which the channels are locked.

frequencies = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())
shown = [train for train in segment.spiketrains[::10] if 200 < frequencies[train.annotations["unit"]] < 2000]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(2, 1))
left.eventplot([train.rescale("s").magnitude for train in shown], linelengths=0.8, linewidths=0.8, colors="C0")
rows = np.linspace(0, len(shown) - 1, 6).astype(int)
left.set_yticks(rows, [f"{frequencies[shown[row].annotations['unit']]:.0f}" for row in rows])
left.set(
    title='Spike trains: "sieben"', xlabel="Time (s)", ylabel="Channel at (Hz)", xlim=(0, len(waveform) / sample_rate)
)
left.invert_yaxis()
intervals = np.concatenate([np.diff(train.rescale(quantities.ms).magnitude) for train in shown])
right.hist(intervals, bins=np.arange(0, 20.25, 0.25), color="C0")
right.set(title="Intervals between spikes", xlabel="Interval (ms)", ylabel="Number", xlim=(0, 20))
plt.show()
