import csv
import importlib.util
import math
import sys
import types

import pytest

from spikedata.training.history import EpochRecord, TensorBoardLog, history_bytes, read_history, require_tensorboard

RECORD = EpochRecord(7, 1.5, 0.25, 1.25, 0.5, 3.0, 0.01, 2.0)


def test_the_history_is_a_table_of_epochs():
    rows = list(csv.DictReader(history_bytes([RECORD]).decode().splitlines()))
    assert list(rows[0]) == list(EpochRecord._fields)
    assert [float(value) for value in rows[0].values()] == list(RECORD)


def test_the_history_is_read_as_it_was_written(tmp_path):
    records = (RECORD._replace(epoch=1, train_loss=1 / 3, learning_rate=1e-2 * 0.7), RECORD._replace(epoch=2))
    (tmp_path / "history.csv").write_bytes(history_bytes(records))
    assert read_history(tmp_path / "history.csv") == records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have the columns epoch,train_loss"),
        ("epoch,loss\n1,2\n", "must have the columns epoch,train_loss"),
        (",".join(EpochRecord._fields) + "\n1,2\n", "is no table of epochs"),
        (",".join(EpochRecord._fields) + "\n1,2,3,4,5,6,7,many\n", "is no table of epochs"),
        (",".join(EpochRecord._fields) + "\n\n", "is no table of epochs"),
    ],
)
def test_what_is_no_history_is_one_clear_error(tmp_path, text, message):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"history\.csv: {message}"):
        read_history(tmp_path / "history.csv")


def test_tensorboard_is_asked_for_before_the_training(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="TensorBoard is not installed: pip install tensorboard, or train without"):
        require_tensorboard()


@pytest.fixture
def written(monkeypatch):
    """What TensorBoard is given, by its name there."""
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
    return written


def test_training_and_validation_stand_in_one_picture(written, tmp_path):
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


def test_what_was_not_validated_is_not_in_the_picture(written, tmp_path):
    log = TensorBoardLog(tmp_path)
    log.write(RECORD._replace(validation_loss=math.nan, validation_accuracy=math.nan, hidden_spikes=math.nan))
    assert {"loss/validation", "accuracy/validation", "hidden_spikes"}.isdisjoint(written)
    assert written["accuracy/train"] == (0.25, 7)
