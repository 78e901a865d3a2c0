"""Images from a host to spikes: the four files of a data set, checked, read and made a task."""

import gzip
import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest

from spikedata.downloads.entries import Checksum, ChecksumError
from spikedata.downloads.fetching import fetch_file
from spikedata.downloads.registry import files_of
from spikedata.tasks import make_task

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.arange(6, dtype=np.uint8)


def quiet(stage, done, size):
    pass


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def served(host):
    """The entries of the registry for Fashion-MNIST, with small files of the host."""
    files = []
    for file in files_of("fashion_mnist"):
        content = gzip.compress(idx(IMAGES if "images" in file.name else LABELS), mtime=0)
        host.pages[f"/{file.archive}"] = content
        checksum = Checksum(algorithm="sha256", value=hashlib.sha256(content).hexdigest())
        files.append(replace(file, urls=(host.url + file.archive,), checksum=checksum, size=len(content)))
    return files


def test_what_is_fetched_is_made_a_task(served, params, tmp_path):
    for file in served:
        fetch_file(file, tmp_path, params, quiet)
    made = make_task("fashion_mnist", images=tmp_path)
    assert made.parts == ("train",) * 6 + ("test",) * 6
    assert made.events.keys[made.events.labels[5]] == "Sandal"
    assert len(made.events[0].times) == (IMAGES[0] > 51).sum()


def test_what_is_there_is_not_fetched_again(served, params, tmp_path):
    first, second = (fetch_file(served[0], tmp_path, params, quiet) for _ in range(2))
    assert first.n_bytes > 0
    assert second.n_bytes == 0


def test_another_file_in_its_place_is_refused(served, params, tmp_path, host):
    host.pages[f"/{served[0].archive}"] = gzip.compress(b"other")
    with pytest.raises(ChecksumError, match="SHA256 is"):
        fetch_file(replace(served[0], size=None), tmp_path, params, quiet)
