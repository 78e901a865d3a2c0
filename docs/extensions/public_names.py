"""The public names: those of every `__all__`, and the chosen ones of rooms whose modules are the way in.

Every object has one page, under the shortest name by which it can be imported; wherever else it is public, the page of
that room links to it.
"""

from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import NamedTuple

import cochlea
import spikedata

# These rooms have no `__all__`, so that HDF5 or PyTorch is loaded by the modules that need it alone. What one imports:
CHOSEN = {
    "cochlea.physiology": {
        "analysis": (
            "RateLevel", "TuningWidth", "greenwood_frequency", "group_delay", "median_energy_time", "rate_level",
            "tuning_width",
        ),
        "measurements": (
            "MembraneTuning", "ModulationTransfer", "PhaseLocking", "RateLevels", "ReceptorPotentials", "TimeCourse",
            "click_delays", "membrane_tuning", "modulation_transfer", "phase_locking", "rate_levels",
            "receptor_potentials", "time_course",
        ),
        "membrane_measurements": ("growth", "growth_slope", "tuning_at_level", "two_tone_suppression"),
        "recording": (
            "Response", "fiber_classes", "membrane_velocity", "nearest_channel", "reference_amplitude", "respond",
            "spontaneous_times", "tone_burst",
        ),
        "spike_statistics": (
            "Adaptation", "fit_adaptation", "hazard_rate", "interspike_intervals", "modulation_gain",
            "peristimulus_histogram", "vector_strength",
        ),
    },
    "spikedata.disk": {"": ("OutputError", "cache_folder", "data_folder")},
    "spikedata.encoding": {
        "cluster": ("ClusterError", "map_on_cluster"),
        "ear": ("ear_params",),
        "encode": ("Encoding", "encode", "encode_clips"),
        "hear": ("unit_frequencies",),
        "join": ("merge_files",),
        "merge": ("Merged", "merge_shards"),
        "plan": ("Plan", "plan_encoding"),
        "verify": ("Verified", "format_verified", "verify_file"),
    },
    "spikedata.files": {
        "cache": ("open_events",),
        "info": ("describe_file", "format_description"),
        "reader": ("SpikeFile",),
        "schema": ("FormatError", "Provenance"),
        "writer": ("SpikeWriter",),
    },
    "spikedata.training": {
        "counts": ("fit_counts",),
        "devices": ("Device", "describe_devices", "resolve_device"),
        "history": ("EpochRecord", "Trained"),
        "loop": ("train",),
        "losses": ("LOSSES", "ActivityParams", "activity_penalty", "classification_loss"),
        "params": ("TrainParams",),
        "schedules": ("learning_rate_at",),
        "scoring": ("Score", "evaluate"),
    },
}  # fmt: skip
_DOORS = ("cochlea", "spikedata")


class Public(NamedTuple):
    """A public name: the room that shows it, the object, where it is imported from, and the page that describes it."""

    room: str
    name: str
    value: object
    module: str
    page: str


def find_rooms() -> list[str]:
    """Both packages and what inside them has public names, doors first."""
    inside = [
        found.name
        for door in (cochlea, spikedata)
        for found in walk_packages(door.__path__, f"{door.__name__}.")
        if found.name in CHOSEN or (found.ispkg and hasattr(import_module(found.name), "__all__"))
    ]
    return [*_DOORS, *sorted(inside)]


def public_names() -> list[Public]:
    """Every public name of every room; rooms inside rooms and the version are not among them."""
    found = [
        (room, module, name, value)
        for room in ROOMS
        for module, names in _modules_of(room)
        for name in names
        if not isinstance(value := getattr(import_module(module), name), ModuleType) and name != "__version__"
    ]
    pages: dict[int, str] = {}
    for _, module, name, value in sorted(found, key=lambda public: _nearness(*public)):
        pages.setdefault(id(value), f"{module}.{name}")
    return [Public(room, name, value, module, pages[id(value)]) for room, module, name, value in found]


def _modules_of(room: str) -> list[tuple[str, tuple[str, ...]]]:
    if room in CHOSEN:
        return [(f"{room}.{module}".rstrip("."), names) for module, names in CHOSEN[room].items()]
    return [(room, tuple(import_module(room).__all__))]


def _nearness(room: str, module: str, name: str, value: object) -> tuple[bool, bool, int]:
    # the door first, then the room whose own the object is, then the one above others
    home = getattr(value, "__module__", None) or ""
    return room not in _DOORS, not home.startswith(room), len(module)


ROOMS = find_rooms()
NAMES = public_names()
PAGES = {public.page: public for public in NAMES if f"{public.module}.{public.name}" == public.page}


def page_of(text: str, module: str = "") -> str | None:
    """The dotted name that some code in a text means; None if it is no public name, or could be several.

    Parameters
    ----------
    text : str
        As `SpikeFile`, `SpikeFile.check`, `sd.loader(...)` or `cochlea.encode`.
    module : str
        The module whose docstring the text is from: its names come before those of others.
    """
    words = text.split("(")[0].split(".")
    if words[0] == "sd":
        words[0] = "spikedata"
    if not all(word.isidentifier() and not word.startswith("_") for word in words):
        return None
    for length in range(len(words), 0, -1):
        page = _page(".".join(words[:length]), module)
        if page is None:
            continue
        rest = words[length:]
        member = getattr(PAGES[page].value, rest[0], None) if rest and page in PAGES else None
        if not rest or (len(rest) == 1 and callable(member) and member.__doc__):
            return ".".join([page, *rest])
    return None


def _page(name: str, module: str) -> str | None:
    """The page of a dotted name, of a name of the same room, or of a name that no other object has."""
    if name in ROOMS:
        return name if "." in name or name == "cochlea" else None
    same = {
        public.page for public in NAMES if name in (f"{public.room}.{public.name}", f"{public.module}.{public.name}")
    }
    if not same and "." not in name:
        alike = [public for public in NAMES if public.name == name]
        near = {public.page for public in alike if module.startswith(public.room) and public.room not in _DOORS}
        near = near or {public.page for public in alike if public.room == module.split(".")[0]}
        # a word in small letters may well be a parameter: only what stands nearby is meant by it
        same = near or ({public.page for public in alike} if not name.islower() else set())
    return same.pop() if len(same) == 1 else None


SHORT_NAMES = {public.name: public.page for public in NAMES if isinstance(public.value, type)}
