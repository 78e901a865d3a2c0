"""Commands that train a baseline, score it and compare runs: train, evaluate, leaderboard."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from spikedata.cli.command import (
    Commands,
    UsageError,
    add_command,
    add_network,
    add_overwrite,
    add_reading,
    add_seed,
    foreign_code_quiet,
    offer,
    print_result,
    reading_of,
    saying_what_is_kept,
    show_progress,
    whole,
    wholes,
)
from spikedata.cli.progress import Progress

if TYPE_CHECKING:
    from spikedata.baseline.recipes.own_network import OwnNetwork
    from spikedata.baseline.recipes.recipe import Recipe
    from spikedata.baseline.runs.card import Card
    from spikedata.baseline.runs.group_summary import GroupSummary
    from spikedata.training.history import EpochRecord


# trains one run, trains several, and how many epochs each takes
_Training: TypeAlias = "tuple[Callable[..., Card], Callable[..., GroupSummary], int]"


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    _add_train(commands)
    sub = add_command(
        commands,
        "evaluate",
        _evaluate,
        "score a run, or each of several, on its test part, once",
        task="train networks",
        examples=("spikedata evaluate run", "spikedata evaluate run --show"),
    )
    sub.add_argument("run", metavar="RUN", help="folder that train made")
    sub.add_argument("file", nargs="?", metavar="FILE.h5", help="another spike file to score as a whole")
    add_network(sub, "code of the run, if its network is one's own")
    control = sub.add_argument(
        "--control", metavar="NAME", help="what is taken away, as counts_only or propagation_cut"
    )
    offer(control, _controls)
    sub.add_argument(
        "--selection-bias",
        action="store_true",
        help="what picking the epoch on the test clips would have claimed; needs train --keep-epochs",
    )
    sub.add_argument("--show", action="store_true", help="show what has been scored: open, score and change nothing")
    sub.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: auto)")
    add_reading(sub)

    sub = add_command(
        commands,
        "leaderboard",
        _leaderboard,
        "compare all runs below a folder",
        task="train networks",
        examples=("spikedata leaderboard .", "spikedata leaderboard . --markdown"),
    )
    sub.add_argument("folder", metavar="DIR", help="folder to search for result cards, at any depth")
    sub.add_argument("--markdown", action="store_true", help="print a table of Markdown")
    sub.add_argument("--probes", action="store_true", help="add what is left under the controls of probe")
    sub.add_argument("--neurobench", action="store_true", help="add the columns of NeuroBench")


def _add_train(commands: Commands) -> None:
    sub = add_command(
        commands,
        "train",
        _train,
        "train a baseline; speakers of the validation and test parts are held out",
        takes_params=True,
        task="train networks",
        examples=(
            "spikedata train digits.h5 --recipe recurrent --out run",
            "spikedata train digits.h5 --recipe recurrent --seeds 0,1,2 --learning-rate 1e-3 --out runs",
            "spikedata train words.h5 --recipe counts --split stratified_shared_speakers --out counts",
            "spikedata train digits.h5 --refit run --out refitted",
        ),
    )
    sub.add_argument("file", metavar="FILE.h5", help="spike file")
    recipe = sub.add_argument("--recipe", metavar="NAME", help="network and training; `spikedata recipes` lists them")
    offer(recipe, _recipes)
    add_network(sub, "train a torch.nn.Module of your own")
    sub.add_argument(
        "--network-arg",
        action="append",
        metavar="NAME=VALUE",
        help="an argument of --network, as n_hidden=64; may be given several times",
    )
    sub.add_argument("--config", metavar="F", help="file of params, .toml or .yaml; may hold recipe = NAME")
    sub.add_argument(
        "--refit", metavar="RUN", help="train again on training and validation part, for the epochs that this run chose"
    )
    sub.add_argument("--out", required=True, metavar="RUN", help="folder for weights, history and result card")
    add_seed(sub)
    sub.add_argument("--seeds", type=wholes, metavar="A,B", help="one run for each, in RUN/seed-A, RUN/seed-B")
    split = sub.add_argument("--split", metavar="NAME", help="named split, or a .json of one (default: by_speaker)")
    offer(split, _splits)
    sub.add_argument("--split-seed", type=whole(0), metavar="N", help="seed of the split (default: the first seed)")
    sub.add_argument("--validation-speakers", type=wholes, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--test-speakers", type=wholes, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--leave-out", type=whole(0), metavar="N", help="test speaker of the split leave_one_speaker_out")
    sub.add_argument(
        "--leave-one-speaker-out",
        action="store_true",
        help="one run for each speaker as the test speaker: RUN/speaker-N",
    )
    sub.add_argument("--epochs", type=whole(1), metavar="N", help="epochs (default: the recipe's)")
    sub.add_argument("--keep-epochs", action="store_true", help="keep the weights after each epoch")
    sub.add_argument("--tensorboard", action="store_true", help="log for TensorBoard, in RUN.training/tensorboard")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    sub.add_argument("--threads", type=whole(1), default=1, metavar="N", help="threads on the processor (default: 1)")
    add_reading(sub)
    sub.epilog = (
        "Any param of the recipe can be set as --NAME VALUE, for example --learning-rate 1e-3; `spikedata params "
        "RECIPE` lists them. After an interruption, the same command resumes the training, to the same weights. "
        "torchrun trains on several GPUs. A --network of your own is made as MyNet(n_units=..., n_classes=...), and "
        "takes counts (batch, step, unit) to logits (batch, class); --recipe NAME beside it trains it as that one is, "
        "in its steps."
    )
    add_overwrite(sub)


def _recipes() -> Sequence[str]:
    from spikedata.baseline.recipes.catalog import RECIPES

    return tuple(RECIPES)


def _splits() -> Sequence[str]:
    from spikedata.splits import SPLITS

    return SPLITS


def _controls() -> Sequence[str]:
    from spikedata.transforms.named import CONTROLS

    return tuple(CONTROLS)


def _train(args: argparse.Namespace) -> None:
    is_group = args.seeds is not None or args.leave_one_speaker_out
    options = {name: getattr(args, name) for name in ("tensorboard", "overwrite", "device", "threads")}
    with (
        show_progress(args, "clip") as progress,
        saying_what_is_kept(lambda: _kept(args)),
        foreign_code_quiet(args),
    ):
        progress.wait("load PyTorch")
        from spikedata.training.parallel import started_processes

        is_first = started_processes().is_first
        train_one, train_several, n_epochs = _refit(args) if args.refit else _fit(args)
        options |= {"on_progress": progress.at_stage}
        if is_group:
            options |= {"seeds": args.seeds or (args.seed,)}
            options |= {"on_epoch": lambda _, record: _note(progress, record, n_epochs)}
            result: Card | GroupSummary = train_several(args.file, args.out, **options)
        else:
            options |= {"seed": args.seed, "on_epoch": lambda record: _note(progress, record, n_epochs)}
            result = train_one(args.file, args.out, **options)
    if is_first:
        print_run(args, args.out, result)


def _fit(args: argparse.Namespace) -> _Training:
    from spikedata.baseline.runs.groups import train_group
    from spikedata.baseline.runs.train import train_run

    own, split = own_network_of(args), args.split or "by_speaker"
    recipe = _recipe(args, own)
    names = ("split_seed", "validation_speakers", "test_speakers", "keep_epochs")
    options = {name: getattr(args, name) for name in names} | {"recipe": recipe, "split": split, **reading_of(args)}
    options["network"] = own
    train_several = partial(train_group, **options, leave_one_speaker_out=args.leave_one_speaker_out)
    return partial(train_run, **options, left_out=args.leave_out), train_several, recipe.n_epochs


def _refit(args: argparse.Namespace) -> _Training:
    from spikedata.baseline.runs.folder import read_chosen_run
    from spikedata.baseline.runs.groups import refit_group
    from spikedata.baseline.runs.refit import refit_run

    options = {name: getattr(args, name) for name in _NOT_WITH_REFIT}
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None and value is not False
    ]
    given += [f"--{name.replace('_', '-')}" for name in args.params]
    if given:
        words = " ".join(given)
        raise UsageError(f"--refit takes all but seed and device from {args.refit}, so leave out {words}")
    own, chosen = own_network_of(args), read_chosen_run(args.refit)
    options = {"chosen": chosen, "network": own}
    return partial(refit_run, **options), partial(refit_group, **options), len(chosen.epochs)


def own_network_of(args: argparse.Namespace) -> OwnNetwork | None:
    """The network of one's own that ``--network`` names; None if it names none."""
    from spikedata.baseline.recipes.own_network import own_network

    return None if args.network is None else own_network(args.network)


