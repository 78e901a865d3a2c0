"""What each transform costs beside the plain batch, in CPU time per clip.

    python benchmarks/transforms.py FILE.h5 [--batch N] [--repeats N] [--json]

Prints a Markdown table. "alone" is the transform of a batch that was taken out already; "whole batch" takes the clips
out, transforms and bins them (dense float32, 100 steps of 14 ms, into a reused buffer), and is held against the same
without a transform, which bins the clips where they lie.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from spikedata import transforms
from spikedata.events.batching import dense_batch
from spikedata.files.cache import open_events
from spikedata.transforms.streams import streams_of

DT, N_STEPS = 0.014, 100
N_BATCHES = 8
TRANSFORMS = [
    transforms.ChannelJitter(sigma=20),
    transforms.ChannelShift(largest=40),
    transforms.ChannelMerge(n_merged=5),
    transforms.TimeJitter(sigma=1e-3),
    transforms.TimeShift(largest=0.1),
    transforms.TimeStretch(largest=1.1),
    transforms.EventDrop(probability=0.1),
    transforms.SpanDrop(largest_share=0.2),
    transforms.AreaDrop(largest_share=0.2),
    transforms.TimeMask(longest=0.1, n_masks=2),
    transforms.ChannelMask(widest=50, n_masks=2),
    transforms.NoiseEvents(rate=0.1),
    transforms.Blend(share=0.5),
    transforms.CutMix(largest_share=0.5),
    transforms.TimeReversal(),
    transforms.ShuffleTimes(),
    transforms.ShuffleTimes(keep_envelope=True),
    transforms.NormalizeCounts(n_per_unit=5),
    transforms.Maybe(transforms.EventDrop(probability=0.1), 0.5),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE.h5", help="a spike file")
    parser.add_argument("--batch", type=int, default=256, metavar="N", help="clips of a batch")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="repeats, of which the median is shown")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    result = measure(args.file, args.batch, args.repeats)
    if args.json:
        print(json.dumps(result))
        return
    print(
        f"{result['clips']} clips of {result['events_per_clip']:,.0f} events, {result['times']}; batch {args.batch}\n"
    )
    print("| transform | alone [us] | whole batch [us] | of the plain batch |\n|---|---|---|---|")
    print(f"| none (plain batch) | | {result['plain_us']:.1f} | 1.00 |")
    for row in result["rows"]:
        print(f"| {row['transform']} | {row['alone_us']:.1f} | {row['whole_us']:.1f} | {row['ratio']:.2f} |")


def measure(path: str, batch: int, repeats: int) -> dict[str, object]:
    """Microseconds of CPU time per clip, of the plain batch and of each transform."""
    events = open_events(path)
    rng = np.random.default_rng(0)
    chosen = [rng.integers(0, len(events), batch) for _ in range(N_BATCHES)]
    streams = [streams_of(0, 0, indices) for indices in chosen]
    taken = [events.select(indices) for indices in chosen]
    everything = np.arange(batch)
    buffers = {
        n_units: np.empty((batch, N_STEPS, n_units), np.float32)
        for n_units in (events.n_units, -(-events.n_units // 5))
    }

    def per_clip(run: Callable[[int], object]) -> float:
        return median_time(run, repeats) / batch * 1e6

    def plain(number: int) -> None:
        dense_batch(events, chosen[number], dt=DT, n_steps=N_STEPS, out=buffers[events.n_units])

    plain_us, rows = per_clip(plain), []
    for transform in TRANSFORMS:

        def alone(number: int, transform: transforms.EventTransform = transform) -> None:
            transform.transform_events(taken[number], streams[number], events)

        def whole(number: int, transform: transforms.EventTransform = transform) -> None:
            changed = transform.transform_events(events.select(chosen[number]), streams[number], events)
            dense_batch(changed, everything, dt=DT, n_steps=N_STEPS, out=buffers[changed.n_units])

        alone_us, whole_us = per_clip(alone), per_clip(whole)
        rows.append(
            {"transform": repr(transform), "alone_us": alone_us, "whole_us": whole_us, "ratio": whole_us / plain_us}
        )
    return {
        "clips": len(events),
        "events_per_clip": events.times.size / len(events),
        "times": str(events.times.dtype),
        "plain_us": plain_us,
        "rows": rows,
    }


def median_time(run: Callable[[int], object], repeats: int) -> float:
    """CPU seconds of one batch, the median over the repeats; the first run, which compiles, does not count."""
    run(0)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for number in range(N_BATCHES):
            run(number)
        times.append((time.process_time() - start) / N_BATCHES)
    return float(np.median(times))


if __name__ == "__main__":
    main()
