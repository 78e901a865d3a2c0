"""Augmentations and controls: transforms of the events of whole batches, composable, each with the paper that used it.

A transform is a frozen dataclass with one method, ``transform_events``, which is one compiled pass over the events. Its
result for a clip depends on the seed, the epoch and the clip's number alone. `Tonic` applies
a transform of tonic's to samples.
"""

from spikedata.transforms.channels import ChannelJitter, ChannelMerge, ChannelSelect, ChannelShift
from spikedata.transforms.composition import Compose, EventTransform, Maybe
from spikedata.transforms.controls import NormalizeCounts, ShuffleSteps, ShuffleTimes, TimeReversal
from spikedata.transforms.drops import AreaDrop, ChannelMask, EventDrop, SpanDrop, TimeMask
from spikedata.transforms.mixing import Blend, CutMix, NoiseEvents
from spikedata.transforms.timing import TimeJitter, TimeShift, TimeStretch
from spikedata.transforms.tonic import Tonic, from_tonic, to_tonic

__all__ = [
    "AreaDrop",
    "Blend",
    "ChannelJitter",
    "ChannelMask",
    "ChannelMerge",
    "ChannelSelect",
    "ChannelShift",
    "Compose",
    "CutMix",
    "EventDrop",
    "EventTransform",
    "Maybe",
    "NoiseEvents",
    "NormalizeCounts",
    "ShuffleSteps",
    "ShuffleTimes",
    "SpanDrop",
    "TimeJitter",
    "TimeMask",
    "TimeReversal",
    "TimeShift",
    "TimeStretch",
    "Tonic",
    "from_tonic",
    "to_tonic",
]
