import numpy as np
import pytest

from spikedata.acoustics.chance import stream_of, uniforms
from spikedata.tasks import randman

SMALL = {"n_classes": 3, "n_units": 4, "n_clips": 6, "seed": 2}


def table(events):
    times = np.empty((len(events), events.n_units))
    for clip, sample in enumerate(events):
        times[clip, sample.units] = sample.times
    return times


@pytest.mark.parametrize("definition", ["paper", "released"])
def test_every_unit_fires_once_in_the_window(definition):
    events = randman(**SMALL, definition=definition)
    assert np.diff(events.offsets).tolist() == [4] * 18
    assert all(sorted(sample.units) == [0, 1, 2, 3] for sample in events)
    assert events.times.min() == 0.0
    assert events.times.max() == pytest.approx(0.05, abs=0)
    assert np.bincount(events.labels).tolist() == [6, 6, 6]


@pytest.mark.parametrize("definition", ["paper", "released"])
@pytest.mark.parametrize("dim", [1, 2])
def test_the_manifold_is_its_equation(definition, dim):
    alpha, label = 1.5, 1
    random = uniforms(stream_of(2, f"randman/{label}", purpose="manifold"), 4 * dim * 3 * 1000)
    points = uniforms(stream_of(2, f"randman/{label}", purpose="points"), 6 * dim).reshape(6, dim)
    n_terms = 1000 if definition == "paper" else 100  # ceil(0.001^(-1/1.5)), up to rounding
    random = random[: 4 * dim * 3 * n_terms].reshape(4, dim, 3, n_terms)
    wanted = np.empty((6, 4))
    for i in range(4):
        product = np.ones(6)
        for j in range(dim):
            total = np.zeros(6)
            for k in range(1, n_terms + 1):
                a, b, c = random[i, j, :, k - 1]
                if definition == "paper":
                    weight, frequency = k**-alpha, k
                else:
                    weight, frequency, a = 1 / (k**alpha + 1), k - 1, a if k > 1 else 0
                total += weight * a * np.sin(2 * np.pi * (frequency * points[:, j] * b + c))
            product *= total
        wanted[:, i] = (product - product.min()) / (product.max() - product.min())
    events = randman(**SMALL, alpha=alpha, dim=dim, definition=definition)
    np.testing.assert_allclose(table(events)[6:12], 0.05 * wanted, rtol=0, atol=1e-13)


def test_a_rougher_manifold_wiggles_more():
    # neighbors on a one-dimensional manifold are far apart where it is rough
    def roughness(alpha):
        points = uniforms(stream_of(0, "randman/0", purpose="points"), 200)
        return np.abs(np.diff(table(randman(n_classes=1, n_clips=200, alpha=alpha))[np.argsort(points)], axis=0)).mean()

    assert roughness(0.5) > 1.5 * roughness(1.0) > 1.5 * 1.5 * roughness(2.0)


def test_a_class_does_not_depend_on_how_many_others_there_are():
    few, many = randman(**SMALL), randman(**(SMALL | {"n_classes": 5}))
    assert table(many)[:18].tolist() == table(few).tolist()


def test_the_same_seed_gives_the_same_clips_and_another_seed_others():
    first, second, other = randman(**SMALL), randman(**SMALL), randman(**(SMALL | {"seed": 3}))
    assert first.times.tolist() == second.times.tolist()
    assert first.times.tolist() != other.times.tolist()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"alpha": 0}, "alpha must be > 0, got 0"),
        ({"definition": "torch"}, "definition must be one of paper, released, got 'torch'"),
        ({"n_clips": 0}, "n_clips must be >= 1, got 0"),
        ({"duration": -1.0}, "duration must be > 0, got -1.0"),
    ],
)
def test_what_means_nothing_is_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        randman(**(SMALL | change))
