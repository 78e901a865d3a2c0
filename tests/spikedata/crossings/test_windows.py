"""The main path as Windows would have it: other modules, functions and flags, no fork, and open files that stay.

`tests/as_windows.py` says what is imitated. That a system has a fault can only be seen where it is real; that we call
what it lacks can be seen here.
"""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

TESTS = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="knows open files from Linux's /proc")

SITE = """
import warnings
import as_windows
# the code page of Windows, in which files are read that are opened without an encoding, is not UTF-8
as_windows.install()
warnings.filterwarnings("error", category=EncodingWarning, module="(cochlea|spikedata)[.]")
"""
MAIN = """
import multiprocessing, sys
from pathlib import Path

def main(*argv):
    from spikedata.cli import main
    status = main([*map(str, argv), "--quiet"])
    assert status == 0, (argv, status)

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    folder = Path(sys.argv[1])
    {body}
"""
ENCODE_AND_READ = """
    import spikedata as sd
    from spikedata.corpora.audio import read_audio
    from spikedata.files.cache import open_events
    main("encode", folder / "words", folder / "words.h5", "--workers", 2)
    main("verify", folder / "words.h5")
    main("info", folder / "words.h5")
    events = open_events(folder / "words.h5")
    assert len(events.labels) == 2
    main("encode", folder / "words", folder / "words.h5", "--overwrite", "--seed", 2)  # while its cache is mapped
    main("encode", folder / "words", folder / "parts.h5", "--shard", "1/2")
    main("encode", folder / "words", folder / "parts.h5", "--shard", "2/2")
    main("merge", *sorted(folder.glob("parts.shard-*.h5")), "--out", folder / "merged.h5")
    assert len(open_events(folder / "merged.h5").labels) == 2
    try:
        read_audio(folder / "words")
    except ValueError as error:
        assert "is a folder" in str(error), error
    assert len(sd.SpikeDataset(folder / "foreign.h5")) == 12  # through the process that tries files out
"""
TRAIN = """
    import torch
    import spikedata as sd
    main("encode", folder / "words", folder / "words.h5", "--workers", 2)
    data = sd.SpikeDataset(folder / "words.h5", dt=0.01, n_steps=50)
    counts = [batch[0] for batch in torch.utils.data.DataLoader(data, batch_size=1, num_workers=2)]
    assert [tuple(each.shape) for each in counts] == [(1, 50, 700)] * 2
    for number in range(2):
        run = ("--out", folder / "run", "--epochs", 1, "--overwrite")
        main("train", folder / "foreign.h5", "--recipe", "feedforward", *run)
        main("evaluate", folder / "run")
    main("leaderboard", folder)
    main("plot", folder / "words.h5", "--out", folder / "clip.png")
    main("export", folder / "words.h5", "--to", "csv", "--out", folder / "csv")
    main("card", folder / "words.h5", "--out", folder)
    main("params", "--preset", "published")
    main("doctor")
"""


@pytest.fixture
def folder(tmp_path):
    """Two recordings, and a spike file by another writer, which is tried out before it is read."""
    folder = tmp_path / "my files"
    rng = np.random.default_rng(0)
    for word in ("sechs", "fünf"):
        (folder / "words" / word).mkdir(parents=True)
        soundfile.write(folder / "words" / word / "a 1.wav", rng.normal(0, 0.1, 800), 8_000)
    with h5py.File(folder / "foreign.h5", "w", libver="latest") as file:
        file["labels"] = np.arange(12, dtype=np.uint8) % 2
        file["extra/speaker"] = np.arange(12, dtype=np.uint8) // 2
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", 12, h5py.vlen_dtype(dtype))
            for row in range(12):
                rows[row] = np.arange(row, dtype=dtype)
    return folder


def run(body, folder):
    """What a script says that runs on this Windows, its workers too."""
    started = folder.parent / "started"
    started.mkdir()
    (started / "sitecustomize.py").write_text(SITE, "utf-8")
    (started / "main.py").write_text(MAIN.replace("{body}", body.strip()), "utf-8")
    paths = [str(started), str(TESTS), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SPIKEDATA_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-X", "warn_default_encoding", str(started / "main.py"), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def test_recordings_become_files_that_are_read(folder):
    done = run(ENCODE_AND_READ, folder)
    assert done.returncode == 0, done.stderr
    shards = {f"parts.shard-000{number}-of-0002.h5" for number in (1, 2)}
    assert {path.name for path in folder.iterdir()} == {"words", "words.h5", "merged.h5", "foreign.h5"} | shards


@pytest.mark.slow
def test_a_network_is_trained_scored_and_shown(folder):
    done = run(TRAIN, folder)
    assert done.returncode == 0, done.stderr
    left = {path.name for path in folder.rglob("*") if path.name.startswith(".")}
    assert left <= {".card.json.lock"}  # which stays everywhere, lest another process locks a file that is gone
