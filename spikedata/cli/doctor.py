"""Check the installation as a helpful colleague would: what is installed, what is wrong, and what to do about it."""

from __future__ import annotations

import glob
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from spikedata.printable import in_columns

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

DISTRIBUTION = "spikedata-audio"
OURS = ("spikedata", "cochlea")  # import names that other software on the registry has, too
_IMPORTED_AS = {"scikit-learn": "sklearn"}
PURPOSES = {  # of the extras, which the metadata do not tell
    "torch": "to train networks",
    "plot": "to draw pictures",
    "synth": "to speak corpora",
    "cluster": "to encode on a Dask cluster",
    "formats": "to read M4A, WebM and the like",
    "microphone": "to recognize words as they are spoken",
    "export": "to export spikes to other software",
}


class Library(NamedTuple):
    """A library that the metadata of the distribution ask for.

    Attributes
    ----------
    name : str
        Its distribution.
    versions : SpecifierSet
        Those that will do.
    extra : str
        The extra that brings it; empty where it is required.
    parts : tuple of str
        Extras of its own that are asked for, such as "distributed" of dask.
    """

    name: str
    versions: SpecifierSet
    extra: str
    parts: tuple[str, ...]

    @property
    def module(self) -> str:
        """What is imported."""
        return _IMPORTED_AS.get(self.name, self.name.replace("-", "_"))


class Check(NamedTuple):
    """What was found about one thing.

    Attributes
    ----------
    name : str
        The thing.
    value : str
        What was found.
    ok : bool
        Whether it can stay so.
    advice : str
        What to do; empty where there is nothing to do.
    """

    name: str
    value: str
    ok: bool = True
    advice: str = ""


def diagnose() -> list[Check]:
    """Check versions, name clashes, folders, threads, GPU and speech engine; a check that breaks is one that failed.

    Returns
    -------
    list of Check
        Never raises an exception. What is optional and absent is in order, with advice.
    """
    looks = (_versions, _libraries, _name_clashes, _folders, _kernels, _threads, _gpus, _speech_engine)
    return [check for look in looks for check in _safely(look)]


def libraries() -> list[Library]:
    """What this distribution requires here, and what its extras bring, by its own metadata.

    Returns
    -------
    list of Library
        Empty where the package runs from its source without being installed.
    """
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
        extras = importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for requirement in map(Requirement, lines):
        here = [
            extra
            for extra in ("", *extras)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        ]
        if here and _normalize(requirement.name) != DISTRIBUTION:
            found.append(Library(requirement.name, requirement.specifier, here[0], tuple(sorted(requirement.extras))))
    # one that several extras bring is named by one that is for users
    found.sort(key=lambda library: library.extra in ("", *PURPOSES))
    return list({library.name: library for library in found}.values())


def extra_of(module: str) -> str | None:
    """The extra that brings a module, None for one that none brings."""
    for library in libraries():
        if library.extra and module in (library.module, *library.parts):
            return library.extra
    return None


def format_checks(checks: Iterable[Check]) -> str:
    """A table to read: a line for each check, advice below the line that it belongs to.

    Parameters
    ----------
    checks : iterable of Check
        From `diagnose`.

    Examples
    --------
    >>> print(format_checks([Check("numpy", "2.4.0"), Check("GPU", "none", advice="none is needed")]))
    ok    numpy  2.4.0
    note  GPU    none
                 none is needed
    """
    rows = []
    for check in checks:
        state = "FAIL" if not check.ok else "note" if check.advice else "ok"
        rows += [(state, check.name, check.value), *([("", "", check.advice)] if check.advice else [])]
    return "\n".join(in_columns(rows))


def _safely(look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(look())
    except Exception as error:  # one broken check must not hide the others
        return [
            Check(look.__name__.strip("_").replace("_", " "), f"{type(error).__name__}: {error}", False, "look here")
        ]


def _versions() -> Iterator[Check]:
    version = platform.python_version()
    yield Check("python", f"{version}, {sys.executable}", sys.version_info >= (3, 11), "")
    try:
        yield Check(DISTRIBUTION, importlib.metadata.version(DISTRIBUTION))
    except importlib.metadata.PackageNotFoundError:
        yield Check(DISTRIBUTION, "not installed, runs from its source", False, "pip install --editable .")


def _libraries() -> Iterator[Check]:
    for library in sorted(libraries(), key=lambda library: library.extra != ""):
        if library.extra and not importlib.util.find_spec(library.module):
            purpose = PURPOSES.get(library.extra, f"for the extra {library.extra}")
            yield Check(library.name, "not installed", True, f"{purpose}: {_install(library)}")
        else:
            yield _library_check(library)


def _install(library: Library) -> str:
    return f"pip install '{DISTRIBUTION}[{library.extra}]'"


def _library_check(library: Library) -> Check:
    """Import a required library, for one that is installed may still lack a part of the system."""
    try:
        if not library.extra:
            importlib.import_module(library.module)
        version = importlib.metadata.version(library.name)
    except Exception as error:
        remedy = _install(library) if library.extra else f"pip install --force-reinstall {library.name}"
        return Check(library.name, f"{type(error).__name__}: {error}", False, remedy)
    if library.versions.contains(version, prereleases=True):
        return Check(library.name, version)
    wanted = f"{library.name}{library.versions}"
    return Check(library.name, f"{version}, which is not {library.versions}", False, f"pip install '{wanted}'")


def _name_clashes() -> Iterator[Check]:
    home = Path(__file__).parents[2]
    owners = importlib.metadata.packages_distributions()
    for name in OURS:
        others = sorted({owner for owner in owners.get(name, ()) if _normalize(owner) != DISTRIBUTION})
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).parent if spec and spec.origin else None
        if others:
            remedy = f"pip uninstall {' '.join(others)}, then pip install --force-reinstall --no-deps {DISTRIBUTION}"
            yield Check(
                f"import {name}", f"also claimed by {', '.join(others)}: files overwrite each other", False, remedy
            )
        elif place != home / name:
            yield Check(
                f"import {name}", f"found in {place}, not in {home / name}", False, "remove or rename the other"
            )
        else:
            yield Check(f"import {name}", str(place))


