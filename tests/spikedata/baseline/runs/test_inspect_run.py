"""Looking inside a run: the same network, the same bins as in its score."""

import numpy as np

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.folder import load_run
from spikedata.baseline.runs.inspect_run import watch_clip
from spikedata.baseline.runs.train import train_run
from spikedata.events import Events
from spikedata.files.writer import SpikeWriter
from spikedata.training.scoring import evaluate


def test_the_watched_activity_is_what_the_score_is_made_of(make_events, tmp_path):
    events = make_events()
    with SpikeWriter(tmp_path / "x.h5", keys=events.keys, n_units=events.n_units) as writer:
        for sample in events:
            writer.append(sample.times, sample.units, label=sample.label, speaker=sample.speaker)
    recipe = recipe_from("recurrent", {"epochs": "1", "hidden": "8", "duration": "0.2", "n_merged": "2"})
    train_run(tmp_path / "x.h5", tmp_path / "run", recipe=recipe)

    activity = watch_clip(tmp_path / "run", events[3])

    assert activity.hidden_spikes.shape == (10, 8)
    network = load_run(tmp_path / "run").network
    alone = evaluate(network, Events.from_samples([events[3]], keys=events.keys, n_units=events.n_units))
    assert activity.readout.max(axis=0).argmax() == alone.predictions[0]
    assert np.isclose(activity.hidden_spikes.sum() / 8, alone.hidden_spikes)
