"""
NIR: spikes for other frameworks
================================

**How do I hand my spikes to a tool that speaks NIR?** ``spikedata export FILE --to nir-data`` writes events or counts
on a grid as NIRData, which the package ``nir`` reads; nothing is lost, and both forms agree spike by spike.
"""

# %%
# NIR, the Neuromorphic Intermediate Representation, is a format that simulators and chips share: ``pip install nir``.
# Three clips of one speaker:

import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nir
import numpy as np

import spikedata as sd

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
recordings = [sd.embedded_corpus() / f"lang-english_speaker-09_trial-0_digit-{digit}.flac" for digit in (2, 4, 8)]
sd.encode(recordings, folder / "clips.h5")

# %%
# Events, as they are: for each clip the times and the units, padded to the clip with the most spikes. Labels and
# names, for which NIRData have no place, are in a table beside them.

sd.export.to_nir_data(folder / "clips.h5", folder / "events")
events = nir.read_data(folder / "events" / "data.nir").nodes["input"].observables["spikes"]
print(type(events).__name__, events.time.shape, f"{events.n_neurons} neurons")
with (folder / "events" / "clips.csv").open() as table:
    for row in csv.DictReader(table):
        print(row["clip"], row["source"], row["n_spikes"], "spikes")

# %%
# Or on a grid of 1 ms, for a chip with a clock: zeros and ones of shape (clip, step, unit).

dt = 0.001
sd.export.to_nir_data(folder / "clips.h5", folder / "grid", dt=dt)
grid = nir.read_data(folder / "grid" / "data.nir").nodes["input"].observables["spikes"].data
print(grid.shape, f"{int(grid.sum()):,} spikes")
with sd.SpikeFile(folder / "clips.h5") as file:
    binned = [sd.bin_events(clip.times, clip.units, dt=dt, n_steps=grid.shape[1], n_units=700) for clip in file]
print("the same as our own binning:", np.array_equal(grid > 0, np.array(binned) > 0))

# %%
# The picture: what a chip would get.

figure, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for ax, clip, word in zip(axes, grid, ("two", "four", "eight"), strict=True):
    step, unit = np.nonzero(clip)
    ax.scatter(step * dt, unit, s=0.6, color="C0", linewidths=0, rasterized=True)
    ax.set(title=f'"{word}": {len(step):,} spikes', xlabel="Time (s)", xlim=(0, 0.8))
axes[0].set(ylabel="Channel (high to low frequency)", ylim=(700, 0))
plt.show()
temporary.cleanup()
