"""Commands that train a baseline and score it: train, evaluate."""

from __future__ import annotations

import argparse

from spikedata.cli.command import Commands, add_command, add_overwrite, add_seed, print_result, show_progress


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands, "train", _train, "train a baseline; speakers of the validation and test parts are held out"
    )
    sub.add_argument("file", metavar="FILE.h5", help="spike file")
    sub.add_argument("--recipe", required=True, metavar="NAME", help="recurrent, or counts (linear, time thrown away)")
    sub.add_argument("--out", required=True, metavar="RUN", help="folder for weights, history and result card")
    sub.add_argument("--validation-speakers", type=_speakers, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--test-speakers", type=_speakers, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--epochs", type=int, metavar="N", help="epochs (default: the recipe's)")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    sub.epilog = "Any param of the recipe can be set as --NAME VALUE, for example --learning-rate 1e-3."
    sub.set_defaults(takes_rest=True)
    add_seed(sub)
    add_overwrite(sub)

    sub = add_command(commands, "evaluate", _evaluate, "score a trained run on its test part, once")
    sub.add_argument("run", metavar="RUN", help="folder that train made")
    sub.add_argument("file", nargs="?", metavar="FILE.h5", help="another spike file to score as a whole")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")


def _train(args: argparse.Namespace) -> None:
    from spikedata.baseline.protocol import format_card, train_run
    from spikedata.baseline.recipes import recipe_from

    recipe = recipe_from(args.recipe, _overrides(args))
    with show_progress(args, "epoch", total=recipe.n_epochs) as progress:
        card = train_run(
            args.file,
            args.out,
            recipe=recipe,
            seed=args.seed,
            validation_speakers=args.validation_speakers,
            test_speakers=args.test_speakers,
            overwrite=args.overwrite,
            device=args.device,
            on_epoch=lambda record: progress.step(f"validation {record.validation_accuracy:.1%}"),
        )
    print_result(args, card, format_card(card))


def _overrides(args: argparse.Namespace) -> dict[str, str]:
    # `--learning-rate 1e-3 --n-hidden=64` as {"learning_rate": "1e-3", "n_hidden": "64"}
    words = [part for word in args.rest for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    for name in names:
        if not name.startswith("--") or len(names) != len(values):
            raise ValueError(f"train takes params of the recipe as --NAME VALUE, got {' '.join(args.rest)!r}")
    overrides = {name[2:].replace("-", "_"): value for name, value in zip(names, values, strict=True)}
    return overrides if args.epochs is None else {"epochs": str(args.epochs), **overrides}


def _speakers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"speakers are numbers with commas between, as 4,5; got {text!r}") from None


def _evaluate(args: argparse.Namespace) -> None:
    from spikedata.baseline.protocol import evaluate_run, format_card

    card = evaluate_run(args.run, args.file, device=args.device)
    print_result(args, card, format_card(card))
