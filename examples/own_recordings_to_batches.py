"""How do I get from a folder of my own recordings to batches in PyTorch?

    python examples/own_recordings_to_batches.py [FOLDER]

FOLDER holds one folder per class. Without it, a few of the recordings that ship with the package are used.
"""

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from torch.utils.data import DataLoader

import spikedata as sd


def some_recordings(folder: Path) -> Path:
    """Two classes with four recordings each."""
    for digit, word in ((0, "zero"), (1, "one")):
        (folder / word).mkdir(parents=True)
        for recording in sorted(sd.embedded_corpus().glob(f"lang-english_speaker-*_trial-0_digit-{digit}.flac"))[:4]:
            shutil.copy(recording, folder / word)
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else some_recordings(Path(temporary, "words"))
        spike_path = Path(temporary, "words.h5")
        sd.encode(folder, spike_path)

        dataset = sd.SpikeDataset(spike_path)
        bins = partial(sd.collate, dt=0.01, n_steps=100, n_units=700)
        loader = DataLoader(dataset, batch_size=4, shuffle=True, collate_fn=bins)
        for batch in loader:
            print(batch.dense().shape, batch.labels.tolist(), f"{batch.counts.sum():.0f} spikes")
