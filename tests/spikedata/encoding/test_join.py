"""Whole files, by whatever writer, joined into one: their clips, parts, speakers, times and durations."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.train import train_run
from spikedata.cli import main
from spikedata.disk import OutputError
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.join import merge_files
from spikedata.encoding.verify import verify_file
from spikedata.files.cache import open_events
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter

COUNTS = recipe_from("counts", {"strengths": "1"})
MADE = Provenance(package_version="0", params='{"preset": "own"}', seed=0, corpus="fsdd", run="ab", split="by hand")


def foreign(path, speakers, *, keys=("a", "b"), scale=1.0, dtype="f2", n_units=700, seed=0, durations=False):
    rng, n_clips = np.random.default_rng([seed, *speakers]), 4 * len(speakers)
    with h5py.File(path, "w") as file:
        for name, kind in (("times", dtype), ("units", "u2")):
            file.create_dataset(f"spikes/{name}", (n_clips,), h5py.vlen_dtype(np.dtype(kind)))
        for clip in range(n_clips):
            file["spikes/times"][clip] = (rng.random(20) * scale * 0.9).astype(dtype)  # not sorted
            word = keys.index(("a", "b")[clip % 2])
            file["spikes/units"][clip] = rng.integers(0, n_units // 2, 20) + n_units // 2 * (clip % 2)
            if clip == 0:
                file["labels"] = np.zeros(n_clips, "u2")
            file["labels"][clip] = word
        file["extra/speaker"] = np.repeat(speakers, 4)
        file["extra/keys"] = np.array([key.encode() for key in keys])
        if durations:
            file["extra/duration"] = np.full(n_clips, scale)
    return path


def ours(path, sources, *, provenance=MADE, keys=("a", "b"), speaker=0, time=0.25, **more):
    with SpikeWriter(path, keys=keys, provenance=provenance) as writer:
        for index, source in enumerate(sources):
            writer.append([time], [index], label=0, speaker=speaker, source=source, duration=0.5, **more)
        writer.note_skipped("z.wav: silent")
        writer.note_remark("a.wav: its offset is larger than its sound")
    return path


@pytest.fixture
def halves(tmp_path):
    return foreign(tmp_path / "shd_train.h5", [0, 1, 2]), foreign(tmp_path / "shd_test.h5", [1, 4])


def contents(path, **reading):
    with SpikeFile(path, **reading) as file:
        return [(s.times.tolist(), s.units.tolist(), file.keys[s.label], s.speaker, s.duration) for s in file]


def test_the_files_of_a_published_set_are_one(halves, tmp_path):
    merged = merge_files(halves, tmp_path / "shd.h5")
    assert contents(tmp_path / "shd.h5") == contents(halves[0]) + contents(halves[1])
    assert (merged.n_clips, merged.n_spikes) == (20, 400)
    assert merged.notes == (
        "parts: train 12, test 8",
        "speakers: taken to be numbered alike in all files, as in those of one corpus; the files do not say it",
    )
    verified = verify_file(tmp_path / "shd.h5")
    assert (verified.n_clips, verified.n_spikes, verified.has_checksums) == (20, 400, True)
    with SpikeFile(tmp_path / "shd.h5") as file:
        assert file.parts == ("train",) * 12 + ("test",) * 8
        assert (file.times_dtype, file.provenance) == (np.float16, None)


def test_a_merged_file_trains_and_tests_as_it_was_divided(halves, tmp_path):
    merge_files(halves, tmp_path / "shd.h5")
    described = describe_file(tmp_path / "shd.h5")
    assert described["parts"] == {"train": 12, "test": 8}
    assert described["splits"][-1] == "listed"
    assert "  parts       train 12, test 8" in format_description(described)
    card = train_run(tmp_path / "shd.h5", tmp_path / "run", recipe=COUNTS, split="listed")
    assert card.split.n == {"train": 8, "validation": 4, "test": 8}
    assert card.split.name == "as listed, speakers shared (parts in the file, validation drawn from train by speaker)"
    assert not set(card.split.speakers["train"]) & set(card.split.speakers["validation"])
    assert evaluate_run(tmp_path / "run").tests[0].clips == "12-19"


def test_the_command_line_joins_too(halves, tmp_path, capsys):
    assert main(["merge", *map(str, halves), "--out", str(tmp_path / "x.h5"), "--json", "--parts", "train, dev"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record["file"], record["clips"], record["spikes"]) == (str(tmp_path / "x.h5"), 20, 400)
    assert "note: parts: train 12, dev 8\n" in err


def test_times_in_ms_units_and_durations_are_kept(tmp_path):
    kinds = {"scale": 1000.0, "n_units": 64, "durations": True}
    paths = [foreign(tmp_path / f"{part}.h5", [who], dtype=dtype, **kinds) for part, who, dtype in
             (("train", 0, "u4"), ("test", 1, "f4"))]  # fmt: skip
    merge_files(paths, tmp_path / "x.h5", time_unit="ms", n_units=64)
    reading = {"time_unit": "ms", "n_units": 64}
    assert contents(tmp_path / "x.h5") == contents(paths[0], **reading) + contents(paths[1], **reading)
    events = open_events(tmp_path / "x.h5")
    assert (events.n_units, events.durations.tolist()) == (64, [1.0] * 8)
    assert 0.5 < events.times.max() < 1


def test_classes_in_another_order_are_numbered_as_in_the_first(tmp_path):
    paths = [foreign(tmp_path / "train.h5", [0]), foreign(tmp_path / "test.h5", [1], keys=("b", "a"))]
    merge_files(paths, tmp_path / "x.h5")
    assert contents(tmp_path / "x.h5") == contents(paths[0]) + contents(paths[1])


def test_parts_of_one_encoding_keep_its_provenance(listing, tmp_path):
    from spikedata.splits import Split

    few = replace(listing, clips=listing.clips[:9])
    split = Split("by hand", {"train": np.arange(6), "test": np.arange(6, 9)})
    outputs = encode_clips(few, tmp_path / "parts", preset="published", split=split).outputs
    merged = merge_files(outputs, tmp_path / "x.h5")
    assert merged.notes[0] == "parts: train 6, test 3"
    with SpikeFile(tmp_path / "x.h5") as file, SpikeFile(outputs[0]) as first:
        assert file.provenance == replace(first.provenance, part="")
        assert file.sources == tuple(clip.name for clip in few.clips)


def test_provenances_that_differ_are_left_out_and_that_is_said(tmp_path):
    other = replace(MADE, run="cd", corpus="fsdd")
    none = [replace(made, run="") for made in (MADE, other)]
    paths = [ours(tmp_path / "train.h5", ["x.wav"], provenance=none[0]),
             ours(tmp_path / "test.h5", ["y.wav"], provenance=replace(none[1], seed=4))]  # fmt: skip
    merged = merge_files(paths, tmp_path / "x.h5")
    assert merged.notes[-1] == "provenance: left out, since the files differ in theirs and a file has only one"
    assert merged.skipped == ("z.wav: silent",)
    assert merged.remarks == ("a.wav: its offset is larger than its sound",)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (file.provenance, file.skipped, file.durations.tolist()) == (None, ("z.wav: silent",), [0.5, 0.5])
        assert file.remarks == merged.remarks


@pytest.mark.parametrize(
    ("other", "rule"),
    [
        ({"keys": ("a", "c")}, r"b\.h5: must have the classes of .*a\.h5; only one of them has 'b', 'c'"),
        ({"provenance": replace(MADE, params="{}")}, r"b\.h5: was encoded with other params than .*a\.h5"),
        (
            {"provenance": replace(MADE, corpus="audiomnist")},
            r"b\.h5: its speakers are numbered by audiomnist, those of",
        ),
        (
            {"provenance": replace(MADE, shard="1/2")},
            r"b\.h5: is a shard, and .*a\.h5 is not one: merge the shards first",
        ),
        ({"sources": ["x.wav", "y.wav"]}, r"b\.h5: the clip 'x\.wav' is in .*a\.h5, too, with the same spikes"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, other, rule):
    first = ours(tmp_path / "a.h5", ["x.wav"])
    second = ours(tmp_path / "b.h5", other.pop("sources", ["y.wav"]), **other)
    with pytest.raises(ValueError, match=rule):
        merge_files([first, second], tmp_path / "x.h5")
    assert not (tmp_path / "x.h5").exists()


def test_a_part_must_be_known_of_all_or_of_none(halves, tmp_path):
    odd = foreign(tmp_path / "more.h5", [7])
    with pytest.raises(
        ValueError, match=r"more\.h5: does not say which part it is, as others do; give --parts train,PART"
    ):
        merge_files([halves[0], odd], tmp_path / "x.h5")
    assert (
        merge_files([halves[0], odd], tmp_path / "x.h5", parts=["train", "extra"]).notes[0]
        == "parts: train 12, extra 4"
    )
    merged = merge_files([odd, foreign(tmp_path / "odd.h5", [8])], tmp_path / "y.h5")
    assert not any("parts" in note for note in merged.notes)
    with pytest.raises(ValueError, match="parts must be one for each of the 2 files"):
        merge_files(halves, tmp_path / "z.h5", parts=["train"])


def test_nothing_is_lost_where_a_merge_is_refused(halves, tmp_path):
    (tmp_path / "x.h5").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"x\.h5: exists already"):
        merge_files(halves, tmp_path / "x.h5")
    with pytest.raises(ValueError, match=r"shd_test\.h5: is one of the files to merge"):
        merge_files(halves, halves[1], overwrite=True)
    with pytest.raises(ValueError, match="is a folder; whole files are joined into one file"):
        merge_files(halves, tmp_path)
    with pytest.raises(ValueError, match=r"shd_train\.h5: is the same file as "):
        merge_files([halves[0], halves[0]], tmp_path / "y.h5")
    halves[1].write_bytes(halves[1].read_bytes()[:-300])
    with pytest.raises(FormatError, match=r"shd_test\.h5: not a readable HDF5 file: truncated"):
        merge_files(halves, tmp_path / "x.h5", overwrite=True)
    assert (tmp_path / "x.h5").read_bytes() == b"mine"
