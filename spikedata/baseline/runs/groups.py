"""Groups: several runs in one folder that differ in their seed, or in the speaker who is left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.baseline.recipes.own_network import OwnNetwork, own_network, recipe_and_code
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.evaluation import evaluate_run, find_test_file, require_scored
from spikedata.baseline.runs.folder import (
    CARD,
    ChosenRun,
    code_of_run,
    has_finished_runs,
    load_run,
    read_card,
    runs_of_group,
)
from spikedata.baseline.runs.group_summary import (
    FOLDS,
    GroupSummary,
    require_group_of,
    require_one_group,
    summarize_group,
)
from spikedata.baseline.runs.probes import probe_run, under_name
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.selection_bias import epoch_paths, measure_selection_bias
from spikedata.baseline.runs.train import Plan, train_run
from spikedata.disk import OutputError
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import known_speakers
from spikedata.nn.networks import MakeModule
from spikedata.training.history import EpochRecord
from spikedata.transforms.named import known_control


class Member(NamedTuple):
    """One run of a group.

    Attributes
    ----------
    name : str
        Of its folder.
    seed : int
        Seed of its training [1].
    left_out : int or None
        The test speaker [1]; None if no speaker is left out in turn.
    """

    name: str
    seed: int
    left_out: int | None


def plan_group(seeds: Sequence[int], speakers: Sequence[int] | None = None) -> list[Member]:
    """The runs of a group: one for each seed, or for each speaker and seed.

    Parameters
    ----------
    seeds : sequence of int
        Seeds, each once [1].
    speakers : sequence of int, optional
        Speakers to leave out in turn [1]; None for a group of seeds only.

    Raises
    ------
    ValueError
        If there is no seed, or one is given twice.

    Examples
    --------
    >>> [member.name for member in plan_group([0, 1])], [member.name for member in plan_group([0], [4, 5])]
    (['seed-0', 'seed-1'], ['speaker-4', 'speaker-5'])
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be numbers, each once, got {list(seeds)}")
    if speakers is None:
        return [Member(f"seed-{seed}", seed, None) for seed in seeds]
    suffixes = {seed: f"-seed-{seed}" if len(seeds) > 1 else "" for seed in seeds}
    return [Member(f"speaker-{who}{suffixes[seed]}", seed, who) for who in speakers for seed in seeds]


