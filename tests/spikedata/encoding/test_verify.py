"""A file verifies where nothing is wrong with it, and only there."""

import hashlib
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from spikedata.corpora import list_clips
from spikedata.downloads.remade import Remade, remade_files, upper_words
from spikedata.encoding import verify as comparison
from spikedata.encoding import verify as module
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.verify import format_verified, verify_file
from spikedata.files.columns import CHECKSUM
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter
from spikedata.splits import Split

RATE = 8_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two class folders with six noises of 20 ms."""
    root = tmp_path_factory.mktemp("corpus") / "noises"
    rng = np.random.default_rng(5)
    for index in range(6):
        path = root / ("cat", "dog")[index % 2] / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 160), RATE)
    return root


@pytest.fixture
def own_corpus(corpus: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    for path in sorted(corpus.rglob("*.wav")):
        copy = tmp_path / "own" / path.relative_to(corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path / "own"


@pytest.fixture(scope="module")
def encoded(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoded") / "x.h5"
    encode_clips(list_clips("folder", corpus), path, preset="published", seed=3)
    return path


def rewrite(path: Path, out: Path, provenance: Provenance | None = None, **changes) -> Path:
    """The same file with other values in its third clip, and checksums that fit."""
    with SpikeFile(path) as file:
        made = provenance or file.provenance
        with SpikeWriter(out, keys=file.keys, times_dtype=file.times_dtype.name, provenance=made) as writer:
            for index, sample in enumerate(file):
                writer.append(**(sample._asdict() | (changes if index == 2 else {})))
    return out


def write_foreign(path: Path, times=(0.1, 0.2), units=(5, 699)) -> Path:
    with h5py.File(path, "w") as file:
        for name, row, dtype in (("times", times, "f2"), ("units", units, "u2")):
            rows = file.create_dataset(f"spikes/{name}", (1,), h5py.vlen_dtype(np.dtype(dtype)))
            rows[0] = np.array(row, dtype)
        file["labels"] = np.array([0])
    return path


def test_a_whole_file_verifies(encoded):
    found = verify_file(encoded)
    with SpikeFile(encoded) as file:
        n_spikes = file.read_events().times.size
    assert (found.path, found.n_clips, found.n_spikes) == (encoded, 6, n_spikes)
    assert (found.has_checksums, found.published, found.n_compared, found.notes) == (True, None, 0, ())


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_the_md5_is_that_of_the_bytes(encoded):
    assert verify_file(encoded).md5 == md5_of(encoded)


def test_the_sha256_is_that_of_the_bytes(encoded):
    assert verify_file(encoded).sha256 == hashlib.sha256(encoded.read_bytes()).hexdigest()


@pytest.fixture
def known(encoded, monkeypatch):
    """The encoded file, as if it were one of the remade ones."""
    with SpikeFile(encoded) as file:
        sha256 = hashlib.sha256(encoded.read_bytes()).hexdigest()
        entry = Remade("shd_train", "published", len(file), 1, file.spikes_digest, sha256, "0.1.0")
    monkeypatch.setattr("spikedata.downloads.remade.remade_files", lambda: (entry,))
    return entry


def test_a_remade_file_is_known_by_its_bytes(encoded, known):
    found = verify_file(encoded)
    assert found.remade == known
    assert "these are the spikes of the remade shd_train.h5, preset published, byte by byte" in format_verified(found)


def test_the_spikes_of_a_remade_file_are_known_in_a_file_of_another_version(encoded, known, tmp_path):
    path = rewrite(encoded, tmp_path / "x.h5", replace(provenance_of(encoded), package_version="9.9"))
    found = verify_file(path)
    assert found.remade == known
    assert "preset published, in a file that version 0.1.0 did not write" in format_verified(found)


@pytest.fixture
def digits(encoded, tmp_path, monkeypatch):
    """The encoded file as if made of the Heidelberg Digits at their rate, and all of its clips known."""
    monkeypatch.setattr("spikedata.encoding.verify._OF_THE_DIGITS", RATE)
    like = {"corpus": "heidelberg_digits", "seed": 0, "split": "published lists", "part": "train"}
    path = rewrite(encoded, tmp_path / "digits.h5", replace(provenance_of(encoded), **like))
    with SpikeFile(path) as file:
        preset, known = json.loads(file.provenance.params)["preset"], upper_words(file.columns.numbers(CHECKSUM))
    learn = {preset: np.sort(known)}
    for module_name in ("spikedata.downloads.remade", "spikedata.encoding.verify"):
        monkeypatch.setattr(f"{module_name}.remade_clips", lambda asked: learn.get(asked, np.empty(0, np.uint32)))
    return path


def test_clips_are_known_in_whatever_file_they_are(digits, tmp_path):
    with (
        SpikeFile(digits) as file,
        SpikeWriter(
            tmp_path / "part.h5", keys=file.keys, times_dtype=file.times_dtype.name, provenance=file.provenance
        ) as writer,
    ):
        for index in (4, 1):
            writer.append(**file[index]._asdict())
    found = verify_file(tmp_path / "part.h5")
    assert (found.n_remade, found.remade, found.notes) == (2, None, ())
    assert "all clips are among those of the remade Heidelberg Digits of this preset" in format_verified(found)


def test_a_clip_that_should_have_known_spikes_is_told_if_it_has_not(digits, tmp_path):
    with (
        SpikeFile(digits) as file,
        SpikeWriter(
            tmp_path / "x.h5", keys=file.keys, times_dtype=file.times_dtype.name, provenance=file.provenance
        ) as writer,
    ):
        for sample in file:
            units = sample.units.copy()
            units[0] ^= len(writer) == 3
            writer.append(**sample._replace(units=units)._asdict())
    found = verify_file(tmp_path / "x.h5")
    assert found.n_remade == 5
    assert found.notes == ("1 of its 6 clips are not those of the remade Heidelberg Digits, preset published",)


def test_a_file_without_any_known_clip_is_told(digits, tmp_path, corpus):
    encode_clips(list_clips("folder", corpus), tmp_path / "other.h5", preset="published", seed=4)
    path = rewrite(tmp_path / "other.h5", tmp_path / "x.h5", provenance_of(digits))
    assert verify_file(path).notes == ("its spikes are not those of the remade Heidelberg Digits, preset published",)


def test_the_digest_of_the_spikes_does_not_depend_on_the_order_of_the_clips(encoded, tmp_path):
    with SpikeFile(encoded) as file:
        with SpikeWriter(tmp_path / "x.h5", keys=file.keys, times_dtype=file.times_dtype.name) as writer:
            for index in reversed(range(len(file))):
                writer.append(**file[index]._asdict())
        with SpikeFile(tmp_path / "x.h5") as turned:
            assert turned.spikes_digest == file.spikes_digest != ""
    with SpikeFile(write_foreign(tmp_path / "foreign.h5")) as foreign:
        assert foreign.spikes_digest == ""


def test_the_digest_of_the_spikes_changes_with_one_spike(encoded, tmp_path):
    with SpikeFile(encoded) as file:
        with SpikeWriter(tmp_path / "x.h5", keys=file.keys, times_dtype=file.times_dtype.name) as writer:
            for sample in file:
                units = sample.units.copy()
                units[0] ^= len(writer) == 3
                writer.append(**sample._replace(units=units)._asdict())
        with SpikeFile(tmp_path / "x.h5") as changed:
            assert changed.spikes_digest != file.spikes_digest


def test_the_docs_name_the_files_that_are_known():
    docs = Path(__file__).parents[3].joinpath("docs/howto/encoding.md").read_text("utf-8")
    for entry in remade_files():
        assert f"| `{entry.name}.h5` | {entry.preset} | {entry.clips:,} | {entry.spikes:,} | `{entry.sha256}` |" in docs


def test_a_changed_spike_does_not_verify(encoded, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(encoded.read_bytes())
    with h5py.File(path, "a") as file:
        row = file["spikes/units"][4]
        row[0] ^= 1
        file["spikes/units"][4] = row
    with pytest.raises(FormatError, match=r"x\.h5: sample 4: damaged, its checksum does not match"):
        verify_file(path)


@pytest.mark.parametrize("name", ["labels", "extra/speaker", "extra/sample_rate", "extra/checksum"])
def test_a_changed_number_does_not_verify(encoded, tmp_path, name):
    path = tmp_path / "x.h5"
    path.write_bytes(encoded.read_bytes())
    with h5py.File(path, "a") as file:
        file[name][3] = abs(int(file[name][3]) ^ 1)  # -1 is an unknown speaker, -2 none
    with pytest.raises(FormatError, match=r"x\.h5: damaged: its digest does not match"):
        verify_file(path)


@pytest.mark.parametrize("name", ["extra/keys", "extra/source"])
def test_a_changed_name_does_not_verify(encoded, tmp_path, name):
    path = tmp_path / "x.h5"
    path.write_bytes(encoded.read_bytes())
    with h5py.File(path, "a") as file:
        file[name][0] = b"x" + file[name][0][1:]
    with pytest.raises(FormatError, match=r"x\.h5: damaged: its digest does not match"):
        verify_file(path)


@pytest.mark.parametrize("name", ["seed", "corpus", "version", "run", "params"])
def test_changed_provenance_does_not_verify(encoded, tmp_path, name):
    path = tmp_path / "x.h5"
    path.write_bytes(encoded.read_bytes())
    with h5py.File(path, "a") as file:
        before = file.attrs[f"spikedata_{name}"]
        file.attrs[f"spikedata_{name}"] = before + 1 if name == "seed" else np.bytes_(before.replace(b"0", b"1") + b" ")
    with pytest.raises(FormatError, match=r"x\.h5: damaged: its digest does not match"):
        verify_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"y\.h5: no such file"):
        verify_file(tmp_path / "y.h5")


def test_a_file_of_another_writer_has_no_checksums_and_says_so(tmp_path):
    found = verify_file(write_foreign(tmp_path / "words.h5"))
    assert not found.has_checksums
    assert "written by other software, without checksums" in found.notes[0]
    assert found.notes[1] == "its MD5 is not that of a published file with a known MD5 (shd_train, shd_test)"


def test_a_file_under_a_published_name_is_held_against_the_published_md5(tmp_path):
    found = verify_file(write_foreign(tmp_path / "shd_test.h5"))
    assert found.notes[1] == "it is not the published shd_test.h5, whose MD5 is 207ad1295a0ab611e22d1734989c254e"


def test_a_published_file_is_known_by_its_md5(tmp_path, monkeypatch):
    path = write_foreign(tmp_path / "mine.h5")
    monkeypatch.setattr(module, "published_sums", lambda: {md5_of(path): "shd_train"})
    found = verify_file(path)
    assert (found.published, found.notes) == ("shd_train", ())
    assert "the published shd_train.h5, byte by byte" in format_verified(found)


def test_a_unit_that_cannot_be_does_not_verify_in_a_file_of_another_writer(tmp_path):
    with pytest.raises(FormatError, match=r"x\.h5: sample 0: unit 700, must be < 700"):
        verify_file(write_foreign(tmp_path / "x.h5", units=(5, 700)))


def test_recordings_that_were_left_out_are_noted(own_corpus, tmp_path):
    (own_corpus / "cat/0.wav").write_text("no sound")
    encode_clips(list_clips("folder", own_corpus), tmp_path / "x.h5", preset="published", on_error="skip")
    (note,) = verify_file(tmp_path / "x.h5").notes
    assert note.startswith("recordings left out when the file was made: 1, first cat/0.wav: ")


def test_progress_counts_the_clips_of_each_stage(encoded, corpus):
    told: list[tuple[str, int, int]] = []
    verify_file(encoded, audio=corpus, on_progress=lambda *state: told.append(state))
    assert [state for state in told if state[0] == "reading"] == [("reading", 0, 6), ("reading", 6, 6)]
    assert [state for state in told if state[0] == "encoding"] == [("encoding", n, 6) for n in range(7)]


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    row = np.sort(np.random.default_rng(0).random(1000)), np.zeros(1000, np.uint16)
    for n_clips in (600, 2400):
        with SpikeWriter(tmp_path / f"{n_clips}.h5", keys=["a"]) as writer:
            for _ in range(n_clips):
                writer.append(*row, label=0, speaker=0)
        tracemalloc.start()
        verify_file(tmp_path / f"{n_clips}.h5")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.25 * peaks[0]  # columns take some bytes a clip; all spikes would be four times as much


# --deep: the recordings are encoded again


@pytest.mark.parametrize("workers", [1, 3])
def test_a_file_is_what_its_recordings_give(encoded, corpus, workers):
    found = verify_file(encoded, audio=corpus, workers=workers)
    assert (found.n_compared, found.notes) == (6, ())
    assert "6 recordings were encoded again and gave the same spikes" in format_verified(found)


def test_the_default_preset_is_compared_too(corpus, tmp_path):
    encode_clips(list_clips("folder", corpus), tmp_path / "x.h5", seed=1)
    assert verify_file(tmp_path / "x.h5", audio=corpus).n_compared == 6


def test_a_part_of_a_split_is_compared_with_its_own_recordings(corpus, tmp_path):
    parts = {"train": np.array([0, 1, 3]), "test": np.array([2, 5])}
    encode_clips(list_clips("folder", corpus), tmp_path / "out", preset="published", split=Split("by hand", parts))
    found = verify_file(tmp_path / "out/folder_test.h5", audio=corpus)
    assert (found.n_compared, found.notes) == (2, ())


def test_a_shard_is_compared_with_its_own_recordings(corpus, tmp_path):
    done = encode_clips(list_clips("folder", corpus), tmp_path / "x.h5", preset="published", shard=(2, 3))
    assert verify_file(done.outputs[0], audio=corpus).n_compared == 2


def test_spikes_that_the_recording_does_not_give_are_found_where_checksums_fit(encoded, corpus, tmp_path):
    with SpikeFile(encoded) as file:
        sample = file[2]
    units = sample.units.copy()
    units[7] ^= 1
    path = rewrite(encoded, tmp_path / "x.h5", units=units)
    verify_file(path)
    expected = (
        rf"x\.h5: does not match its recordings: 1 of 6 clips differ, first {sample.source}: spike 7 at "
        rf"{sample.times[7]:g} s, unit {units[7]}, its recording gives {sample.times[7]:g} s, unit {sample.units[7]}$"
    )
    with pytest.raises(FormatError, match=expected):
        verify_file(path, audio=corpus)


def test_a_missing_spike_is_found(encoded, corpus, tmp_path):
    with SpikeFile(encoded) as file:
        sample = file[2]
    path = rewrite(encoded, tmp_path / "x.h5", times=sample.times[1:], units=sample.units[1:])
    n = len(sample.times)
    with pytest.raises(FormatError, match=rf"{sample.source}: {n - 1} spikes, its recording gives {n}$"):
        verify_file(path, audio=corpus)


def test_a_class_that_the_recording_has_not_is_found(encoded, corpus, tmp_path):
    path = rewrite(encoded, tmp_path / "x.h5", label=1)
    with pytest.raises(FormatError, match="class 'dog', its recording is of class 'cat'"):
        verify_file(path, audio=corpus)


def test_a_changed_recording_is_named_and_the_others_are_counted(encoded, own_corpus):
    for name in ("cat/2.wav", "dog/1.wav"):
        waveform, rate = soundfile.read(own_corpus / name)
        soundfile.write(own_corpus / name, waveform[::-1], rate)
    with pytest.raises(FormatError, match=r"2 of 6 clips differ, first cat/2\.wav: "):
        verify_file(encoded, audio=own_corpus)


def test_a_recording_of_another_rate_is_named(encoded, own_corpus):
    waveform, rate = soundfile.read(own_corpus / "cat/2.wav")
    soundfile.write(own_corpus / "cat/2.wav", waveform, 2 * rate)
    with pytest.raises(FormatError, match=r"first cat/2\.wav: 8000 Hz, its recording has 16000 Hz$"):
        verify_file(encoded, audio=own_corpus)


def test_missing_and_unreadable_recordings_are_named(encoded, own_corpus):
    (own_corpus / "cat/2.wav").unlink()
    (own_corpus / "dog/1.wav").write_text("no sound")
    with pytest.raises(FormatError, match=r"2 of 6 recordings are missing or cannot be used, first cat/2\.wav: no"):
        verify_file(encoded, audio=own_corpus)
    (own_corpus / "cat/0.wav").write_text("no sound")
    with pytest.raises(FormatError, match=r"3 of 6 .*, first cat/0\.wav: not a readable recording") as caught:
        verify_file(encoded, audio=own_corpus)
    assert len(str(caught.value).splitlines()) == 1


def test_recordings_that_the_file_lacks_are_noted(encoded, own_corpus):
    (own_corpus / "dog/9.wav").write_bytes((own_corpus / "dog/1.wav").read_bytes())
    assert verify_file(encoded, audio=own_corpus).notes == ("recordings of the corpus that are not in the file: 1",)


def test_another_version_that_encodes_alike_is_noted(encoded, corpus, monkeypatch):
    monkeypatch.setattr(comparison, "__version__", "9.9")
    found = verify_file(encoded, audio=corpus)
    assert [note.split(",")[1] for note in found.notes] == [" compared by 9.9"]


def provenance_of(path: Path) -> Provenance:
    with SpikeFile(path) as file:
        assert file.provenance is not None
        return file.provenance


def test_a_preset_that_has_changed_since_is_refused(encoded, corpus, tmp_path):
    made = provenance_of(encoded)
    params = json.loads(made.params)
    params["stimulus"]["level"] = 0.123
    path = rewrite(encoded, tmp_path / "x.h5", replace(made, params=json.dumps(params, sort_keys=True)))
    with pytest.raises(
        ValueError,
        match=r"x\.h5: its preset 'published' differs from that of this version: the file was made by version",
    ):
        verify_file(path, audio=corpus)


@pytest.mark.parametrize("params", ['{"places": 3}', "[]", '"published"', '{"preset": "cat"}'])
def test_params_that_are_no_preset_are_refused(encoded, corpus, tmp_path, params):
    path = rewrite(encoded, tmp_path / "x.h5", replace(provenance_of(encoded), params=params))
    with pytest.raises(ValueError, match=r"x\.h5: was not made with a known preset"):
        verify_file(path, audio=corpus)


def test_a_corpus_that_nobody_knows_is_refused(encoded, corpus, tmp_path):
    path = rewrite(encoded, tmp_path / "x.h5", replace(provenance_of(encoded), corpus="my own"))
    with pytest.raises(ValueError, match=r"x\.h5: was made from 'my own', which is none of heidelberg_digits"):
        verify_file(path, audio=corpus)


def test_a_file_without_provenance_is_not_compared(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"x\.h5: has no provenance"):
        verify_file(write_foreign(tmp_path / "x.h5"), audio=corpus)


def test_a_missing_folder_of_recordings_is_named(encoded, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        verify_file(encoded, audio=tmp_path / "nowhere")
