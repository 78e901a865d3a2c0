from spikedata.baseline.kernels.density import step_by_density


def _steps(n_spikes_per_step, n_steps, n_values=100):
    """What was done at each step: "gather", or "multiply"."""
    done = {}

    def go_on(first, last, gathers):
        done.update(dict.fromkeys(range(first, last), "gather" if gathers else None))
        return n_spikes_per_step * (last - first)

    step_by_density(go_on, lambda step: done.update({step: "multiply"}), n_steps=n_steps, n_values=n_values)
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
