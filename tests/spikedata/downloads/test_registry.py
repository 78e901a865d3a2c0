"""The registry: what anybody can check of it without a network."""

import re
from dataclasses import replace

import pytest

from spikedata.downloads.plan import format_plan, how_checked, plan_download
from spikedata.downloads.registry import DATASETS, FILES, NAMES, data_set_of, files_of

ALL = [file for forms in FILES.values() for file in forms.values()]
IMAGES = ("train_images", "train_labels", "test_images", "test_labels")
DIGITS = {"md5": 32, "sha256": 64, "git-tree": 40}


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.archive)
def test_every_address_is_https(file):
    addresses = [*file.urls, *(url for sums in (file.checksum, file.content) if sums for url in sums.asked_at)]
    assert addresses
    assert all(url.startswith("https://") for url in addresses)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.archive)
def test_every_file_is_checked_somehow(file):
    sums = [checksum for checksum in (file.checksum, file.content) if checksum is not None]
    assert sums
    for checksum in sums:
        assert bool(checksum.value) != bool(checksum.asked_at)
        assert not checksum.value or re.fullmatch(f"[0-9a-f]{{{DIGITS[checksum.algorithm]}}}", checksum.value)


def test_no_two_files_share_a_checksum_or_an_archive():
    values = [sums.value for file in ALL for sums in (file.checksum,) if sums and sums.value]
    assert len(set(values)) == len(values)
    assert len({file.archive for file in ALL}) == len(ALL)


def test_the_names_are_those_of_the_command():
    spikes = ("shd_train", "shd_test", "ssc_train", "ssc_valid", "ssc_test")
    images = [f"{name}_{part}" for name in ("mnist", "fashion_mnist") for part in IMAGES]
    recordings = ("heidelberg_digits", "speech_commands", "fsdd", "audiomnist")
    assert ("shd", "ssc", *recordings, "mnist", "fashion_mnist", *spikes, *images) == NAMES


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_are_four_files_with_names_of_their_own_and_known_contents(name):
    files = files_of(name)
    assert [file.target for file in files] == [f"{name}_{part}.idx" for part in IMAGES]
    assert [file.unpacked_size for file in files] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert all(file.checksum.algorithm == "sha256" and file.checksum.value for file in files)
    assert [url.rpartition("/")[2] for url in files[2].urls] == ["t10k-images-idx3-ubyte.gz"] * 2


@pytest.mark.parametrize("name", NAMES)
def test_every_name_leads_to_files_and_a_data_set_with_license_and_citation(name):
    assert files_of(name)
    data_set = data_set_of(name)
    assert all([data_set.license, data_set.citation, data_set.homepage, data_set.title])
    assert {file.name for file in files_of(name)} <= set(data_set.files)


@pytest.mark.parametrize("name", ["shd", "ssc"])
@pytest.mark.parametrize("form", ["zip", "gz"])
def test_spikes_come_in_two_forms_and_end_under_the_same_name(name, form):
    assert [file.archive for file in files_of(name, form)] == [f"{part}.h5.{form}" for part in DATASETS[name].files]
    assert [file.target for file in files_of(name, form)] == [f"{part}.h5" for part in DATASETS[name].files]


@pytest.mark.parametrize(
    ("name", "member", "path"),
    [
        ("shd_train", "shd_train.h5", "shd_train.h5"),
        ("shd_train", "data/shd_train.h5", "shd_train.h5"),
        ("shd_train", "shd_test.h5", None),
        ("heidelberg_digits", "audio/a.flac", "audio/a.flac"),
        ("heidelberg_digits", "hd_audio/audio/a.flac", "audio/a.flac"),
        ("heidelberg_digits", "hd_audio/train_filenames.txt", "train_filenames.txt"),
        ("heidelberg_digits", "test_filenames.txt", "test_filenames.txt"),
        ("heidelberg_digits", "audio/deep/er/a.flac", None),
        ("speech_commands", "yes/0a7c2a8d_nohash_0.wav", "yes/0a7c2a8d_nohash_0.wav"),
        ("speech_commands", "_background_noise_/pink_noise.wav", "_background_noise_/pink_noise.wav"),
        ("speech_commands", "testing_list.txt", "testing_list.txt"),
        ("speech_commands", ".DS_Store", None),
        ("fsdd", "free-spoken-digit-dataset-26eb9aa/recordings/0_george_0.wav", "recordings/0_george_0.wav"),
        ("fsdd", "free-spoken-digit-dataset-26eb9aa/acquire_data/0_george_0.wav", None),
        ("audiomnist", "AudioMNIST-544b0f4/data/01/0_01_0.wav", "data/01/0_01_0.wav"),
        ("audiomnist", "AudioMNIST-544b0f4/data/audioMNIST_meta.txt", "data/audioMNIST_meta.txt"),
        ("audiomnist", "AudioMNIST-544b0f4/models/net.txt", None),
    ],
)  # fmt: skip
def test_the_members_that_users_need_are_expected(name, member, path):
    match = re.fullmatch(files_of(name)[0].members, member)
    assert (match and match["path"]) == path


def test_a_plan_opens_no_socket_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    plans = plan_download("ssc", tmp_path / "new", form="gz")
    assert [plan.path.name for plan in plans] == ["ssc_train.h5", "ssc_valid.h5", "ssc_test.h5"]
    assert not (tmp_path / "new").exists()


def test_a_plan_tells_what_where_how_large_and_whom_to_thank(tmp_path):
    text = format_plan(plan_download("speech_commands", tmp_path))
    for part in (
        "2,429 MB",
        str(tmp_path / "speech_commands"),
        "storage.googleapis.com",
        "SHA256",
        "CC BY 4.0",
        "Warden",
    ):
        assert part in text


def test_a_plan_knows_what_is_there_and_what_arrived_before(tmp_path):
    (tmp_path / "shd_train.h5").write_bytes(b"there")
    (tmp_path / ".spikedata").mkdir()
    (tmp_path / ".spikedata" / "shd_test.h5.zip.part").write_bytes(bytes(200_000))
    train, test = plan_download("shd", tmp_path)
    assert (train.is_there, test.is_there, test.n_have) == (True, False, 200_000)
    text = format_plan([train, test])
    assert "shd_train.h5 exists, nothing to download" in text
    assert "0.2 MB of it already downloaded" in text


def test_a_checksum_that_is_asked_for_is_said_to_be():
    asked = files_of("heidelberg_digits")[0]
    assert how_checked(asked) == (
        "MD5 of hd_audio.tar.gz: as given by https://zenkelab.org/datasets/md5sums.txt or "
        "https://compneuro.net/datasets/md5sums.txt at the download"
    )
    assert how_checked(replace(asked, checksum=None)) == ""
