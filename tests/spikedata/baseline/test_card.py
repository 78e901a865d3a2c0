import hashlib

import numpy as np
import pytest

from spikedata.baseline import card
from spikedata.baseline.card import command_line, file_sha256, score_entry, wilson_interval
from spikedata.baseline.recipes import recipe_from
from spikedata.baseline.scoring import Score


@pytest.mark.parametrize(
    ("n_correct", "n", "low", "high"),
    # 81 of 263, 15 of 148 and 0 of 20: Newcombe, Statistics in Medicine 17:857 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_published_tables(n_correct, n, low, high):
    assert wilson_interval(n_correct, n) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_is_the_same_for_failures_and_within_0_and_1():
    low, high = wilson_interval(7, 40)
    assert wilson_interval(33, 40) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(5, 5)[1] == 1.0


@pytest.mark.parametrize(("n_correct", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_an_interval_of_nothing_is_an_error(n_correct, n):
    with pytest.raises(ValueError, match="n_correct must be in"):
        wilson_interval(n_correct, n)


def test_a_score_stands_beside_chance():
    score = Score(
        labels=np.array([0, 0, 0, 1]), predictions=np.array([0, 0, 1, 1]), n_classes=4, loss=0.5, hidden_spikes=2.0
    )
    entry = score_entry(score)
    assert (entry["accuracy"], entry["chance"], entry["majority"], entry["n"]) == (0.75, 0.25, 0.75, 4)
    assert entry["confusion"][0] == [2, 1, 0, 0]
    assert entry["interval_95"][0] < 0.75 < entry["interval_95"][1]


def test_the_command_names_what_differs_from_the_recipe():
    recipe = recipe_from("recurrent", {"learning-rate": "0.5", "tau_mem": "0.03"})
    speakers = {"train": [0], "validation": [1, 7], "test": [4, 5]}
    command = command_line("my spikes.h5", "runs/a", recipe, seed=3, speakers=speakers, device="cpu")
    assert command == (
        "spikedata train 'my spikes.h5' --recipe recurrent --out runs/a --seed 3 --device cpu"
        " --validation-speakers 1,7 --test-speakers 4,5 --tau-mem 0.03 --learning-rate 0.5"
    )


def test_a_digest_is_of_the_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"spikes")
    assert file_sha256(path) == hashlib.sha256(b"spikes").hexdigest()


def test_many_speakers_are_counted_and_few_are_named():
    assert card._speakers_text([4, 5]) == "speakers 4 5"
    assert card._speakers_text(range(300)) == "300 speakers"
