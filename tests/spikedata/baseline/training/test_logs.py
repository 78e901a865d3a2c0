import csv
import importlib.util
import sys
import types

import pytest

from spikedata.baseline.training.epochs import EpochRecord
from spikedata.baseline.training.logs import TensorBoardLog, history_bytes, require_tensorboard

RECORD = EpochRecord(7, 1.5, 0.25, 1.25, 0.5, 3.0, 0.01, 2.0)


def test_the_history_is_a_table_of_epochs():
    rows = list(csv.DictReader(history_bytes([RECORD]).decode().splitlines()))
    assert list(rows[0]) == list(EpochRecord._fields)
    assert [float(value) for value in rows[0].values()] == list(RECORD)


def test_tensorboard_is_asked_for_before_the_training(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="TensorBoard is not installed: pip install tensorboard, or train without"):
        require_tensorboard()


def test_training_and_validation_stand_in_one_picture(monkeypatch, tmp_path):
    written = {}

    class Writer:
        def __init__(self, folder, purge_step):
            written["folder"], written["first"] = folder, purge_step

        def add_scalar(self, tag, value, epoch):
            written[tag] = (value, epoch)

        def flush(self):
            pass

        close = flush

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    log = TensorBoardLog(tmp_path, first_epoch=7)
    log.write(RECORD)
    log.close()
    assert (written.pop("folder"), written.pop("first")) == (str(tmp_path), 7)
    assert written["accuracy/train"] == (0.25, 7)
    assert written["loss/validation"] == (1.25, 7)
    assert set(written) == {
        "loss/train", "accuracy/train", "loss/validation", "accuracy/validation",
        "hidden_spikes", "learning_rate", "seconds",
    }  # fmt: skip