_NOT_WITH_REFIT = (
    "recipe",
    "network_arg",
    "config",
    "split",
    "split_seed",
    "validation_speakers",
    "test_speakers",
    "leave_out",
    "leave_one_speaker_out",
    "epochs",
    "keep_epochs",
    "time_unit",
    "units",
)


def _note(progress: Progress, record: EpochRecord, n_epochs: int) -> None:
    validation = f", validation {record.validation_accuracy:.1%}" if record.is_validated else ""
    progress.note(f"epoch {record.epoch}/{n_epochs}{validation}")


def _recipe(args: argparse.Namespace, own: OwnNetwork | None) -> Recipe:
    from spikedata.baseline.recipes.config import read_config
    from spikedata.baseline.recipes.recipe import with_params

    config = read_config(args.config) if args.config else {}
    named = config.pop("recipe", None)
    name = args.recipe or named
    if name is None and own is None:
        raise UsageError(
            "train needs --recipe NAME, or a --config with recipe = NAME; `spikedata recipes` lists them; "
            "or --network module:Class"
        )
    if args.network_arg and own is None:
        raise UsageError("--network-arg is an argument of --network, which is missing")
    try:
        usual = _usual_recipe(args, None if name is None else str(name), own)
        with_params(usual, config)
    except ValueError as error:
        raise (ValueError(f"{args.config}: {error}") if args.config else UsageError(str(error))) from None
    epochs = {} if args.epochs is None else {"epochs": args.epochs}
    typed = {key.lstrip("-").replace("-", "_"): value for key, value in args.params.items()}
    try:
        return with_params(usual, config | epochs | typed)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _usual_recipe(args: argparse.Namespace, name: str | None, own: OwnNetwork | None) -> Recipe:
    """The recipe before its params are set: the named one, or that of a network of one's own, trained like it."""
    from spikedata.baseline.recipes.catalog import network_arguments, recipe_from
    from spikedata.baseline.recipes.own_network import custom_recipe

    if own is None:
        return recipe_from(str(name))
    like = None if name is None else recipe_from(name)
    return custom_recipe(own, arguments=network_arguments(args.network_arg or ()), like=like)


