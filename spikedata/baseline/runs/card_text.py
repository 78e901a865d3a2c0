"""A result card in a few lines of text, for people."""

from __future__ import annotations

from collections.abc import Sequence

from spikedata.baseline.recipes.catalog import changes_of
from spikedata.baseline.runs.card import (
    Card,
    DataEntry,
    Measures,
    ProbeEntry,
    ScoredEntry,
    ScoreEntry,
    SelectionBiasEntry,
)
from spikedata.events.window import percent
from spikedata.nn.networks import CustomParams, NetworkParams

_MOST_SPEAKERS = 24  # that a line names one by one
_WARNINGS = {True: "", False: "; speakers are shared between parts", None: "; speakers are unknown"}


def format_card(card: Card) -> str:
    """A card in a few lines of text, for people.

    Parameters
    ----------
    card : Card
        As `train_run` and `evaluate_run` return it.
    """
    return "\n".join(f"{name:<12}{said}" for name, said in card_lines(card))


def card_lines(card: Card) -> list[tuple[str, str]]:
    """What a card says in words: what it is about, and a line of text, in turn.

    Parameters
    ----------
    card : Card
        As `train_run` and `evaluate_run` return it.
    """
    data, split, training = card.data, card.split, card.training
    parts = ", ".join(f"{part} {n}{_in_brackets(split.speakers[part])}" for part, n in split.n.items())
    changes = "".join(f" {name}={_value_text(value)}" for name, value in changes_of(card.recipe).items())
    lines = [
        ("recipe", f"{card.recipe.name}{changes}, seed {card.seed}, {card.network.parameters:,} parameters"),
        *_code_lines(card.recipe.network),
        ("data", f"{data.file}, {len(data.keys)} classes, {data.origin}{_read_as(data)}{_lost_text(data, card)}"),
        ("clips", f"{parts}{_WARNINGS[split.speakers_apart]}"),
        ("training", f"{_training_text(card)}, {training.seconds:.1f} s"),
        ("validation", f"{_score_text(card.validation)}{_whose_validation(card)}"),
        ("one clip", _measures_text(card.measures)),
    ]
    lines += [("test", _test_text(entry, card)) for entry in card.tests] or [("test", "not opened")]
    lines += [
        ("control", f"{entry.control}: {_score_text(entry.score)}, {entry.part} of {entry.file}")
        for entry in card.controls
    ]
    lines += [("probe", said) for said in _probe_texts(card.probes)]
    return [*lines, *(("selection", _bias_text(entry)) for entry in card.selection_bias)]


def _probe_texts(probes: Sequence[ProbeEntry]) -> list[str]:
    """A line for each control and each set of clips: the score of the same weights, and of those trained anew."""
    said: dict[tuple[str, str, str], list[ProbeEntry]] = {}
    for probe in probes:
        said.setdefault((probe.control, probe.sha256, probe.part), []).append(probe)
    lines = []
    for (control, _, part), entries in said.items():
        found = [f"{one.score.accuracy:.1%} {_WEIGHTS[one.weights]}{_in_epochs(one)}" for one in entries]
        one = entries[-1]
        clips = f"of {one.plain.n} of the {part}" + ("" if part == "validation part" else f" of {one.file}")
        lines.append(f"{control}: {', '.join(found)}, for {one.plain.accuracy:.1%} {clips}; chance {one.chance:.1%}")
    return lines


_WEIGHTS = {"same": "with these weights", "anew": "trained anew"}


def _in_epochs(probe: ProbeEntry) -> str:
    return f" in {probe.epochs} epochs" if probe.epochs else ""


def _read_as(data: DataEntry) -> str:
    """How the file was read, where the user said it."""
    unit = f", times in {data.time_unit}" if data.time_unit not in (None, "s") else ""
    said = data.says_n_units or data.official is not None  # the published files are known to have 700
    return unit + ("" if said else f", {data.n_units} units (not in the file)")


def _lost_text(entry: DataEntry | ScoredEntry, card: Card) -> str:
    """What of the clips the network did not see, and how many have nothing to see."""
    lost = f"; {percent(entry.outside or 0.0)} of the spikes fall outside {card.recipe.network.duration:g} s"
    silent = "1 clip" if entry.n_silent == 1 else f"{entry.n_silent} clips"
    return (lost if entry.outside else "") + (f"; {silent} without a spike" if entry.n_silent else "")


def _training_text(card: Card) -> str:
    training, refit = card.training, card.refit
    if refit:
        chooser = f"{refit.run} (seed {refit.seed})"
        return f"refit on training and validation part for as many epochs as {chooser} chose: {refit.epochs}"
    return f"best of {training.epochs}: {training.best_epoch}"


