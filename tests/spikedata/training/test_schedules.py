import pytest
import torch

from spikedata.training.history import EpochRecord
from spikedata.training.schedules import learning_rate_at


def _history(*accuracies):
    return [EpochRecord(i + 1, 0.0, 0.0, 0.0, accuracy, 0.0, 0.0, 0.0) for i, accuracy in enumerate(accuracies)]


def test_a_constant_rate_stays():
    assert {learning_rate_at("constant", learning_rate=0.3, progress=p) for p in (0.0, 0.5, 1.0)} == {0.3}


def test_a_cosine_falls_from_the_full_rate_to_nothing():
    rates = [learning_rate_at("cosine", learning_rate=2.0, progress=p) for p in (0.0, 0.25, 0.5, 1.0)]
    assert rates == pytest.approx([2.0, 1.0 + 0.5**0.5, 1.0, 0.0])


def test_a_plateau_lowers_the_rate_as_in_pytorch():
    accuracies = [0.1, 0.3, 0.2, 0.3, 0.3, 0.25, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    judge = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=2, threshold=0.0)
    for epoch, accuracy in enumerate(accuracies):
        found = learning_rate_at(
            "plateau",
            learning_rate=1.0,
            progress=0.0,
            history=_history(*accuracies[:epoch]),
            factor=0.5,
            patience=2,
        )
        assert found == optimizer.param_groups[0]["lr"]
        judge.step(accuracy)
    assert found == 0.125


def test_one_cycle_goes_as_in_pytorch():
    n_steps = 41  # pct_start * 41 - 1 = 12: the peak is at step 12 of 0..40, which is 0.3 of the way
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    judge = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=n_steps, pct_start=13 / 41, cycle_momentum=False
    )
    for step in range(n_steps):
        found = learning_rate_at("one_cycle", learning_rate=0.5, progress=step / 40, rise=0.3)
        assert found == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if step < n_steps - 1:
            judge.step()


def test_an_unknown_schedule_is_refused():
    with pytest.raises(
        ValueError, match="schedule must be one of constant, cosine, plateau, one_cycle, exponential, got 'step'"
    ):
        learning_rate_at("step", learning_rate=1.0, progress=0.0)
