import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import network_of, recipe_from
from spikedata.events import Events
from spikedata.tasks import latency_images
from spikedata.training.loop import train


@pytest.fixture(scope="module")
def images() -> tuple[Events, Events]:
    """Three shapes in many brightnesses, to train on and to choose on."""
    rng = np.random.default_rng(0)
    shapes = rng.uniform(60, 255, (3, 28, 28)) * (rng.random((3, 28, 28)) < 0.2)
    labels = rng.integers(0, 3, 240)
    pixels = (shapes[labels] * rng.uniform(0.5, 1.0, (240, 28, 28))).astype(np.uint8)
    events = latency_images(pixels, labels)
    return events.select(np.arange(180)), events.select(np.arange(180, 240))


def _last_epoch(images, **changes):
    recipe = recipe_from("latency_mnist", {"epochs": 6, "batch_size": 20, "hidden": (20,), **changes})
    network = network_of(recipe, n_units=784, n_classes=3, seed=0)
    return train(network, *images, recipe.training, seed=0).history[-1]


def test_images_are_told_apart_by_few_hidden_spikes(images):
    free = _last_epoch(images)
    bounded = _last_epoch(images, upper_threshold=0.1, upper_strength=1.0)
    assert free.validation_accuracy > 0.95
    assert bounded.validation_accuracy > 0.95
    assert bounded.hidden_spikes < 0.3 * free.hidden_spikes