def _whose_validation(card: Card) -> str:
    """A refit has learned the clips of the validation part: the score is that of the run that chose."""
    return f"; of {card.refit.run}, which chose, not of these weights" if card.refit else ""


def _measures_text(measures: Measures) -> str:
    spikes = f"{measures.spikes:,.0f} spikes" if measures.spikes is not None else "no spikes"
    if measures.effective_acs is None or measures.effective_macs is None or measures.dense_operations is None:
        return f"{spikes if measures.spikes is not None else 'spikes not known'}, operations not known"
    operations = f"{measures.effective_acs:,.0f} additions, {measures.effective_macs:,.0f} multiplications"
    updates = measures.membrane_updates
    of_membranes = f", {updates:,.0f} membrane updates" if updates is not None else ""
    return f"{spikes}, {operations} of {measures.dense_operations:,.0f}{of_membranes}"


def neurobench_columns(measures: Measures) -> dict[str, str]:
    """The columns of NeuroBench (Yik et al., Nature Communications 16:1545, 2025) as texts, by their names there.

    Parameters
    ----------
    measures : Measures
        Of a card, for one clip; what it does not say is a dash.
    """

    def number(value: float | None, form: str = ",.0f") -> str:
        return "-" if value is None else format(value, form)

    return {
        "footprint": f"{measures.footprint:,} B",
        "connection sparsity": number(measures.connection_sparsity, ".3f"),
        "activation sparsity": number(measures.activation_sparsity, ".3f"),
        "dense operations": number(measures.dense_operations),
        "effective MACs": number(measures.effective_macs),
        "effective ACs": number(measures.effective_acs),
        "membrane updates": number(measures.membrane_updates),
        "execution rate": f"{measures.execution_rate:g} Hz",
    }


def _code_lines(network: NetworkParams) -> list[tuple[str, str]]:
    """Whose code a network of one's own is."""
    if not isinstance(network, CustomParams):
        return []
    code = network.code
    given = "".join(f", {name}={value!r}" for name, value in code.arguments.items())
    whose = f" of {code.package}" if code.package else f" in {code.file}" if code.file else ""
    digest = f"SHA-256 {code.sha256[:12]}" if code.sha256 else "source not known"
    return [("network", f"one's own: {code.name}{given}{whose}, {digest}")]


def _bias_text(entry: SelectionBiasEntry) -> str:
    return (
        f"picking the epoch on these test clips would have claimed {entry.picked_accuracy:.1%} "
        f"(epoch {entry.picked_epoch}), {100 * entry.bias:.1f} points too much; the bias, not a result"
    )


def _score_text(score: ScoreEntry) -> str:
    low, high = score.interval_95
    spikes = f", {score.hidden_spikes:.1f} spikes per hidden neuron" if score.hidden_spikes else ""
    return (
        f"{score.accuracy:.1%} of {score.n} (95 % interval {low:.1%} to {high:.1%}; chance {score.chance:.1%}){spikes}"
    )


def _test_text(entry: ScoredEntry, card: Card) -> str:
    asked = "once" if entry.times_opened == 1 else f"{entry.times_opened} times"
    clips = f"{entry.part} of {entry.file}" + ("" if entry.part == "test part" else f" ({entry.origin})")
    lost = _lost_text(entry, card) + ("; scored with code that has changed since the training" if entry.code else "")
    return f"{_score_text(entry.score)}, {clips}{_who_was_seen(entry)}, opened {asked}{_unseen_text(entry)}{lost}"


def _who_was_seen(entry: ScoredEntry) -> str:
    if entry.same_numbering is None:
        return "; whether its speakers were in training is not known"
    if not entry.same_numbering:
        return f"; its speakers are of another corpus, {entry.corpus}"
    trained = f"; {_speakers_text(entry.speakers_trained)} trained" if entry.speakers_trained else ""
    return trained + (f"; {_speakers_text(entry.speakers_chose)} chose the epoch" if entry.speakers_chose else "")


def _unseen_text(entry: ScoredEntry) -> str:
    if not entry.speakers_seen or entry.unseen is None:
        return ""
    low, high = entry.unseen.interval_95
    return f"; of unseen speakers {entry.unseen.accuracy:.1%} of {entry.unseen.n} ({low:.1%} to {high:.1%})"


def _in_brackets(speakers: Sequence[int]) -> str:
    return f" ({_speakers_text(speakers)})" if speakers else ""


def _speakers_text(speakers: Sequence[int]) -> str:
    if len(speakers) > _MOST_SPEAKERS:
        return f"{len(speakers)} speakers"
    return f"speakers {' '.join(map(str, speakers))}"


def _value_text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
