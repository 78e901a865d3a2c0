"""Every kind of cochlea through all that makes, reads, shows and learns its spikes."""

from __future__ import annotations

import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cochlea import CochleaParams, SumnerHairCellParams
from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.train import train_run
from spikedata.corpora import list_source
from spikedata.encoding.blocks import PRESETS, Job, cut_blocks, find_members
from spikedata.encoding.ear import params_of
from spikedata.encoding.encode import encode
from spikedata.encoding.hear import stored_frequencies
from spikedata.encoding.merge import merge_shards
from spikedata.encoding.verify import verify_file
from spikedata.encoding.work import BlockTask, encode_elsewhere
from spikedata.export import write_data_card
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.plot.file import KINDS_OF_A_FILE, plot_file, plot_sound
from spikedata.recognition import recognize
from spikedata.report import report

RATE, N_SPEAKERS = 16_000, 4
EARS = {
    "default": CochleaParams().with_channels(24),
    "published": CochleaParams.published().with_channels(24),
    "human": CochleaParams.human().with_channels(24),
    "default nerve": replace(CochleaParams(), output="nerve").with_channels(24),
    "published nerve": replace(CochleaParams.published(), output="nerve").with_channels(24),
    "human nerve": replace(CochleaParams.human(), output="nerve").with_channels(24),
    "three classes": CochleaParams(hair_cell=SumnerHairCellParams(n_per_place=1)).with_channels(24),
}


class Stopped(Exception):
    """What a test stops an encoding with."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noises of 30 ms in two classes, by four speakers."""
    root = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    with (root / "all.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "speaker"])
        for number in range(4 * N_SPEAKERS):
            sound = rng.normal(size=480) * np.sin(np.linspace(0, 40 * (1 + number % 2), 480)) * 0.1
            soundfile.write(root / f"{number}.wav", sound, RATE)
            rows.writerow([f"{number}.wav", "ab"[number % 2], f"s{number % N_SPEAKERS}"])
    return root / "all.csv"


@pytest.fixture(scope="module", params=EARS.values(), ids=EARS)
def ear(request: pytest.FixtureRequest) -> CochleaParams:
    return request.param


@pytest.fixture(scope="module")
def encoded(ear: CochleaParams, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoded") / "x.h5"
    encode(table, path, params=ear)
    return path


def test_every_preset_is_among_the_ears() -> None:
    assert set(PRESETS) <= set(EARS)


def test_a_file_says_its_ear_and_has_units_of_it_alone(ear: CochleaParams, encoded: Path) -> None:
    with SpikeFile(encoded) as file:
        assert file.provenance is not None
        assert params_of(file.provenance) == ear
        assert file.n_units == ear.n_units
        assert len(np.unique(file.read_events().units)) > 0.5 * ear.n_channels
        frequencies = stored_frequencies(file.provenance)
    assert frequencies is not None
    assert (np.diff(frequencies) < 0).all()
    assert frequencies.size == ear.n_units


def test_workers_shards_interruptions_and_clusters_give_the_same_bytes(
    ear: CochleaParams, encoded: Path, table: Path, tmp_path: Path
) -> None:
    def stop(n_done: int, _: int) -> None:
        if n_done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        encode(table, tmp_path / "stopped.h5", params=ear, workers=1, on_progress=stop)
    encode(table, tmp_path / "stopped.h5", params=ear, workers=1)
    shards = [encode(table, tmp_path / "s.h5", params=ear, shard=(part, 2)).outputs[0] for part in (1, 2)]
    merge_shards(shards, tmp_path / "s.h5")
    listing = list_source(table)
    job = Job(corpus=listing.corpus, keys=listing.keys, preset="own", seed=0, own=ear)
    (block,) = cut_blocks(job, find_members(listing.clips, [""] * len(listing.clips)))
    task = pickle.loads(pickle.dumps(BlockTask(job, block, False)))
    (tmp_path / "elsewhere.h5").write_bytes(encode_elsewhere(task).content)

    assert (tmp_path / "stopped.h5").read_bytes() == encoded.read_bytes()
    assert (tmp_path / "s.h5").read_bytes() == encoded.read_bytes()
    with SpikeFile(encoded) as whole, SpikeFile(tmp_path / "elsewhere.h5") as elsewhere:
        assert elsewhere.spikes_digest == whole.spikes_digest


def test_recordings_encoded_again_verify_it(encoded: Path, table: Path) -> None:
    assert verify_file(encoded, audio=table).n_compared == 4 * N_SPEAKERS


def test_info_and_card_name_the_units(ear: CochleaParams, encoded: Path, tmp_path: Path) -> None:
    text = format_description(describe_file(encoded))
    unit = "fiber" if ear.output == "nerve" else "channel"
    assert f"{ear.n_units} {unit}s" in text
    assert f"{ear.n_hair_cells} hair cells at {ear.n_channels} places" in text

    (tmp_path / "x.h5").write_bytes(encoded.read_bytes())
    write_data_card([tmp_path / "x.h5"], tmp_path)
    assert f"a unit is a {'fiber of the auditory nerve' if unit == 'fiber' else 'frequency channel'}" in (
        tmp_path / "README.md"
    ).read_text("utf-8")


@pytest.mark.parametrize("kind", KINDS_OF_A_FILE)
def test_every_picture_of_it_is_drawn_and_names_the_units(ear: CochleaParams, encoded: Path, kind: str) -> None:
    figure = plot_file(encoded, kind=kind)
    labels = " ".join(axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes).lower()

    assert ("fiber" in labels) == (ear.output == "nerve" and kind != "speakers")


def test_a_recording_is_drawn_with_it(ear: CochleaParams, table: Path) -> None:
    plot_sound(table.with_name("0.wav"), params=ear)


def test_a_page_with_sound_is_made(ear: CochleaParams, encoded: Path, table: Path, tmp_path: Path) -> None:
    made = report(encoded, tmp_path / "x.html", audio=table)

    assert made.clips == 4 * N_SPEAKERS
    unit = "fiber" if ear.output == "nerve" else "channel"
    assert f"Rates by {unit}" in (tmp_path / "x.html").read_text("utf-8")


def test_a_network_trained_on_it_recognizes_with_the_same_ear(
    ear: CochleaParams, encoded: Path, tmp_path: Path
) -> None:
    recipe = recipe_from("counts", {"strengths": "1"})
    card = train_run(encoded, tmp_path / "run", recipe=recipe, validation_speakers=[1], test_speakers=[2])
    heard = recognize((np.sin(np.arange(RATE // 3)), RATE), network=tmp_path / "run")

    assert json.loads(card.data.provenance.params)["output"] == ear.output
    assert heard.spikes.units.max() < ear.n_units
