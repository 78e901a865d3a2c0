"""The main job on the recordings that ship with the package: speech, spikes, file, network, score, word, pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spikedata.corpora import Clip, Listing, embedded_corpus, list_clips
from spikedata.disk import OutputError

if TYPE_CHECKING:
    from spikedata.baseline import Recipe
    from spikedata.plot.figure import Picture
    from spikedata.recognition import Recognition

TEST_SPEAKERS = (4, 5)  # as in the published data; held out from training
VALIDATION_SPEAKERS = (6, 8)  # as in the results on the whole corpus
# The clip that is recognized and drawn, chosen by a rule before any network had heard it: of the first test speaker
# the first take of the German seven.
SHOWN_CLIP = "lang-german_speaker-04_trial-0_digit-7.flac"
RECIPE, BASELINE = "few_clips", "counts"

Progress = Callable[[str, int, int], None]
Result = TypeVar("Result")

_MARK = ".made-by-spikedata-demo"  # only a folder that holds it is ever removed
_SPIKES, _PICTURES, _NETWORK = "digits.h5", "pictures", "network"
_BATCH = 64  # of the clips that are only loaded to show how
_NAME = "digits"  # of the pretrained network
_TRAINED, _SHIPPED = "the network just trained", f"the pretrained network “{_NAME}”"


def run_demo(
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    overwrite: bool = False,
    listing: Listing | None = None,
    recipe: Recipe | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Encode real speech, train a spiking network and a linear classifier, score both, recognize a word, show it all.

    Both learn from eight speakers, two others choose, and two more are the test. Last, the network recognizes a clip of
    a test speaker, and so does the one that ships with the package.

    Parameters
    ----------
    out : str or path-like
        Folder to make; it is removed again if the demo fails or is interrupted.
    seed : int
        Seed of spikes, weights and order of training.
    overwrite : bool
        Whether a folder that an earlier demo made may be replaced.
    listing : Listing, optional
        The clips, `SHOWN_CLIP` among them; default: the recordings that ship with the package.
    recipe : Recipe, optional
        The spiking network and how it is trained; default: the one called `RECIPE`.
    on_progress : callable, optional
        Called with a stage's name, what is done of it and what there is to do.

    Returns
    -------
    dict
        `steps` with seconds and what was made, `scores` of both classifiers on the test speakers, `recognized` with
        what is true and what each network answered, `pictures` and `pages`.

    Raises
    ------
    FileNotFoundError
        If the installation lacks the recordings.
    OutputError
        If the folder exists, was not made by a demo, or cannot be written.
    """
    import matplotlib  # noqa: F401  so that the first step does not begin where the last would fail

    from spikedata.baseline.recipes.catalog import recipe_from

    report = on_progress or (lambda *_: None)
    listing = listing or list_clips("heidelberg_digits", embedded_corpus())
    recipe = recipe or recipe_from(RECIPE)
    shown = next(clip for clip in listing.clips if clip.name == SHOWN_CLIP)
    steps: list[dict[str, Any]] = []

    def step(name: str, work: Callable[[], tuple[Result, str]]) -> Result:
        started = perf_counter()
        result, made = work()
        steps.append({"step": name, "seconds": perf_counter() - started, "made": made})
        return result

    with _fresh_folder(Path(out), overwrite=overwrite) as folder:
        step("encode", partial(_encode, listing, folder, seed=seed, report=report))
        step("load", partial(_load, folder))
        step(f"train {BASELINE}", partial(_train, folder / BASELINE, recipe_from(BASELINE), seed=seed, report=report))
        step("train network", partial(_train, folder / _NETWORK, recipe, seed=seed, report=report))
        scores = step("score", partial(_score, folder))
        answers = step("recognize", partial(_recognize, folder, shown))
        true = listing.keys[shown.label]
        pictures = step("draw", partial(_draw, folder, shown, listing.keys, answers[_TRAINED], scores["network"]))
        pages = step("report", partial(_report, folder, shown.root, seed=seed))
    recognized = {
        "clip": shown.name,
        "true": true,
        "answers": [{"network": name, "answer": a.word, "score": a.score} for name, a in answers.items()],
    }
    made = {"pictures": pictures, "pages": pages}
    return {"out": str(out), "steps": steps, "scores": scores, "recognized": recognized, **made}


