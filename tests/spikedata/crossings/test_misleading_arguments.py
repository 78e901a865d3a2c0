"""What a caller gets wrong is named in one line: the thing, the rule and the value."""

import numpy as np
import pytest
import torch

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.train import train_run
from spikedata.encoding.encode import encode_clips
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
from spikedata.nn.networks import CountParams, make_network
from spikedata.splits import split_by_speaker, split_stratified

GOOD = {"times": [0.1], "units": [1], "label": 0, "speaker": 0}


@pytest.fixture
def path(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        for _ in range(8):
            writer.append(**GOOD)
    return tmp_path / "x.h5"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": 0.0}, r"x\.h5: sample 0: label must be a whole number, got 0\.0"),
        ({"label": np.array([0])}, r"sample 0: label must be a whole number, got an array of shape \(1,\)"),
        ({"speaker": "jim"}, "sample 0: speaker must be a whole number, got 'jim'"),
        ({"source": 3}, "sample 0: source must be a string, got 3"),
        ({"times": ["a"]}, r"sample 0: times must be a column of numbers, \(n_spikes,\), got \['a'\]"),
        ({"times": [[1], [1, 2]]}, "sample 0: times must be a column of numbers"),
    ],
)
def test_a_clip_of_the_wrong_kind_is_refused_by_name_and_not_kept(tmp_path, changes, message):
    with SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        with pytest.raises((TypeError, ValueError), match=message):
            writer.append(**{**GOOD, **changes})
        assert len(writer) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": 3}, "keys must be a sequence of names, none of them empty, got 3"),
        ({"n_units": 2.5}, r"n_units must be a whole number >= 1 and <= 65536, got 2\.5"),
        ({"n_units": np.array([3, 4])}, "n_units must be a whole number"),
        ({"mode": np.array(["x", "w"])}, "mode must be 'x', 'w' or 'a'"),
        ({"provenance": "mine"}, "provenance must be a Provenance or None, got 'mine'"),
    ],
)
def test_a_writer_of_the_wrong_kind_is_refused_and_leaves_nothing(tmp_path, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        SpikeWriter(tmp_path / "x.h5", **{"keys": ["a"], **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("several", [np.array([2, 3]), [2, 3]])
def test_several_samples_at_once_are_shown_the_way(path, several):
    with SpikeFile(path) as file:
        with pytest.raises(TypeError, match=r"x\.h5: an index .* must be a whole number, .*a slice reads several"):
            file[several]
        assert len(file[2:5]) == len(file.read_events(2, 5)) == 3


def test_a_sample_that_is_not_there_is_named(path):
    with SpikeFile(path) as file:
        assert file[-1].label == file[np.uint8(7)].label == 0
        for number in (8, -9):
            with pytest.raises(IndexError, match=rf"x\.h5: there are 8 samples, got the index {number}"):
                file[number]
        with pytest.raises(TypeError, match=r"first must be the number of a sample, got 0\.5"):
            file.read_events(0.5)


@pytest.mark.parametrize(
    ("seed", "message"),
    [(-1, r"seed must be >= 0 and <= 9223372036854775807, got -1"),
     (1.5, "seed must be a whole number >= 0 and <= .*, got 1.5"), (True, "seed must be a whole number .*, got True")],
)  # fmt: skip
def test_a_seed_of_an_encoding_is_refused_before_anything_is_made(listing, tmp_path, seed, message):
    with pytest.raises((TypeError, ValueError), match=message):
        encode_clips(listing, tmp_path / "x.h5", seed=seed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [-1, 1.5, True, "x"])
def test_a_seed_of_a_split_is_refused_by_name(seed):
    names = [str(number) for number in range(40)]
    with pytest.raises((TypeError, ValueError), match=rf"the seed of a split must be .*, got {seed!r}"):
        split_by_speaker([0, 1, 2, 3], [0, 0, 0, 0], seed=seed)
    with pytest.raises((TypeError, ValueError), match=rf"the seed of a split must be .*, got {seed!r}"):
        split_stratified([0] * 40, [1] * 40, names, seed=seed)


def test_one_speaker_in_place_of_several_is_shown_how():
    with pytest.raises(TypeError, match=r"validation must be speakers, such as \(1,\), got 1"):
        split_by_speaker([0, 1, 2, 3], [0, 0, 0, 0], validation=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be >= 0 and <= 9223372036854775807, got -1"),
        ({"seed": 0.5}, r"seed must be a whole number .*, got 0\.5"),
        ({"threads": True}, "threads must be a whole number >= 1, got True"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
    ],
)
def test_a_training_of_the_wrong_kind_is_refused_before_anything_is_made(path, tmp_path, options, message):
    run = tmp_path / "runs" / "run"
    with pytest.raises(ValueError, match=f"^{message}$"):
        train_run(path, run, recipe=recipe_from("counts"), **options)
    assert not run.parent.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_units": 2.5}, r"n_units must be a whole number >= 1, got 2\.5"),
        ({"n_classes": True}, "n_classes must be a whole number >= 1, got True"),
        ({"params": {}}, r"params must be SpikingNetworkParams or .*, got {}; \w+\(\*\*values\) builds it from a dict"),
    ],
)
def test_a_network_of_the_wrong_kind_is_refused(options, message):
    good = {"params": CountParams(), "n_units": 700, "n_classes": 20, "generator": torch.Generator()}
    with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
        make_network(**good | options)
