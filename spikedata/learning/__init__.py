"""Learning by other rules than back-propagation through time, and losses of spike trains.

A rule here replaces the gradient of a network of `spikedata.nn`; `spikedata.training` takes it by a switch. Nothing
here knows optimizers, recipes or files.
"""

from spikedata.learning.feedback import feedback_weights
from spikedata.learning.losses import first_spike_loss, van_rossum_distance
from spikedata.learning.online import online_gradients
from spikedata.learning.plain import online_gradients_plain
from spikedata.learning.rules import Online, check_online

__all__ = [
    "Online",
    "check_online",
    "feedback_weights",
    "first_spike_loss",
    "online_gradients",
    "online_gradients_plain",
    "van_rossum_distance",
]
