"""Pages written from the code before each build: the API, the command line, recipes and params."""

import argparse
import inspect
import sys
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import get_args

from public_names import NAMES, PAGES, ROOMS, Public, page_of
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

from spikedata.baseline.recipes.catalog import RECIPES
from spikedata.cli import build_parser
from spikedata.encoding.blocks import PRESETS
from spikedata.encoding.ear import ear_params
from spikedata.named_params import NamedParam, list_params

_COMMON = ("-h", "--json", "-q", "-v", "--no-progress")


def write_pages(app: Sphinx) -> None:
    """Write all pages anew; one that is the same as before is left alone, so that Sphinx need not read it again."""
    folder = Path(app.srcdir) / "reference"
    pages = {
        **api_pages(),
        "generated/commands.md": command_page(),
        "generated/recipes.md": recipe_page(),
        "generated/params.md": param_page(),
    }
    for old in [*folder.glob("api/**/*.rst"), *folder.glob("generated/*")]:
        if str(old.relative_to(folder)) not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def api_pages() -> dict[str, str]:
    """A page for each room and one for each public name, by their paths below the reference."""
    pages = {"api/index.rst": _overview()}
    for room in ROOMS:
        pages[_path(room, "index")] = _room_page(room)
    for page, public in PAGES.items():
        pages[_path(public.room, _file(public))] = _name_page(page, public)
    return pages


def _path(room: str, name: str) -> str:
    return f"api/{room.replace('.', '/')}/{name}.rst"


_PATHS = Counter(_path(public.room, public.name).casefold() for public in PAGES.values())


def _file(public: Public) -> str:
    """A name for the file of a page that no other page of the room has, on a disk that takes no notice of capitals."""
    n_alike = _PATHS[_path(public.room, public.name).casefold()]
    if n_alike == 1 or public.name.islower():
        return public.name
    return f"{public.name}-{'constant' if public.name.isupper() else 'class'}"


def _overview() -> str:
    rows = "".join(f"   * - :py:mod:`{room}`\n     - {_first_line(import_module(room))}\n" for room in ROOMS)
    tree = "".join(f"   {room} <{room.replace('.', '/')}/index>\n" for room in ROOMS)
    return (
        f"{_title('API')}"
        "Every public name of both packages. ``import spikedata as sd`` has those that one needs most; each room has"
        " the rest.\n\n"
        f".. list-table::\n   :widths: auto\n\n{rows}\n"
        f".. toctree::\n   :hidden:\n\n{tree}"
    )


def _room_page(room: str) -> str:
    shown = [public for public in NAMES if public.room == room]
    kinds = {
        "Functions": [public for public in shown if inspect.isroutine(public.value)],
        "Classes": [public for public in shown if inspect.isclass(public.value)],
    }
    kinds["Constants and types"] = [public for public in shown if public not in kinds["Functions"] + kinds["Classes"]]
    tables = "".join(
        f".. rubric:: {kind}\n\n.. list-table::\n   :widths: auto\n   :class: names\n\n"
        + "".join(f"   * - :py:obj:`{public.name} <{public.page}>`\n     - {_about(public)}\n" for public in names)
        + "\n"
        for kind, names in kinds.items()
        if names
    )
    own = [_file(public) for public in shown if PAGES[public.page].room == room]
    tree = ".. toctree::\n   :hidden:\n\n" + "".join(f"   {name}\n" for name in own)
    return f"{_title(room)}.. automodule:: {room}\n   :no-members:\n\n{tables}{tree if own else ''}"


def _name_page(page: str, public: Public) -> str:
    value = public.value
    if inspect.isclass(value):
        directive, options = "autoexception" if issubclass(value, Exception) else "autoclass", "   :members:\n"
    elif inspect.isroutine(value):
        directive, options = "autofunction", ""
    else:
        return _constant_page(page, public)
    return f"{_title(public.name)}.. currentmodule:: {public.module}\n\n.. {directive}:: {page}\n{options}"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def _first_line(value: object) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def _about(public: Public) -> str:
    if _is_constant(public.value):
        return _comment_of(public)
    return _first_line(public.value)


def _is_constant(value: object) -> bool:
    return not (inspect.isroutine(value) or inspect.isclass(value))


def _comment_of(public: Public) -> str:
    """The `#:` comment above a constant, in the module of its room that assigns it."""
    for module in sorted(sys.modules):
        if module.startswith(f"{public.page.rpartition('.')[0]}.") or module == public.module:
            lines = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", public.name))
            if lines:
                return " ".join(lines).strip()
    raise ValueError(f"{public.page} has no comment that begins with #:")


def _constant_page(page: str, public: Public) -> str:
    value = public.value
    if isinstance(value, tuple | dict):
        listed = ", ".join(f"``{name!r}``" for name in value)
    else:
        kinds = get_args(value) if isinstance(value, UnionType) else ()  # a Callable has arguments, but no members
        listed = ", ".join(f":py:class:`{kind.__name__} <{page_of(kind.__name__, public.room)}>`" for kind in kinds)
    return f"{_title(public.name)}.. py:data:: {page}\n\n   {_comment_of(public)}\n\n   {listed}\n"


