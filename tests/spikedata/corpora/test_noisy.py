import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora import list_clips, noisy
from spikedata.corpora.noisy import PARTS, TEST_CONDITIONS, make_noisy_digits
from spikedata.disk import OutputError
from spikedata.splits import make_split

ONE_TAKE = dict.fromkeys(("english", "german"), ((0,),) * 12)  # of each word, by each speaker
STEM = "lang-english_speaker-04_trial-0_digit-3"


@pytest.fixture(scope="module")
def made(one_take, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noisy, "_TAKES", ONE_TAKE)
        folder = tmp_path_factory.mktemp("noisy")
        return [make_noisy_digits(one_take, folder / name) for name in ("first", "second")]


def heard(made, folder):
    return soundfile.read(Path(made[0].folder, folder, f"{STEM}.flac"))[0]


def test_no_speaker_is_in_two_parts():
    speakers = [speaker for part in PARTS.values() for speaker in part]
    assert sorted(speakers) == list(range(12))


def test_the_same_recordings_give_the_same_samples(made):
    assert made[0].sha256 == made[1].sha256
    assert not made[0].as_published


def test_training_speakers_are_heard_twice_and_test_speakers_five_times(made):
    # 20 words of 8, 2 and 2 speakers
    assert made[0].n_clips == 20 * (2 * 8 + 2 + 5 * 2)


def test_a_recording_without_noise_is_what_it_was(made, one_take):
    np.testing.assert_array_equal(heard(made, "test-clean"), soundfile.read(one_take / f"{STEM}.flac")[0])


def test_the_babble_behind_a_test_recording_is_the_same_at_every_ratio(made):
    clean = heard(made, "test-clean")
    behind = []
    for folder in ("test-snr-00", "test-snr-10"):
        mixed = heard(made, folder)
        # what is left when the clean recording is taken out, by least squares over clean and babble of the other one
        behind.append(mixed)
    basis = np.stack([clean, behind[0]])
    fitted = np.linalg.lstsq(basis.T, behind[1], rcond=None)[0] @ basis
    np.testing.assert_allclose(fitted, behind[1], atol=2e-4)  # some steps of 16 bits


@pytest.mark.parametrize(("folder", "snr"), [(f, s) for f, s in TEST_CONDITIONS.items() if s is not None])
def test_the_ratio_is_what_the_folder_says(made, folder, snr):
    clean, mixed = heard(made, "test-clean"), heard(made, folder)
    gain = np.dot(mixed, clean) / np.dot(clean, clean)
    rest = mixed - gain * clean
    # the babble is not quite orthogonal to the recording
    assert 10 * np.log10(np.mean((gain * clean) ** 2) / np.mean(rest**2)) == pytest.approx(snr, abs=1.5)


def test_every_recording_is_at_the_level_of_the_corpus(made):
    assert np.sqrt(np.mean(np.square(heard(made, "test-snr-05")))) == pytest.approx(0.0347, rel=1e-3)


def test_it_is_listed_as_a_corpus_with_its_own_parts(made):
    listing = list_clips("noisy_digits", Path(made[0].folder))
    assert len(listing.clips) == made[0].n_clips
    split = make_split(listing, "listed", seed=0)
    for part, speakers in PARTS.items():
        assert {listing.clips[index].speaker for index in split.part(part)} == set(speakers)


def test_the_manifest_says_what_is_where(made):
    with Path(made[0].folder, "manifest.csv").open(encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    assert len(table) == made[0].n_clips
    line = next(line for line in table if line["file"] == f"test-snr-05/{STEM}.flac")
    assert (line["key"], line["label"], line["speaker"], line["part"], line["snr"]) == ("three", "3", "4", "test", "5")
    drawn = [line["snr"] for line in table if line["part"] == "train"]
    assert 0.1 < drawn.count("clean") / len(drawn) < 0.3
    assert all(0 <= float(snr) <= 20 for snr in drawn if snr != "clean")


def test_a_corpus_that_lacks_a_recording_is_refused_by_its_name(one_take, tmp_path):
    with pytest.raises(ValueError, match="lacks lang-english_speaker-00_trial-5_digit-0, one of the 2,400"):
        make_noisy_digits(one_take, tmp_path / "noisy")
    assert not any(tmp_path.iterdir())


def test_nothing_is_replaced(one_take, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        make_noisy_digits(one_take, tmp_path)
