"""Spikes that no ear made: tasks on which rules of learning are compared, each a pure function to `Events`.

`randman` draws classes of smooth random manifolds, `yin_yang` points of the plane, and `latency_images` makes spikes of
the pixels of images.
"""

from spikedata.tasks.images import latency_images
from spikedata.tasks.latencies import events_from_latencies
from spikedata.tasks.randman import randman
from spikedata.tasks.yin_yang import yin_yang, yin_yang_points

__all__ = ["events_from_latencies", "latency_images", "randman", "yin_yang", "yin_yang_points"]