def _kept(args: argparse.Namespace) -> str:
    from spikedata.training.folder import CHECKPOINT, training_folder

    if args.seeds is not None or args.leave_one_speaker_out or (training_folder(args.out) / CHECKPOINT).is_file():
        return "finished epochs and runs are kept, and the same command goes on from there"
    return "no epoch was finished, and nothing is left behind"


def _evaluate(args: argparse.Namespace) -> None:
    with show_progress(args, "clip") as progress, foreign_code_quiet(args):
        progress.wait("load PyTorch")
        from spikedata.baseline.runs.folder import is_group

        several = is_group(args.run)
        result = _show_scores(args, several) if args.show else _score(args, several, progress)
    print_run(args, args.run, result)


def print_run(args: argparse.Namespace, run: str, result: Card | GroupSummary) -> None:
    """Print the card of a run, or the summary of several.

    Parameters
    ----------
    args : argparse.Namespace
        Of the command.
    run : str
        Folder of the run, or of the runs.
    result : Card or GroupSummary
        What a command returned.
    """
    from spikedata.baseline.runs.card_text import format_card
    from spikedata.baseline.runs.group_summary import GroupSummary, format_group

    text = format_group(result) if isinstance(result, GroupSummary) else format_card(result)
    n_clips = _n_clips(result)
    counted = {} if n_clips is None else {"clips": n_clips}
    print_result(args, {"file": run} | counted | _without_clips(result.to_json()), text)


def _n_clips(result: Card | GroupSummary) -> int | None:
    """Number of clips that were scored last; before, of those that trained, chose and will be scored."""
    from spikedata.baseline.runs.group_summary import GroupSummary

    if isinstance(result, GroupSummary):
        return result.tested_on.n if result.tested_on else None
    return result.tests[-1].score.n if result.tests else sum(result.split.n.values())


def _without_clips(record: dict[str, Any]) -> dict[str, Any]:
    # a group's score over all its clips; "clips" is a number wherever it stands
    return {"over_clips" if name == "clips" else name: value for name, value in record.items()}


def _score(args: argparse.Namespace, several: bool, progress: Progress) -> Card | GroupSummary:
    from spikedata.baseline.runs.evaluation import evaluate_run
    from spikedata.baseline.runs.groups import evaluate_group
    from spikedata.baseline.runs.selection_bias import measure_selection_bias
    from spikedata.training.parallel import started_processes

    if started_processes().n > 1:
        raise ValueError("evaluate runs in one process, since each of several would open the test part: omit torchrun")
    if args.selection_bias and args.control is not None:
        raise ValueError("--selection-bias is that of the plain score, so leave out --control")
    control = args.control or "none"
    options = {"device": args.device or "auto", "on_progress": progress.at_stage, **reading_of(args)}
    options["network"] = own_network_of(args)
    if several:
        return evaluate_group(args.run, args.file, control=control, selection_bias=args.selection_bias, **options)
    if args.selection_bias:
        return measure_selection_bias(args.run, args.file, **options)
    return evaluate_run(args.run, args.file, control=control, **options)


def _show_scores(args: argparse.Namespace, several: bool) -> Card | GroupSummary:
    from spikedata.baseline.runs.folder import read_card
    from spikedata.baseline.runs.group_summary import summarize_group

    asked = {"FILE.h5": args.file, "--network": args.network, "--control": args.control, "--device": args.device}
    asked |= {"--time-unit": args.time_unit, "--units": args.units}
    given = [name for name, value in asked.items() if value is not None]
    given += ["--selection-bias"] if args.selection_bias else []
    if given:
        raise ValueError(f"--show opens and scores nothing, so leave out {' '.join(given)}")
    return summarize_group(args.run) if several else read_card(args.run)


def _leaderboard(args: argparse.Namespace) -> None:
    with show_progress(args, "run") as progress:
        progress.wait("read runs")
        from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard

        board = leaderboard(args.folder)
    columns = {"probes": args.probes, "neurobench": args.neurobench}
    text = format_leaderboard(board, markdown=args.markdown, **columns)
    print_result(args, {"file": args.folder} | board.to_json(), text)
