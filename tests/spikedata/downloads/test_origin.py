"""Official, remade or unverified: a file of a published name is what it says, or is refused when it is asked for."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedata.disk import file_digest
from spikedata.downloads import ChecksumError, corpus_of, download, numbering_of, origin, origin_of
from spikedata.downloads.entries import Checksum
from spikedata.downloads.registry import FILES
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter
from spikedata.torch import SHD, SSC

MADE = Provenance(
    package_version="0.1.0", params='{"preset": "published"}', seed=0, corpus="heidelberg_digits", split="x", run="ab"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path / "cache"))


def write(path, provenance=None, **options):
    with SpikeWriter(path, keys=["zero"], provenance=provenance, **options) as writer:
        writer.append([0.1, 0.2], [5, 699], label=0, speaker=3, source="a.flac")
    return path


def write_foreign(path):
    """As others write: no provenance, no checksums."""
    with h5py.File(path, "w") as file:
        for name, dtype in (("spikes/times", np.float16), ("spikes/units", np.uint16)):
            file.create_dataset(name, (1,), h5py.vlen_dtype(dtype), maxshape=(None,))[0] = np.zeros(3, dtype)
        file["labels"], file["extra/speaker"] = np.zeros(1, np.uint16), np.zeros(1, np.uint16)
        file["extra/keys"] = np.array([b"zero"])
    return path


def publish(monkeypatch, name, path):
    """Make a small file the published one."""
    content = Checksum(algorithm="md5", value=file_digest(path, "md5"))
    monkeypatch.setitem(FILES, name, {form: replace(file, content=content) for form, file in FILES[name].items()})


def test_a_false_file_is_refused_where_the_published_one_is_asked_for(tmp_path):
    path = write_foreign(tmp_path / "shd_train.h5")
    rule = r"shd_train\.h5: is not the published shd_train\.h5: its MD5 must be 8e9877c85f29a28dd353ea6a54402667, got"
    for ask in (lambda: SHD(tmp_path, download=True), lambda: download("shd_train", tmp_path)):
        with pytest.raises(ChecksumError, match=rule + r" [0-9a-f]{32} .*move it away and download again"):
            ask()
    assert path.is_file()
    assert "Origin: unverified" in repr(SHD(tmp_path))


def test_a_file_of_our_writer_without_provenance_is_no_published_one_either(tmp_path):
    write(tmp_path / "shd_train.h5")
    with pytest.raises(ChecksumError, match="is not the published"):
        SHD(tmp_path, download=True)


def test_a_remade_file_is_taken_and_says_so(tmp_path):
    path = write(tmp_path / "shd_train.h5", replace(MADE, part="train"))
    dataset = SHD(tmp_path, download=True)
    assert "Origin: remade from heidelberg_digits (preset published" in repr(dataset)
    assert "Origin: remade" in repr(dataset.select([0]))
    assert "remade from heidelberg_digits" in download("shd_train", tmp_path).notes[0]
    assert corpus_of(path) == "heidelberg_digits"


@pytest.mark.parametrize(
    ("changes", "found"),
    [({"corpus": "fsdd", "part": "train"}, "part 'train' of 'fsdd'"), ({"part": "test"}, "part 'test' of"),
     ({}, "'heidelberg_digits', undivided")],
)  # fmt: skip
def test_a_remade_file_of_something_else_is_refused(tmp_path, changes, found):
    write(tmp_path / "shd_train.h5", replace(MADE, **changes))
    with pytest.raises(
        ChecksumError, match=rf"or be made from part 'train' of 'heidelberg_digits', but was made from {found}"
    ):
        SHD(tmp_path, download=True)
    assert len(SHD(tmp_path)) == 1


def test_the_published_file_is_official_and_hashed_once(tmp_path, monkeypatch):
    path = write_foreign(tmp_path / "shd_train.h5")
    publish(monkeypatch, "shd_train", path)
    assert "Origin: official (shd_train.h5 as published)" in repr(SHD(tmp_path, download=True))
    assert corpus_of(path) == numbering_of(path) == "heidelberg_digits"
    monkeypatch.setattr(origin, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert SHD(tmp_path, download=True).origin.kind == "official"


def test_a_file_that_changed_since_is_looked_at_again(tmp_path, monkeypatch):
    path = write_foreign(tmp_path / "shd_train.h5")
    publish(monkeypatch, "shd_train", path)
    assert origin_of(path).kind == "official"
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(ChecksumError, match="is not the published"):
        SHD(tmp_path, download=True)


def test_the_published_test_part_is_no_training_part(tmp_path, monkeypatch):
    publish(monkeypatch, "shd_test", write_foreign(tmp_path / "shd_train.h5"))
    with pytest.raises(ChecksumError, match=r"must be the published shd_train\.h5, is shd_test\.h5"):
        SHD(tmp_path, download=True)


def test_of_ssc_no_checksum_is_published_so_it_stays_unverified(tmp_path):
    write_foreign(tmp_path / "ssc_valid.h5")
    dataset = SSC(tmp_path, "valid", download=True)
    assert dataset.origin.kind == "unverified"
    assert "not checked: no checksum of ssc_valid.h5" in download("ssc_valid", tmp_path).notes[0]
    assert numbering_of(tmp_path / "ssc_valid.h5") is corpus_of(tmp_path / "ssc_valid.h5") is None


def test_numbers_of_speakers_are_shared_within_a_corpus_that_numbers_them_itself(tmp_path):
    digits = [write(tmp_path / f"{run}.h5", replace(MADE, run=run)) for run in ("ab", "cd")]
    assert len({numbering_of(path) for path in digits}) == 1
    table = [write(tmp_path / f"t{run}.h5", replace(MADE, corpus="manifest", run=run)) for run in ("ab", "cd")]
    assert len({numbering_of(path) for path in table}) == 2
    parts = [write(tmp_path / f"{part}.h5", replace(MADE, corpus="fsdd", part=part)) for part in ("train", "test")]
    with SpikeFile(parts[0]) as train, SpikeFile(parts[1]) as test:
        assert numbering_of(train) == numbering_of(test) == "fsdd, encoding ab"
        assert corpus_of(train) == "fsdd"


def test_a_verdict_that_cannot_be_kept_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_CACHE", "/proc/no-such-place")
    path = write_foreign(tmp_path / "shd_train.h5")
    assert [origin_of(path).kind for _ in range(2)] == ["unverified"] * 2
    assert Path(path).is_file()
