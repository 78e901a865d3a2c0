import pytest

from spikedata.nn.kernels.density import step_by_density
from spikedata.training.devices import at_precision


def _steps(n_spikes_per_step, n_steps, n_neurons=50):
    """What was done with two clips at each step: "gather", or "multiply"."""
    done = {}

    def go_on(first, last, gathers):
        done.update(dict.fromkeys(range(first, last), "gather" if gathers else None))
        return n_spikes_per_step * (last - first)

    step_by_density(
        go_on, lambda step: done.update({step: "multiply"}), n_steps=n_steps, n_clips=2, n_neurons=n_neurons
    )
    assert list(done) == list(range(n_steps))
    return list(done.values())


def test_few_spikes_are_gathered():
    assert set(_steps(5, 70)) == {"gather"}


def test_many_spikes_are_multiplied_once_they_have_been_seen():
    done = _steps(90, 70)
    assert done[0] == "gather"
    assert done[-1] == "multiply"
    assert done == sorted(done)


def test_a_single_step_is_done():
    assert _steps(5, 1) == ["gather"]


@pytest.mark.parametrize(
    ("precision", "n_neurons", "last"),
    [("highest", 1000, "gather"), ("medium", 1000, "multiply"), ("medium", 300, "gather")],
)
def test_fewer_spikes_of_a_wide_layer_are_gathered_where_products_are_quick(precision, n_neurons, last):
    with at_precision(precision):
        assert _steps(2 * n_neurons // 10, 70, n_neurons)[-1] == last
