"""Commands that list what can be chosen: recipes, params."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from spikedata.cli.command import Commands, UsageError, add_command, offer, print_result, show_progress
from spikedata.cli.ear import add_ear, ear_of, is_ear_chosen
from spikedata.cli.output import write_out

if TYPE_CHECKING:
    from spikedata.named_params import NamedParam


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    add_command(
        commands,
        "recipes",
        _recipes,
        "list the recipes that train knows",
        task="train networks",
        examples=("spikedata recipes",),
    )

    sub = add_command(
        commands,
        "params",
        _params,
        "list the params of the cochlea or of a recipe, with value and unit",
        task="train networks",
        examples=(
            "spikedata params",
            "spikedata params --channels 3500 --toml > ear.toml",
            "spikedata params recurrent --toml > mine.toml",
        ),
    )
    recipe = sub.add_argument("recipe", nargs="?", metavar="RECIPE", help="name of a recipe; none: the cochlea")
    offer(recipe, _names)
    add_ear(sub, preset="of the cochlea (default: default)")
    sub.add_argument(
        "--toml", action="store_true", help="print a file for encode --params or train --config, to be changed"
    )


def _names() -> tuple[str, ...]:
    from spikedata.baseline.recipes.catalog import RECIPES

    return tuple(RECIPES)


def _recipes(args: argparse.Namespace) -> None:
    with show_progress(args, "recipe") as progress:
        progress.wait("load PyTorch")
        from spikedata.baseline.recipes.catalog import RECIPES, describe_recipes

    print_result(args, {"recipes": {name: recipe.about for name, recipe in RECIPES.items()}}, describe_recipes())


def _params(args: argparse.Namespace) -> None:
    from spikedata.named_params import format_params, format_toml

    if args.recipe is not None and is_ear_chosen(args):
        given = next(f"--{name}" for name in ("preset", "params", "channels", "output", "set") if getattr(args, name))
        raise UsageError(f"{given} is of the cochlea, so leave it out beside the recipe {args.recipe}")
    named, head = _of_recipe(args.recipe) if args.recipe else _of_ear(args)
    if args.toml and not args.json:
        write_out(format_toml(named, **head))
    else:
        print_result(args, head | {"params": [param._asdict() for param in named]}, format_params(named))


def _of_recipe(name: str) -> tuple[list[NamedParam], dict[str, str]]:
    from spikedata.baseline.recipes.catalog import recipe_from
    from spikedata.named_params import list_params

    recipe = recipe_from(name)
    parts = [part for part in (recipe.network, recipe.training) if part is not None]
    # no two params of a recipe have the same name, so the command line leaves out where in it they stand
    return [param._replace(name=param.name.rpartition(".")[2]) for part in parts for param in list_params(part)], {
        "recipe": recipe.name
    }


def _of_ear(args: argparse.Namespace) -> tuple[list[NamedParam], dict[str, str]]:
    from spikedata.named_params import list_params

    preset, params = ear_of(args)
    return list_params(params), {"preset": preset}
