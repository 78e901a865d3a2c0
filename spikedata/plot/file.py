"""The pictures that the command line asks for by name: of a spike file, of a recording, of several side by side."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.encoding.ear import ear_params
from spikedata.encoding.hear import hear, stored_frequencies, unit_frequencies
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import task_of, unit_name_of
from spikedata.plot.clip import plot_cochleagram, plot_raster, plot_recording
from spikedata.plot.dataset import plot_classes, plot_means, plot_rates, plot_speakers
from spikedata.plot.figure import Picture, new_figure
from spikedata.plot.lettering import LONGEST_ID, shortened
from spikedata.plot.timing import plot_intervals, plot_psth
from spikedata.printable import number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cochlea import CochleaParams

_OF_A_CLIP = {"raster": plot_raster, "cochleagram": plot_cochleagram}
_OF_CLIPS: dict[str, Callable[..., Picture]] = {"psth": plot_psth, "intervals": plot_intervals}
_WITH_CHANNELS: dict[str, Callable[..., Picture]] = {"rates": plot_rates, "classes": plot_classes, "means": plot_means}
_OF_A_FILE: dict[str, Callable[..., Picture]] = {**_OF_CLIPS, **_WITH_CHANNELS, "speakers": plot_speakers}
KINDS_OF_A_SOUND = ("sound", *_OF_A_CLIP, *_OF_CLIPS)
KINDS_OF_A_FILE = (*_OF_A_CLIP, *_OF_A_FILE)
KINDS = tuple(dict.fromkeys((*KINDS_OF_A_SOUND, *KINDS_OF_A_FILE)))
MOST_COLUMNS = 6
_SPIKE_FILES = (".h5", ".hdf5", ".hdf", ".he5")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def plot_file(
    path: str | os.PathLike[str],
    *,
    kind: str = "raster",
    clip: int | str | None = None,
    class_name: str | None = None,
    params: CochleaParams | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
    ax: Axes | None = None,
) -> Picture:
    """Draw one clip of a spike file, or the whole of it.

    Parameters
    ----------
    path : str or path-like
        The spike file.
    kind : str
        "raster" or "cochleagram" (rate by channel and time) of one clip; "psth" (rate after the onset), "intervals"
        (between the spikes of a channel), "rates", "classes", "means" (the mean clip of each class) or "speakers" of
        the whole file.
    clip : int or str, optional
        Which clip: its number, counted from 0, or its clip id. Default: all clips, or for pictures of one the first.
    class_name : str, optional
        Only clips of this class.
    params : CochleaParams, optional
        What to take the frequencies of the channels from. Default: the provenance of the file; without any, there is no
        scale of frequencies.
    time_unit, n_units
        As `spikedata.SpikeFile` takes them.
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If there is no such kind, clip or class, or the params are of another number of units.
    FileNotFoundError, FormatError
        If there is no such file, or it breaks a rule of the format.
    """
    if kind not in KINDS_OF_A_FILE:
        raise ValueError(f"kind must be one of {', '.join(KINDS_OF_A_FILE)} for a spike file, got {kind!r}")
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        if params is not None and params.n_units != file.n_units:
            raise ValueError(f"{path}: has {file.n_units} units, the params given have {params.n_units}")
        frequencies = stored_frequencies(file.provenance) if params is None else unit_frequencies(params)
        if frequencies is not None and len(frequencies) != file.n_units:
            frequencies = None  # as where channels were merged or selected before they were stored
        class_name = class_name if class_name is None else unicodedata.normalize("NFC", class_name)
        label = None if class_name is None else _label(path, file, class_name)
        made_by = _preset_of(file)
        if kind in _OF_A_CLIP or clip is not None:
            number = _number(path, file, clip, label)
            events = file.read_events(number, number + 1)
            title = _title_of_clip(events, number, Path(path).name, made_by)
        else:
            events = file.read_events()
            events = events if label is None else events.select(events.labels == label)
            title = _title_of_file(events, Path(path).name, class_name, made_by)
        unit_name = unit_name_of(file.provenance)
    return _draw(kind, events, frequencies, title, unit_name, ax)


def plot_sound(
    path: str | os.PathLike[str],
    *,
    kind: str = "sound",
    preset: str | None = None,
    params: CochleaParams | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Picture:
    """Encode a recording and draw it.

    Parameters
    ----------
    path : str or path-like
        The recording, in any format that can be encoded.
    kind : str
        "sound" (waveform, firing rate and spikes), or of its spikes alone "raster", "cochleagram", "psth" or
        "intervals".
    preset : {"default", "published", "human"}, optional
        Params of the cochlea, or with ``params`` what to call them.
    params : CochleaParams, optional
        Params to use instead of the preset's.
    seed : int
        Seed of the encoding.
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If there is no such kind or preset.
    FileNotFoundError, AudioError
        If the recording is not there or cannot be used.
    """
    if kind not in KINDS_OF_A_SOUND:
        raise ValueError(f"kind must be one of {', '.join(KINDS_OF_A_SOUND)} for a recording, got {kind!r}")
    if params is None:
        preset, params = ear_params(preset)
    heard = hear(path, params, seed=seed)
    unit_name = "fiber" if params.output == "nerve" else "channel"
    frequencies = unit_frequencies(params)
    title = f"{shortened(Path(path).name, LONGEST_ID)}\npreset {preset or 'own'}"
    if kind != "sound":
        return _draw(kind, Events.from_samples([heard.sample], keys=[""]), frequencies, title, unit_name, ax)
    times, units = heard.sample.times, heard.sample.units
    options: Any = {"n_units": params.n_units, "frequencies": frequencies, "title": title, "ax": ax}
    options["unit_name"] = unit_name
    return plot_recording(heard.waveform, heard.sample_rate, times, units, **options)


class Column(NamedTuple):
    """One of the pictures that stand side by side.

    Parameters
    ----------
    path : str or path-like
        A spike file or a recording.
    preset : str or None
        Of a recording, the preset with which it is encoded; of a spike file, what its channels' frequencies are taken
        from.
    """

    path: str | os.PathLike[str]
    preset: str | None = None


def plot_side_by_side(
    columns: Sequence[Column | str | os.PathLike[str]],
    *,
    kind: str | None = None,
    clip: int | str | None = None,
    class_name: str | None = None,
    seed: int = 0,
    ear: Mapping[str, Any] | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> Figure:
    """Draw spike files and recordings, such as one recording with two presets, beside each other.

    Parameters
    ----------
    columns : sequence of Column, str or path-like
        What to draw; one alone is drawn as `plot_file` or `plot_sound` draws it.
    kind : str, optional
        Of all columns. Default: "raster"; of one recording alone "sound".
    clip, class_name
        As `plot_file`, of the spike files.
    seed : int
        Of the encoding of recordings.
    ear : mapping, optional
        Changes of the presets: file, values, channels and output, as `spikedata.encoding.ear.ear_params` takes them.
    time_unit, n_units
        As `plot_file`, of the spike files.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no columns or too many to be read, what is for spike files is given for recordings alone, or as
        `plot_file` and `plot_sound`.
    FileNotFoundError, FormatError, AudioError
        As `plot_file` and `plot_sound`.
    """
    chosen = [column if isinstance(column, Column) else Column(column) for column in columns]
    if not 1 <= len(chosen) <= MOST_COLUMNS:
        raise ValueError(f"a picture has 1 to {MOST_COLUMNS} columns, got {len(chosen)}")
    sounds = [not is_spike_file(column.path) for column in chosen]
    if kind is None:
        kind = "sound" if all(sounds) and len(chosen) == 1 else "raster"
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")

    of_files = {"clip": clip, "class_name": class_name, "time_unit": time_unit, "n_units": n_units}
    given = next((name for name, value in of_files.items() if value is not None), None)
    if all(sounds) and given is not None:
        raise ValueError(f"{chosen[0].path}: is a recording, so leave out {given}, which is for spike files")

    changes = dict(ear or {})

    def draw(column: Column, is_sound: bool, ax: Axes | None) -> Any:
        preset, params = column.preset, None
        if is_sound or preset is not None or any(changes.values()):
            preset, params = ear_params(preset, **changes)
            preset = _with_changes(preset, params, changes)
        if is_sound:
            return plot_sound(column.path, kind=kind, preset=preset, params=params, seed=seed, ax=ax)
        reading: Any = {"time_unit": time_unit, "n_units": n_units}
        return plot_file(column.path, kind=kind, clip=clip, class_name=class_name, params=params, ax=ax, **reading)

    if len(chosen) == 1:
        alone: Figure = draw(chosen[0], sounds[0], None)
        return alone
    width, height = (6.4, 7.0) if kind in ("sound", *_WITH_CHANNELS, "speakers") else (5.6, 4.2)
    figure = new_figure(width * len(chosen), height)
    grid = figure.add_gridspec(1, len(chosen), wspace=0.04)
    for number, column in enumerate(chosen):
        draw(column, sounds[number], figure.add_subplot(grid[number]))
    return figure


def is_spike_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of an HDF5 file, by its first bytes or, if there are none, by its name.

    Parameters
    ----------
    path : str or path-like
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_HDF5)) == _HDF5:
                return True
    except OSError:
        pass
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return any(suffix in _SPIKE_FILES for suffix in suffixes[-2:])  # .h5.gz is told apart where it is opened


def _with_changes(preset: str, params: CochleaParams, changes: Mapping[str, Any]) -> str:
    """The name of a preset with what was changed of it."""
    words = [Path(changes["file"]).name] if changes.get("file") else []
    words += [f"{params.n_channels:,} channels"] if changes.get("channels") else []
    words += [f"{name}={value}" for name, value in (changes.get("values") or {}).items()]
    words += [f"output {changes['output']}"] if changes.get("output") else []
    return f"{preset} with {', '.join(words)}" if words else preset


def _draw(
    kind: str,
    events: Events,
    frequencies: npt.NDArray[np.float64] | None,
    title: str,
    unit_name: str,
    ax: Axes | None,
) -> Picture:
    if kind in _OF_A_CLIP:
        clip = events[0]
        options: Any = {"n_units": events.n_units, "frequencies": frequencies, "duration": clip.duration}
        return _OF_A_CLIP[kind](clip.times, clip.units, **options, title=title, unit_name=unit_name, ax=ax)
    more: dict[str, Any] = {"frequencies": frequencies} if kind in _WITH_CHANNELS else {}
    more |= {} if kind == "speakers" else {"unit_name": unit_name}
    return _OF_A_FILE[kind](events, **more, title=title, ax=ax)


def _number(path: str | os.PathLike[str], file: SpikeFile, clip: int | str | None, label: int | None) -> int:
    """The number of the clip that is asked for."""
    if isinstance(clip, str) and clip in file.sources:
        return file.sources.index(clip)
    if isinstance(clip, str) and not clip.isdecimal():
        near = difflib.get_close_matches(clip, file.sources, n=3, cutoff=0.5)
        way_on = f"nearest: {', '.join(near)}" if near else f"there are {len(file)}, counted from 0"
        raise ValueError(f"{path}: no clip {clip!r}; {way_on}")
    of_class = np.arange(len(file)) if label is None else np.flatnonzero(file.labels == label)
    number = (int(of_class[0]) if of_class.size else 0) if clip is None else int(clip)
    if not 0 <= number < len(file):
        raise ValueError(f"{path}: no clip {number}, there are {len(file)}, counted from 0")
    return number


def _label(path: str | os.PathLike[str], file: SpikeFile, class_name: str) -> int:
    if class_name not in file.keys:
        near = difflib.get_close_matches(class_name, file.keys, n=5, cutoff=0.0)
        raise ValueError(f"{path}: no class {class_name!r}; nearest: {', '.join(near)}")
    return file.keys.index(class_name)


def _preset_of(file: SpikeFile) -> str:
    """The preset that a file says it was made with; empty where it says nothing."""
    import json

    if task_of(file.provenance):
        return ""
    params = json.loads(file.provenance.params) if file.provenance is not None else None
    return "" if params is None else str(params.get("preset", "own")) if isinstance(params, dict) else "own"


def _title_of_clip(events: Events, number: int, name: str, preset: str) -> str:
    speaker, source = int(events.speakers[0]), events.sources[0]
    about = [
        f"“{shortened(events.keys[events.labels[0]])}”",
        "speaker unknown" if speaker < 0 else f"speaker {speaker}",
        *([f"preset {preset}"] if preset else []),
    ]
    where = [shortened(source, LONGEST_ID)] if source else []
    return f"{', '.join(about)}\n{', '.join([*where, f'clip {number} of {shortened(name)}'])}"


def _title_of_file(events: Events, name: str, class_name: str | None, preset: str) -> str:
    n_speakers = np.unique(events.speakers[events.speakers >= 0]).size
    about = [number_of(len(events), "clip"), number_of(n_speakers, "speaker") if n_speakers else "speakers unknown"]
    about += [f"preset {preset}"] if preset else []
    about = about if class_name is None else [f"“{shortened(class_name)}”", *about]
    return f"{shortened(name, LONGEST_ID)}\n{', '.join(about)}"
