"""Spikes in memory: a clip, many clips as flat arrays, and both binned into time steps.

`Sample` is one clip and `Events` are many clips in flat arrays. `bin_events` and `bin_samples` count spikes per time
step in plain NumPy and define the edge rule; `batching` makes whole batches with the compiled passes of `kernels`.
"""

from spikedata.events.binning import bin_events, bin_samples, steps_of
from spikedata.events.events import Events, Selection, latest_times
from spikedata.events.sample import Sample, find_fault

__all__ = ["Events", "Sample", "Selection", "bin_events", "bin_samples", "find_fault", "latest_times", "steps_of"]
