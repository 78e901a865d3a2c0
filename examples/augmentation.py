"""
What augmentation does to a raster
==================================

**What does each transform do to a clip?** Each changes which channels fire, when, or which spikes there are at all,
so that a network meets a clip in another form in each pass; seed, epoch and clip decide the random numbers, and
nothing else does.
"""

# %%
# Two clips of "seven" through the default ear, as events in memory; two, because some transforms mix a clip with
# another one of its class.

import matplotlib.pyplot as plt

import cochlea
import spikedata as sd
from spikedata import transforms as t

clips = []
for speaker in ("00", "04"):
    path = sd.embedded_corpus() / f"lang-english_speaker-{speaker}_trial-0_digit-7.flac"
    times, units = cochlea.encode(*sd.read_audio(path), key=path.name)
    clips.append(sd.Sample(times, units, label=0, speaker=int(speaker)))
events = sd.Events.from_samples(clips, keys=["seven"])

# %%
# A transform is given to a data set. These are stronger than what one would train with, so that they can be seen.
# ``TimeReversal`` is a control rather than an augmentation: it keeps intervals and coincidences, and reverses their
# order.

augmentations = {
    "none": None,
    "ChannelShift": t.ChannelShift(largest=120),
    "ChannelJitter": t.ChannelJitter(sigma=30),
    "TimeStretch": t.TimeStretch(largest=1.8),
    "TimeJitter": t.TimeJitter(sigma=0.01),
    "EventDrop": t.EventDrop(probability=0.6),
    "TimeMask": t.TimeMask(longest=0.15, n_masks=2),
    "ChannelMask": t.ChannelMask(widest=120, n_masks=3),
    "NoiseEvents": t.NoiseEvents(rate=8),
    "Blend": t.Blend(share=0.5),
    "CutMix": t.CutMix(largest_share=0.8),
    "TimeReversal": t.TimeReversal(),
}
augmented = {name: sd.SpikeDataset(events, transform=transform, seed=3)[0] for name, transform in augmentations.items()}
print(f"{'transform':<16}{'spikes':>8}{'channels':>10}")
for name, clip in augmented.items():
    print(f"{name:<16}{len(clip.times):>8,}{len(set(clip.units.tolist())):>10}")

# %%
# The picture. Channel 0 has the highest frequency and is at the top.

figure, axes = plt.subplots(3, 4, figsize=(12, 7.5), sharex=True, sharey=True, layout="constrained")
for ax, (name, clip) in zip(axes.flat, augmented.items(), strict=True):
    color = "C0" if name != "none" else "0.25"
    ax.scatter(clip.times, clip.units, s=0.5, color=color, linewidths=0, rasterized=True)
    ax.set_title(name)
axes[0, 0].set(xlim=(0, 0.9), ylim=(700, 0))
figure.supxlabel("Time (s)", fontsize=10)
figure.supylabel("Channel (high to low frequency)", fontsize=10)
plt.show()
