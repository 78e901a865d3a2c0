"""The main job on the corpus that ships with the package: speech, spikes, file, network, score, pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from spikedata.corpora import Clip, embedded_corpus, list_clips
from spikedata.disk import OutputError

TEST_SPEAKERS = (4, 5)  # as in the published Heidelberg data; held out from training
VALIDATION_SPEAKERS = (6, 7)
SHOWN_CLIP = "lang-german_speaker-04_trial-0_digit-7.flac"  # "sieben", by a test speaker

_MARK = ".made-by-spikedata-demo"  # only a folder that holds it is ever removed
_SPIKES, _PICTURES = "digits.h5", "pictures"


def run_demo(
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    overwrite: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Encode the embedded corpus, train a recurrent network and a linear classifier, score both, draw pictures.

    Parameters
    ----------
    out : str or path-like
        Folder to make; it is removed again if the demo fails or is interrupted.
    seed : int
        Seed of spikes, weights and order of training.
    overwrite : bool
        Whether a folder that an earlier demo made may be replaced.
    on_progress : callable, optional
        Called with a stage's name, what is done of it and what there is to do.

    Returns
    -------
    dict
        `steps` with seconds and what was made, `scores` of both classifiers on the held-out speakers, `pictures`.

    Raises
    ------
    OutputError
        If the folder exists, was not made by a demo, or cannot be written.
    """
    from spikedata.baseline.recipes.catalog import recipe_from
    from spikedata.baseline.recipes.structure import fields_to_json
    from spikedata.baseline.runs.evaluation import evaluate_run
    from spikedata.baseline.runs.train import train_run
    from spikedata.encoding.encode import encode_clips

    report = on_progress or (lambda *_: None)
    with _fresh_folder(Path(out), overwrite=overwrite) as folder:
        listing = list_clips("heidelberg_digits", embedded_corpus())
        spike_path = folder / _SPIKES
        encoding = encode_clips(listing, spike_path, seed=seed, on_progress=partial(report, "encode"))
        steps = [
            {
                "step": "encode",
                "seconds": encoding.wall_time,
                "made": f"{encoding.n_clips} clips, {encoding.sound_duration:.0f} s of speech, "
                f"{encoding.n_spikes:,} spikes, {spike_path.stat().st_size / 1e6:.0f} MB",
            }
        ]
        scores = {}
        for name in ("counts", "recurrent"):
            recipe = recipe_from(name)
            started = perf_counter()
            card = train_run(
                spike_path,
                folder / name,
                recipe=recipe,
                seed=seed,
                validation_speakers=VALIDATION_SPEAKERS,
                test_speakers=TEST_SPEAKERS,
                on_epoch=_Counter(report, f"train {name}", recipe.n_epochs),
            )
            made = f"{card.network.parameters:,} parameters, best of {card.training.epochs} epochs: "
            made += f"{card.training.best_epoch}, chosen on {card.split.n['validation']} clips of 2 held-out speakers"
            steps.append({"step": f"train {name}", "seconds": perf_counter() - started, "made": made})
            started = perf_counter()
            scores[name] = fields_to_json(evaluate_run(folder / name).tests[-1].score, "score")
            made = f"scored once on {scores[name]['n']} clips of 2 unseen speakers"
            steps.append({"step": f"evaluate {name}", "seconds": perf_counter() - started, "made": made})
        started = perf_counter()
        pictures = _draw(folder, next(clip for clip in listing.clips if clip.name == SHOWN_CLIP), scores["recurrent"])
        steps.append(
            {
                "step": "draw",
                "seconds": perf_counter() - started,
                "made": f"{len(pictures)} pictures in {folder / _PICTURES}",
            }
        )
    return {"out": str(out), "steps": steps, "scores": scores, "pictures": pictures}


def format_demo(result: dict[str, Any]) -> str:
    """The result of a demo as one table.

    Parameters
    ----------
    result : dict
        As `run_demo` gives it.
    """
    lines = [f"{'step':<20}{'time':>8}   made", "-" * 100]
    lines += [f"{step['step']:<20}{step['seconds']:>6.1f} s   {step['made']}" for step in result["steps"]]
    lines += [
        "-" * 100,
        "Heidelberg Digits, 680 recordings, 20 classes; test speakers 4 and 5 were not in training.",
    ]
    for name, score in result["scores"].items():
        low, high = score["interval_95"]
        lines.append(
            f"{name:<20}{score['accuracy']:>7.1%}   95 % interval {low:.1%} to {high:.1%}, n = {score['n']}, "
            f"chance {score['chance']:.1%}"
        )
    return "\n".join(lines)


class _Counter:
    """Counts the calls of a callback and reports them."""

    def __init__(self, report: Callable[[str, int, int], None], stage: str, total: int) -> None:
        self._report, self._stage, self._total, self._done = report, stage, total, 0
        report(stage, 0, total)

    def __call__(self, _: object) -> None:
        self._done += 1
        self._report(self._stage, self._done, self._total)


@contextmanager
def _fresh_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    if folder.exists():
        if not overwrite:
            raise OutputError(f"{folder}: exists already, will not replace it (--overwrite does)")
        if not (folder / _MARK).is_file():
            raise OutputError(f"{folder}: was not made by a demo, will not replace it")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True)
        (folder / _MARK).touch()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _draw(folder: Path, clip: Clip, score: dict[str, Any]) -> list[str]:
    from spikedata.baseline.runs.folder import HISTORY
    from spikedata.baseline.runs.inspect_run import watch_clip
    from spikedata.files.reader import SpikeFile
    from spikedata.plot import plot_confusion, plot_hidden, plot_learning_curve, save_figure
    from spikedata.training.history import read_history

    with SpikeFile(folder / _SPIKES) as file:
        sample, keys = file[file.sources.index(clip.name)], file.keys
    activity = watch_clip(folder / "recurrent", sample)
    history = read_history(folder / "recurrent" / HISTORY)
    title = f"“{keys[clip.label]}”, a test speaker"
    figures = {
        "word": draw_word(clip, sample.times, sample.units, title=title),
        "hidden": plot_hidden(activity.hidden_spikes, activity.dt, activity.readout, keys, title=title),
        "learning_curve": plot_learning_curve(history, chance=score["chance"], title="Recurrent spiking network"),
        "confusion": plot_confusion(np.array(score["confusion"]), keys, title="Unseen speakers"),
    }
    (folder / _PICTURES).mkdir()
    paths = {name: folder / _PICTURES / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return [str(path) for path in paths.values()]


def draw_word(clip: Clip, times: np.ndarray, units: np.ndarray, *, title: str) -> Any:
    """Waveform, cochleagram and spikes of one clip above each other.

    Parameters
    ----------
    clip : Clip
        The recording.
    times : ndarray, shape (n_spikes,)
        Its spikes [s].
    units : ndarray, shape (n_spikes,)
        Channel of each.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import cochlea
    from spikedata.corpora.audio import read_audio
    from spikedata.plot import plot_word

    params = cochlea.CochleaParams()
    waveform, sample_rate = read_audio(clip.path)
    pressure, pressure_rate = cochlea.prepare_stimulus(waveform, sample_rate, params.stimulus)
    velocity, rate = cochlea.basilar_membrane(pressure, pressure_rate, params.basilar_membrane)
    frequencies = cochlea.characteristic_frequencies(params.basilar_membrane)
    return plot_word(waveform, sample_rate, velocity, rate, times, units, frequencies=frequencies, title=title)
