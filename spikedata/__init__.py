"""Spoken words as spikes: recordings to spikes, files, batches, and networks scored honestly.

>>> import spikedata as sd
>>> train = sd.SHD("data", split="train", download=True)  # doctest: +SKIP
>>> for counts, labels in sd.loader(train, batch_size=256, dt=0.01, n_steps=100, shuffle=True):  # doctest: +SKIP
...     ...

Every name below loads its module, and with it NumPy, HDF5 or PyTorch, when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedata import (
        acoustics,
        baseline,
        corpora,
        downloads,
        encoding,
        events,
        export,
        files,
        learning,
        nn,
        plot,
        recognition,
        report,
        splits,
        synth,
        tasks,
        torch,
        training,
        transforms,
    )
    from spikedata.acoustics import Scene
    from spikedata.baseline import (
        RECIPES,
        Card,
        Recipe,
        custom_recipe,
        evaluate_run,
        load_run,
        probe_run,
        quantize_run,
        recipe_from,
        refit_run,
        train_run,
    )
    from spikedata.corpora.audio import read_audio
    from spikedata.corpora.embedded import embedded_corpus
    from spikedata.downloads import download
    from spikedata.encoding.encode import encode
    from spikedata.encoding.verify import verify_file
    from spikedata.events import Events, Sample, bin_events
    from spikedata.files.reader import SpikeFile
    from spikedata.files.writer import SpikeWriter
    from spikedata.recognition.listening import listen
    from spikedata.recognition.pretrained import load_pretrained
    from spikedata.recognition.recognize import recognize
    from spikedata.splits import Split, make_split
    from spikedata.torch import (
        SHD,
        SSC,
        MelDataset,
        SoundDataset,
        SpikeDataset,
        collate,
        collate_dense,
        collate_lists,
        loader,
    )

__version__ = "0.1.0"

_ROOMS = (
    "acoustics", "baseline", "corpora", "downloads", "encoding", "events", "export", "files", "learning", "nn",
    "plot", "recognition", "report", "splits", "synth", "tasks", "torch", "training", "transforms",
)  # fmt: skip
_NAMES = {
    "spikedata.acoustics": ("Scene",),
    "spikedata.baseline": (
        "RECIPES", "Card", "Recipe", "custom_recipe", "evaluate_run", "load_run", "probe_run", "quantize_run",
        "recipe_from", "refit_run", "train_run",
    ),
    "spikedata.corpora.audio": ("read_audio",),
    "spikedata.corpora.embedded": ("embedded_corpus",),
    "spikedata.downloads": ("download",),
    "spikedata.encoding.encode": ("encode",),
    "spikedata.encoding.verify": ("verify_file",),
    "spikedata.events": ("Events", "Sample", "bin_events"),
    "spikedata.files.reader": ("SpikeFile",),
    "spikedata.files.writer": ("SpikeWriter",),
    "spikedata.recognition.listening": ("listen",),
    "spikedata.recognition.pretrained": ("load_pretrained",),
    "spikedata.recognition.recognize": ("recognize",),
    "spikedata.splits": ("Split", "make_split"),
    "spikedata.torch": (
        "SHD", "SSC", "MelDataset", "SoundDataset", "SpikeDataset", "collate", "collate_dense", "collate_lists",
        "loader",
    ),
}  # fmt: skip
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "RECIPES",
    "SHD",
    "SSC",
    "Card",
    "Events",
    "MelDataset",
    "Recipe",
    "Sample",
    "Scene",
    "SoundDataset",
    "SpikeDataset",
    "SpikeFile",
    "SpikeWriter",
    "Split",
    "__version__",
    "acoustics",
    "baseline",
    "bin_events",
    "collate",
    "collate_dense",
    "collate_lists",
    "corpora",
    "custom_recipe",
    "download",
    "downloads",
    "embedded_corpus",
    "encode",
    "encoding",
    "evaluate_run",
    "events",
    "export",
    "files",
    "learning",
    "listen",
    "load_pretrained",
    "load_run",
    "loader",
    "make_split",
    "nn",
    "plot",
    "probe_run",
    "quantize_run",
    "read_audio",
    "recipe_from",
    "recognition",
    "recognize",
    "refit_run",
    "report",
    "splits",
    "synth",
    "tasks",
    "torch",
    "train_run",
    "training",
    "transforms",
    "verify_file",
]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"spikedata.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'spikedata' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        remedy = f"{error.name} is not installed: pip install 'spikedata-audio[torch]'"
        raise ModuleNotFoundError(f"spikedata.{name} needs PyTorch; {remedy}", name=error.name) from None


def __dir__() -> list[str]:
    return __all__
