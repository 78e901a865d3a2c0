import errno
import json
import os
from pathlib import Path

import pytest

from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.folder import card_bytes, check_run_dir, read_card, write_card, write_run_dir
from spikedata.baseline.runs.train import train_run
from spikedata.disk import OutputError
from spikedata.nn.networks import CountParams


@pytest.fixture
def card(write_spikes, make_events, tmp_path):
    recipe = Recipe(name="fünf [1,  2]", network=CountParams(duration=0.2, strengths=(1.0, 2.0)), training=None)
    return train_run(write_spikes(make_events()), tmp_path / "trained", recipe=recipe, test_speakers=())


CONTENTS = {"card.json": b"{}", "weights.safetensors": b"abc"}


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_written_whole(tmp_path):
    write_run_dir(tmp_path / "run", CONTENTS)
    assert _files(tmp_path) == {"run/card.json": b"{}", "run/weights.safetensors": b"abc"}


def test_a_run_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(OutputError):
        write_run_dir(tmp_path / "run", {**CONTENTS, "no-such-folder/x": b""})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikedata.baseline.runs.folder.write_atomically", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_run_dir(tmp_path / "run", CONTENTS)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_replaced_unasked(tmp_path):
    write_run_dir(tmp_path / "run", CONTENTS)
    with pytest.raises(OutputError, match="run: exists already, will not replace it"):
        write_run_dir(tmp_path / "run", {"card.json": b"other"})
    assert _files(tmp_path / "run") == CONTENTS


def test_a_run_is_replaced_as_a_whole(tmp_path):
    write_run_dir(tmp_path / "run", CONTENTS)
    write_run_dir(tmp_path / "run", {"card.json": b"other"}, overwrite=True)
    assert _files(tmp_path) == {"run/card.json": b"other"}


def test_a_run_is_replaced_where_folders_have_no_permissions_and_cannot_be_renamed(tmp_path, monkeypatch):
    # overlayfs, in containers, renames no folder that came with the image; a share may refuse chmod
    write_run_dir(tmp_path / "run", CONTENTS)
    (tmp_path / "epochs").mkdir()
    (tmp_path / "epochs" / "1").write_bytes(b"weights")
    came_with_the_image, real = {tmp_path / "run", tmp_path / "epochs"}, os.rename

    def rename(source, target):
        if Path(source) in came_with_the_image and came_with_the_image.discard(Path(source)) is None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    def chmod(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(Path, "chmod", chmod)
    write_run_dir(tmp_path / "run", {"card.json": b"x"}, folders={"epochs": tmp_path / "epochs"}, overwrite=True)
    assert _files(tmp_path) == {"run/card.json": b"x", "run/epochs/1": b"weights"}
    assert not came_with_the_image


def test_a_failed_replacement_leaves_the_older_run(tmp_path):
    write_run_dir(tmp_path / "run", CONTENTS)
    with pytest.raises(OutputError):
        write_run_dir(tmp_path / "run", {"no-such-folder/x": b""}, overwrite=True)
    assert _files(tmp_path) == {f"run/{name}": content for name, content in CONTENTS.items()}


def test_an_older_run_comes_back_when_the_newer_cannot_take_its_name(tmp_path, monkeypatch):
    write_run_dir(tmp_path / "run", CONTENTS)
    rename = Path.rename

    def refuse(path, target):
        if path.suffix == ".part":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="run: cannot be written: No space left on device"):
        write_run_dir(tmp_path / "run", {"card.json": b"other"}, overwrite=True)
    assert _files(tmp_path) == {f"run/{name}": content for name, content in CONTENTS.items()}


def test_a_folder_that_is_not_a_run_is_never_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("one")
    with pytest.raises(OutputError, match=r"thesis: is not a run \(no card.json\), will not replace it"):
        write_run_dir(tmp_path / "thesis", CONTENTS, overwrite=True)
    assert (tmp_path / "thesis" / "chapter").read_text() == "one"


def test_folders_above_a_run_are_made(tmp_path):
    check_run_dir(tmp_path / "many" / "more" / "run")
    assert list(tmp_path.iterdir()) == []  # looking makes nothing
    write_run_dir(tmp_path / "many" / "more" / "run", CONTENTS)
    assert _files(tmp_path) == {"many/more/run/card.json": b"{}", "many/more/run/weights.safetensors": b"abc"}


def test_a_file_above_is_found_out_before_the_work(tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match=r"run: '.*file' is not a folder"):
        check_run_dir(tmp_path / "file" / "more" / "run")


def test_a_card_is_read_as_it_was_written(tmp_path, card):
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card


def test_a_card_holds_each_list_of_numbers_on_one_line(card):
    text = card_bytes(card).decode()
    assert "[ 1.0, 2.0 ]" in text
    assert json.loads(text) == card.to_json()


def test_a_folder_without_a_card_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run: no card\.json"):
        read_card(tmp_path)


def test_an_unfinished_run_is_said_to_be_one(tmp_path):
    (tmp_path / "run.training").mkdir()
    with pytest.raises(FileNotFoundError, match="run: is not a run: its training is not finished: run the command"):
        read_card(tmp_path / "run")


@pytest.mark.parametrize(("content", "rule"), [(b'{"seed": ', "is not JSON"), (b"[1]", "must be a JSON object")])
def test_a_damaged_card_is_one_clear_error(tmp_path, content, rule):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"card.json: {rule}"):
        read_card(tmp_path)
