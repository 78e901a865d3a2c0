"""A module of one's own as a network: how it is made and called, what it may not do, and what it leaves untouched."""

import json
import random
import re

import numpy as np
import pytest
import torch
from torch import nn

import spikedata.nn as snn
from spikedata.nn import Activity, CustomNetwork, CustomParams, NetworkCode, make_network
from spikedata.nn.networks import check_custom
from spikedata.torch.layouts import ListBatch

N_UNITS, N_CLASSES = 6, 3


class Cells(nn.Module):
    """What all modules here do unless they say otherwise: cells over time, read out at the end."""

    def __init__(self, n_units, n_classes, n_hidden=4, dropout=0.0):
        super().__init__()
        self.cells = nn.GRU(n_units, n_hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(n_hidden, n_classes)

    def forward(self, counts):
        return self.out(self.dropout(self.cells(counts)[0]).mean(dim=1))


def _network(make=Cells, seed=0, n_merged=2, **arguments):
    code = NetworkCode(name="mine:Mine", arguments=arguments, file="test_custom.py")
    params = CustomParams(code=code, n_merged=n_merged, duration=0.05)
    generator = torch.Generator().manual_seed(seed)
    sizes = {"n_units": N_UNITS, "n_classes": N_CLASSES}
    return make_network(params, **sizes, generator=generator, make=make)


def _check(make, loss="cross_entropy", **options):
    check_custom(_network(make, **options), _network(make, **options), loss=loss)


def _states():
    return torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002


def _are_same(before, after):
    return torch.equal(before[0], after[0]) and np.array_equal(before[1], after[1]) and before[2] == after[2]


def _generator():
    return torch.Generator().manual_seed(3)


def test_a_module_gets_merged_units_in_steps_and_gives_an_activity():
    network = _network()
    assert network.module.cells.input_size == 3
    activity = network(torch.ones(2, 5, 3), generator=_generator())
    assert [tuple(part.shape) for part in (activity.logits, activity.readout)] == [(2, 3), (2, 1, 3)]
    assert activity.spikes == ()


def test_lists_are_given_to_it_as_counts():
    network = _network(n_merged=1).eval()
    lists = ListBatch(
        torch.tensor([1, 1, 0], dtype=torch.uint16), torch.tensor([[0, 2, 3, 3, 3, 3]]), torch.zeros(1), 6
    )
    counts = torch.zeros(1, 5, 6)
    counts[0, 0, 1], counts[0, 1, 0] = 2, 1
    assert torch.equal(network(lists).logits, network(counts).logits)


def test_the_seed_alone_draws_the_weights_and_no_generator_of_the_user_moves():
    before = _states()
    one, same, other = _network(seed=1), _network(seed=1), _network(seed=2)
    assert _are_same(before, _states())
    assert torch.equal(one.module.out.weight, same.module.out.weight)
    assert not torch.equal(one.module.out.weight, other.module.out.weight)


def test_weights_drawn_from_numpy_and_python_follow_the_seed_too():
    class Drawn(Cells):
        def __init__(self, n_units, n_classes):
            super().__init__(n_units, n_classes)
            self.out.weight.data.fill_(np.random.normal() + random.random())  # noqa: NPY002

    before = _states()
    assert torch.equal(_network(Drawn).module.out.weight, _network(Drawn).module.out.weight)
    assert not torch.equal(_network(Drawn).module.out.weight, _network(Drawn, seed=1).module.out.weight)
    assert _are_same(before, _states())


def test_the_generator_of_the_call_decides_what_its_dropout_drops():
    network, counts, before = _network(dropout=0.5), torch.ones(2, 5, 3), _states()
    first, again = (network(counts, generator=_generator()).logits for _ in range(2))
    other = network(counts, generator=torch.Generator().manual_seed(4)).logits
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert _are_same(before, _states())


def test_the_dropout_of_two_batches_is_not_the_same():
    network, counts, generator = _network(dropout=0.5), torch.ones(2, 5, 3), _generator()
    assert not torch.equal(*(network(counts, generator=generator).logits for _ in range(2)))


def test_what_a_module_sets_globally_is_put_back():
    class Setting(Cells):
        def forward(self, counts):
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            return super().forward(counts)

    _network(Setting).eval()(torch.ones(2, 5, 3))
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_an_activity_of_its_own_is_passed_on():
    class Whole(Cells):
        def forward(self, counts):
            values = self.cells(counts)[0]
            readout = self.out(values)
            return Activity(readout.mean(dim=1), readout, ((values > 0).float(),))

    activity = _network(Whole).eval()(torch.ones(2, 5, 3))
    assert [tuple(part.shape) for part in (activity.readout, activity.spikes[0])] == [(2, 5, 3), (2, 5, 4)]


@pytest.mark.parametrize("by_step", [False, True])
def test_spikes_of_modules_that_say_so_are_seen(by_step):
    class Firing(nn.Module):
        emits_spikes = True

        def forward(self, values):
            return (values > 0).float() + 0 * values, values

    class Net(Cells):
        def __init__(self, n_units, n_classes):
            super().__init__(n_units, n_classes)
            self.firing = Firing()

        def forward(self, counts):
            values = self.cells(counts)[0]
            if by_step:
                values = torch.stack([self.firing(step)[0] for step in values.unbind(1)], dim=1)
            else:
                values = self.firing(values)[0]
            return self.out(values.mean(dim=1))

    network = _network(Net).eval()
    for _ in range(2):  # nothing is left over from the batch before
        assert [tuple(layer.shape) for layer in network(torch.ones(2, 5, 3)).spikes] == [(2, 5, 4)]


def test_lazy_weights_get_their_size_from_a_batch_and_follow_the_seed():
    def lazy(n_units, n_classes):
        return nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n_classes))

    one, same, other = _network(lazy), _network(lazy), _network(lazy, seed=1)
    assert tuple(one.module[3].weight.shape) == (3, 20)
    assert torch.equal(one.module[3].weight, same.module[3].weight)
    assert not torch.equal(one.module[3].weight, other.module[3].weight)
    assert one.training


