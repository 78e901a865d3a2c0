"""Scenes: what is drawn depends on the seed, the clip and the epoch, and on nothing else."""

import dataclasses

import numpy as np
import pytest

from spikedata.acoustics import Drawn, Scene, change_speed, draw_scene, level_of, set_scene, stream_of, white_noise

RATE = 16_000
TONE = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)
EVERYTHING = Scene(noise="white", snr=(0, 20), level=(45, 85), speed=(0.9, 1.1), room=(0.3, 0.6))


def staged(scene=EVERYTHING, **given):
    return set_scene(TONE, RATE, scene, **{"seed": 0, "key": "a.wav", **given})


def test_a_scene_gives_the_same_bits_again():
    assert np.array_equal(staged().waveform, staged().waveform)
    assert staged().drawn == staged().drawn


@pytest.mark.parametrize("other", [{"seed": 1}, {"key": "b.wav"}, {"epoch": 1}])
def test_another_seed_clip_or_epoch_draws_all_anew(other):
    pairs = zip(staged().drawn[:4], staged(**other).drawn[:4], strict=True)
    assert all(one != another for one, another in pairs)


@pytest.mark.parametrize("name", ["snr", "level", "speed", "room"])
def test_what_is_drawn_for_one_thing_does_not_depend_on_the_others(name):
    alone = {name: getattr(EVERYTHING, name)}
    scene = Scene(noise="white", **alone) if name == "snr" else Scene(**alone)
    drawn = draw_scene(scene, seed=0, key="a.wav")
    assert getattr(drawn, name) == getattr(draw_scene(EVERYTHING, seed=0, key="a.wav"), name)


def test_draws_fill_the_ranges_and_stay_within_them():
    drawn = [draw_scene(EVERYTHING, seed=0, key=f"{n}") for n in range(300)]
    for name, (low, high) in {"snr": (0, 20), "level": (45, 85), "speed": (0.9, 1.1), "room": (0.3, 0.6)}.items():
        values = [getattr(one, name) for one in drawn]
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high


def test_an_empty_scene_leaves_the_sound_as_it_is():
    assert Scene().changes_nothing
    assert np.array_equal(staged(Scene()).waveform, TONE)
    assert staged(Scene()).drawn == Drawn() == Drawn(np.inf, 0.0, 1.0, 0.0, np.inf)


def test_the_level_is_that_of_the_whole_with_its_noise():
    assert level_of(staged(Scene(noise="white", snr=0.0, level=65)).waveform, RATE) == pytest.approx(65.0, abs=1e-9)


def test_the_ratio_is_that_to_the_sound_as_the_room_has_made_it():
    in_room = staged(Scene(room=0.5)).waveform
    added = staged(Scene(room=0.5, noise="white", snr=6.0)).waveform - in_room
    assert 10 * np.log10(np.var(in_room) / np.var(added)) == pytest.approx(6.0, abs=0.05)


def test_noise_is_not_played_faster():
    added = staged(Scene(noise="white", snr=6.0, speed=1.25)).waveform - change_speed(TONE, 1.25)
    plain = white_noise(added.size, stream_of(0, "a.wav", 0, "noise"))
    assert np.corrcoef(added, plain)[0, 1] == pytest.approx(1.0, abs=1e-9)


def test_speeds_are_thousandths():
    speeds = np.array([draw_scene(EVERYTHING, seed=0, key=f"{n}").speed for n in range(50)])
    assert np.round(speeds, 3).tolist() == speeds.tolist()


def test_a_noise_maker_is_told_the_clip_and_how_much_is_needed():
    asked = []

    def make(n_samples, sample_rate, key, rng):
        asked.append((n_samples, sample_rate, key))
        return white_noise(n_samples, rng)

    staged(Scene(noise="babble", snr=3.0, speed=2.0), noise=make)
    assert asked == [(TONE.size // 2, RATE, "a.wav")]


def test_babble_without_recordings_is_refused():
    with pytest.raises(ValueError, match=r"^noise: 'babble' is made of recordings, and none are given"):
        staged(Scene(noise="babble", snr=3.0))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"level": 121}, r"Scene\.level must be > 0 and <= 120, got 121"),
        ({"level": (45, 130)}, r"Scene\.level must be two ascending numbers > 0 and <= 120, got \(45, 130\)"),
        ({"noise": "white", "snr": (20, 0)}, r"Scene\.snr must be two ascending numbers .* got \(20, 0\)"),
        ({"noise": "white"}, r"Scene\.noise and Scene\.snr go together, got noise without snr"),
        ({"snr": 3}, r"Scene\.noise and Scene\.snr go together, got snr without noise"),
        ({"room": -0.3}, r"Scene\.room must be > 0 and <= 10, got -0\.3"),
        ({"speed": 0}, r"Scene\.speed must be >= 0\.25 and <= 4, got 0"),
        ({"speed": (0.9, 1.0, 1.1)}, r"Scene\.speed must be a number .* or two ascending numbers .*"),
        ({"n_talkers": 0}, r"Scene\.n_talkers must be >= 1 and <= 100, got 0"),
        ({"noise": "", "snr": 3}, r"Scene\.noise must be one of white, speech_shaped, babble or a folder, got ''"),
        ({"direct_to_reverberant": np.nan}, r"Scene\.direct_to_reverberant must be a number"),
    ],
)
def test_what_makes_no_scene_is_refused_in_one_line(values, fault):
    with pytest.raises(ValueError, match=f"^{fault}") as caught:
        Scene(**values)
    assert len(str(caught.value).splitlines()) == 1


def test_a_scene_of_lists_and_numpy_numbers_is_the_same_scene():
    twin = Scene(noise="white", snr=[0, np.int64(20)], level=np.array([45, 85]), speed=(0.9, 1.1), room=(0.3, 0.6))
    assert twin == EVERYTHING
    assert hash(twin) == hash(EVERYTHING)


def test_a_scene_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EVERYTHING.level = 3
