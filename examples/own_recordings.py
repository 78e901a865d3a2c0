"""
My recordings to spikes
=======================

**How do I turn a folder of my own recordings into spikes and batches?** One call, ``sd.encode(folder, file)``,
encodes a folder with one subfolder for each class; ``sd.SpikeDataset`` then serves the file to any PyTorch
``DataLoader``.
"""

# %%
# Put the path of your folder here. This example copies twelve recordings that ship with the package into one, so that
# it runs anywhere: a folder for each word, any names below, WAV, FLAC, MP3 or Ogg.

import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from torch.utils.data import DataLoader

import cochlea
import spikedata as sd

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name, "recordings")
for digit, word in ((1, "one"), (3, "three"), (6, "six")):
    (folder / word).mkdir(parents=True)
    for speaker in ("00", "04", "05", "09"):
        shutil.copy(sd.embedded_corpus() / f"lang-english_speaker-{speaker}_trial-0_digit-{digit}.flac", folder / word)
print(*sorted(str(path.relative_to(folder)) for path in folder.rglob("*.flac")), sep="\n")

# %%
# To spikes. An interrupted call goes on where it stopped, and the spikes do not depend on the number of workers.

spike_path = Path(temporary.name, "words.h5")
done = sd.encode(folder, spike_path)
print(f"{done.n_clips} clips, {done.sound_duration:.1f} s of sound, {done.n_spikes:,} spikes")

# %%
# To batches: counts of spikes in steps of 10 ms, shape (clip, step, channel).

dataset = sd.SpikeDataset(spike_path, dt=0.01, n_steps=100)
for counts, labels in DataLoader(dataset, batch_size=4, shuffle=True):
    print(tuple(counts.shape), [dataset.events.keys[label] for label in labels])

# %%
# The picture: one clip of each class, spike by spike. High frequencies are at the top, as in a spectrogram.

frequencies = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())
figure, axes = plt.subplots(1, 3, figsize=(10, 4), sharex=True, sharey=True, layout="constrained")
with sd.SpikeFile(spike_path) as file:
    for ax, clip in zip(axes, (file[0], file[4], file[8]), strict=True):
        ax.scatter(clip.times, frequencies[clip.units], s=0.4, color="C0", linewidths=0)
        ax.set(title=f'"{file.keys[clip.label]}"', xlabel="Time (s)", yscale="log")
axes[0].set(ylabel="Characteristic frequency (Hz)", xlim=(0, 0.8), ylim=(100, 20_000))
axes[0].set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
plt.show()
temporary.cleanup()