def _normalize(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _folders() -> Iterator[Check]:
    import platformdirs

    from spikedata.disk import cache_folder, data_folder

    yield _folder_check("data folder", [data_folder()], "set SPIKEDATA_HOME to a folder that you can write to")
    remedy = "set SPIKEDATA_CACHE to a folder that you can write to, or tables and events are made anew by each start"
    found = _folder_check("cache folder", [cache_folder()], remedy)
    n_bytes = sum(path.stat().st_size for path in cache_folder().rglob("*") if path.is_file())
    yield found._replace(value=f"{found.value}, {n_bytes / 1e6:,.0f} MB, can be removed") if n_bytes else found
    cache = os.environ.get("NUMBA_CACHE_DIR")
    beside = [
        Path(__file__).parents[2] / "cochlea" / "__pycache__",
        Path(platformdirs.user_cache_dir("numba", appauthor=False)),
    ]
    remedy = "set NUMBA_CACHE_DIR to a folder that you can write to, or each start compiles anew or fails"
    yield _folder_check("compiler cache", [Path(cache)] if cache else beside, remedy)
    yield _folder_check(
        "temporary folder", [Path(tempfile.gettempdir())], "set TMPDIR to a folder that you can write to"
    )


def _folder_check(name: str, candidates: list[Path], remedy: str) -> Check:
    for folder in candidates:
        if _is_writable(folder):
            return Check(name, str(folder))
    return Check(name, f"{candidates[0]} cannot be written", False, remedy)


def _is_writable(folder: Path) -> bool:
    """Try it, in the folder or, where it does not exist yet, in the one that it would be made in."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


def _kernels() -> Iterator[Check]:
    for work, module, remedy in (
        ("encoding", "cochlea.engine.fused", "the first encoding compiles them, once: about 25 s"),
        ("training", "spikedata.nn.kernels.lif", "the first training compiles them, once: about 15 s"),
    ):
        if work == "training" and importlib.util.find_spec("torch") is None:
            continue
        there = _is_compiled(importlib.import_module(module))
        yield Check(f"kernels for {work}", "compiled" if there else "not compiled yet", True, "" if there else remedy)


def _is_compiled(module: ModuleType) -> bool:
    """Whether the cache of Numba has code of a module's kernels that is no older than the module."""
    kernels = [kernel for kernel in vars(module).values() if hasattr(kernel, "py_func") and hasattr(kernel, "stats")]
    source = Path(str(module.__file__))
    for kernel in kernels:
        folder, name = kernel.stats.cache_path, f"{source.stem}.{kernel.py_func.__qualname__}"
        found = Path(folder).glob(f"{glob.escape(name)}-*.nbi") if folder else ()
        if any(index.stat().st_mtime >= source.stat().st_mtime for index in found):
            return True
    return False


def _threads() -> Iterator[Check]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ]
    yield Check("processors", ", ".join([f"{usable} usable of {os.cpu_count()}", *limits]))


def _gpus() -> Iterator[Check]:
    if importlib.util.find_spec("torch") is None:
        return
    from spikedata.training.devices import describe_devices

    processor, *gpus = describe_devices()
    yield Check("PyTorch on CPU", processor.description)
    for gpu in gpus:
        yield Check(f"PyTorch on {gpu.name}", f"{gpu.description}, {gpu.memory / 2**30:.0f} GiB")
    if not gpus:
        yield Check("PyTorch on GPU", "none found", True, "none is needed; training is faster with one")


def _speech_engine() -> Iterator[Check]:
    from spikedata.synth.engine import EngineError, find_engine

    try:
        engine = find_engine()
        yield Check("speech engine", f"eSpeak NG, {engine.kind} {engine.path}")
    except EngineError as error:
        yield Check("speech engine", "none found", True, f"only `spikedata synth` needs one: {error}")
