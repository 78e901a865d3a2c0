"""A clip, a listing and what is said of names that do not fit."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from spikedata.corpora import Clip, Listing, describe_unfit
from spikedata.corpora.clip import require_storable_speakers


def make_listing(unfit: tuple[str, ...] = ()) -> Listing:
    root = Path("somewhere")
    return Listing(
        corpus="folder",
        keys=("cat", "dog"),
        clips=(Clip(root, "cat/1.wav", 0, 3), Clip(root, "dog/1.wav", 1, 5)),
        unfit=unfit,
    )


def test_a_clip_lies_at_its_name_below_the_folder() -> None:
    assert Clip(Path("a"), "b/c.wav", 0, 0).path == Path("a", "b", "c.wav")


def test_an_absolute_name_is_its_own_path(tmp_path: Path) -> None:
    name = (tmp_path / "c.wav").as_posix()
    assert Clip(Path("a"), name, 0, 0).path == tmp_path / "c.wav"


def test_a_listing_has_the_columns_that_splits_are_made_of() -> None:
    listing = make_listing()
    assert listing.labels.dtype == listing.speakers.dtype == np.int64
    np.testing.assert_array_equal(listing.labels, [0, 1])
    np.testing.assert_array_equal(listing.speakers, [3, 5])
    assert listing.sources == ("cat/1.wav", "dog/1.wav")


@pytest.mark.parametrize(
    ("unfit", "text"),
    [
        ((), ""),
        (("a.wav",), "1 name does not fit folder and is left out: 'a.wav'"),
        (("a.wav", "b.wav"), "2 names do not fit folder and are left out: 'a.wav', 'b.wav'"),
        (tuple("abcde"), "5 names do not fit folder and are left out: 'a', 'b', 'c' and 2 more"),
    ],
)
def test_names_that_do_not_fit_are_counted_and_the_first_are_shown(unfit: tuple[str, ...], text: str) -> None:
    assert describe_unfit(make_listing(unfit)) == text


def test_a_clip_takes_less_than_a_hundred_bytes_beside_its_name() -> None:
    root = Path("somewhere")
    names = [f"word/{number:08x}_nohash_0.wav" for number in range(10_000)]
    tracemalloc.start()
    clips = tuple(Clip(root, name, 0, 0) for name in names)
    n_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert n_bytes / len(clips) < 100  # a tuple of four [byte]; a Path of its own would take some 300 more


def test_speakers_that_no_spike_file_can_hold_are_refused() -> None:
    require_storable_speakers("x", 65535)
    with pytest.raises(ValueError, match=r"x: speaker numbers must be <= 65535, got 65536"):
        require_storable_speakers("x", 65536)
