"""A speaker who is not known is -1 from the corpus to the file, and nobody takes -1 for a speaker."""

import h5py
import numpy as np
import pytest

from spikedata.corpora import list_clips
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.verify import verify_file
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, known_speakers
from spikedata.files.writer import SpikeWriter
from spikedata.plot import plot_file
from spikedata.splits import available_splits, make_split
from spikedata.torch.datasets import SpikeDataset


def write(path, speakers, **options):
    with SpikeWriter(path, keys=["zero", "one"], **options) as writer:
        for index, speaker in enumerate(speakers):
            writer.append([0.1, 0.2], [index, 699], label=index % 2, speaker=speaker, source=f"{index}.wav")
    return path


@pytest.fixture
def class_folders(tmp_path, heard):
    """Two classes of ten recordings each, whose speakers nobody knows."""
    for word in ("no", "yes"):
        folder = tmp_path / "words" / word
        folder.mkdir(parents=True)
        for take in range(10):
            heard(folder / f"{take}.wav", seed=take)
    return tmp_path / "words"


@pytest.fixture
def heard():
    import soundfile

    def make(path, seed):
        noise = np.random.default_rng(seed).normal(0, 0.1, 1600)
        soundfile.write(path, noise, 16_000)

    return make


def test_class_folders_and_manifests_say_that_speakers_are_unknown(class_folders):
    table = class_folders.parent / "words.csv"
    lines = [f"words/{word}/{take}.wav,{word}" for word in ("no", "yes") for take in range(10)]
    table.write_text("\n".join(["path,label", *lines]))
    for listing in (list_clips("folder", class_folders), list_clips("manifest", table)):
        assert set(listing.speakers.tolist()) == {-1}


def test_class_folders_go_through_file_and_split_without_a_speaker(class_folders):
    out = class_folders.parent / "words.h5"
    encode_clips(list_clips("folder", class_folders), out, preset="published")
    with SpikeFile(out) as file:
        assert set(file.speakers.tolist()) == {-1}
        split = make_split(file, "stratified_shared_speakers")
        splits = available_splits(file)
    assert sorted(map(len, split.parts.values())) == [2, 2, 16]
    assert splits == ("stratified_shared_speakers", "validation_stratified_shared_speakers")
    assert "speakers unknown" in format_description(describe_file(out))
    assert verify_file(out, audio=class_folders).n_compared == 20
    assert set(SpikeDataset(out).speakers.tolist()) == {-1}


def test_known_speakers_are_stored_as_published_and_unknown_ones_as_minus_one(tmp_path):
    with h5py.File(write(tmp_path / "known.h5", [0, 65535])) as file:
        assert file["extra/speaker"].dtype == np.uint16
    with h5py.File(write(tmp_path / "mixed.h5", [-1, 65535])) as file:
        assert file["extra/speaker"][:].tolist() == [-1, 65535]


def test_a_file_takes_unknown_speakers_after_known_ones(tmp_path):
    path = write(tmp_path / "x.h5", [3, 4])
    write(path, [-1], mode="a")
    with SpikeFile(path) as file:
        assert file.speakers.tolist() == [3, 4, -1]
        assert [sample.speaker for sample in file] == [3, 4, -1]
        assert known_speakers(file.speakers) == [3, 4]


@pytest.mark.parametrize("speaker", [-2, 65536])
def test_a_speaker_out_of_range_is_refused(tmp_path, speaker):
    with pytest.raises(ValueError, match=rf"speaker {speaker}, must be in 0\.\.65535, or -1 where unknown"):
        write(tmp_path / "x.h5", [speaker])


def test_a_file_of_others_with_a_speaker_below_minus_one_is_refused(tmp_path):
    path = write(tmp_path / "x.h5", [-1, 0])
    with h5py.File(path, "r+") as file:
        file["extra/speaker"][1] = -7
    with pytest.raises(FormatError, match=r"sample 1: speaker -7, must be >= 0, or -1 where unknown"):
        SpikeFile(path)


def test_unknown_speakers_are_counted_apart(tmp_path):
    described = describe_file(write(tmp_path / "x.h5", [3, 3, -1]))
    assert (described["speakers"], described["samples_of_unknown_speaker"]) == ({3: 2}, 1)
    text = format_description(described)
    assert "1 speaker," in text
    assert "unknown in 1 clip" in text


@pytest.mark.parametrize("kind", ["raster", "cochleagram", "rates", "classes", "means", "speakers"])
@pytest.mark.parametrize("speakers", [[-1] * 6, [-1, 0, 1, 2, -1, 0]])
def test_every_plot_draws_files_with_unknown_speakers(tmp_path, kind, speakers):
    figure = plot_file(write(tmp_path / "x.h5", speakers), kind=kind)
    assert figure.axes


def test_many_speakers_are_counted_without_the_unknown(tmp_path):
    figure = plot_file(write(tmp_path / "x.h5", range(-1, 50)), kind="speakers")
    assert "50 speakers, and clips of unknown ones" in [axes.get_ylabel() for axes in figure.axes]