def train_group(
    spike_path: str | os.PathLike[str],
    group_dir: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    network: str | MakeModule | OwnNetwork | None = None,
    seeds: Sequence[int],
    leave_one_speaker_out: bool = False,
    split_seed: int | None = None,
    on_epoch: Callable[[str, EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> GroupSummary:
    """Train the runs of a group, one after the other; those that are finished already are kept.

    All have the same split, unless speakers are left out in turn.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file.
    group_dir : str or path-like
        The folder of the runs; it is made with those above it if need be, when the first run begins.
    recipe, network
        As `train_run` takes them.
    seeds : sequence of int
        One for each run [1].
    leave_one_speaker_out : bool
        Whether to train one run for each speaker of the file and seed, which that speaker tests.
    split_seed : int, optional
        Of what the split draws [1]; None for the first of ``seeds``.
    on_epoch : callable, optional
        Given the name of the run and each epoch's record.
    on_progress : callable, optional
        As `train_run`; a stage bears the name of the run.
    **options
        As `train_run` takes them.

    Returns
    -------
    GroupSummary
        As `summarize_group`.

    Raises
    ------
    OutputError
        If the folder cannot be made, or holds a run of another training.
    ValueError, FloatingPointError
        As `train_run`; the runs before are then there.
    """
    time_unit = options.get("time_unit")
    members = plan_group(seeds, _speakers_of(spike_path, time_unit) if leave_one_speaker_out else None)
    recipe, own = recipe_and_code(recipe, network)
    options |= {"recipe": recipe, "network": own, "split_seed": seeds[0] if split_seed is None else split_seed}
    if leave_one_speaker_out:
        options["split"] = FOLDS

    def train_member(member: Member, run_dir: Path, **of_member: Any) -> None:
        train_run(spike_path, run_dir, left_out=member.left_out, **options, **of_member)

    return _make_group(group_dir, members, train_member, on_epoch, on_progress)


def refit_group(
    spike_path: str | os.PathLike[str],
    group_dir: str | os.PathLike[str],
    *,
    chosen: ChosenRun,
    seeds: Sequence[int],
    on_epoch: Callable[[str, EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> GroupSummary:
    """Refit a run with several seeds, one after the other; those that are finished already are kept.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file.
    group_dir : str or path-like
        The folder of the runs; it is made with those above it if need be, when the first run begins.
    chosen : ChosenRun
        The run that chose.
    seeds : sequence of int
        One for each run [1].
    on_epoch : callable, optional
        Given the name of the run and each epoch's record.
    on_progress : callable, optional
        As `train_run`; a stage bears the name of the run.
    **options
        As `refit_run` takes them.

    Returns
    -------
    GroupSummary
        As `summarize_group`.

    Raises
    ------
    OutputError, ValueError, FloatingPointError
        As `train_group`.
    """

    def refit_member(_: Member, run_dir: Path, **of_member: Any) -> None:
        refit_run(spike_path, run_dir, chosen=chosen, **options, **of_member)

    return _make_group(group_dir, plan_group(seeds), refit_member, on_epoch, on_progress)


def _speakers_of(spike_path: str | os.PathLike[str], time_unit: str | None) -> list[int]:
    with SpikeFile(spike_path, time_unit=time_unit) as file:
        return known_speakers(file.speakers)


def _make_group(
    group_dir: str | os.PathLike[str],
    members: Sequence[Member],
    make_member: Callable[..., None],
    on_epoch: Callable[[str, EpochRecord], None] | None,
    on_progress: Callable[[str, int, int], None] | None,
) -> GroupSummary:
    """Make the folder and, one after the other, the runs in it that are not finished."""
    folder = Path(group_dir)
    if (folder / CARD).exists():
        raise OutputError(f"{group_dir}: is a run, cannot hold the runs of several seeds or speakers")
    others: dict[str, Card] = {}
    if has_finished_runs(folder):  # of an earlier call, or of something else
        summarize_group(folder)
        names = {member.name for member in members}  # which `keep_finished` compares with what is to be made
        others = {run.name: read_card(run) for run in runs_of_group(folder) if run.name not in names}

    def require_same_group(plan: Plan) -> None:
        is_refit = plan.chosen is not None
        require_group_of(folder, others, recipe=plan.recipe, data=plan.data, split=plan.split_entry, is_refit=is_refit)

    for number, member in enumerate(members):
        make_member(
            member,
            folder / member.name,
            seed=member.seed,
            keep_finished=True,
            on_plan=require_same_group,
            on_epoch=None if on_epoch is None else partial(on_epoch, member.name),
            on_progress=under_name(on_progress, member.name),
        )
        if number == 0:  # before the others take their time: one of them may be of another training
            summarize_group(folder)
    return summarize_group(folder)


def probe_group(
    group_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    on_epoch: Callable[[str, EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> GroupSummary:
    """Probe each run of a group with `probe_run`, and summarize the group.

    Parameters
    ----------
    group_dir : str or path-like
        The folder of the runs.
    spike_path : str or path-like, optional
        As `probe_run` takes it.
    on_epoch : callable, optional
        Given the name of the run and the control, and the record of each epoch.
    on_progress : callable, optional
        As `probe_run`; a stage bears the name of the run.
    **options
        As `probe_run` takes them.

    Returns
    -------
    GroupSummary
        As `summarize_group`.

    Raises
    ------
    FileNotFoundError, ValueError, OutputError
        As `summarize_group` and `probe_run`; what was scored before stays on the cards.
    """
    summarize_group(group_dir)  # runs of several kinds are refused before the first is scored
    for run in runs_of_group(group_dir):
        probe_run(
            run,
            spike_path,
            on_epoch=None if on_epoch is None else _told_of(on_epoch, run.name),
            on_progress=under_name(on_progress, run.name),
            **options,
        )
    return summarize_group(group_dir)


def _told_of(on_epoch: Callable[[str, EpochRecord], None], run: str) -> Callable[[str, EpochRecord], None]:
    return lambda control, record: on_epoch(f"{run}: {control}", record)


def evaluate_group(
    group_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    network: str | MakeModule | OwnNetwork | None = None,
    control: str = "none",
    selection_bias: bool = False,
    device: str = "cpu",
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> GroupSummary:
    """Evaluate each run of a group with `evaluate_run`, and summarize the group.

    Everything that can be checked in advance is checked before the first run is scored.

    Parameters
    ----------
    group_dir : str or path-like
        The folder of the runs.
    spike_path, network, control, device, time_unit, n_units, on_progress
        As `evaluate_run`; a stage bears the name of the run.
    selection_bias : bool
        Whether to measure instead what picking the epochs on the test clips would have claimed, as
        `spikedata.baseline.runs.selection_bias.measure_selection_bias`.

    Returns
    -------
    GroupSummary
        As `summarize_group`.

    Raises
    ------
    FileNotFoundError
        If there is no finished run, or no file.
    ValueError
        If the runs are not one group, a control is asked for together with the selection bias, or as `evaluate_run`
        or `measure_selection_bias`.
    OutputError
        If a card cannot be written.
    """
    if selection_bias and known_control(control) != "none":
        raise ValueError(f"the selection bias is that of the plain score, so leave out the control {control}")
    reading: dict[str, Any] = {"time_unit": time_unit, "n_units": n_units}
    runs = runs_of_group(group_dir)
    own = None if network is None else own_network(network)
    cards = {run.name: load_run(run, network=own).card for run in runs}
    require_one_group(group_dir, cards)
    for run, card in zip(runs, cards.values(), strict=True):
        file = find_test_file(run, card, spike_path, **reading)
        if file.is_own and "test" not in card.split.n:
            raise ValueError(f"{run}: its split has no test part; name the file to test on")
        if selection_bias:
            epoch_paths(run, card)
        if selection_bias or known_control(control) != "none":
            require_scored(run, card, file, code=code_of_run(run, card, own).digest)
    for run in runs:
        options = {"device": device, "on_progress": under_name(on_progress, run.name), "network": own, **reading}
        if selection_bias:
            measure_selection_bias(run, spike_path, **options)
        else:
            evaluate_run(run, spike_path, control=control, **options)
    return summarize_group(group_dir)
