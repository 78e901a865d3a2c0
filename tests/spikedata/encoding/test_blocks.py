"""Blocks hold every clip once, and keep their names while their clips stay as they are."""

import os
from dataclasses import replace
from itertools import chain

import pytest

from spikedata.encoding import blocks as module
from spikedata.encoding.blocks import Job, Member, cut_blocks, find_members, name_run


@pytest.fixture
def job(listing) -> Job:
    return Job(corpus="folder", keys=listing.keys, preset="published", seed=1)


@pytest.fixture
def members(listing) -> list[Member]:
    return find_members(listing.clips, [""] * len(listing.clips))


def names(job: Job, members: list[Member]) -> list[str]:
    return [block.name for block in cut_blocks(job, members)]


def test_every_clip_is_in_one_block_in_order(job, members):
    blocks = list(cut_blocks(job, members))
    assert len(blocks) > 2
    assert list(chain.from_iterable(block.members for block in blocks)) == members


def test_no_clips_make_no_blocks(job):
    assert names(job, []) == []


@pytest.mark.parametrize("changed", [0, 70, 149])
def test_another_recording_renames_its_own_block_alone(job, members, changed):
    before = names(job, members)
    touched = [*members]
    touched[changed] = members[changed]._replace(modified=1)
    after = names(job, touched)
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_a_recording_that_goes_renames_its_own_block_alone(job, members):
    before, after = names(job, members), names(job, members[:10] + members[11:])
    assert len(set(after) - set(before)) == 1


@pytest.mark.parametrize("change", [{"seed": 2}, {"preset": "default"}, {"keys": ("cow", "dog", "emu")}])
def test_another_job_renames_all_blocks(job, members, change):
    assert not set(names(job, members)) & set(names(replace(job, **change), members))


def test_long_recordings_make_short_blocks(job, members):
    long = [member._replace(size=module._MOST_BYTES // 2) for member in members]
    assert max(len(block.members) for block in cut_blocks(job, long)) == 2


def test_a_block_has_a_largest_size(job, members, monkeypatch):
    monkeypatch.setattr(module, "_MEAN_CLIPS", 10**9)
    assert [len(block.members) for block in cut_blocks(job, members)] == [128, 22]


def test_a_run_is_named_alike_wherever_the_corpus_lies(job, members, tmp_path):
    moved = [m._replace(clip=m.clip._replace(root=tmp_path), modified=7) for m in members]
    assert name_run(job, moved, "") == name_run(job, members, "")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m._replace(part="test"),
        lambda m: m._replace(size=1),
        lambda m: m._replace(clip=m.clip._replace(label=1)),
        lambda m: m._replace(clip=m.clip._replace(speaker=1)),
        lambda m: m._replace(clip=m.clip._replace(name="other.wav")),
    ],
)
def test_a_run_of_other_clips_has_another_name(job, members, change):
    assert name_run(job, [*members[:-1], change(members[-1])], "") != name_run(job, members, "")


def test_a_run_of_another_split_has_another_name(job, members):
    assert name_run(job, members, "by speaker") != name_run(job, members, "")


def test_a_file_that_is_not_there_has_no_size(listing, tmp_path):
    assert find_members([listing.clips[0]._replace(root=tmp_path)], [""])[0].size == -1


def test_sizes_are_those_of_the_files(members):
    assert members[3].size == os.path.getsize(members[3].clip.path)  # noqa: PTH202


def test_an_unknown_preset_or_seed_is_refused(listing):
    with pytest.raises(ValueError, match="preset must be one of default, published, human, got 'cat'"):
        Job(corpus="folder", keys=listing.keys, preset="cat", seed=0)
    with pytest.raises(ValueError, match="seed must be >= 0 and <= 9223372036854775807, got -1"):
        Job(corpus="folder", keys=listing.keys, preset="default", seed=-1)
