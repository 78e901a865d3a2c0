"""Spikes that no ear made: tasks on which rules of learning are compared, each a pure function to `Events`.

To be classified: `randman` draws smooth random manifolds, `yin_yang` points of the plane, `latency_images` makes spikes
of the pixels of images, and `delayed_xor` asks for a memory. To be answered by spikes: `spike_patterns` are the inputs,
`equidistant_targets` and `bitmap_raster` what a network should answer. `make_task` makes one of them by its name, with
its parts, and `write_task` a spike file of it.
"""

from spikedata.tasks.delayed_xor import delayed_xor
from spikedata.tasks.images import latency_images
from spikedata.tasks.latencies import events_from_latencies
from spikedata.tasks.make import TASKS, Made, make_task, task_params, write_task
from spikedata.tasks.poisson import spike_patterns
from spikedata.tasks.randman import randman
from spikedata.tasks.targets import bitmap_raster, cochlea_bitmap, equidistant_targets
from spikedata.tasks.yin_yang import yin_yang, yin_yang_points

__all__ = [
    "TASKS",
    "Made",
    "bitmap_raster",
    "cochlea_bitmap",
    "delayed_xor",
    "equidistant_targets",
    "events_from_latencies",
    "latency_images",
    "make_task",
    "randman",
    "spike_patterns",
    "task_params",
    "write_task",
    "yin_yang",
    "yin_yang_points",
]
