"""Learning by other rules than back-propagation through time, and losses of spike trains.

A rule here replaces the gradient of a network of `spikedata.nn`; `spikedata.training` takes it by a switch. Nothing
here knows optimizers, recipes or files.
"""

from spikedata.learning.losses import first_spike_loss, van_rossum_distance

__all__ = [
    "first_spike_loss",
    "van_rossum_distance",
]