def test_double_weights_get_double_counts_and_half_logits_become_whole():
    class Half(Cells):
        def forward(self, counts):
            assert counts.dtype == torch.float64
            return super().forward(counts).to(torch.bfloat16)

    network = _network(lambda n_units, n_classes: Half(n_units, n_classes).double()).eval()
    assert network(torch.ones(2, 5, 3)).logits.dtype == torch.float32


def test_dt_and_the_number_of_steps_go_to_who_names_them():
    seen = {}

    def make(n_units, n_classes, *, dt, n_steps, tau=1.0):
        seen.update(dt=dt, n_steps=n_steps, tau=tau)
        return Cells(n_units, n_classes)

    _network(make, tau=0.5)
    assert seen == {"dt": 0.01, "n_steps": 5, "tau": 0.5}


def _returning(change):
    class Net(Cells):
        def forward(self, counts):
            return change(super().forward(counts))

    return Net


class _Failing(Cells):
    def forward(self, counts):
        return self.out(counts)


class _Frozen(Cells):
    def __init__(self, n_units, n_classes):
        super().__init__(n_units, n_classes)
        self.requires_grad_(False)


class _Seeding(Cells):
    def __init__(self, n_units, n_classes):
        torch.manual_seed(0)
        super().__init__(n_units, n_classes)


def _wide(activity, name, part):
    return Activity(activity, activity[:, None], ())._replace(**{name: part})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_returning(lambda x: x[:, :2]), "must return logits of shape (batch, class), here (2, 3), got (2, 2)"),
        (_returning(lambda x: (x, None)), "must return logits (batch, class) or an Activity, got a tuple of 2"),
        (_returning(lambda logits: logits.argmax(dim=1)), "must return logits of shape (batch, class), here (2, 3)"),
        (_returning(torch.Tensor.squeeze), "must return logits of shape (batch, class), here (1, 3), got (3,)"),
        (_returning(torch.Tensor.long), "must return logits of floating point, got int64"),
        (_returning(lambda x: _wide(x, "readout", x)), "must return readout of shape (2, ..., 3) in its Activity"),
        (_returning(lambda x: _wide(x, "spikes", (x[:, None],))), "must return spikes of shape (2, 5, ...) in its"),
        (_returning(torch.Tensor.detach), "its logits have no gradient"),
        (_Failing, "fails on a batch of shape (2, 5, 3): test_custom.py:"),
        (_Frozen, "has no weights to train"),
        (_Seeding, "sets the seed of PyTorch itself, so all seeds would draw the same weights"),
        (lambda n_units, n_classes: nn.ReLU(), "has no weights to train"),
        (lambda n_units, n_classes: None, "must make a torch.nn.Module, got NoneType"),
        (lambda n_units: Cells(n_units, 2), "must take n_classes by name"),
        (lambda n_units, n_classes: 1 / 0, "cannot be made: test_custom.py:"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(make, reason):
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        _check(make)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("Mine: ")


def test_an_error_says_where_in_the_code_it_arose():
    line = _Failing.forward.__code__.co_firstlineno + 1
    with pytest.raises(ValueError, match=rf"test_custom\.py:{line}: RuntimeError: mat1 and mat2 shapes"):
        _network(_Failing)(torch.ones(2, 5, 3), generator=_generator())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"n_hiden": 4}, "takes no argument 'n_hiden'; it takes: n_hidden, dropout"),
        ({"n_units": 4}, "is given n_units by the data and the time grid"),
    ],
)
def test_arguments_that_it_does_not_take_are_one_line(arguments, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        _network(**arguments)


def test_running_out_of_memory_stays_what_it_is():
    def full(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        _network(_returning(full))(torch.ones(2, 5, 3), generator=_generator())


class _Keeping(Cells):
    """Goes on from the state of the batch before."""

    state = None

    def forward(self, counts):
        values, self.state = self.cells(counts, self.state)
        return self.out(values[:, -1])


class _Counting(Cells):
    def __init__(self, n_units, n_classes):
        super().__init__(n_units, n_classes)
        self.register_buffer("n_batches", torch.zeros(()))

    def forward(self, counts):
        self.n_batches += 1
        return super().forward(counts)


class _AmongOthers(Cells):
    def __init__(self, n_units, n_classes):
        super().__init__(n_units, n_classes)
        self.norm = nn.BatchNorm1d(n_units, track_running_stats=False)

    def forward(self, counts):
        return super().forward(self.norm(counts.transpose(1, 2)).transpose(1, 2))


class _OwnRandom(Cells):
    def __init__(self, n_units, n_classes):
        super().__init__(n_units, n_classes)
        self.out.weight.data.fill_(np.random.default_rng().normal())


class _SeedingLater(Cells):
    def forward(self, counts):
        torch.manual_seed(0)
        return super().forward(counts)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_Keeping, "keeps state from batch to batch"),
        (_Counting, "must not change its state in evaluation, changes module.n_batches"),
        (_AmongOthers, "must score each clip by itself, but other clips of the batch change its logits"),
        (_OwnRandom, "draws other first weights with the same seed (module.out.weight)"),
        (_SeedingLater, "sets the seed of PyTorch in forward"),
    ],
)
def test_what_would_make_a_score_untrue_is_found_before_the_training(make, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        _check(make)


def test_batch_normalization_dropout_and_noise_in_evaluation_are_fine():
    class Normal(Cells):
        def __init__(self, n_units, n_classes):
            super().__init__(n_units, n_classes, dropout=0.5)
            self.norm = nn.BatchNorm1d(n_units)

        def forward(self, counts):
            counts = self.norm(counts.transpose(1, 2)).transpose(1, 2)
            return super().forward(counts) + 0.1 * torch.randn(len(counts), 3)

    network = _network(Normal)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_custom(network, _network(Normal))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())  # a copy was tried


