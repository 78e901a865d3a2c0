"""Learning by other rules than back-propagation through time, and losses of spike trains.

A rule here replaces the gradient of a network of `spikedata.nn`; `spikedata.training` takes it by a switch. Nothing
here knows optimizers, recipes or files. `learn_spike_trains` is SuperSpike on the network that it was made for.
"""

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
    "SuperSpikeCheckpoint",
    "SuperSpikeDivergedError",
    "SuperSpikeParams",
    "SuperSpikeResult",
    "TrialRecord",
    "initial_weights",
    "learn_spike_trains",
    "respond",
    "rmaxprop",
    "superspike_loop",
]
