"""Accuracy against bits: what a trained network scores with its weights in fewer of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import fields_to_json
from spikedata.baseline.runs.card import Tally, tally
from spikedata.baseline.runs.evaluation import control_name as control_of_recipe
from spikedata.baseline.runs.evaluation import (
    find_test_file,
    read_test_clips,
    require_scored,
    scoring_options,
    under_control,
)
from spikedata.baseline.runs.folder import load_run, refuse_own_network
from spikedata.baseline.runs.probes import validation_clips
from spikedata.checks import whole_number
from spikedata.events import Events
from spikedata.nn.networks import Network
from spikedata.nn.quantization import BITS, SCALES, dequantize, packed_size, quantize
from spikedata.nn.threads import on_one_thread
from spikedata.printable import in_columns
from spikedata.training.devices import resolve_device
from spikedata.training.scoring import evaluate

#: Bits that are tried unless others are named.
USUAL_BITS = (8, 4, 3, 2)


@dataclass(frozen=True, kw_only=True)
class BitsRow:
    """A score with weights of so many bits.

    Attributes
    ----------
    bits : int or None
        Of each weight of a matrix [1]; None for weights as they are.
    scale : str or None
        How the scale of a neuron was found, as `spikedata.nn.quantization.quantize` takes it [1]; None likewise.
    size : int
        Of all weights, the whole numbers written without gaps [byte].
    score : Tally
        How many clips were right.
    """

    bits: int | None
    scale: str | None
    size: int
    score: Tally


@dataclass(frozen=True, kw_only=True)
class BitsTable:
    """Accuracy against bits.

    Attributes
    ----------
    network : str
        Name of the network, or the folder of the run [1].
    file, part : str
        The file of the clips, and what of it was scored [1].
    rows : tuple of BitsRow
        The weights as they are first.
    """

    network: str
    file: str
    part: str
    rows: tuple[BitsRow, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        return fields_to_json(self, "bits")


def quantize_run(
    run_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    bits: Sequence[int] = USUAL_BITS,
    scales: Sequence[str] = SCALES,
    device: str = "cpu",
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> BitsTable:
    """Score a run with its weights in fewer bits, on the clips that chose its epoch.

    Nothing is written, and no test part is opened.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    spike_path : str or path-like, optional
        Another file, all of whose clips are scored; the run must have been scored on it. Default: the validation part
        of the run's own file.
    bits : sequence of int
        From 2 to 8 [1].
    scales : sequence of str
        How the scale of a neuron is found: see `spikedata.nn.quantization`.
    device : str
        cpu, cuda, cuda:N, or auto: a GPU if there is one.
    time_unit, n_units
        What another file does not say, as `evaluate_run` takes it.
    on_progress : callable, optional
        Called with the stage "read", the number of clips done and how many there are.

    Returns
    -------
    BitsTable

    Raises
    ------
    FileNotFoundError
        If the run or the file does not exist.
    ValueError
        If bits or scales are none or unknown, the run is a refit, which has learned its validation clips, and no file
        is named, or it has not been scored on the file; else as `evaluate_run`.
    """
    _check(bits, scales)
    refuse_own_network(run_dir, "of whose weights nobody knows which belong to one neuron")
    network, card = load_run(run_dir)
    file = find_test_file(run_dir, card, spike_path, time_unit=time_unit, n_units=n_units)
    if file.is_own:
        if card.refit:
            raise ValueError(
                f"{run_dir}: is a refit, which has learned its validation clips; quantize the run that chose, "
                f"{card.refit.run}, or name a test file that it is scored on"
            )
        part, events = "validation part", validation_clips(run_dir, card, file, on_progress)
    else:
        require_scored(run_dir, card, file)
        part, events = file.part, read_test_clips(run_dir, card, file, on_progress).events
    clips = under_control(network, events, control_of_recipe(card.recipe), seed=card.seed)
    rows = rows_of_bits(network, clips, card.recipe, bits=bits, scales=scales, device=device)
    return BitsTable(network=os.fspath(run_dir), file=file.path.name, part=part, rows=rows)


@on_one_thread()
def rows_of_bits(
    network: Network, clips: Events, recipe: Recipe, *, bits: Sequence[int], scales: Sequence[str], device: str = "cpu"
) -> tuple[BitsRow, ...]:
    """The scores of a network on some clips with its weights as they are, and in fewer bits.

    Parameters
    ----------
    network : Network
        Left as it is, but brought to the device.
    clips : Events
        The clips.
    recipe : Recipe
        How the clips are given to the network.
    bits, scales, device
        As `quantize_run` takes them.
    """
    _check(bits, scales)
    network.to(resolve_device(device))
    weights = network.state_dict()

    def row(n_bits: int | None, scale: str | None) -> BitsRow:
        stored, tried = weights, network
        if n_bits is not None and scale is not None:
            stored, tried = quantize(weights, bits=n_bits, scale=scale), copy.deepcopy(network)
            tried.load_state_dict(dequantize(stored))
        score = evaluate(tried, clips, **scoring_options(recipe))
        size = packed_size(stored, bits=n_bits or BITS[1])
        return BitsRow(bits=n_bits, scale=scale, size=size, score=tally(score.labels == score.predictions))

    return (row(None, None), *(row(n_bits, scale) for n_bits in bits for scale in scales))


def format_bits(table: BitsTable) -> str:
    """Accuracy against bits as a table for people.

    Parameters
    ----------
    table : BitsTable
        From `quantize_run`.
    """
    lines = [("weights", "scale", "accuracy", "95 % interval", "size")]
    for row in table.rows:
        low, high = row.score.interval_95
        of_weights = "as they are" if row.bits is None else f"{row.bits} bits"
        scale = (row.scale or "-").replace("_", " ")
        lines.append((of_weights, scale, f"{row.score.accuracy:.1%}", f"{low:.1%} to {high:.1%}", f"{row.size:,} B"))
    n = table.rows[0].score.n
    return "\n".join([*in_columns(lines, to_the_right=True), f"{n:,} clips, {table.part} of {table.file}"])


def _check(bits: Sequence[int], scales: Sequence[str]) -> None:
    if not bits or not scales:
        raise ValueError("bits and scales must each be at least one")
    for one in bits:
        whole_number("bits", one, at_least=BITS[0], at_most=BITS[1])
    for scale in scales:
        if scale not in SCALES:
            raise ValueError(f"scales must be of {', '.join(SCALES)}, got {scale!r}")
