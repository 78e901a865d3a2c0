"""Every task that can be made goes through all that reads a spike file: info, page, picture, loader, export, run."""

import json

import numpy as np
import pytest
import torch

import spikedata as sd
from spikedata.cli import main
from spikedata.export import write_data_card
from spikedata.files.info import describe_file, format_description
from spikedata.tasks import TASKS, make_task, write_task

SMALL = {
    "randman": {"n_classes": 3, "n_clips": 20},
    "yin_yang": {"n_clips": 30},
    "mnist": {"code": "linear"},
    "fashion_mnist": {},
    "delayed_xor": {"n_clips": 30},
    "patterns": {"n_clips": 3, "n_units": 20},
    "equidistant": {"n_units": 3},
    "raster": {},
}
TRAINING = (
    "--recipe", "recurrent", "--split", "listed", "--epochs", "1", "-q",
    "--hidden", "16", "--n-merged", "1", "--duration", "0.1", "--unit-shift", "0",
)  # fmt: skip
TO_BE_CLASSIFIED = ("randman", "yin_yang", "mnist", "fashion_mnist", "delayed_xor")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small file of each task."""
    folder = tmp_path_factory.mktemp("tasks")
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 4)
    images = rng.integers(0, 256, (40, 6, 6), np.uint8) // 4 + 40 * (labels[:, None, None] % 5).astype(np.uint8)
    arrays = {f"{part}_{kind}": array for part in ("train", "test") for kind, array in
              (("images", images), ("labels", labels))}  # fmt: skip
    np.savez(folder / "images.npz", **arrays)
    for name, params in SMALL.items():
        where = {"images": folder / "images.npz"} if name in ("mnist", "fashion_mnist") else {}
        write_task(make_task(name, **where, **params), folder / f"{name}.h5")
    return folder


def test_the_tasks_are_all():
    assert set(SMALL) == set(TASKS)


@pytest.mark.parametrize("name", SMALL)
def test_info_says_the_task_and_its_params(name, made):
    described = describe_file(made / f"{name}.h5")
    text = format_description(described)
    assert f"task {name}, seed 0" in text
    assert "preset" not in text
    assert "recordings" not in text
    assert described["unit"] == "unit"
    assert described["integrity"]["checksums_fit"]
    assert ("listed" in described["splits"]) == (name in TO_BE_CLASSIFIED)


@pytest.mark.parametrize("name", SMALL)
def test_verify_finds_the_file_whole(name, made, capsys):
    assert main(["verify", str(made / f"{name}.h5")]) == 0
    assert "all checksums match" in capsys.readouterr().out


def test_verify_says_that_a_task_has_no_recordings(made, capsys):
    assert main(["verify", str(made / "yin_yang.h5"), "--deep", str(made)]) == 1
    assert "has the task yin_yang, which was not encoded from recordings" in capsys.readouterr().err


@pytest.mark.parametrize("name", SMALL)
def test_the_page_tells_a_task_from_a_cochlea(name, made, tmp_path, capsys):
    assert main(["report", str(made / f"{name}.h5"), "--out", str(tmp_path / "x.html")]) == 0
    assert "sound" not in capsys.readouterr().out
    page = (tmp_path / "x.html").read_text("utf-8")
    assert f"the task {name}" in page
    assert "model of the cochlea" not in page
    assert "preset" not in page


@pytest.mark.parametrize("kind", ["raster", "psth", "rates"])
@pytest.mark.parametrize("name", SMALL)
def test_a_picture_has_no_frequencies(name, kind, made):
    from spikedata.plot import plot_file

    picture = plot_file(made / f"{name}.h5", kind=kind)
    figure = getattr(picture, "figure", picture)
    texts = " ".join(text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text")))
    assert "Hz)" not in texts.replace("Spikes/s", "")
    assert "preset" not in texts


@pytest.mark.parametrize("name", SMALL)
def test_a_loader_gives_all_spikes_of_the_window(name, made):
    dataset = sd.SpikeDataset(made / f"{name}.h5")
    batches = list(sd.loader(dataset, batch_size=8, dt=0.01, n_steps=200))
    assert sum(counts.sum().item() for counts, _ in batches) == len(
        sd.SpikeFile(made / f"{name}.h5").read_events().times
    )
    assert sum(len(labels) for _, labels in batches) == len(dataset)


@pytest.mark.parametrize("form", ["npz", "csv", "parquet", "aer", "nir-data"])
@pytest.mark.parametrize("name", ["yin_yang", "raster"])
def test_other_formats_take_a_task(name, form, made, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    out = tmp_path / f"x.{form}"
    status = main(["export", str(made / f"{name}.h5"), "--to", form, "--out", str(out)])
    assert status == 0, capsys.readouterr().err


def test_a_data_card_says_what_the_task_is(made, tmp_path):
    write_data_card(made / "yin_yang.h5", out=tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "the task yin_yang" in card
    assert "Kriener" in card
    assert "audio-classification" not in card
    assert "cochlea" not in card


def test_the_license_of_images_is_that_of_the_data_set(made, tmp_path):
    write_data_card(made / "fashion_mnist.h5", out=tmp_path)
    assert "Fashion-MNIST, images of clothes: MIT" in (tmp_path / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", TO_BE_CLASSIFIED)
def test_a_run_trains_chooses_and_is_tested_on_the_parts_of_the_file(name, made, tmp_path, capsys):
    assert main(["train", str(made / f"{name}.h5"), "--out", str(tmp_path / "r"), *TRAINING]) == 0
    assert main(["evaluate", str(tmp_path / "r"), "-q"]) == 0
    card = json.loads((tmp_path / "r" / "card.json").read_text("utf-8"))
    with sd.SpikeFile(made / f"{name}.h5") as file:
        n_test = file.parts.count("test")
    assert card["split"]["n"]["test"] == n_test
    assert card["tests"][0]["score"]["n"] == n_test
    assert main(["evaluate", str(tmp_path / "r"), "--show"]) == 0
    assert f"made as the task {name}" in capsys.readouterr().out


def test_a_network_in_continuous_time_takes_the_times_of_a_task(made, tmp_path):
    words = ["train", str(made / "yin_yang.h5"), "--recipe", "eventprop_yin_yang", "--split", "listed", "--epochs", "1"]
    assert main([*words, "--out", str(tmp_path / "r"), "--hidden", "20", "-q"]) == 0
    assert main(["evaluate", str(tmp_path / "r"), "-q"]) == 0
    assert main(["report", str(tmp_path / "r"), "--out", str(tmp_path / "r.html"), "-q"]) == 0


def test_a_run_without_a_split_is_told_of_the_parts(made, tmp_path, capsys):
    words = ["train", str(made / "randman.h5"), "--recipe", "counts", "--out", str(tmp_path / "r")]
    assert main(words) == 1
    assert "the file says their parts: --split listed" in capsys.readouterr().err


def test_a_test_file_of_its_own_is_scored(made, tmp_path):
    write_task(make_task("randman", n_classes=3, n_clips=20, part="test"), tmp_path / "test.h5")
    assert main(["train", str(made / "randman.h5"), "--out", str(tmp_path / "r"), *TRAINING]) == 0
    assert main(["evaluate", str(tmp_path / "r"), str(tmp_path / "test.h5"), "-q"]) == 0
    card = json.loads((tmp_path / "r" / "card.json").read_text("utf-8"))
    assert card["tests"][0]["score"]["n"] == 6


def test_parts_made_alone_are_merged_to_the_whole(made, tmp_path):
    for part in ("train", "validation", "test"):
        write_task(make_task("yin_yang", n_clips=30, part=part), tmp_path / f"{part}.h5")
    files = [str(tmp_path / f"{part}.h5") for part in ("train", "validation", "test")]
    assert main(["merge", *files, "--out", str(tmp_path / "all.h5"), "-q"]) == 0
    with sd.SpikeFile(tmp_path / "all.h5") as file, sd.SpikeFile(made / "yin_yang.h5") as whole:
        assert file.parts == whole.parts
        assert file.read_events().times.tolist() == whole.read_events().times.tolist()


def test_input_and_target_are_two_files_whose_clips_belong_together(made):
    with sd.SpikeFile(made / "patterns.h5") as inputs, sd.SpikeFile(made / "equidistant.h5") as target:
        counts = torch.zeros(1, 500, 20)
        sample = inputs[0]
        counts[0, (sample.times / 1e-3).astype(int), sample.units.astype(int)] = 1
        assert inputs[0].duration == target[0].duration == 0.5
        assert (len(inputs), len(target)) == (3, 1)
