"""Files with as many units as there are: 3,500 channels, one for each hair cell, and 65,536 fibers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.train import train_run
from spikedata.encoding.verify import verify_file
from spikedata.export import export_file
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
from spikedata.plot.file import KINDS_OF_A_FILE, plot_file
from spikedata.report import report
from spikedata.torch import SpikeDataset, collate, collate_dense, collate_lists, loader
from spikedata.transforms import ChannelJitter, ChannelMerge, ChannelShift

N_CLIPS, N_SPIKES = 40, 300
MANY = [3_500, 65_536]


def write(path: Path, n_units: int) -> Path:
    """Forty clips of four classes and five speakers, each with a spike of the first and of the last unit."""
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=list("abcd"), n_units=n_units) as writer:
        for clip in range(N_CLIPS):
            units = rng.normal(n_units / 4 * (clip % 4 + 0.5), n_units / 14, N_SPIKES)
            units[:2] = 0, n_units - 1
            units = np.clip(units, 0, n_units - 1).astype(np.uint16)
            times = np.sort(rng.random(N_SPIKES)) * 0.5
            writer.append(times, units, label=clip % 4, speaker=clip // 4 % 5, source=f"{clip}.flac", duration=0.5)
    return path


@pytest.fixture(scope="module", params=MANY)
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("many") / "many.h5", request.param)


def n_units_of(path: Path) -> int:
    with SpikeFile(path) as file:
        return file.n_units


def test_every_layout_of_a_batch_holds_every_spike(many: Path) -> None:
    n_units, clips = n_units_of(many), SpikeDataset(many)
    two = [clips[0], clips[1]]
    grid = {"dt": 0.1, "n_steps": 5}

    dense = collate_dense(two, **grid).counts
    assert dense.shape == (2, 5, n_units)
    assert dense.sum() == 2 * N_SPIKES
    assert dense[:, :, 0].sum() >= 2
    assert dense[:, :, -1].sum() >= 2
    assert (collate(two, **grid).dense() == dense).all()
    assert len(collate_lists(two, **grid).units) == 2 * N_SPIKES
    assert (next(iter(DataLoader(SpikeDataset(many, **grid), batch_size=2)))[0] == dense).all()
    assert next(iter(loader(many, batch_size=2, n_merged=25, **grid)))[0].shape == (2, 5, -(-n_units // 25))


def test_channels_shift_jitter_and_merge_over_the_whole_range(many: Path) -> None:
    n_units = n_units_of(many)

    def units_after(transform: object) -> np.ndarray:
        return np.concatenate([sample.units for sample in SpikeDataset(many, transform=transform)])

    assert units_after(ChannelJitter(sigma=n_units / 140)).max() > 0.9 * n_units
    assert units_after(ChannelShift(largest=n_units // 20)).max() > 0.9 * n_units
    assert units_after(ChannelMerge(n_merged=5)).max() == (n_units - 1) // 5


def test_info_and_verify_know_how_many_there_are(many: Path) -> None:
    assert f"{n_units_of(many):,} channels" in format_description(describe_file(many))
    assert verify_file(many).n_spikes == N_CLIPS * N_SPIKES


@pytest.mark.parametrize("kind", KINDS_OF_A_FILE)
def test_every_picture_is_drawn(many: Path, kind: str) -> None:
    plot_file(many, kind=kind).savefig("/dev/null", format="png")


def test_a_page_is_made(many: Path, tmp_path: Path) -> None:
    page = report(many, tmp_path / "page.html")

    assert page.bytes < 2e6


@pytest.mark.parametrize(
    ("form", "name"), [("npz", "x.npz"), ("csv", "x"), ("parquet", "x.parquet"), ("nir-data", "x")]
)
def test_every_export_holds_every_spike(many: Path, tmp_path: Path, form: str, name: str) -> None:
    assert export_file(many, tmp_path / name, to=form).spikes == N_CLIPS * N_SPIKES


def test_aedat_has_no_address_for_the_last_of_65536_fibers(tmp_path: Path) -> None:
    pytest.importorskip("dv_processing")
    with pytest.raises(ValueError, match=r"unit 65535, must be <= 32767, the largest address in AEDAT 4"):
        export_file(write(tmp_path / "x.h5", 65_536), tmp_path / "out", to="aer")


@pytest.mark.parametrize("name", ["counts", "recurrent"])
def test_a_network_trains_and_is_scored(many: Path, tmp_path: Path, name: str) -> None:
    recipe = recipe_from(name, {"strengths": "1"} if name == "counts" else {"epochs": "1"})
    train_run(many, tmp_path / "run", recipe=recipe, validation_speakers=[1], test_speakers=[2])

    assert evaluate_run(tmp_path / "run").tests[-1].score.n == 8