def format_demo(result: dict[str, Any]) -> str:
    """The result of a demo as one table.

    Parameters
    ----------
    result : dict
        As `run_demo` gives it.
    """
    line = "-" * 110
    lines = [f"{'step':<16}{'time':>8}   made", line]
    lines += [f"{step['step']:<16}{step['seconds']:>6.1f} s   {step['made']}" for step in result["steps"]]
    lines += [line, "Accuracy on test speakers 4 and 5, of whom nothing was in training; each scored once:"]
    for name, score in result["scores"].items():
        low, high = score["interval_95"]
        lines.append(
            f"  {_IN_WORDS[name]:<36}{score['accuracy']:>6.1%}   95 % interval {low:.1%} to {high:.1%}, "
            f"n = {score['n']}, chance {score['chance']:.1%}"
        )
    recognized = result["recognized"]
    lines.append(f"Recognized: {recognized['clip']}, which says “{recognized['true']}” (test speaker 4):")
    for answer in recognized["answers"]:
        verdict = "right" if answer["answer"] == recognized["true"] else "wrong"
        lines.append(f"  {answer['network']:<36}“{answer['answer']}”, score {answer['score']:.2f}: {verdict}")
    if len(recognized["answers"]) < 2:
        lines.append(f"  {_SHIPPED:<36}is missing in this installation")
    return "\n".join(lines)


_IN_WORDS = {BASELINE: "linear, on spike counts alone", _NETWORK: "spiking network"}


class _Counter:
    """Counts the calls of a callback and reports them."""

    def __init__(self, report: Progress, stage: str, total: int) -> None:
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


def _encode(listing: Listing, folder: Path, *, seed: int, report: Progress) -> tuple[None, str]:
    from spikedata.encoding.encode import encode_clips

    path = folder / _SPIKES
    done = encode_clips(listing, path, seed=seed, on_progress=partial(report, "encode"))
    speakers = len({clip.speaker for clip in listing.clips})
    return None, (
        f"{done.n_clips} recordings of {speakers} people, {done.sound_duration:.0f} s: {done.n_spikes:,} spikes, "
        f"{path.stat().st_size / 1e6:.0f} MB of HDF5"
    )


def _load(folder: Path) -> tuple[None, str]:
    from spikedata.torch import loader

    n_batches, n_spikes = 0, 0
    shape: tuple[int, ...] = ()
    for counts, _ in loader(folder / _SPIKES, batch_size=_BATCH, dt=0.01, n_steps=100, shuffle=True):
        n_batches, n_spikes, shape = n_batches + 1, n_spikes + int(counts.sum()), shape or tuple(counts.shape)
    return None, f"{n_batches} batches of shape {shape} (clip, step of 10 ms, channel): {n_spikes:,} spikes"


def _train(run: Path, recipe: Recipe, *, seed: int, report: Progress) -> tuple[None, str]:
    from spikedata.baseline.runs.train import train_run

    card = train_run(
        run.parent / _SPIKES,
        run,
        recipe=recipe,
        seed=seed,
        validation_speakers=VALIDATION_SPEAKERS,
        test_speakers=TEST_SPEAKERS,
        on_epoch=_Counter(report, f"train {recipe.name}", recipe.n_epochs),
    )
    n = card.split.n
    what = "strength" if recipe.training is None else "epoch"
    return None, (
        f"{recipe.name}: {card.network.parameters:,} parameters, {n['train']} clips of "
        f"{len(card.split.speakers['train'])} people; {what} {card.training.best_epoch} of {card.training.epochs} "
        f"chosen on {n['validation']} of 2 others: {card.validation.accuracy:.1%}"
    )


