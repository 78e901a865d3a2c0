import os

import pytest
import torch

from spikedata.disk import OutputError
from spikedata.training.checkpoint import Checkpoint
from spikedata.training.folder import TrainingFolder, training_folder
from spikedata.training.history import EpochRecord

TRAINING = {"recipe": "recurrent", "params": {"epochs": 9}}


def _state(n_epochs):
    weights = {"weight": torch.full((2,), float(n_epochs))}
    history = tuple(EpochRecord(epoch, 1.0, 0.5, 1.0, 0.5, 2.0, 0.01, 0.1) for epoch in range(1, n_epochs + 1))
    return Checkpoint(weights, weights, {0: {"step": torch.tensor(1.0)}}, history, 1, {"bit_generator": "PCG64"})


def test_the_state_of_the_last_epoch_comes_back(tmp_path):
    with TrainingFolder(tmp_path / "run", TRAINING) as folder:
        assert folder.begin(overwrite=False) is None
        folder.keep(_state(1))
        folder.keep(_state(2))
    with TrainingFolder(tmp_path / "run", TRAINING) as folder:
        found = folder.begin(overwrite=False)
    assert found.history == _state(2).history
    assert found.weights["weight"].tolist() == [2, 2]
    assert len((tmp_path / "run.training" / "history.csv").read_text().splitlines()) == 3


def test_a_folder_without_a_state_does_not_stay(tmp_path):
    with TrainingFolder(tmp_path / "run", TRAINING) as folder:
        folder.begin(overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_every_epoch_are_kept_where_wanted(tmp_path):
    with TrainingFolder(tmp_path / "run", TRAINING, keep_epochs=True) as folder:
        folder.begin(overwrite=False)
        for n_epochs in (1, 2):
            folder.keep(_state(n_epochs))
        assert sorted(path.name for path in folder.folders["epochs"].iterdir()) == [
            "epoch-0001.safetensors",
            "epoch-0002.safetensors",
        ]


def test_the_state_of_another_training_is_thrown_away_only_when_told_so(tmp_path):
    with TrainingFolder(tmp_path / "run", TRAINING, keep_epochs=True) as folder:
        folder.begin(overwrite=False)
        folder.keep(_state(1))
    other = {"recipe": "recurrent", "params": {"epochs": 10}}
    with (
        pytest.raises(ValueError, match=r"another training: epochs is 9 there and 10 here; finish it with its own"),
        TrainingFolder(tmp_path / "run", other) as folder,
    ):
        folder.begin(overwrite=False)
    with TrainingFolder(tmp_path / "run", other) as folder:
        assert folder.begin(overwrite=True) is None
        assert folder.folders == {}


def test_a_damaged_state_is_one_clear_error(tmp_path):
    training_folder(tmp_path / "run").mkdir()
    (tmp_path / "run.training" / "checkpoint.safetensors").write_bytes(b"half")
    with (
        pytest.raises(ValueError, match=r"checkpoint\.safetensors: is no checkpoint: .*; begin anew with --overwrite"),
        TrainingFolder(tmp_path / "run", TRAINING) as folder,
    ):
        folder.begin(overwrite=False)


def test_what_a_killed_process_had_half_written_is_removed(tmp_path):
    training_folder(tmp_path / "run").mkdir()
    (tmp_path / "run.training" / ".spikedata-1-ab.part").write_bytes(b"half")
    with TrainingFolder(tmp_path / "run", TRAINING) as folder:
        assert not list(folder.path.glob("*.part"))


def test_two_processes_do_not_train_the_same_run(tmp_path):
    with (
        TrainingFolder(tmp_path / "run", TRAINING),
        pytest.raises(OutputError, match=r"run\.training: another process is training there"),
        TrainingFolder(tmp_path / "run", TRAINING),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"), TrainingFolder(tmp_path / "run", TRAINING):
        pass
