import pytest

from spikedata import transforms
from spikedata.transforms import ChannelJitter, Compose, Maybe, TimeJitter
from spikedata.transforms.named import augmentation_of, names_of_transforms


def test_lines_become_transforms_in_their_order():
    found = augmentation_of(["time_jitter sigma=1e-3", "channel_jitter sigma=20"])
    assert found == Compose((TimeJitter(sigma=1e-3), ChannelJitter(sigma=20)))


def test_a_chance_makes_a_transform_come_now_and_then():
    assert augmentation_of(["channel_jitter sigma=2 chance=0.3"]) == Compose((Maybe(ChannelJitter(sigma=2), 0.3),))


def test_no_line_is_no_transform():
    assert augmentation_of([]) is None


def test_every_transform_of_clips_can_be_named():
    named = set(names_of_transforms().values())
    assert named == {getattr(transforms, name) for name in transforms.__all__} - {
        transforms.Compose,
        transforms.Maybe,
        transforms.EventTransform,
        transforms.ChannelMerge,
        transforms.ChannelSelect,
        transforms.Tonic,
        transforms.from_tonic,
        transforms.to_tonic,
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("channel_jiter sigma=1", "no transform 'channel_jiter'; nearest: channel_jitter"),
        ("channel_jitter sigmas=1", "no param 'sigmas'; nearest: sigma"),
        ("channel_jitter sigma=high", "sigma must be a number, True or False, got 'high'"),
        ("channel_jitter sigma", "params are written NAME=VALUE, got 'sigma'"),
        ("channel_jitter sigma=-1", "ChannelJitter.sigma must be >= 0, got -1"),
        ("channel_jitter", "needs sigma, as 'channel_jitter sigma=NUMBER'"),
        ("channel_jitter sigma=1 chance=2", "Maybe.probability must be in 0..1, got 2"),
        ("", "no transform ''"),
    ],
)
def test_a_line_that_means_nothing_is_one_clear_error(line, reason):
    with pytest.raises(ValueError, match=f"augmentation '{line}': .*{reason}") as caught:
        augmentation_of([line])
    assert "\n" not in str(caught.value)
