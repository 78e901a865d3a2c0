"""Spikes in memory: one clip, many clips as flat arrays, and both cut into time steps."""

from spikedata.events.binning import bin_events, bin_samples, steps_of
from spikedata.events.events import Events, Selection, latest_times
from spikedata.events.sample import Sample, find_fault

__all__ = ["Events", "Sample", "Selection", "bin_events", "bin_samples", "find_fault", "latest_times", "steps_of"]
