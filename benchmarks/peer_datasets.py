"""One spike file where each peer looks for its download, opened there by the peer's own class.

Runs in the peers' Python (compat.txt), which does not have our package. `compat.py` compares what comes out with what
went in, `loader_peers.py` measures how fast it comes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np


def place_tonic(spike_file: Path, folder: Path) -> None:
    """tonic: ROOT/SHD/, and the archive that it would have unpacked, which may be empty."""
    for part in ("train", "test"):
        place(spike_file, folder / "SHD" / f"shd_{part}.h5")
        (folder / "SHD" / f"shd_{part}.h5.zip").touch()


def place_spikingjelly(spike_file: Path, folder: Path) -> None:
    """spikingjelly: ROOT/events_h5/ since 2.0, ROOT/extract/ before. Making frames takes a test file too: one clip."""
    for name in ("events_h5", "extract"):
        place(spike_file, folder / name / "shd_train.h5")
        with h5py.File(spike_file) as given, h5py.File(folder / name / "shd_test.h5", "w") as made:
            made["labels"] = given["labels"][:1]
            for column in ("spikes/times", "spikes/units"):
                made.create_dataset(column, (1,), given[column].dtype)[0] = given[column][0]


def place_snntorch(spike_file: Path, folder: Path) -> None:
    """snntorch: ROOT/shd.hdf5 in a layout of its own, a group for each clip, times in whole microseconds."""
    with h5py.File(spike_file) as given, h5py.File(folder / "shd.hdf5", "w") as made:
        labels = given["labels"][:]
        for index, label in enumerate(labels):
            clip = made.create_group(f"data/{index}")
            clip["times"] = np.round(given["spikes/times"][index].astype(np.float64) * 1e6).astype(np.uint32)
            clip["addrs"] = given["spikes/units"][index].astype(np.uint16)[:, None]
            clip["labels"] = np.uint8(label)
        made["extra/train_keys"] = made["extra/test_keys"] = np.arange(len(labels))
        made["extra"].attrs.update(N=len(labels), Ntrain=len(labels), Ntest=0)


def place(spike_file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(spike_file.resolve())


def open_tonic(folder: Path, **options: Any) -> Any:
    from tonic.datasets import SHD

    return SHD(str(folder), train=True, **options)


def open_spikingjelly(folder: Path, **options: Any) -> Any:
    import_torchvision()
    if not (folder / "events_h5").exists():
        raise FileNotFoundError(f"{folder}: nothing was placed here")  # it would go and download
    from spikingjelly.datasets.shd import SpikingHeidelbergDigits

    return SpikingHeidelbergDigits(str(folder), train=True, **options)


def open_snntorch(folder: Path, **options: Any) -> Any:
    import_torchvision()
    from snntorch.spikevision.spikedata import SHD

    return SHD(str(folder), train=True, download_and_create=False, **options)


def import_torchvision() -> None:
    """torchvision, without its compiled operators where it was built for another PyTorch; the data sets use none."""
    from front_ends import import_torchaudio

    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision._meta_registrations"] = ModuleType("torchvision._meta_registrations")
        import torchvision  # noqa: F401
    import_torchaudio()
