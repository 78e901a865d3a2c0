import numpy as np
import pytest

from cochlea.bushy_cell import BushyCellParams, bushy_cell

PARAMS = BushyCellParams()
RATE = 24_000
FIBER_SPIKES = np.random.default_rng(0).poisson(np.geomspace(0.05, 10, 12)[:, None], (12, 2400)).astype(np.uint16)


def by_steps(fiber_spikes, sample_rate, params, n_fibers):
    """One cell, one step after another."""
    dt = 1 / sample_rate
    refractory_steps = round(params.tau_refractory * sample_rate)
    spikes, membrane, current, hold = [], 0.0, 0.0, 0
    for t, n_spikes in enumerate(fiber_spikes):
        current = current * np.exp(-dt / params.tau_syn) + float(n_spikes)
        if hold > 0:
            hold -= 1
            continue
        membrane = membrane * np.exp(-dt / params.tau_mem) + current * params.weight / n_fibers * dt
        if membrane >= params.threshold:
            spikes.append(t)
            membrane, hold = 0.0, refractory_steps
    return spikes


def spikes_of(fiber_spikes, params=PARAMS, n_fibers=40):
    return bushy_cell(np.atleast_2d(fiber_spikes), RATE, params, n_fibers=n_fibers)


@pytest.mark.parametrize(
    "params",
    [
        PARAMS,
        BushyCellParams(tau_mem=4e-3, tau_syn=1e-3, tau_refractory=2e-3, weight=9000.0, threshold=2.0),
        BushyCellParams(tau_refractory=0.0),
    ],
)
@pytest.mark.parametrize("n_fibers", [8, 40])
def test_the_kernel_follows_the_equations(params, n_fibers):
    steps, channels = spikes_of(FIBER_SPIKES, params, n_fibers)
    for channel, row in enumerate(FIBER_SPIKES):
        np.testing.assert_array_equal(steps[channels == channel], by_steps(row, RATE, params, n_fibers))


def test_without_input_there_are_no_spikes():
    steps, channels = spikes_of(np.zeros((3, 1000), np.uint16))
    assert steps.size == channels.size == 0


def test_the_refractory_period_follows_the_step_of_the_spike():
    steps, _ = spikes_of(np.full(1000, 40, np.uint16))
    np.testing.assert_array_equal(np.unique(np.diff(steps)), [25])  # the step of the spike and 24 held at rest


def test_a_volley_fires_at_once_what_single_spikes_do_not():
    volley, alone = np.zeros(100, np.uint16), np.zeros(100, np.uint16)
    volley[10], alone[10::48] = 40, 1
    assert spikes_of(volley)[0][0] < 15
    assert spikes_of(alone)[0].size == 0


def test_more_fiber_spikes_give_more_output():
    _, channels = spikes_of(FIBER_SPIKES)
    counts = np.bincount(channels, minlength=12)
    assert np.all(np.diff(counts) >= 0)
    assert counts[0] < counts[6] < counts[11]


def test_the_drive_counts_fibers_by_their_share():
    steps, _ = spikes_of(FIBER_SPIKES[8:9], n_fibers=40)
    np.testing.assert_array_equal(spikes_of(2 * FIBER_SPIKES[8:9], n_fibers=80)[0], steps)


def test_spikes_are_ordered_by_channel_and_then_by_step():
    steps, channels = spikes_of(FIBER_SPIKES)
    np.testing.assert_array_equal(np.lexsort((steps, channels)), np.arange(steps.size))


def test_a_channel_does_not_depend_on_its_neighbors():
    steps, channels = spikes_of(FIBER_SPIKES)
    np.testing.assert_array_equal(spikes_of(FIBER_SPIKES[5])[0], steps[channels == 5])


def test_the_fiber_spikes_are_not_changed():
    fiber_spikes = FIBER_SPIKES.copy()
    spikes_of(fiber_spikes)
    np.testing.assert_array_equal(fiber_spikes, FIBER_SPIKES)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("tau_mem", -1, "> 0, got -1"),
        ("tau_syn", 0, "> 0, got 0"),
        ("tau_refractory", -1e-3, r">= 0, got -0\.001"),
        ("tau_refractory", float("inf"), "finite, got inf"),
        ("weight", float("nan"), "a number > 0, got nan"),
        ("threshold", 0.0, r"> 0, got 0\.0"),
    ],
)
def test_params_out_of_range_are_refused(field, value, rule):
    with pytest.raises(ValueError, match=rf"^BushyCellParams\.{field} must be {rule}"):
        BushyCellParams(**{field: value})
