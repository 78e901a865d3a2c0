"""Learning by other rules than back-propagation through time, and losses of spike trains.

A rule here replaces the gradient of a network of `spikedata.nn`; `spikedata.training` takes it by a switch. Nothing
here knows optimizers, recipes or files. `learn_spike_trains` is SuperSpike on the network that it was made for.
"""

from spikedata.learning.feedback import feedback_weights
from spikedata.learning.losses import first_spike_loss, van_rossum_distance
from spikedata.learning.online import online_gradients
from spikedata.learning.plain import online_gradients_plain
from spikedata.learning.rules import Online, check_online, check_uniform
from spikedata.learning.spike_trains import (
    SuperSpikeDivergedError,
    SuperSpikeResult,
    TrialRecord,
    learn_spike_trains,
    respond,
)
from spikedata.learning.superspike import SuperSpikeParams, initial_weights, rmaxprop, superspike_loop
from spikedata.learning.superspike_state import SuperSpikeCheckpoint

__all__ = [
    "Online",
    "SuperSpikeCheckpoint",
    "SuperSpikeDivergedError",
    "SuperSpikeParams",
    "SuperSpikeResult",
    "TrialRecord",
    "check_online",
    "check_uniform",
    "feedback_weights",
    "first_spike_loss",
    "initial_weights",
    "learn_spike_trains",
    "online_gradients",
    "online_gradients_plain",
    "respond",
    "rmaxprop",
    "superspike_loop",
    "van_rossum_distance",
]
