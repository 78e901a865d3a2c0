"""A network of one's own under the protocol: find its code, say whose it is, and make a recipe of it.

Code is imported only where a user names it, as a class, or as "module:Class" or "path/to/file.py:Class". What a card
holds is never enough to run any.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from torch import nn

from spikedata.baseline.recipes.catalog import OF_OWN_NETWORKS, RECIPES
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.nn.networks import CustomParams, EventDrivenParams, MakeModule, NetworkCode
from spikedata.nn.networks.custom import drawing_from, told
from spikedata.training.params import TrainParams

_INSTALLED = ("site-packages", "dist-packages")


class OwnNetwork(NamedTuple):
    """A network of one's own that has been found.

    Attributes
    ----------
    make : callable
        Makes it: ``make(n_units=..., n_classes=..., **arguments)``.
    code : NetworkCode
        Whose code it is.
    typed : str or None
        How a command line names it; None if it cannot.
    """

    make: MakeModule
    code: NetworkCode
    typed: str | None


def own_network(network: str | MakeModule | OwnNetwork) -> OwnNetwork:
    """Find a network of one's own; a text is imported.

    Parameters
    ----------
    network : str, class or callable
        "module:Class" or "path/to/file.py:Class", or the class itself, or a function that makes a module. Keyword
        arguments of a `functools.partial` are arguments of the network.

    Raises
    ------
    ValueError
        If there is no such module or class, importing it fails, or it makes no module.
    FileNotFoundError
        If there is no such file.
    """
    if isinstance(network, OwnNetwork):
        return network
    if isinstance(network, str):
        return _found(network)
    if isinstance(network, nn.Module):
        kind = type(network).__name__
        raise ValueError(
            f"network must be a class or a function that makes a module, got a {kind} whose weights are drawn already, "
            f"so that seeds would change nothing: give {kind}, or def make(n_units, n_classes): return {kind}(...)"
        )
    arguments: dict[str, Any] = {}
    if isinstance(network, functools.partial):
        partial: functools.partial[nn.Module] = network
        if partial.args:
            raise ValueError("network must have its arguments by name, got a partial with positional ones")
        network, arguments = partial.func, dict(partial.keywords)
    if not callable(network) or (inspect.isclass(network) and not issubclass(network, nn.Module)):
        found = network.__name__ if inspect.isclass(network) else repr(network)
        raise ValueError(f"network must be a torch.nn.Module, or a function that makes one, got {found:.80}")
    module = sys.modules.get(network.__module__ or "")
    file, sha256 = _source_of(network, module)
    is_importable = module is not None and module.__name__ != "__main__" and "<" not in _qualname(network)
    name = f"{_module_name(network, module)}:{_qualname(network)}"
    code = NetworkCode(
        name=name,
        arguments=arguments,
        file=file.name if file else None,
        sha256=sha256,
        package=_package_of(module, file),
    )
    return OwnNetwork(network, code, name if is_importable else None)


def custom_recipe(
    network: str | MakeModule | OwnNetwork,
    *,
    arguments: Mapping[str, Any] | None = None,
    name: str | None = None,
    like: Recipe | None = None,
    training: TrainParams | None = None,
    n_merged: int | None = None,
    duration: float | None = None,
    dt: float | None = None,
) -> Recipe:
    """A recipe of a network of one's own, for `train_run`, which is given the same network.

    Parameters
    ----------
    network : str, class or callable
        As `own_network` takes it. It is called as ``network(n_units=..., n_classes=..., **arguments)``, where
        ``n_units`` is the number of inputs in a step, and with ``dt`` [s] and ``n_steps`` if its signature names them.
        What it makes takes counts (batch, step, input) and returns logits (batch, class), or an `Activity`.
    arguments : mapping of str to object, optional
        Its other keyword arguments, in JSON's types.
    name : str, optional
        Name of the recipe; default: that of the class.
    like : Recipe, optional
        A recipe whose training and time grid are taken over.
    training : TrainParams, optional
        How it is trained. Default: as `like`, or as the recipe "gru".
    n_merged : int, optional
        Number of neighboring units of the file that are merged into one input [1]. Default: as `like`, or 1.
    duration : float, optional
        Length to which clips are padded or cropped [s]. Default: as `like`, or 1.
    dt : float, optional
        Length of a step [s]. Default: as `like`, or 0.01.

    Returns
    -------
    Recipe
        Its network is `CustomParams`, which say whose code it is, with the SHA-256 of the source file.

    Raises
    ------
    ValueError
        If there is no such network, `like` has no training or no steps, or a param is refused.

    Examples
    --------
    >>> import torch
    >>> class MyNet(torch.nn.Module):
    ...     def __init__(self, n_units, n_classes, n_hidden=32):
    ...         super().__init__()
    ...         self.cells = torch.nn.GRU(n_units, n_hidden, batch_first=True)
    ...         self.out = torch.nn.Linear(n_hidden, n_classes)
    ...     def forward(self, counts):
    ...         return self.out(self.cells(counts)[0].mean(dim=1))
    >>> mine = custom_recipe(MyNet, arguments={"n_hidden": 64}, n_merged=5)
    >>> mine.name, mine.params["arguments"], mine.params["n_merged"]
    ('MyNet', {'n_hidden': 64}, 5)
    """
    own = own_network(network)
    usual = like or RECIPES[OF_OWN_NETWORKS]
    if usual.training is None:
        raise ValueError(f"recipe {usual.name!r} is not trained by epochs, so no network can be trained like it")
    grid: dict[str, Any] = {}
    if like is not None:
        if isinstance(like.network, EventDrivenParams):
            raise ValueError(f"recipe {like.name!r} has no steps, so no network that has can be trained like it")
        grid = {key: getattr(like.network, key) for key in ("n_merged", "duration", "dt")}
    given = {"n_merged": n_merged, "duration": duration, "dt": dt}
    grid |= {key: value for key, value in given.items() if value is not None}
    code = replace(own.code, arguments={**own.code.arguments, **(arguments or {})})
    return Recipe(
        name=own.code.class_name if name is None else name,
        about=f"a network of one's own, {code.name}",
        network=CustomParams(code=code, **grid),
        training=usual.training if training is None else training,
    )


def recipe_and_code(
    recipe: Recipe | None, network: str | MakeModule | OwnNetwork | None
) -> tuple[Recipe, OwnNetwork | None]:
    """What to train: a recipe, and for one of a network of one's own its code, which must be that of the recipe.

    Parameters
    ----------
    recipe : Recipe or None
        Network and training; None for that of the network.
    network : str, class, callable or None
        As `own_network` takes it.

    Raises
    ------
    ValueError
        If both are missing, one is of another network than the other, or the code has changed.
    """
    if network is None:
        if recipe is None:
            raise ValueError("a recipe is needed, or a network of one's own: train_run(..., network=MyNet)")
        if isinstance(recipe.network, CustomParams):
            raise ValueError(f"recipe {recipe.name!r} {without_code(recipe.network.code)}")
        return recipe, None
    if recipe is None:
        own = own_network(network)
        return custom_recipe(own), own
    if not isinstance(recipe.network, CustomParams):
        raise ValueError(
            f"recipe {recipe.name!r} has a network of its own, so leave out network; to train another network like it, "
            "custom_recipe(network, like=recipe)"
        )
    own = own_network(network)
    changed = change_of_code(recipe.network.code, own)
    if changed:
        raise ValueError(
            f"recipe {recipe.name!r}: {changed}; a recipe is trained with its own code; custom_recipe makes one anew"
        )
    return recipe, own


def without_code(code: NetworkCode) -> str:
    """What is said where the code of a network of one's own is needed and not named.

    Parameters
    ----------
    code : NetworkCode
        What a card says of it.
    """
    typed = f"{code.file}:{code.class_name}" if code.file and not code.package else code.name
    return (
        f"has a network of one's own, {code.name}, and no code runs but what is named: network={code.class_name} in "
        f"Python, --network {typed} in a command"
    )


def change_of_code(code: NetworkCode, own: OwnNetwork) -> str | None:
    """In words, how code differs from that on a card; None if it is the same.

    Parameters
    ----------
    code : NetworkCode
        Of the card.
    own : OwnNetwork
        What the user has named.

    Raises
    ------
    ValueError
        If it is another class, or has arguments that are not those of the card.
    """
    here = own.code
    if here.class_name != code.class_name:
        raise ValueError(f"its network is {code.name}, got {here.name}")
    for name, value in here.arguments.items():
        if code.arguments.get(name, here) != value:
            there = code.arguments.get(name, "no such argument")
            raise ValueError(f"its network has {name} {there!r}, got {value!r}; leave it out, the card says it")
    if here.sha256 is None or code.sha256 is None:
        return None if (here.sha256, here.name) == (code.sha256, code.name) else _change(code, here)
    if here.sha256 == code.sha256 and here.package == code.package:
        return None
    return _change(code, here)


def _change(code: NetworkCode, here: NetworkCode) -> str:
    before, now = (f"SHA-256 {(one.sha256 or 'unknown')[:12]}" for one in (code, here))
    if code.package != here.package:
        before, now = f"{before} of {code.package}", f"{now} of {here.package}"
    return f"the code of {code.class_name} ({here.file or 'no file'}) has changed since: {before} then, {now} now"


def _found(text: str) -> OwnNetwork:
    place, colon, qualname = text.rpartition(":")
    if not colon or not place or not qualname:
        raise ValueError(f"network must be module:Class or path/to/file.py:Class, got {text!r}")
    is_file = place.endswith(".py") or any(mark and mark in place for mark in (os.sep, os.altsep))
    module = _of_file(Path(place)) if is_file else _of_name(place)
    try:
        made = attrgetter(qualname)(module)
    except AttributeError:
        own = [name for name, one in vars(module).items() if inspect.isclass(one) and issubclass(one, nn.Module)]
        nearest = difflib.get_close_matches(qualname, own, n=1)
        hint = f"; nearest: {nearest[0]}" if nearest else f"; its modules: {', '.join(own) or 'none'}"
        raise ValueError(f"{place}: has no {qualname!r}{hint}") from None
    if not callable(made):  # a text would name something else to import
        raise ValueError(f"{text}: network must be a torch.nn.Module, or a function that makes one, got {made!r:.80}")
    try:
        found = own_network(made)
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None
    code = found.code
    if is_file and made.__module__ == module.__name__:  # which may bear a longer name than its file, if that was taken
        code = replace(code, name=f"{_dotted(Path(place))}:{qualname}")
    return OwnNetwork(found.make, code, text)


def _of_file(path: Path) -> ModuleType:
    """The module in a file, run anew from the very bytes whose digest a card will hold."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    path, name = path.resolve(), _dotted(path)
    root = path.parents[name.count(".")]
    if "." in name:
        module = _of_name(name, root)
        if not module.__file__ or not Path(module.__file__).samefile(path):
            raise ValueError(f"{path}: another module is called {name}: {module.__file__}")
        return module
    taken = sys.modules.get(name)
    if taken is not None and Path(getattr(taken, "__file__", None) or "").absolute() != path:
        name = f"{name}_{hashlib.sha256(os.fspath(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ValueError(f"{path}: is no file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importing(path.name, root):
            # not by its loader, which may take an older compiled file of the same second and size
            exec(compile(path.read_bytes(), os.fspath(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _dotted(path: Path) -> str:
    """The dotted name of the module in a file; one of a package, which its relative imports need, has several parts."""
    path = path.resolve()
    folder, name = path.parent, path.stem
    while (folder / "__init__.py").is_file():
        folder, name = folder.parent, f"{folder.name}.{name}"
    return name


def _of_name(name: str, root: Path | None = None) -> ModuleType:
    with _importing(name, root or Path.cwd()):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(f"{error.name}.")):
                advice = f"a file is named by its path, as {name.replace('.', '/')}.py:Class"
                raise _NoModule(f"no module {name!r} here; {advice}") from None
            raise


class _NoModule(ValueError):
    """What a user has named is not there, in words that stay as they are."""


@contextmanager
def _importing(what: str, root: Path) -> Iterator[None]:
    """Import foreign code: its errors are one line, and what it sets globally is put back."""
    if os.fspath(root) not in sys.path:
        sys.path.append(os.fspath(root))  # last, so that no file beside it hides a module that we import later
    try:
        with drawing_from(0):
            yield
    except SystemExit as error:
        rule = 'what runs a program belongs below if __name__ == "__main__"'
        raise ValueError(f"{what}: importing it ends the program; {rule}") from error
    except (_NoModule, MemoryError):
        raise
    except Exception as error:
        file = what if what.endswith(".py") else f"{what.rpartition('.')[2]}.py"
        raise ValueError(f"{what}: importing it fails: {told(error, file)}") from error


def _qualname(make: Any) -> str:
    return str(getattr(make, "__qualname__", type(make).__qualname__))


def _module_name(make: Any, module: ModuleType | None) -> str:
    """The dotted name of the module; of a script that is run, that of its file."""
    file = getattr(module, "__file__", None)
    if module is not None and module.__name__ == "__main__" and file:
        return Path(file).stem
    return str(getattr(make, "__module__", None) or "__main__")


def _source_of(make: Any, module: ModuleType | None) -> tuple[Path | None, str | None]:
    """The source file of a class or function, and the SHA-256 of what it holds, or of the cell of a notebook."""
    name = getattr(module, "__file__", None)
    if name and Path(name).is_file():
        return Path(name), hashlib.sha256(Path(name).read_bytes()).hexdigest()
    functions = [getattr(make, part, None) for part in ("forward", "__init__")] if inspect.isclass(make) else [make]
    for function in functions:
        with suppress(ValueError):  # wrapped in a circle
            function = inspect.unwrap(function) if function is not None else None
        code = getattr(function, "__code__", None)
        if code is None:
            continue
        if Path(code.co_filename).is_file():
            return Path(code.co_filename), hashlib.sha256(Path(code.co_filename).read_bytes()).hexdigest()
        lines = linecache.getlines(code.co_filename)
        if lines:
            return None, hashlib.sha256("".join(lines).encode()).hexdigest()
    return None, None


def _package_of(module: ModuleType | None, file: Path | None) -> str | None:
    """Name and version of the installed package that a module is part of."""
    if module is None or file is None or not {*file.parts} & {*_INSTALLED}:
        return None
    top = module.__name__.partition(".")[0]
    names = importlib.metadata.packages_distributions().get(top, [])
    return f"{names[0]} {importlib.metadata.version(names[0])}" if names else None