def _score(folder: Path) -> tuple[dict[str, Any], str]:
    from spikedata.baseline.recipes.structure import fields_to_json
    from spikedata.baseline.runs.evaluation import evaluate_run

    scores = {}
    for name in (BASELINE, _NETWORK):
        scores[name] = fields_to_json(evaluate_run(folder / name).tests[-1].score, "score")
    return scores, f"both networks, once, on {scores[_NETWORK]['n']} clips of 2 people whom neither has heard"


def _recognize(folder: Path, clip: Clip) -> tuple[dict[str, Recognition], str]:
    from spikedata.recognition import PRETRAINED, recognize

    answers = {_TRAINED: recognize(clip.path, network=folder / _NETWORK)}
    if _NAME in PRETRAINED:  # a packager may have stripped the networks; the table then says so
        answers[_SHIPPED] = recognize(clip.path, network=_NAME)
    return answers, f"one recording of a test speaker, by {len(answers)} network{'s' if len(answers) > 1 else ''}"


def _draw(
    folder: Path, clip: Clip, keys: tuple[str, ...], answer: Recognition, score: dict[str, Any]
) -> tuple[list[str], str]:
    from spikedata.baseline.runs.folder import HISTORY, read_card
    from spikedata.baseline.runs.inspect_run import watch_clip
    from spikedata.events import Sample
    from spikedata.files.reader import SpikeFile
    from spikedata.plot import plot_confusion, plot_hidden, plot_learning_curve, save_figure
    from spikedata.training.history import read_history

    with SpikeFile(folder / _SPIKES) as file:
        sample = file[file.sources.index(clip.name)]
    # the network is drawn as it heard the word when it gave that answer
    heard = Sample(answer.spikes.times, answer.spikes.units, clip.label, clip.speaker, clip.name, sample.sample_rate)
    activity = watch_clip(folder / _NETWORK, heard)
    rule = getattr(read_card(folder / _NETWORK).recipe.network, "readout", "max")
    title = shown_title(clip, keys, answer)
    history = read_history(folder / _NETWORK / HISTORY)
    figures = {
        "word": draw_word(clip, sample.times, sample.units, title=title),
        "hidden": plot_hidden(activity.hidden_spikes, activity.dt, activity.readout, keys, rule=rule, title=title),
        "learning_curve": plot_learning_curve(
            history, chance=score["chance"], title="Eight speakers train, two choose the epoch"
        ),
        "confusion": plot_confusion(np.array(score["confusion"]), keys, title="Two unseen speakers"),
    }
    (folder / _PICTURES).mkdir()
    paths = {name: folder / _PICTURES / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return [str(path) for path in paths.values()], f"{len(paths)} pictures in {folder / _PICTURES}"


def _report(folder: Path, recordings: Path, *, seed: int) -> tuple[list[str], str]:
    from spikedata.report import report_data_set, report_run

    pages = [folder / name for name in ("recordings.html", "network.html")]
    report_data_set(folder / _SPIKES, pages[0], audio=recordings, title="Recordings of the demo", seed=seed)
    report_run(folder / _NETWORK, pages[1], audio=recordings, title="Network of the demo", seed=seed)
    return [str(page) for page in pages], f"{' and '.join(map(str, pages))}: open them in a browser"


def shown_title(clip: Clip, keys: tuple[str, ...], answer: Recognition) -> str:
    """What a clip says and what the network answered, in words.

    Parameters
    ----------
    clip : Clip
        The recording.
    keys : tuple of str
        Class names.
    answer : Recognition
        What the network made of it.
    """
    return f"“{keys[clip.label]}”, said by test speaker {clip.speaker}; the network answers “{answer.word}”"


def draw_word(clip: Clip, times: np.ndarray, units: np.ndarray, *, title: str) -> Picture:
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
