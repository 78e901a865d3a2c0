"""
Many machines, the same bytes
=============================

**How do I encode a large corpus on several machines?** Each machine runs the same command with ``--shard 1/2``,
``--shard 2/2`` and so on, and ``merge`` joins these to the file that one machine would have made, byte by byte.
"""

# %%
# Forty recordings that ship with the package, in a folder as the machines would share it. Two processes stand in for
# two machines here. A cochlea with 70 channels keeps it short.

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import spikedata as sd

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for path in sorted(sd.embedded_corpus().glob("lang-*_speaker-0[49]_trial-0_digit-*.flac")):
    (folder / "words").mkdir(exist_ok=True)
    shutil.copy(path, folder / "words")


def spikedata(*arguments):
    """Start a command in the folder, as one would type it."""
    return subprocess.Popen([sys.executable, "-m", "spikedata", *arguments, "--quiet"], cwd=folder)


# %%
# In a shell, on the two machines::
#
#     spikedata encode heidelberg_digits words words.h5 --set basilar_membrane.n_places=70 --shard 1/2
#     spikedata encode heidelberg_digits words words.h5 --set basilar_membrane.n_places=70 --shard 2/2

ear = ("--set", "basilar_membrane.n_places=70", "--workers", "1")
machines = [
    spikedata("encode", "heidelberg_digits", "words", "words.h5", *ear, "--shard", f"{number}/2") for number in (1, 2)
]
print("exit status of the machines:", [machine.wait() for machine in machines])
shards = sorted(path.name for path in folder.glob("words.shard-*.h5"))
print(*shards, sep="\n")

# %%
# Any one of them joins the shards; and, to compare, one machine does it all.

spikedata("merge", *shards, "--out", "words.h5").wait()
spikedata("encode", "heidelberg_digits", "words", "alone.h5", *ear).wait()
for name in ("words.h5", "alone.h5"):
    content = (folder / name).read_bytes()
    print(f"{name:<10} {len(content):>9,} bytes   SHA-256 {hashlib.sha256(content).hexdigest()[:16]}...")

# %%
# The picture: which clip was whose. Each machine takes a stretch of the corpus, and its clips keep their places.

with sd.SpikeFile(folder / "words.h5") as file:
    order, n_spikes = {source: n for n, source in enumerate(file.sources)}, [len(clip.times) for clip in file]
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for number, shard in enumerate(shards):
    with sd.SpikeFile(folder / shard) as part:
        clips = np.array([order[source] for source in part.sources])
    ax.bar(clips, np.array(n_spikes)[clips], width=0.8, label=f"machine {number + 1}")
ax.set(title="Two shards, one file", xlabel="Clip", ylabel="Spikes")
ax.legend()
plt.show()
temporary.cleanup()
