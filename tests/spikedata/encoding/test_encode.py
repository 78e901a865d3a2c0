"""Clips to a spike file: complete, repeatable, or not there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cochlea
from spikedata.corpora import Listing, list_clips
from spikedata.corpora.audio import AudioError
from spikedata.disk import OutputError
from spikedata.encoding.encode import encode_clips
from spikedata.files.reader import SpikeFile

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, three short sounds."""
    root = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(1)
    for name in ("cat/1.wav", "cat/2.wav", "dog/1.wav"):
        (root / name).parent.mkdir(exist_ok=True)
        soundfile.write(root / name, rng.uniform(-0.5, 0.5, 1600), RATE)
    return root


@pytest.fixture(scope="module")
def listing(folder: Path) -> Listing:
    return list_clips("folder", folder)


@pytest.fixture(scope="module")
def spike_path(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spikes") / "words.h5"
    encode_clips(listing, path, seed=3)
    return path


def test_a_file_says_where_its_spikes_come_from(spike_path: Path) -> None:
    with SpikeFile(spike_path) as file:
        assert file.keys == ("cat", "dog")
        assert file.labels.tolist() == [0, 0, 1]
        assert file.sources == ("cat/1.wav", "cat/2.wav", "dog/1.wav")
        assert file.sample_rates.tolist() == [RATE] * 3
        assert file.provenance is not None
        assert (file.provenance.seed, file.provenance.corpus) == (3, "folder")
        assert '"preset": "default"' in file.provenance.params


def test_a_clip_in_a_file_is_what_the_cochlea_makes_of_it(spike_path: Path, folder: Path) -> None:
    waveform, rate = soundfile.read(folder / "dog/1.wav")
    expected = cochlea.encode(waveform, rate, seed=3, key="dog/1.wav")

    with SpikeFile(spike_path) as file:
        sample = file[2]

    np.testing.assert_array_equal(sample.units, expected.units)
    np.testing.assert_array_equal(sample.times, expected.times.astype(np.float32))


def test_a_clip_does_not_depend_on_its_neighbors(listing: Listing, spike_path: Path, tmp_path: Path) -> None:
    alone = replace(listing, clips=listing.clips[1:2])
    encode_clips(alone, tmp_path / "alone.h5", seed=3)

    with SpikeFile(tmp_path / "alone.h5") as one, SpikeFile(spike_path) as all_three:
        np.testing.assert_array_equal(one[0].times, all_three[1].times)
        np.testing.assert_array_equal(one[0].units, all_three[1].units)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_file_does_not_depend_on_the_number_of_workers(
    listing: Listing, spike_path: Path, tmp_path: Path, workers: int
) -> None:
    encode_clips(listing, tmp_path / "again.h5", seed=3, workers=workers)

    assert (tmp_path / "again.h5").read_bytes() == spike_path.read_bytes()


def test_the_published_preset_stores_half_precision(listing: Listing, tmp_path: Path) -> None:
    encode_clips(listing, tmp_path / "published.h5", preset="published")

    with SpikeFile(tmp_path / "published.h5") as file:
        assert file.times_dtype == np.float16


def test_an_existing_file_is_kept(listing: Listing, tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("mine")

    with pytest.raises(OutputError, match=r"x\.h5: exists already"):
        encode_clips(listing, tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_text() == "mine"


def spoil(folder: Path, tmp_path: Path) -> Listing:
    root = tmp_path / "words"
    for name in ("cat/1.wav", "cat/2.wav", "dog/1.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((folder / name).read_bytes())
    soundfile.write(root / "cat/2.wav", np.zeros(100), RATE)
    return list_clips("folder", root)


def test_an_unusable_recording_ends_the_encoding_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"cat/2\.wav: silent"):
        encode_clips(spoil(folder, tmp_path), tmp_path / "x.h5")
    assert {path.name for path in tmp_path.iterdir()} == {"words"}


def test_an_unusable_recording_is_left_out_where_asked(folder: Path, tmp_path: Path) -> None:
    done = encode_clips(spoil(folder, tmp_path), tmp_path / "x.h5", on_error="skip")

    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.sources == ("cat/1.wav", "dog/1.wav")
    assert done.n_clips == 2
    assert len(done.skipped) == 1
    assert done.skipped[0].startswith("cat/2.wav: silent")


def test_a_corpus_without_a_usable_recording_makes_no_file(folder: Path, tmp_path: Path) -> None:
    listing = spoil(folder, tmp_path)
    silent = replace(listing, clips=listing.clips[1:2])

    with pytest.raises(AudioError, match=r"x\.h5: not written: none of 1 recordings can be used: .*silent"):
        encode_clips(silent, tmp_path / "x.h5", on_error="skip")
    assert not (tmp_path / "x.h5").exists()


def test_an_encoding_interrupted_in_its_first_block_leaves_nothing(listing: Listing, tmp_path: Path) -> None:
    def interrupt(n_done: int, _: int) -> None:
        if n_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_clips(listing, tmp_path / "x.h5", on_progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_an_unknown_preset_names_the_known_ones(listing: Listing, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="preset must be one of default, published, human, got 'cat'"):
        encode_clips(listing, tmp_path / "x.h5", preset="cat")
