"""The page of a run or of a group of runs: scores with intervals, curves, confusions, and the network at work."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from spikedata.baseline.recipes.own_network import OwnNetwork, without_code
from spikedata.baseline.runs.card import Card, ProbeEntry, ScoredEntry, ScoreEntry, Tally
from spikedata.baseline.runs.card_text import card_lines, neurobench_columns
from spikedata.baseline.runs.folder import HISTORY, SPLIT, is_group, load_run, read_card, read_split, runs_of_group
from spikedata.baseline.runs.group_summary import REFIT_NOTE, GroupSummary, group_lines, summarize_group
from spikedata.baseline.runs.inspect_run import ClipActivity, watch
from spikedata.corpora import Clip
from spikedata.disk import file_digest
from spikedata.files.reader import SpikeFile
from spikedata.nn.networks import CustomNetwork, CustomParams, MakeModule, Network, NetworkCode
from spikedata.plot.network import RULES
from spikedata.report.charts import HALF, Line, Whisker, axis, lines, matrix, whiskers
from spikedata.report.clips import (
    frequencies_of,
    names_in_use,
    order_of_choice,
    pack_cells,
    pack_sample,
    pack_scale,
    pack_sound,
    recordings_of,
    speed_of,
)
from spikedata.report.page import (
    USUAL_SIZE,
    Report,
    Section,
    Tile,
    build_page,
    check_page,
    facts,
    folded,
    paragraphs,
    preformatted,
    sentences,
    shortened,
    table,
    text,
    write_page,
)
from spikedata.report.player import Panel, player
from spikedata.splits import Split
from spikedata.training.history import EpochRecord, read_history

USUAL_CLIPS = 24  # of a page, unless the user wants others
_MOST_ERRORS = 12  # that are listed
_MOST_TRACES = 12  # of a readout: the answer, the true class, and those that come nearest
_MOST_POINTS = 500  # of a trace
_RULES = RULES | {"own": "its own code makes the scores of it"}
_KINDS = ("first", "second", "third", "pale")

Progress = Callable[[str, int, int], None]


def report_run(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    network: str | MakeModule | OwnNetwork | None = None,
    data: str | os.PathLike[str] | None = None,
    audio: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    clips: int | None = None,
    max_size: float = USUAL_SIZE,
    title: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> Report:
    """Write one HTML page about a run, or about a group of runs; it opens no test part and changes no card.

    The network is shown at work on clips of the validation part; of a refit, which has none, on those of the test part
    if that has been scored already, or else of the training part. Without the spike file the page has no such clips.

    Parameters
    ----------
    run : str or path-like
        What `train_run` or `train_group` made.
    out : str or path-like
        The page to write, which ends in .html.
    network : str, class or callable, optional
        The code of a network of one's own, as `load_run` takes it. Without it, the page shows no clips of such a run.
    data : str or path-like, optional
        The spike file of the run. Default: where it was when the run was trained.
    audio : str or path-like, optional
        The recordings of the spike file, as they were given to `encode`: clips then have their sound.
    columns : dict of str to str, optional
        The columns of the table ``audio``, as they were given to `encode`.
    clips : int, optional
        How many clips the network is shown at work on [1]; default: 24.
    max_size : float
        The largest size of the page [MB].
    title : str, optional
        Its heading; default: the name of the folder.
    seed : int
        Of the draw of clips.
    overwrite : bool
        Whether an existing page may be replaced.
    on_progress : callable, optional
        Called with "watching", the number of finished clips and of all clips.

    Returns
    -------
    Report

    Raises
    ------
    FileNotFoundError
        If there is no such run, or ``data`` or ``audio`` does not exist.
    ValueError
        If the run is damaged, ``data`` is not its file, a recording is missing, or the page would be too large.
    OutputError
        If the page cannot be written.
    """
    check_page(out, overwrite=overwrite, about=data, clips=clips, max_size=max_size)
    name = title or Path(run).absolute().name
    if is_group(run):
        for option, value in (("--network", network), ("--data", data), ("--audio", audio), ("--clips", clips)):
            if value is not None:
                raise ValueError(
                    f"{run}: is a group of runs, whose page has no clips; leave out {option}, or name a run"
                )
        summary = summarize_group(run)
        cards = {path.name: read_card(path) for path in runs_of_group(run)}
        histories = {path.name: _history_of(path) for path in runs_of_group(run)}
        page = _page_of_group(name, summary, cards, histories)
        watched = _Watched([], [], "", [])
    else:
        card = read_card(run)
        trained = None
        if network is not None or not isinstance(card.recipe.network, CustomParams):
            trained, card = load_run(run, network=network)  # whose weights are those of the card
        wanted = USUAL_CLIPS if clips is None else clips
        watched = _watch(Path(run), trained, card, data, audio, columns, wanted, seed, on_progress or (lambda *_: None))
        page = _page_of_run(name, card, _history_of(Path(run)), watched)
    write_page(out, page, max_size=max_size, clips=len(watched.clips), overwrite=overwrite)
    return Report(str(out), "group" if is_group(run) else "run", len(watched.clips), len(page), tuple(watched.notes))


class _Watched(NamedTuple):
    """Clips with what the network does with them, or why there are none."""

    clips: list[dict[str, Any]]
    panels: list[Panel]
    part: str
    notes: list[str]
    n_part: int = 0
    frequencies: npt.NDArray[np.float64] | None = None
    has_sound: bool = False


def _watch(
    run: Path,
    network: Network | None,
    card: Card,
    data: str | os.PathLike[str] | None,
    audio: str | os.PathLike[str] | None,
    columns: Mapping[str, str] | None,
    wanted: int,
    seed: int,
    report: Progress,
) -> _Watched:
    place = Path(card.data.path if data is None else data)
    why = _not_its_data(place, card)
    if why and data is not None:
        raise (ValueError if place.is_file() else FileNotFoundError)(f"{data}: {why}")
    if not why and not (run / SPLIT).is_file():
        why = f"{SPLIT} is gone from the folder of the run, so nobody knows which clips it was trained on"
    if why:
        given = f"{Path(audio).name} is not heard, since " if audio is not None else ""
        return _Watched([], [], "", [f"No clip is shown: {given}{card.data.file}: {why}."])
    if network is None:
        return _Watched([], [], "", [f"No clip is shown: this run {without_code(_code_of(card))}."])
    rule = getattr(card.recipe.network, "readout", "own" if isinstance(network, CustomNetwork) else "max")
    with SpikeFile(place, **card.data.reading) as file:
        recordings = None if audio is None else recordings_of(file, audio, columns=columns)
        split = read_split(run, card, file.sources)
        part, numbers = _part_to_watch(card, split)
        chosen = numbers[order_of_choice(file.labels[numbers], file.speakers[numbers], seed=seed)][:wanted]
        clips = []
        for index in np.sort(chosen).tolist():
            clips.append(_watched_clip(network, rule, file, index, recordings, audio))
            report("watching", len(clips), len(chosen))
        frequencies = frequencies_of(file)
    panels = [Panel("raster", "What the network is given: a dot is a spike.")]
    if any("hidden" in clip for clip in clips):
        panels.append(Panel("hidden", "The last hidden layer:"))
    if any("readout" in clip for clip in clips):
        panels.append(Panel("readout", f"The readout over time: {_RULES[rule]};"))
    return _Watched(clips, panels, part, [], len(numbers), frequencies, audio is not None)


def _code_of(card: Card) -> NetworkCode:
    return cast(CustomParams, card.recipe.network).code


def _not_its_data(place: Path, card: Card) -> str:
    """Why a file is not the one that a run was trained on; empty if it is."""
    if not place.is_file():
        return "no such file; --data FILE says where it is"
    if file_digest(place, "sha256") != card.data.sha256:
        return "is not the file that the run was trained on: its SHA-256 differs"
    return ""


def _part_to_watch(card: Card, split: Split) -> tuple[str, npt.NDArray[np.int64]]:
    """A part whose clips may be looked at: the test part is opened by nothing but an evaluation."""
    names = ["validation", *(["test"] if card.tests else []), "train"]
    part = next(name for name in names if name in split.parts)
    return part, split.part(part)


def _watched_clip(
    network: Network,
    rule: str,
    file: SpikeFile,
    index: int,
    recordings: Mapping[str, Clip] | None,
    audio: str | os.PathLike[str] | None,
) -> dict[str, Any]:
    sample = file[index]
    activity = watch(network, sample)
    n_steps = len(activity.readout)
    window = network.n_steps * network.dt
    clip = pack_sample(sample, at_least=window) | {"n": index, "id": shortened(sample.source), "p": -1}
    clip |= {"c": sample.label, "s": sample.speaker, "answer": int(activity.logits.argmax())}
    if recordings is not None and audio is not None:
        recording = recordings.get(sample.source)
        clip["sound"] = pack_sound(
            recording, sample, file=file.path.name, audio=audio, index=index, speed=speed_of(file, index)
        )
    steps, neurons = np.nonzero(activity.hidden_spikes)
    if activity.hidden_spikes.shape[1]:
        units = activity.hidden_spikes.shape[1]
        clip["hidden"] = {"units": units, "dt": activity.dt, "spikes": pack_cells(steps, neurons, units)}
    if n_steps > 1:
        clip["readout"] = _pack_readout(activity, sample.label, rule)
    return clip


def _pack_readout(activity: ClipActivity, label: int, rule: str) -> dict[str, Any]:
    """The readout of the answer, of the true class, and of those that come nearest, in 256 levels."""
    readout = np.nan_to_num(activity.readout.astype(np.float64))
    if rule == "softmax_sum":  # shares of the classes, whose sums decide
        readout = softmax(readout, axis=1)
    ranked = np.argsort(-activity.logits, kind="stable")
    first = list(dict.fromkeys([int(ranked[0]), label]))
    shown = (first + [which for which in ranked.tolist() if which not in first])[:_MOST_TRACES]
    stride = max(-(-len(readout) // _MOST_POINTS), 1)
    values = readout[::stride, shown]
    low, high = float(values.min()), float(values.max())
    levels = np.round((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    packed = base64.b64encode(levels.tobytes()).decode()
    ends = {"low": f"{low:.3g}", "high": f"{high:.3g}"}
    return {"traces": len(shown), "steps": len(values), "dt": activity.dt * stride, "values": packed, **ends}


def _page_of_run(name: str, card: Card, history: Sequence[EpochRecord], watched: _Watched) -> bytes:
    keys = card.data.keys
    sections = [Section("Scores", _scores(card))]
    if history:
        sections.append(Section("Training", _curves({"": history}, card.validation.chance, card.training.best_epoch)))
    sections.append(Section("Confusions", _confusions(card, keys)))
    sections.append(Section("The network at work", _at_work(watched)))
    sections.append(Section("Card", _card(card)))
    names, place = names_in_use(keys, [which for clip in watched.clips for which in (clip["c"], clip["answer"])])
    data: dict[str, Any] = {
        "classes": names,
        "parts": [],
        "clips": [{**clip, "c": place[clip["c"]], "answer": place[clip["answer"]]} for clip in watched.clips],
        **pack_scale(card.data.n_units, watched.frequencies),
    }
    who = _held_out(card)
    lead = f"A network of the recipe {card.recipe.name}, trained on {card.data.file}{f'; {who}' if who else ''}."
    return build_page(name, lead, _tiles(card), sections, kind="run", data=data)


def _held_out(card: Card) -> str:
    speakers = card.split.speakers.get("test", ())
    if card.split.speakers_apart and speakers:
        return f"speakers {', '.join(map(str, speakers))} are held out for the test"
    return {False: "speakers are shared between its parts", None: "its speakers are unknown"}.get(
        card.split.speakers_apart, ""
    )


def _tiles(card: Card) -> list[Tile]:
    low, high = card.validation.interval_95
    tiles = []
    if card.tests:
        test = card.tests[-1]
        of_score = f"{_range(test.score.interval_95)}, {_opened(test)}"
        tiles.append(Tile(f"{test.score.accuracy:.1%}", "test accuracy", of_score))
    else:
        tiles.append(Tile("not opened", "test part"))
    tiles.append(Tile(f"{card.validation.accuracy:.1%}", "validation accuracy", _range((low, high))))
    tiles.append(Tile(f"{card.validation.chance:.1%}", "chance", f"{len(card.data.keys)} classes"))
    tiles.append(Tile(f"{card.network.parameters:,}", "parameters"))
    spikes = card.measures.spikes
    tiles.append(Tile("-" if spikes is None else f"{spikes:,.0f}", "hidden spikes per clip"))
    tiles.append(Tile(f"{card.training.epochs:,}", "epochs", f"best: {card.training.best_epoch}"))
    return tiles


class _Row(NamedTuple):
    """A score, and what it is of."""

    what: str
    score: ScoreEntry | Tally
    note: str
    kind: str


def _score_rows(card: Card) -> Iterator[_Row]:
    chooser = f"of {card.refit.run}, which chose" if card.refit else "chose the epoch"
    yield _Row("validation", card.validation, chooser, "second")
    for test in card.tests:
        seen = [f"{len(test.speakers_trained)} of its speakers trained"] if test.speakers_trained else []
        seen += ["whether its speakers trained is not known"] if test.same_numbering is None else []
        yield _Row(f"test: {test.file}", test.score, "; ".join([_opened(test), *seen]), "first")
        if test.unseen is not None and test.speakers_seen:
            yield _Row("unseen speakers", test.unseen, f"of {test.file}", "first")
    for control in card.controls:
        yield _Row(f"control: {control.control}", control.score, f"{control.part} of {control.file}", "pale")


def _opened(test: ScoredEntry) -> str:
    return "opened once" if test.times_opened == 1 else f"opened {test.times_opened} times"


def _scores(card: Card) -> str:
    rows = list(_score_rows(card))
    chance = card.validation.chance
    cells = [
        (text(row.what), text(row.note), f"{row.score.accuracy:.1%}", _range(row.score.interval_95), f"{chance:.1%}",
         f"{row.score.n_correct:,} of {row.score.n:,}")
        for row in rows
    ]  # fmt: skip
    names = ("clips", "", "accuracy", "95 % interval", "chance", "correct")
    shown = [table("Accuracy with Wilson's interval, and what guessing would reach", names, cells, n_texts=2)]
    drawn = [_whisker(row.what, row.score, row.kind) for row in rows]
    shown.append(
        whiskers("Each accuracy with its 95 % interval.", _PERCENT, drawn, level=(100 * chance, f"chance {chance:.1%}"))
    )
    if not card.tests:
        shown.append(paragraphs(["The test part has not been opened: spikedata evaluate scores it, once."]))
    said = [said for name, said in card_lines(card) if name == "selection"]
    shown.append(sentences(said, kind="note"))
    shown += [_probes(card), _costs(card)]
    if card.tests and card.tests[-1].by_speaker:
        by_speaker = [
            (text(who), f"{found.accuracy:.1%}", _range(found.interval_95), f"{found.n_correct:,} of {found.n:,}")
            for who, found in card.tests[-1].by_speaker.items()
        ]
        of_speaker = ("speaker", "accuracy", "95 % interval", "correct")
        shown.append(table("Test accuracy by speaker", of_speaker, by_speaker))
    return "\n".join(shown)


def _probes(card: Card) -> str:
    """What is left without time, counts or memory; nothing where the run has not been probed."""
    weights = {"same": "the same", "anew": "trained anew"}
    rows = [
        (text(probe.control.replace("_", " ")), text(weights[probe.weights] + _in_epochs(probe)), text(probe.part),
         f"{probe.score.accuracy:.1%}", _range(probe.score.interval_95), f"{probe.plain.accuracy:.1%}")
        for probe in card.probes
    ]  # fmt: skip
    names = ("under the control", "weights", "clips", "accuracy", "95 % interval", "without it")
    return table("What is left when time, counts or memory are taken away", names, rows, n_texts=3) if rows else ""


def _in_epochs(probe: ProbeEntry) -> str:
    return f", {probe.epochs} epochs" if probe.epochs else ""


def _costs(card: Card) -> str:
    """The columns of NeuroBench."""
    rows = [(text(name), text(value)) for name, value in neurobench_columns(card.measures).items()]
    return folded("Columns of NeuroBench", table("What a clip costs", ("column", "value"), rows))


def _whisker(name: str, score: ScoreEntry | Tally, kind: str) -> Whisker:
    low, high = score.interval_95
    return Whisker(name, 100 * score.accuracy, 100 * low, 100 * high, kind)


_PERCENT = axis("accuracy [%]", 100.0)


def _range(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _history_of(run: Path) -> tuple[EpochRecord, ...]:
    """The epochs of a run; none where it was not trained by epochs, or the file is gone."""
    path = run / HISTORY
    return read_history(path) if path.is_file() else ()


def _curves(histories: Mapping[str, Sequence[EpochRecord]], chance: float, best_epoch: int | None) -> str:
    """Accuracy and loss by epoch; of several runs only those on the validation part."""
    charts = []
    last = max(record.epoch for history in histories.values() for record in history)
    epochs = axis("epoch", float(max(last, 2)), low=1.0, whole=True)
    for what, factor, unit in (("accuracy", 100.0, "accuracy [%]"), ("loss", 1.0, "cross-entropy [nat]")):
        drawn, most = [], 0.0
        for number, (name, history) in enumerate(histories.items()):
            at = np.array([record.epoch for record in history], np.float64)
            for part in ("train", "validation") if len(histories) == 1 else ("validation",):
                values = factor * np.array([getattr(record, f"{part}_{what}") for record in history])
                if np.isfinite(values).any():
                    most = max(most, float(np.nanmax(values)))
                    kind = (
                        _KINDS[min(number, 3)] if len(histories) > 1 else {"train": "pale", "validation": "first"}[part]
                    )
                    of_run = shortened(name) if len(histories) > 1 else {"train": "training"}.get(part, part)
                    drawn.append(Line(of_run, at, values, kind))
        level, mark = None, None
        if what == "accuracy":
            level = (100 * chance, f"chance {chance:.1%}")
        if best_epoch is not None and len(histories) == 1 and drawn:
            best = drawn[-1]
            at_best = np.flatnonzero(best.x == best_epoch)
            if at_best.size and np.isfinite(best.y[at_best[0]]):
                mark = (float(best_epoch), float(best.y[at_best[0]]), f"epoch {best_epoch}, whose weights are kept")
        scale = _PERCENT if what == "accuracy" else axis(unit, most, to_tick=True)
        scale = scale._replace(name=unit)
        said = f"{what.capitalize()} after each epoch."
        charts.append(lines(said, epochs, scale, drawn, level=level, mark=mark, width=HALF))
    return f'<div class="pair">{"".join(charts)}</div>'


def _confusions(card: Card, keys: Sequence[str]) -> str:
    scored = [(f"test part: {test.file}", test.score) for test in card.tests[-1:]]
    scored.append(("validation part", card.validation))
    (name, score), *others = scored
    shown = [_confusion(name, score.confusion, keys)]
    shown += [folded(f"The same of the {name}", _confusion(name, score.confusion, keys)) for name, score in others]
    return "\n".join(shown)


def _confusion(name: str, counts: Sequence[Sequence[int]], keys: Sequence[str]) -> str:
    found = sum(row[true] for true, row in enumerate(counts))
    total = sum(map(sum, counts))
    caption = f"True class by row, answer by column; {name}, {found:,} of {total:,} correct"
    errors = sorted(
        ((n, true, answer) for true, row in enumerate(counts) for answer, n in enumerate(row) if n and answer != true),
        key=lambda error: (-error[0], error[1:]),
    )
    rows = [(text(shortened(keys[t])), text(shortened(keys[a])), f"{n:,}") for n, t, a in errors[:_MOST_ERRORS]]
    listed = table("The most frequent errors", ("true class", "answer", "clips"), rows, n_texts=2) if rows else ""
    return f'<div class="beside">{matrix(caption, counts, keys)}{listed}</div>'


def _at_work(watched: _Watched) -> str:
    if not watched.clips:
        return paragraphs(watched.notes or ["No clip was asked for."], kind="note")
    why = {
        "validation": "which chose the epoch; the test part stays closed",
        "test": "which has been opened already",
        "train": "on which it was trained, so it should know them",
    }[watched.part]
    n = len(watched.clips)
    which = "All" if n == watched.n_part else f"{n:,} of the"
    drawn = "" if n == watched.n_part else "; drawn with a seed and balanced over classes and speakers"
    said = f"{which} {watched.n_part:,} clips of the {watched.part} part, {why}{drawn}."
    said += "" if watched.has_sound else " There is no sound on this page."
    return player(said, watched.panels, has_answers=True)


def _card(card: Card) -> str:
    environment = card.to_json()["environment"]
    recipe = json.dumps(card.to_json()["recipe"], indent=2, ensure_ascii=False)
    digests = [
        ("weights, SHA-256", card.network.sha256),
        (f"{card.data.file}, SHA-256", card.data.sha256),
        ("split", f"{card.split.name}, digest {card.split.digest}"),
        ("made", card.made),
    ]
    return "\n".join(
        [
            facts([*card_lines(card), *digests]),
            "<h3>How to make it again</h3>",
            preformatted(card.command),
            folded("Recipe, with all params", preformatted(recipe)),
            folded("Software and machine", facts((name, str(value)) for name, value in environment.items())),
        ]
    )


def _page_of_group(
    name: str, summary: GroupSummary, cards: Mapping[str, Card], histories: Mapping[str, Sequence[EpochRecord]]
) -> bytes:
    first = next(iter(cards.values()))
    chance = first.validation.chance
    tiles = [Tile(f"{len(summary.runs)}", "runs")]
    for what, found in (("test", summary.test), ("validation", summary.validation)):
        if found is None:
            tiles.append(Tile("not opened", "test part"))
        else:
            spread = "" if found.deviation is None else f"± {100 * found.deviation:.1f} points"
            tiles.append(Tile(f"{found.mean:.1%}", f"{what} accuracy, mean", spread))
    tiles += [Tile(f"{chance:.1%}", "chance"), Tile(f"{first.network.parameters:,}", "parameters")]
    rows = [
        (
            text(row.run), str(row.seed), f"{row.validation:.1%}", "-" if row.test is None else f"{row.test:.1%}",
            "-" if row.n is None else f"{row.n:,}", f"{row.seconds:,.0f} s",
            text(" ".join(map(str, row.test_speakers))),
        )
        for row in summary.runs
    ]  # fmt: skip
    names = ("run", "seed", "validation", "test", "clips", "time", "test speakers")
    drawn = [
        _whisker(run, score, kind)
        for run, card in cards.items()
        for score, kind in [(card.tests[-1].score, "first") if card.tests else (card.validation, "second")]
    ]
    said = "Accuracy of each run with its 95 % interval: on the test part in blue, on the validation part in orange."
    shown = [
        table("The runs", names, rows),
        whiskers(said, _PERCENT, drawn, level=(100 * chance, f"chance {chance:.1%}")),
        facts(group_lines(summary)),
        paragraphs([REFIT_NOTE + "."] if any(row.refit for row in summary.runs) else []),
    ]
    sections = [Section("Scores", "\n".join(shown))]
    known = {run: history for run, history in histories.items() if history}
    if known:
        sections.append(Section("Training", _curves(known, chance, None)))
    tested = [card.tests[-1].score for card in cards.values() if card.tests]
    scores = tested if len(tested) == len(cards) else [card.validation for card in cards.values()]
    together = np.sum([score.confusion for score in scores], axis=0).tolist()
    part = "test parts" if scores is tested else "validation parts"
    sections.append(Section("Confusions", _confusion(f"{part} of all runs", together, first.data.keys)))
    of_runs = [folded(f"Card of {shortened(run)}", _card(card)) for run, card in cards.items()]
    sections.append(Section("Cards", "\n".join(of_runs)))
    lead = f"{len(cards)} runs of the recipe {first.recipe.name}, trained on {first.data.file}."
    return build_page(name, lead, tiles, sections, kind="group of runs")
