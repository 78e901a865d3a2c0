"""Recordings in a scene: the same bytes on any way to a file, and noise that never leaks from part to part."""

import errno
import json
import os
import pickle
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cochlea
from spikedata.acoustics import NoiseError, Scene, draw_scene
from spikedata.cli import main
from spikedata.corpora import Clip, Listing, list_clips
from spikedata.corpora.audio import AudioError
from spikedata.encoding import surroundings
from spikedata.encoding.blocks import Job, cut_blocks, find_members
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.join import merge_files
from spikedata.encoding.surroundings import ByteCache, Pool, Surroundings, make_pool, scene_from, scene_text
from spikedata.encoding.verify import verify_file
from spikedata.encoding.work import BlockTask, encode_elsewhere
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.splits import Split, make_split

RATE = 8000
SPEAKERS = ("ann", "bob", "cat", "dan")
EVERYTHING = Scene(noise="babble", snr=(0, 20), n_talkers=3, speed=(0.9, 1.1), room=(0.1, 0.2))
OF_EVERY_KIND = (
    EVERYTHING,
    Scene(noise="speech_shaped", snr=(0, 20)),
    Scene(noise="white", snr=3, speed=0.95),
    Scene(room=(0.1, 0.3), direct_to_reverberant=(0, 10)),
)
AS_RECORDED = cochlea.CochleaParams(stimulus=cochlea.StimulusParams(level=None, full_scale_db_spl=93.98))