def command_page() -> str:
    """The command line, from its parsers."""
    parser = build_parser()
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    common = [action for action in next(iter(commands.choices.values()))._actions if _names(action)[0] in _COMMON]
    summaries = {action.dest: action.help or "" for action in commands._choices_actions}
    rows = "".join(f"| [`spikedata {name}`](#spikedata-{name}) | {_cell(text)} |\n" for name, text in summaries.items())
    text = (
        "# Commands\n\n"
        "Made from the parsers of this version; `spikedata COMMAND --help` prints the same."
        " [The command line](../command_line.md) describes results as JSON, the exit status and the environment.\n\n"
        f"| command | |\n|---|---|\n{rows}\n"
        f"Every command takes\n\n{_arguments(common)}\n{_prose(parser.epilog)}\n"
    )
    for name, command in commands.choices.items():
        own = [action for action in command._actions if action not in common and _names(action)[0] not in _COMMON]
        text += f"## spikedata {name}\n\n{_prose(command.description)}\n```text\n{_usage(command)}```\n\n"
        text += f"{_arguments(own)}\n{_prose(command.epilog)}\n"
    return text


def _names(action: argparse.Action) -> tuple[str, ...]:
    if action.option_strings:
        return tuple(action.option_strings)
    return (action.metavar if isinstance(action.metavar, str) else action.dest,)


def _usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=100)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, "")
    return formatter.format_help().strip() + "\n"


def _arguments(actions: Iterable[argparse.Action]) -> str:
    rows = ""
    for action in actions:
        value = ""
        if action.option_strings and action.nargs != 0:
            choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else None
            value = " " + (action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper())
        about = (action.help or "") % {**vars(action), "prog": "spikedata"}
        rows += f"| `{', '.join(_names(action))}{value}` | {_cell(about)} |\n"
    return f"| argument | |\n|---|---|\n{rows}" if rows else ""


def _prose(text: str | None) -> str:
    """Help as Markdown: lines that are indented, or begin with the program's name, are what one types or a table."""
    paragraphs = []
    for paragraph in (text or "").split("\n\n"):
        for as_code, lines in _runs(paragraph.splitlines()):
            joined = "\n".join(lines)
            paragraphs.append(f"```text\n{joined}\n```" if as_code else joined)
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _runs(lines: Iterable[str]) -> list[tuple[bool, list[str]]]:
    found: list[tuple[bool, list[str]]] = []
    for line in lines:
        as_code = line.startswith(("  ", "spikedata "))
        if not found or found[-1][0] != as_code:
            found.append((as_code, []))
        found[-1][1].append(line)
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def recipe_page() -> str:
    """All recipes, and the params of each."""
    rows = "".join(
        f"| [`{name}`](#{name.replace('_', '-')}) | {_cell(recipe.about)} |\n" for name, recipe in RECIPES.items()
    )
    text = (
        "# Recipes\n\n"
        "What `spikedata train --recipe NAME` takes, as `spikedata recipes` lists it. Every param can be set, on the"
        " command line as `--learning-rate 1e-3` or in a file of `--config`.\n\n"
        f"| recipe | network and training |\n|---|---|\n{rows}\n"
    )
    for name, recipe in RECIPES.items():
        parts = [part for part in (recipe.network, recipe.training) if part is not None]
        params = [param._replace(name=param.name.rpartition(".")[2]) for part in parts for param in list_params(part)]
        text += f"## {name}\n\n{_cell(recipe.about)}\n\n{_params(params)}\n"
    return text


def param_page() -> str:
    """The params of the cochlea, in all presets."""
    presets = {name: {param.name: param for param in list_params(ear_params(name)[1])} for name in PRESETS}
    every = {name: param for params in presets.values() for name, param in params.items()}
    stages = list(dict.fromkeys(name.partition(".")[0] for name in every))
    rows = ""
    for name in sorted(every, key=lambda name: stages.index(name.partition(".")[0])):
        values = (_value(params[name].value) if name in params else "" for params in presets.values())
        rows += f"| `{name}` | {' | '.join(values)} | {_unit(every[name].unit)} | {_cell(every[name].about)} |\n"
    return (
        "# Params of the cochlea\n\n"
        "What `--set NAME=VALUE` and `--params FILE.toml` take, with the values of the presets, as `spikedata params"
        " --preset NAME` lists them. A preset has no value for the params of a stage that it does not have.\n\n"
        f"| param | {' | '.join(presets)} | unit | |\n|{'---|' * (3 + len(presets))}\n{rows}"
    )


def _params(params: Iterable[NamedParam]) -> str:
    rows = "".join(f"| `{p.name}` | {_value(p.value)} | {_unit(p.unit)} | {_cell(p.about)} |\n" for p in params)
    return f"| param | value | unit | |\n|---|---|---|---|\n{rows}"


def _value(value: object) -> str:
    return f"`{_cell(str(value))}`"


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages when a build begins."""
    app.connect("builder-inited", write_pages, priority=5)  # before the gallery, which takes minutes
    return {"parallel_read_safe": True, "parallel_write_safe": True}
