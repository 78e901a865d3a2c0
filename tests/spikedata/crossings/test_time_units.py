"""Files by others: times in ms, us or samples, clips that are long or silent, 64 or 1,024 units."""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace
from functools import partial

import h5py
import numpy as np
import pytest
from torch.utils.data import ConcatDataset, DataLoader, Subset

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import load_run, read_card, read_chosen_run
from spikedata.baseline.runs.groups import evaluate_group, train_group
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.train import train_run
from spikedata.disk import OutputError
from spikedata.encoding.verify import verify_file
from spikedata.events.window import find_outside
from spikedata.files.cache import open_events
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter
from spikedata.torch import SpikeDataset, collate_dense, collate_lists, loader

COUNTS = recipe_from("counts", {"strengths": "1"})
SCALES = {"ms": 1e3, "us": 1e6, "samples@16000": 16e3}
N_CLIPS = 40


def write(path, *, scale=1.0, dtype="f4", n_units=700, last=0.8, silent=()):
    """Forty clips of four classes and five speakers, in the published layout, by another writer."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, kind in (("times", dtype), ("units", "u2")):
            file.create_dataset(f"spikes/{name}", (N_CLIPS,), h5py.vlen_dtype(np.dtype(kind)))
        for clip in range(N_CLIPS):
            n = 0 if clip in silent else 60
            file["spikes/times"][clip] = (np.sort(rng.random(n)) * last * scale).astype(dtype)
            units = rng.normal(n_units / 4 * (clip % 4 + 0.5), n_units / 14, n)
            file["spikes/units"][clip] = np.clip(units, 0, n_units - 1).astype("u2")
        file["labels"] = np.arange(N_CLIPS) % 4
        file["extra/speaker"] = np.arange(N_CLIPS) // 4 % 5
        file["extra/keys"] = np.array([b"a", b"b", b"c", b"d"])
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    found = {unit: write(folder / f"{unit[:2]}.h5", scale=scale) for unit, scale in SCALES.items()}
    whole = {"int ms": write(folder / "int.h5", scale=1e3, dtype="u4"), "s": write(folder / "s.h5")}
    return found | whole


@pytest.mark.parametrize("unit", SCALES)
def test_training_is_refused_and_names_the_unit_and_what_to_type(files, tmp_path, unit):
    with pytest.raises(ValueError, match="of the spikes fall outside 1 s: times look like ") as refused:
        train_run(files[unit], tmp_path / "run", recipe=COUNTS)
    likely = "us" if unit == "us" else "ms"
    assert f"give --time-unit {likely} (time_unit={likely!r})" in str(refused.value)
    assert str(files[unit]) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("unit", SCALES)
def test_a_file_in_another_unit_trains_and_scores_as_one_in_s(files, tmp_path, unit):
    card = train_run(files[unit], tmp_path / "run", recipe=COUNTS, time_unit=unit)
    reference = train_run(files["s"], tmp_path / "s", recipe=COUNTS)
    assert card.validation.accuracy == reference.validation.accuracy
    assert card.data.time_unit == unit
    assert f"--time-unit {unit}" in card.command
    assert f", times in {unit}, 700 units (not in the file)\n" in format_card(card)
    assert read_card(tmp_path / "run") == card
    card = evaluate_run(tmp_path / "run")  # its own file is read as it was trained
    assert card.tests[0].score.accuracy == evaluate_run(tmp_path / "s").tests[0].score.accuracy
    assert evaluate_run(tmp_path / "run", files["s"]).tests[-1].outside == 0
    with pytest.raises(ValueError, match=r"time_unit must be .*, as trained on, or left out, got ns"):
        evaluate_run(tmp_path / "run", time_unit="ns")


def test_another_file_is_scored_in_its_own_unit_or_not_at_all(files, tmp_path):
    train_run(files["s"], tmp_path / "run", recipe=COUNTS)
    with pytest.raises(ValueError, match=r"of the spikes fall outside 1 s: .*give --time-unit us"):
        evaluate_run(tmp_path / "run", files["us"])
    with pytest.raises(ValueError, match=r"outside 1 s, read as ms: .*the median clip lasts"):
        evaluate_run(tmp_path / "run", files["us"], time_unit="ms")
    assert evaluate_run(tmp_path / "run", files["us"], time_unit="us").tests[-1].time_unit == "us"
    again = evaluate_run(tmp_path / "run", files["us"], control="times_shuffled")
    assert again.controls[-1].sha256 == again.tests[-1].sha256
    with pytest.raises(ValueError, match="time_unit must be us, as scored, or left out, got ms"):
        evaluate_run(tmp_path / "run", files["us"], time_unit="ms")


def test_a_training_in_another_unit_is_another_training(files, tmp_path):
    train_run(files["ms"], tmp_path / "run", recipe=COUNTS, time_unit="ms")
    kept = train_run(files["ms"], tmp_path / "run", recipe=COUNTS, time_unit="ms", keep_finished=True)
    assert kept == read_card(tmp_path / "run")
    with pytest.raises(OutputError, match="is of another training: data"):
        train_run(files["ms"], tmp_path / "run", recipe=COUNTS, time_unit="samples@1100", keep_finished=True)


def test_a_group_and_its_refit_are_read_alike(files, tmp_path):
    lif = recipe_from("feedforward", {"hidden": "4", "epochs": "1"})
    group = {"recipe": lif, "seeds": [0], "leave_one_speaker_out": True, "time_unit": "ms"}
    made = train_group(files["int ms"], tmp_path / "group", **group)
    assert len(made.runs) == 5
    assert evaluate_group(tmp_path / "group").test is not None
    chosen = read_chosen_run(tmp_path / "group" / "speaker-0")
    assert refit_run(files["int ms"], tmp_path / "refit", chosen=chosen).data.time_unit == "ms"


def test_what_falls_outside_is_counted_on_card_and_in_info(tmp_path):
    path = write(tmp_path / "x.h5", last=1.25)
    card = train_run(path, tmp_path / "run", recipe=COUNTS)
    expected = sum(int((sample.times >= 1).sum()) for sample in open_events(path)) / (60 * N_CLIPS)
    assert card.data.outside == expected
    assert 0.15 < expected < 0.25
    assert f"; {100 * expected:.3g} % of the spikes fall outside 1 s\n" in format_card(card)
    assert f"  outside     {100 * expected:.3g} % of the spikes fall outside 1 s\n" in info(path)
    scored = evaluate_run(tmp_path / "run", write(tmp_path / "y.h5", last=2.0)).tests[-1]
    assert 0.4 < scored.outside < 0.6
    assert "% of the spikes fall outside 1 s\n" not in info(path, window=1.5)


def info(path, **options):
    return format_description(describe_file(path, **options)) + "\n"


def test_long_clips_are_taken_if_the_user_says_that_they_are_in_s(tmp_path):
    path = write(tmp_path / "x.h5", last=30.0)
    with pytest.raises(ValueError, match=r"the median clip lasts 29\.\d s; give a longer window"):
        train_run(path, tmp_path / "run", recipe=COUNTS)
    card = train_run(path, tmp_path / "run", recipe=COUNTS, time_unit="s")
    assert 0.9 < card.data.outside < 1
    assert "--time-unit s" in card.command
    assert evaluate_run(tmp_path / "run").tests[0].outside > 0.9
    assert len(list(loader(path, batch_size=40, dt=0.1, n_steps=10, time_unit="s"))) == 1


def test_info_names_the_unit(files):
    assert "outside 1 s: times look like milliseconds: the median clip lasts 7" in info(files["ms"])
    told = describe_file(files["ms"], time_unit="ms")
    assert (told["time_unit"], told["outside"]["spikes"], told["advice"]) == ("ms", 0, "")
    assert "stored as float32 in ms\n" in info(files["ms"], time_unit="ms")
    assert describe_file(files["s"])["advice"] == ""


# Whole numbers


def test_times_in_whole_numbers_need_a_unit(files):
    with pytest.raises(
        FormatError,
        match=r"rows of floats, got uint32; say what they count \(the median clip ends at 7\d\d\): --time-unit ms, or",
    ):
        SpikeFile(files["int ms"])
    events = open_events(files["int ms"], time_unit="ms")
    with h5py.File(files["int ms"]) as file:
        assert events[3].times.tolist() == [ms / 1000 for ms in file["spikes/times"][3].tolist()]
    assert verify_file(files["int ms"], time_unit="ms").n_spikes == 60 * N_CLIPS


@pytest.mark.parametrize("unit", ["minutes", "samples", "samples@0", "samples@-1", "", "ms "])
def test_a_unit_that_there_is_not_is_refused(files, unit):
    if unit.strip() == "ms":
        assert SpikeDataset(files["ms"], time_unit=unit).time_unit == "ms"
        return
    with pytest.raises(ValueError, match="time_unit must be s, ms, us, ns or samples@RATE"):
        SpikeDataset(files["ms"], time_unit=unit)


def test_half_floats_in_ms_are_divided_in_double_precision(tmp_path):
    path = write(tmp_path / "x.h5", scale=1e3, dtype="f2")
    with h5py.File(path) as file:
        assert SpikeDataset(path, time_unit="ms")[0].times.tolist() == [
            t / 1000 for t in file["spikes/times"][0].tolist()
        ]


# Loaders


def test_a_loader_refuses_what_would_be_empty_batches(files):
    steps = {"dt": 0.01, "n_steps": 100}
    for make in (partial(loader, batch_size=8), SpikeDataset):
        with pytest.raises(
            ValueError, match=r"ms\.h5: 99\.\d % of the spikes .* give --time-unit ms \(time_unit='ms'\)"
        ):
            make(files["ms"], **steps)
        make(files["ms"], **steps, time_unit="ms")
    with pytest.raises(ValueError, match="times look like milliseconds"):
        loader(Subset(SpikeDataset(files["ms"]), [3, 4]), batch_size=2, **steps)
    with pytest.raises(ValueError, match=r"us\.h5: .* look like microseconds"):
        loader(ConcatDataset([SpikeDataset(files["s"]), SpikeDataset(files["us"]).select([3])]), batch_size=2, **steps)
    in_ms, in_s = SpikeDataset(files["ms"], time_unit="ms"), SpikeDataset(files["s"])
    batches = [loader(dataset, batch_size=40, **steps) for dataset in (in_ms, in_s)]
    counts, reference = (next(iter(batch)).counts for batch in batches)
    assert (counts - reference).abs().sum() <= 4  # float32 rounds to ms or to s
    with pytest.raises(ValueError, match=r"data set has its own time_unit: give it to SpikeDataset"):
        loader(in_ms, batch_size=8, **steps, time_unit="ms")
    with pytest.raises(ValueError, match="time_unit is that of a file; events are in s, got 'ms'"):
        SpikeDataset(in_ms.events, time_unit="ms")


@pytest.mark.parametrize("collate", [collate_dense, collate_lists])
def test_a_data_loader_of_the_users_own_warns(files, collate):
    own = partial(collate, dt=0.01, n_steps=100)
    with pytest.warns(UserWarning, match=r"nearly all spikes of a batch fall outside its steps, .*time_unit='ms'"):
        next(iter(DataLoader(SpikeDataset(files["ms"]), batch_size=8, collate_fn=own)))
    next(iter(DataLoader(SpikeDataset(files["ms"], time_unit="ms"), batch_size=8, collate_fn=own)))


def test_who_says_that_times_are_in_s_is_not_warned_again(tmp_path, recwarn):
    path, steps = write(tmp_path / "x.h5", last=90.0), {"dt": 0.01, "n_steps": 50, "time_unit": "s"}
    for recipe in (COUNTS, recipe_from("recurrent", {"hidden": "4", "epochs": "1"})):
        train_run(path, tmp_path / recipe.name, recipe=recipe, time_unit="s")
        evaluate_run(tmp_path / recipe.name)
    assert len(list(loader(path, batch_size=40, **steps))) == 1
    assert next(iter(DataLoader(SpikeDataset(path, **steps), batch_size=40)))[0].shape == (40, 50, 700)
    assert not [str(warning.message) for warning in recwarn if "nearly all" in str(warning.message)]


def test_a_unit_that_was_given_is_not_advised(tmp_path):
    path = write(tmp_path / "x.h5", scale=16e3)
    with pytest.raises(
        ValueError, match=r"read as ms: .*, or the unit of the times if it is not ms: --time-unit samples@"
    ):
        train_run(path, tmp_path / "run", recipe=COUNTS, time_unit="ms")


@pytest.mark.parametrize(("scale", "given", "advised"), [(1e9, "us", "ns"), (1e6, "ms", "us")])
def test_after_a_wrong_unit_the_likely_one_is_that_of_the_file(tmp_path, scale, given, advised):
    path = write(tmp_path / "x.h5", scale=scale, dtype="f8")
    for look in (
        lambda: train_run(path, tmp_path / "run", recipe=COUNTS, time_unit=given),
        lambda: loader(path, batch_size=4, dt=0.01, n_steps=100, time_unit=given),
    ):
        with pytest.raises(ValueError, match=rf"read as {given}: .*; give --time-unit {advised} "):
            look()
    assert f"give --time-unit {advised} " in describe_file(path, time_unit=given)["advice"]


def test_a_file_without_clips_trains_nothing(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["a"]):
        pass
    with pytest.raises(ValueError, match=r"x\.h5: has no clips$"):
        train_run(tmp_path / "x.h5", tmp_path / "run", recipe=COUNTS)
    with h5py.File(tmp_path / "y.h5", "w") as file:
        for name, kind in (("times", "f4"), ("units", "u2")):
            file.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(np.dtype(kind)))
        file["labels"] = np.zeros(2, int)
    assert "700 channels (not in the file)\n" in format_description(describe_file(tmp_path / "y.h5"))


def test_what_a_loader_cuts_is_counted_and_logged(tmp_path, caplog):
    dataset = SpikeDataset(write(tmp_path / "x.h5", last=2.0, silent=(0, 7)))
    with caplog.at_level(logging.WARNING):
        batches = loader(dataset, batch_size=8, dt=0.01, n_steps=100)
    cut = batches.outside
    assert cut.n_spikes - cut.n_outside == sum(int(batch.counts.sum()) for batch in batches)
    assert (cut.n_clips, cut.n_silent) == (N_CLIPS, 2)
    assert f"x.h5: {cut}" in caplog.text
    parts = ConcatDataset([Subset(dataset, [3, 0]), dataset.select([5])])
    joined = loader(Subset(parts, [2, 0]), batch_size=2, dt=0.01, n_steps=100).outside
    each = [find_outside(dataset.events, 1.0, np.array([clip])) for clip in (3, 5)]
    assert (joined.n_outside, joined.n_spikes) == (sum(e.n_outside for e in each), sum(e.n_spikes for e in each))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_sorted_or_not_the_same_falls_outside(tmp_path, dtype):
    events = open_events(write(tmp_path / "x.h5", last=2.0, dtype=dtype, silent=(4,)))
    order = np.concatenate(
        [np.arange(a, b)[::-1] for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)]
    )
    turned = replace(events, times=events.times[order], units=events.units[order], is_sorted=False)
    for window in (0.001, 1.0, 1.7, 5.0):
        expected = int((events.times.astype(float) >= window).sum())
        assert find_outside(events, window).n_outside == find_outside(turned, window).n_outside == expected


def test_times_of_a_clock_that_ran_through_are_no_milliseconds(tmp_path):
    path = write(tmp_path / "x.h5")
    with h5py.File(path, "a") as file:
        for clip in range(N_CLIPS):
            file["spikes/times"][clip] += 1000 + 2 * clip
    with pytest.raises(
        ValueError, match=r"the median clip begins at 1,0\d\d\.\d s: subtract the time at which each clip"
    ):
        train_run(path, tmp_path / "run", recipe=COUNTS)


def test_events_in_ms_are_to_be_divided(files):
    events = open_events(files["ms"])
    with pytest.raises(
        ValueError, match=r"^events: .* look like milliseconds: .*; divide Events\.times by 1000; time_unit"
    ):
        loader(events, batch_size=8, dt=0.01, n_steps=100)
    assert len(loader(events, batch_size=8, dt=0.01, n_steps=100, time_unit="s")) == 5


def test_a_unit_that_makes_clips_of_a_millisecond_is_doubted(files, caplog):
    loader(files["s"], batch_size=8, dt=0.01, n_steps=100, time_unit="ms")
    assert "s.h5: read as ms, the median clip lasts 0.7" in caplog.text
    caplog.clear()
    loader(files["ms"], batch_size=8, dt=0.01, n_steps=100, time_unit="ms")
    assert not caplog.text


# Clips without a spike


def test_silent_clips_are_said(tmp_path):
    path = write(tmp_path / "x.h5", silent=(0, 1, 9))
    card = train_run(path, tmp_path / "run", recipe=COUNTS)
    assert card.data.n_silent == 3
    assert "origin unknown, 700 units (not in the file); 3 clips without a spike\n" in format_card(card)
    assert "; 3 clips without any\n" in info(path)


def test_a_file_without_a_spike_trains_nothing(tmp_path, caplog):
    path = write(tmp_path / "x.h5", silent=range(N_CLIPS))
    with pytest.raises(ValueError, match=r"x\.h5: no clip has a spike, so there is nothing to train on"):
        train_run(path, tmp_path / "run", recipe=COUNTS)
    assert "40 clips without any; no clip has any\n" in info(path)
    caplog.clear()
    assert loader(path, batch_size=8, dt=0.01, n_steps=100).outside.share == 0
    assert "x.h5: no clip has a spike" in caplog.text


# The number of units


@pytest.mark.parametrize("n_units", [64, 1024])
def test_the_number_of_units_reaches_cache_loader_card_and_network(tmp_path, n_units):
    path = write(tmp_path / "x.h5", n_units=n_units)
    dataset = SpikeDataset(path, n_units=n_units)
    assert (dataset.n_units, dataset[0].n_units) == (n_units, n_units)
    assert pickle.loads(pickle.dumps(dataset)).events.n_units == n_units
    assert next(iter(loader(path, batch_size=4, dt=0.1, n_steps=9, n_units=n_units))).counts.shape == (4, 9, n_units)
    card = train_run(path, tmp_path / "run", recipe=COUNTS, n_units=n_units)
    assert (card.data.n_units, card.data.says_n_units) == (n_units, False)
    assert f"--units {n_units}" in card.command
    assert f"origin unknown, {n_units} units (not in the file)" in format_card(card)
    assert load_run(tmp_path / "run").network.n_units == n_units
    assert evaluate_run(tmp_path / "run").tests[0].score.accuracy > 0.9
    other = write(tmp_path / "other.h5", n_units=n_units, last=0.7)  # which does not say it either
    assert evaluate_run(tmp_path / "run", other).tests[-1].score.n == N_CLIPS
    assert describe_file(path, n_units=n_units)["channels"] == n_units
    assert verify_file(path, n_units=n_units).n_clips == N_CLIPS


def test_more_than_700_units_are_refused_with_the_way_on(tmp_path):
    path = write(tmp_path / "x.h5", n_units=1024)
    rule = r"x\.h5: sample \d+: unit \d+, must be < 700 as in the published files; give the number of units, at least "
    with pytest.raises(FormatError, match=rule + r"1024: --units N \(n_units=N\)"):
        SpikeDataset(path)
    with pytest.raises(FormatError, match=r"unit \d+, must be < 1000 \(--units\); give at least 1024$"):
        SpikeDataset(path, n_units=1000)


def test_too_few_or_too_many_units_are_refused_with_the_way_on(tmp_path):
    path = write(tmp_path / "x.h5", n_units=64)
    with pytest.raises(FormatError, match=r"must be < 32 \(--units\); give at least 6\d$"):
        describe_file(path, n_units=32)
    with h5py.File(path, "a") as file:
        del file["spikes/units"]
        file.create_dataset("spikes/units", (N_CLIPS,), h5py.vlen_dtype(np.dtype("u4")))
        for clip in range(N_CLIPS):
            file["spikes/units"][clip] = np.full(60, 70_000, "u4")
    with pytest.raises(
        FormatError, match="must be < 700; files of more than 65536 units cannot be read, number them anew"
    ):
        describe_file(path)


def test_each_number_of_units_has_its_own_cache(tmp_path):
    path = write(tmp_path / "x.h5", n_units=64)
    first, second = SpikeDataset(path, n_units=64), SpikeDataset(path)
    assert (first.n_units, second.n_units) == (64, 700)  # published files have 700, and say nothing
    assert SpikeDataset(path, n_units=64, time_unit="ms").events.times[0] == first.events.times[0].astype(float) / 1000
    assert len(list((tmp_path / "cache" / "events").iterdir())) == 3


def test_a_file_that_says_its_units_is_not_contradicted(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["a"], n_units=64) as writer:
        writer.append([0.25], [3], label=0, speaker=0)
    assert SpikeDataset(tmp_path / "x.h5", n_units=64).n_units == 64
    with pytest.raises(
        ValueError, match=r"x\.h5: n_units \(--units\) must be 64, as the file says, or left out, got 70"
    ):
        SpikeDataset(tmp_path / "x.h5", n_units=70)


def test_a_file_that_this_package_encoded_is_in_s(tmp_path):
    made = Provenance(package_version="0", params="{}", seed=0, corpus="folder")
    with SpikeWriter(tmp_path / "x.h5", keys=["a"], provenance=made) as writer:
        writer.append([0.25], [3], label=0, speaker=0)
    with pytest.raises(ValueError, match=r"time_unit \(--time-unit\) must be left out for a file that was encoded by"):
        SpikeFile(tmp_path / "x.h5", time_unit="ms")
    with SpikeFile(tmp_path / "x.h5", time_unit="s") as file:
        assert file.times_dtype == file[0:2].times.dtype


def test_a_card_of_the_format_before_is_read(files, tmp_path):
    card = train_run(files["s"], tmp_path / "run", recipe=COUNTS)
    content = card.to_json() | {"card_format": 3}
    for name in ("time_unit", "says_n_units", "outside", "n_silent"):
        del content["data"][name]
    old = Card.from_json(content)
    assert old.data == replace(card.data, says_n_units=True, outside=None, n_silent=None)
    assert "fall outside" not in format_card(old)