def write_sound(path: Path, tone: float, n_samples: int = 400) -> None:
    time = np.arange(n_samples) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * tone * time), RATE, subtype="FLOAT")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers with eight words each; every speaker has a pitch, by which one knows who speaks."""
    root = tmp_path_factory.mktemp("words")
    for number, name in enumerate(SPEAKERS):
        for digit in range(4):
            for take in range(2):
                write_sound(root / f"{digit}_{name}_{take}.wav", 500 + 700 * number, 400 + 17 * digit + take)
    return root


@pytest.fixture(scope="module")
def listing(words: Path) -> Listing:
    return list_clips("fsdd", words)


@pytest.fixture(scope="module")
def split(listing: Listing) -> Split:
    speakers = listing.speakers
    return Split("two and two", {"train": np.flatnonzero(speakers < 2), "test": np.flatnonzero(speakers >= 2)})


def encode(listing, out, scene=EVERYTHING, **options):
    return encode_clips(listing, out, **{"preset": "published", "workers": 1, **options}, scene=scene)


@pytest.fixture(scope="module")
def whole(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    encode(listing, path)
    return path


def rows_of(path: Path) -> dict[str, tuple[list, list]]:
    with SpikeFile(path) as file:
        return {sample.source: (sample.times.tolist(), sample.units.tolist()) for sample in file}


# the same bytes on any way


@pytest.mark.parametrize("scene", OF_EVERY_KIND, ids=lambda scene: scene.noise or "room")
def test_workers_do_not_change_a_file(listing, tmp_path, scene):
    made = [encode(listing, tmp_path / f"{n}.h5", scene, workers=n).outputs[0] for n in (1, 4)]
    assert Path(made[0]).read_bytes() == Path(made[1]).read_bytes()


def test_shards_merge_to_the_same_bytes(listing, whole, tmp_path):
    shards = [encode(listing, tmp_path / "x.h5", shard=(n, 3)).outputs[0] for n in (3, 1, 2)]
    merge_files(shards, tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()


def test_shards_of_a_split_merge_to_the_same_bytes(listing, split, tmp_path):
    encode(listing, tmp_path / "whole", split=split)
    shards = [encode(listing, tmp_path / "parts", split=split, shard=(n, 2)).outputs[0] for n in (1, 2)]
    merge_files(shards, tmp_path / "parts")
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "parts" / path.name).read_bytes() == path.read_bytes()


def test_a_worker_of_a_cluster_makes_the_same_block(listing, whole, tmp_path):
    pool = surroundings.pool_for(EVERYTHING, listing.clips)
    job = Job(corpus="fsdd", keys=listing.keys, preset="published", seed=0, scene=EVERYTHING, pool=pool)
    made = {}
    for block in cut_blocks(job, find_members(listing.clips, [""] * len(listing.clips))):
        task = pickle.loads(pickle.dumps(BlockTask(job, block, False)))
        (tmp_path / f"{block.name}.h5").write_bytes(encode_elsewhere(task).content)
        made |= rows_of(tmp_path / f"{block.name}.h5")
    assert made == rows_of(whole)


class Stopped(Exception):
    """What a test stops an encoding with."""


@pytest.mark.parametrize("n_clips", [1, 20, 31])
def test_a_stopped_encoding_goes_on_to_the_same_bytes(listing, whole, tmp_path, n_clips):
    def stop(n_done: int, _: int) -> None:
        if n_done >= n_clips:
            raise Stopped

    with pytest.raises(Stopped):
        encode(listing, tmp_path / "x.h5", on_progress=stop)
    encode(listing, tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="processes are forked and killed as on POSIX")
@pytest.mark.parametrize("number", [1, 4, 9])
def test_an_encoding_that_is_killed_goes_on_to_the_same_bytes(run, words, whole, tmp_path, number):
    command = ["encode", "fsdd", words, tmp_path / "x.h5", "--preset", "published", "--workers", "2", "-q"]
    command += ["--noise", "babble", "--snr", "0:20", "--talkers", "3", "--speed", "0.9:1.1", "--room", "0.1:0.2"]
    assert run(*command, point="before a rename", number=number).status in (-signal.SIGKILL, 0)
    assert run(*command) == (0, "")
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()


def test_a_clip_sounds_the_same_wherever_it_stands_in_the_corpus(listing, tmp_path):
    # without noise of the others, a clip alone has the spikes that it has among all
    scene = Scene(noise="white", snr=(0, 20), speed=(0.9, 1.1), room=(0.1, 0.2))
    encode(listing, tmp_path / "all.h5", scene)
    alone = Listing(corpus="fsdd", keys=listing.keys, clips=listing.clips[5:6], unfit=())
    encode(alone, tmp_path / "one.h5", scene)
    assert rows_of(tmp_path / "one.h5").items() <= rows_of(tmp_path / "all.h5").items()


def test_a_scene_that_changes_nothing_makes_the_file_of_before(listing, tmp_path):
    encode(listing, tmp_path / "none.h5", None)
    encode(listing, tmp_path / "empty.h5", Scene())
    assert (tmp_path / "none.h5").read_bytes() == (tmp_path / "empty.h5").read_bytes()


def test_another_seed_draws_anew(listing, whole, tmp_path):
    encode(listing, tmp_path / "x.h5", seed=1)
    with SpikeFile(tmp_path / "x.h5") as one, SpikeFile(whole) as another:
        assert not np.isin(one.drawn["snr"], another.drawn["snr"]).any()


# what the file says


def test_a_file_says_what_was_drawn_for_each_clip(listing, whole):
    with SpikeFile(whole) as file:
        assert set(file.drawn) == {"snr", "speed", "room", "direct_to_reverberant"}
        for index, name in enumerate(file.sources):
            drawn = draw_scene(EVERYTHING, seed=0, key=name)
            assert {key: values[index] for key, values in file.drawn.items()} == {
                key: getattr(drawn, key) for key in file.drawn
            }


def test_the_duration_in_a_file_is_that_of_what_was_heard(listing, tmp_path):
    encode(listing, tmp_path / "x.h5", Scene(speed=2.0))
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.durations.tolist() == [
            np.ceil(soundfile.info(clip.path).frames / 2) / RATE for clip in listing.clips
        ]


def test_a_file_says_the_whole_scene(whole):
    with SpikeFile(whole) as file:
        scene, recordings = scene_from(file.provenance.scene)
    assert scene == EVERYTHING
    assert list(recordings) == [""]
    assert "  scene       noise babble, snr 0 to 20 dB, speed 0.9 to 1.1, room 0.1 to 0.2 s\n" in format_description(
        describe_file(whole)
    )


def test_info_of_a_file_with_a_scene_is_json(whole):
    described = json.loads(json.dumps(describe_file(whole), allow_nan=False))
    assert described["provenance"]["scene"]["snr"] == [0, 20]
    assert 0 <= described["drawn"]["snr"]["min"] < described["drawn"]["snr"]["max"] <= 20


def test_a_file_without_a_scene_says_nothing_of_one(listing, tmp_path):
    encode(listing, tmp_path / "x.h5", None)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (file.drawn, file.provenance.scene) == ({}, "")
        assert not {"extra/snr", "extra/level"} & file.columns.stored.keys()


@pytest.mark.parametrize("text", ['{"snr": [20, 0], "noise": "white"}', '{"echo": 3}', "[1]"])
def test_a_scene_of_another_version_is_refused(text):
    with pytest.raises(ValueError, match=r"^its scene is not valid in this version: "):
        scene_from(text)


def test_a_scene_survives_its_text():
    scene = Scene(noise="white", snr=(-5.5, 20), level=(45, 85), speed=0.9, room=(0.3, 0.6), n_talkers=2)
    assert scene_from(scene_text(scene, None)) == (scene, {})


# verify


def test_a_file_is_verified_against_its_recordings(words, whole):
    assert verify_file(whole, audio=words).n_compared == 32


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_of_a_split_is_verified_against_its_recordings(words, listing, split, tmp_path, part):
    encode(listing, tmp_path / "parts", split=split)
    assert verify_file(tmp_path / f"parts/fsdd_{part}.h5", audio=words).n_compared == 16


def test_merged_parts_are_verified_against_their_recordings(words, listing, split, tmp_path):
    encode(listing, tmp_path / "parts", split=split)
    merge_files([tmp_path / f"parts/fsdd_{part}.h5" for part in ("train", "test")], tmp_path / "all.h5")
    assert verify_file(tmp_path / "all.h5", audio=words).n_compared == 32


def test_a_shard_of_a_named_split_is_verified_with_the_noise_of_its_parts(words, listing, tmp_path):
    split = make_split(listing, "by_speaker", seed=3)
    scene = Scene(noise="speech_shaped", snr=3)  # babble needs two speakers in each part
    shard = encode(listing, tmp_path / "parts", scene, split=split, seed=3, shard=(1, 2)).outputs[0]
    assert verify_file(shard, audio=words).n_compared == 16


def test_other_recordings_than_those_of_the_noise_are_refused(words, whole, tmp_path):
    shutil.copytree(words, tmp_path / "words")
    (tmp_path / "words/3_dan_1.wav").unlink()
    with pytest.raises(ValueError, match=r"x\.h5: its noise was made of recordings that differ from these recordings"):
        verify_file(whole, audio=tmp_path / "words")


def test_noise_of_a_folder_is_asked_for_and_verified(words, listing, tmp_path):
    hum = tmp_path / "hums"
    hum.mkdir()
    write_sound(hum / "hum.wav", 100, 4000)
    encode(listing, tmp_path / "x.h5", Scene(noise=str(hum), snr=5))
    with pytest.raises(ValueError, match=r"x\.h5: was made with noise of the folder 'hums': say where it is, --noise"):
        verify_file(tmp_path / "x.h5", audio=words)
    assert verify_file(tmp_path / "x.h5", audio=words, noise=hum).n_compared == 32
    write_sound(hum / "hum.wav", 110, 3999)
    with pytest.raises(ValueError, match=r"x\.h5: its noise was made of recordings that differ from .*hums"):
        verify_file(tmp_path / "x.h5", audio=words, noise=hum)


def test_the_path_of_a_noise_folder_is_not_in_the_file(listing, tmp_path):
    made = []
    for place in ("here", "there"):
        hum = tmp_path / place / "hums"
        hum.mkdir(parents=True)
        write_sound(hum / "hum.wav", 100, 4000)
        made.append(encode(listing, tmp_path / place / "x.h5", Scene(noise=str(hum), snr=5)).outputs[0])
    assert Path(made[0]).read_bytes() == Path(made[1]).read_bytes()


# no leaks


@pytest.fixture
def read_for(monkeypatch: pytest.MonkeyPatch):
    """The recordings that the noise of a clip is made of."""
    read: list[str] = []
    inner = surroundings._read_at

    def note(clip: Clip, rate: int):
        read.append(clip.name)
        return inner(clip, rate)

    monkeypatch.setattr(surroundings, "_read_at", note)

    def find(clip: Clip, pool: Pool, seed: int = 0) -> set[str]:
        read.clear()
        scene = Scene(noise="babble", snr=0, n_talkers=20)
        sound = np.sin(np.arange(1000) / 3)
        Surroundings(scene, pool, ByteCache(0)).stage(sound, RATE, clip, seed=seed)
        return set(read)

    return find


def test_babble_is_of_other_speakers_of_the_same_part(listing, split, read_for):
    parts = {number: part for part, numbers in split.parts.items() for number in numbers.tolist()}
    pool = make_pool(listing.clips, [parts[number] for number in range(len(listing.clips))])
    speaker_of = {clip.name: clip.speaker for clip in listing.clips}
    for number, clip in enumerate(listing.clips):
        used = read_for(clip, pool)
        assert clip.speaker not in {speaker_of[name] for name in used}
        assert {pool.parts[pool.index_of[name]] for name in used} == {parts[number]}


def test_babble_of_unknown_speakers_is_never_the_clip_itself(listing, read_for):
    unknown = [clip._replace(speaker=-1) for clip in listing.clips]
    pool = make_pool(unknown)
    for clip in unknown[:8]:
        used = set().union(*(read_for(clip, pool, seed) for seed in range(5)))
        assert clip.name not in used
        assert len(used) > 25  # of 31


def test_a_talker_says_one_thing_after_the_other(listing, read_for):
    scene = Scene(noise="babble", snr=0, n_talkers=1)
    sound = np.sin(np.arange(8000) / 3)  # as long as twenty words
    staged = Surroundings(scene, make_pool(listing.clips)).stage(sound, RATE, listing.clips[0], seed=0)
    spectrum = np.abs(np.fft.rfft(staged.waveform - sound)) ** 2
    pitches = [spectrum[pitch - 150 : pitch + 150].sum() for pitch in (500, 1200, 1900, 2600)]
    assert max(pitches) > 0.95 * sum(pitches)


def test_speech_shaped_noise_of_a_part_has_the_spectrum_of_that_part(listing, split):
    parts = {number: part for part, numbers in split.parts.items() for number in numbers.tolist()}
    pool = make_pool(listing.clips, [parts[number] for number in range(len(listing.clips))])
    around = Surroundings(Scene(noise="speech_shaped", snr=0), pool)
    sound = 1e-3 * np.sin(np.arange(8000) / 3)
    for clip, (low, high) in ((listing.clips[0], (300, 1400)), (listing.clips[-1], (1700, 2800))):
        spectrum = np.abs(np.fft.rfft(around.stage(sound, RATE, clip, seed=0).waveform - sound)) ** 2
        assert spectrum[low:high].sum() > 0.95 * spectrum.sum()


def test_one_speaker_has_no_babble(listing):
    alone = [clip for clip in listing.clips if clip.speaker == 0]
    around = Surroundings(Scene(noise="babble", snr=0), make_pool(alone))
    with pytest.raises(NoiseError, match=r"wav: babble must be of other speakers, and the data has none but "):
        around.stage(np.sin(np.arange(100.0)), RATE, alone[0], seed=0)


def test_without_a_split_a_note_says_whose_babble_it_is(listing, tmp_path):
    assert encode(listing, tmp_path / "x.h5").notes == (
        "noise: babble is made of all clips; with a split, each part has noise of its own clips",
    )


def test_a_recording_that_cannot_be_used_is_no_babble(words, tmp_path):
    shutil.copytree(words, tmp_path / "words")
    (tmp_path / "words/0_ann_0.wav").write_bytes(b"none")
    soundfile.write(tmp_path / "words/1_ann_0.wav", np.zeros(400), RATE)
    listing = list_clips("fsdd", tmp_path / "words")
    done = encode(listing, tmp_path / "x.h5", on_error="skip")
    assert done.n_clips == 30
    assert verify_file(tmp_path / "x.h5", audio=tmp_path / "words").n_compared == 30


def test_a_changed_recording_makes_all_babble_anew(words, tmp_path):
    shutil.copytree(words, tmp_path / "words")
    names = []
    for tone in (500, 510):
        write_sound(tmp_path / "words/0_ann_0.wav", tone)
        os.utime(tmp_path / "words/0_ann_0.wav", (tone, tone))
        clips = list_clips("fsdd", tmp_path / "words").clips
        members = find_members(clips, [""] * len(clips))
        for scene in (EVERYTHING, Scene(noise="white", snr=0)):
            pool = surroundings.pool_for(scene, clips)
            job = Job(corpus="fsdd", keys=("0",), preset="published", seed=0, scene=scene, pool=pool)
            names.append([block.name for block in cut_blocks(job, members)])
    assert not set(names[0]) & set(names[2])
    assert len(names[1]) == 1 or set(names[1]) & set(names[3])


# levels


def test_a_louder_scene_gives_more_spikes(listing, tmp_path):
    counts = [
        encode(listing, tmp_path / f"{level}.h5", Scene(level=level), params=AS_RECORDED).n_spikes
        for level in (20, 94, 120)
    ]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("preset", ["published", "default"])
def test_a_level_that_the_cochlea_levels_out_is_refused(listing, tmp_path, preset):
    with pytest.raises(ValueError, match=r"^a level of 45 to 85 dB SPL is not heard: .*--preset human") as caught:
        encode(listing, tmp_path / "x.h5", Scene(level=(45, 85)), preset=preset)
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_another_calibration_than_pascal_is_refused(listing, tmp_path):
    params = cochlea.CochleaParams(stimulus=cochlea.StimulusParams(level=None, full_scale_db_spl=100))
    with pytest.raises(ValueError, match=r"so full_scale_db_spl must be 93\.98 or left out, got 100"):
        encode(listing, tmp_path / "x.h5", Scene(level=65), params=params)


def test_an_ear_at_one_level_hears_a_scene_at_its_own_levels(listing, tmp_path):
    params = cochlea.CochleaParams(stimulus=cochlea.StimulusParams(level=None, level_db_spl=65))
    done = encode(listing, tmp_path / "x.h5", Scene(level=(45, 85)), params=params)
    assert done.notes == (
        "level: 45 to 85 dB SPL, each sound at its own, in place of the cochlea's stimulus.level_db_spl=65",
    )
    with SpikeFile(tmp_path / "x.h5") as file:
        stimulus = json.loads(file.provenance.params)["stimulus"]
    assert (stimulus["level_db_spl"], round(stimulus["full_scale_db_spl"], 2)) == (None, 93.98)


def test_an_ear_at_one_level_stays_there_in_a_scene_without_a_level(listing, tmp_path):
    params = cochlea.CochleaParams(stimulus=cochlea.StimulusParams(level=None, level_db_spl=65))
    assert encode(listing, tmp_path / "x.h5", Scene(noise="white", snr=3), params=params).notes == ()


def test_the_human_ear_hears_levels_and_is_resumed_sharded_and_verified(words, listing, tmp_path):
    few = Listing(corpus="fsdd", keys=listing.keys, clips=listing.clips[::8], unfit=())
    scene = Scene(noise="white", snr=(0, 20), level=(45, 85))

    def stop(n_done: int, _: int) -> None:
        if n_done >= 2:
            raise Stopped

    encode(few, tmp_path / "x.h5", scene, preset="human")
    with pytest.raises(Stopped):
        encode(few, tmp_path / "y.h5", scene, preset="human", on_progress=stop)
    encode(few, tmp_path / "y.h5", scene, preset="human", workers=2)
    shards = [encode(few, tmp_path / "z.h5", scene, preset="human", shard=(n, 2)).outputs[0] for n in (1, 2)]
    merge_files(shards, tmp_path / "z.h5")
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "y.h5").read_bytes() == (tmp_path / "z.h5").read_bytes()
    assert verify_file(tmp_path / "x.h5", audio=words).n_compared == 4
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (file.drawn["level"] >= 45).all()
        assert (file.drawn["level"] <= 85).all()


# bad input


def test_too_many_open_files_do_not_change_the_babble(listing, monkeypatch):
    # a recording that cannot be opened now is not passed over, as one is that nobody could read
    inner = surroundings.read_sound

    def read_sound(path):
        if path.name == "1_bob_0.wav":
            raise AudioError(f"{path}: cannot be read") from OSError(errno.EMFILE, "Too many open files")
        return inner(path)

    monkeypatch.setattr(surroundings, "read_sound", read_sound)
    around = Surroundings(Scene(noise="babble", snr=0, n_talkers=40), make_pool(listing.clips))
    with pytest.raises(AudioError, match=r"1_bob_0\.wav: cannot be read"):
        around.stage(np.sin(np.arange(1000) / 3), RATE, listing.clips[0], seed=0)


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (np.zeros(4000), r"hum\.wav: the noise is silent, all of its 4000 samples are equal"),
        (np.sin(np.arange(100.0)), r"hum\.wav: 0\.0125 s of noise, shorter than \S+wav of 0\.0\d+ s; --loop-noise"),
        (None, r"hums: no recording of noise in it$"),
        (b"none", r"hum\.wav: not a readable recording"),
    ],
)
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_noise_that_cannot_be_used_ends_the_encoding_in_one_line(listing, tmp_path, samples, fault, on_error):
    hums = tmp_path / "hums"
    hums.mkdir()
    if isinstance(samples, bytes):
        (hums / "hum.wav").write_bytes(samples)
    elif samples is not None:
        soundfile.write(hums / "hum.wav", samples, RATE)
    with pytest.raises(NoiseError, match=fault) as caught:
        encode(listing, tmp_path / "x.h5", Scene(noise=str(hums), snr=5), on_error=on_error)
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["hums"]


def test_short_noise_is_repeated_if_asked(listing, tmp_path):
    hums = tmp_path / "hums"
    hums.mkdir()
    write_sound(hums / "hum.wav", 100, 100)
    assert encode(listing, tmp_path / "x.h5", Scene(noise=str(hums), snr=5, loop_noise=True)).n_clips == 32


def test_noise_at_another_rate_is_resampled(listing, tmp_path):
    hums = tmp_path / "hums"
    hums.mkdir()
    soundfile.write(hums / "hum.wav", np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100), 44_100)
    around = Surroundings(*_of_folder(hums))
    sound = np.sin(2 * np.pi * 100 * np.arange(800) / RATE)
    noise = around.stage(sound, RATE, listing.clips[0], seed=0).waveform - sound
    assert np.argmax(np.abs(np.fft.rfft(noise))) == 100  # of 800 samples at 8 kHz: 1 kHz


def _of_folder(hums: Path) -> tuple[Scene, Pool]:
    scene = Scene(noise=str(hums), snr=0)
    return scene, surroundings.pool_of_folder(str(hums))


def test_a_silent_recording_is_skipped_as_before(words, tmp_path):
    shutil.copytree(words, tmp_path / "words")
    soundfile.write(tmp_path / "words/0_ann_0.wav", np.zeros(400), RATE)
    listing = list_clips("fsdd", tmp_path / "words")
    done = encode(listing, tmp_path / "x.h5", Scene(noise="white", snr=3), on_error="skip")
    assert done.skipped == ("0_ann_0.wav: silent: no signal-to-noise ratio can be set, all 400 samples are 0",)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--noise", "babble"], "--noise KIND needs --snr DB"),
        (["--snr", "3"], "--snr DB needs --noise KIND"),
        (["--noise", "white", "--snr", "20:0"], "--snr must be LOW:HIGH >= -60 and <= 120, got (20.0, 0.0)"),
        (["--noise", "white", "--snr", "-5:-20"], "--snr must be LOW:HIGH >= -60 and <= 120, got (-5.0, -20.0)"),
        (
            ["--noise", "bable", "--snr", "3"],
            "bable: no such folder; noise is white, speech_shaped, babble or a folder",
        ),
        (["--level", "130"], "--level must be > 0 and <= 120, got 130.0"),
        (["--level", "65"], "a level of 65 dB SPL is not heard: "),
        (["--speed", "0"], "--speed must be >= 0.25 and <= 4, got 0.0"),
        (["--room", "-0.3"], "--room must be > 0 and <= 10, got -0.3"),
        (["--talkers", "3"], "--talkers needs --noise babble"),
        (["--direct", "3"], "--direct needs --room"),
        (["--loop-noise"], "--loop-noise needs --noise FOLDER"),
        (["--noise", "white", "--snr", "3", "--loop-noise"], "--loop-noise needs --noise FOLDER"),
    ],
)
def test_what_makes_no_scene_is_refused_at_the_command_line(words, tmp_path, capsys, options, fault):
    assert main(["encode", "fsdd", str(words), str(tmp_path / "x.h5"), *options]) in (1, 2)
    assert fault in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["speech-shaped noises", "white", "none"])
def test_a_folder_of_noise_may_have_any_name(words, tmp_path, monkeypatch, name):
    shutil.copytree(words, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    where = name if " " in name else f"./{name}"
    options = ["--noise", where, "--snr", "3", "--loop-noise", "--preset", "published", "-q"]
    assert main(["encode", "fsdd", str(words), "x.h5", *options]) == 0


def test_none_is_no_scene(words, listing, tmp_path):
    options = [word for name in ("noise", "snr", "level", "speed", "room") for word in (f"--{name}", "none")]
    assert main(["encode", "fsdd", str(words), str(tmp_path / "x.h5"), "--preset", "published", "-q", *options]) == 0
    encode(listing, tmp_path / "y.h5", None)
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "y.h5").read_bytes()


# the cache


def test_a_cache_keeps_what_was_used_last_within_its_bytes():
    cache, made = ByteCache(100), []

    def get(key: str, size: int = 40) -> str:
        return cache.get(key, lambda: made.append(key) or key, lambda _: size)

    for key in ("a", "b", "a", "c", "a", "b"):
        assert get(key) == key
    assert made == ["a", "b", "c", "b"]  # b was the oldest when c came
    assert cache.n_bytes == 80
    get("large", 101)
    assert cache.n_bytes == 80
    assert get("large", 101) == "large"
    assert made[4:] == ["large", "large"]


def test_what_is_kept_does_not_change_the_noise(listing):
    pool = make_pool(listing.clips)
    sound = np.sin(np.arange(1000) / 3)
    warm = Surroundings(EVERYTHING, pool)
    for clip in listing.clips:
        cold = Surroundings(EVERYTHING, pool, ByteCache(0))
        assert np.array_equal(
            warm.stage(sound, RATE, clip, seed=0).waveform, cold.stage(sound, RATE, clip, seed=0).waveform
        )