def test_the_loss_of_each_step_asks_for_a_readout_at_each_step():
    with pytest.raises(ValueError, match="needs an Activity with its readout at each step, not logits alone"):
        _check(Cells, loss="step_cross_entropy")


def test_the_code_of_a_network_of_ones_own_must_be_given_and_to_no_other():
    params = CustomParams(code=NetworkCode(name="mine:Mine"))
    with pytest.raises(ValueError, match="the code of mine:Mine must be given, as make=Mine"):
        make_network(params, n_units=3, n_classes=2, generator=torch.Generator())
    from spikedata.nn import CountParams

    with pytest.raises(ValueError, match="make is for a network of one's own"):
        make_network(CountParams(), n_units=3, n_classes=2, generator=torch.Generator(), make=Cells)


@pytest.mark.parametrize("value", [float("nan"), {1}, object()])
def test_arguments_must_be_of_jsons_types(value):
    with pytest.raises(ValueError, match=r"NetworkCode\.arguments: n must be of JSON's types"):
        NetworkCode(name="mine:Mine", arguments={"n": value})


def test_a_tuple_among_the_arguments_is_the_list_that_json_has():
    code = NetworkCode(name="mine:Mine", arguments={"hidden": (1, (2, 3))})
    assert code.arguments == {"hidden": [1, [2, 3]]} == json.loads(json.dumps(code.arguments))


def test_its_type_is_told_by_its_params():
    assert isinstance(_network(), CustomNetwork)


def test_spikes_of_our_neurons_in_a_network_of_ones_own_are_seen():
    def make(n_units, n_classes):
        return nn.Sequential(
            snn.Linear(n_units, 4), snn.LIF(4), snn.Linear(4, 5), snn.AdLIF(5), snn.Readout(5, n_classes)
        )

    activity = _network(make).eval()(torch.ones(2, 5, 3))
    assert [tuple(spikes.shape) for spikes in activity.spikes] == [(2, 5, 4), (2, 5, 5)]


def test_modules_made_for_other_steps_are_refused():
    def make(n_units, n_classes):
        return nn.Sequential(snn.Linear(n_units, 4), snn.LIF(4, dt=0.02), snn.Readout(4, n_classes, dt=0.02))

    with pytest.raises(
        ValueError, match=r"its modules are made for steps of 0.02 s, but clips come in steps of 0.01 s"
    ):
        check_custom(_network(make), _network(make), loss="cross_entropy")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_logits_that_are_no_finite_numbers_are_one_clear_error(number):
    class Infinite(Cells):
        def forward(self, counts):
            return super().forward(counts) + number

    with pytest.raises(ValueError, match=f"Mine: its logits must be finite, got {number}"):
        check_custom(_network(Infinite), _network(Infinite), loss="cross_entropy")
