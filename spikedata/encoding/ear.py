"""The params of the cochlea from a preset, a TOML file and single values, or as a spike file says them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cochlea import CochleaParams
from spikedata.encoding.blocks import PRESETS
from spikedata.files.schema import Provenance
from spikedata.named_params import leaves, read_tables, switched, with_values

# Params that files made before them lack, with the values that leave out what they add.
NOT_YET: Mapping[str, Any] = {
    "output": "bushy_cells",
    "stimulus.high_pass": None,  # the first files kept what lies below hearing
    "stimulus.level_db_spl": None,
    "stimulus.full_scale_db_spl": None,
    "basilar_membrane.middle_ear": None,
    "basilar_membrane.velocity_scale": 1.0,
    "basilar_membrane.velocity_exponent": 0.0,
    "basilar_membrane.curvature_distance": 0.0,
    "compression": None,
    "auditory_nerve.tau_relative": 0.0,
}


def ear_params(
    preset: str | None = None,
    file: str | os.PathLike[str] | None = None,
    values: Mapping[str, Any] | None = None,
    *,
    channels: int | None = None,
    output: str | None = None,
) -> tuple[str, CochleaParams]:
    """The name of a preset, and its params with the values of a file, other channels and single values put in.

    Parameters
    ----------
    preset : {"default", "published", "human"}, optional
        The preset to start from; default: that of the file, or else "default".
    file : str or path-like, optional
        A TOML file with an optional line `preset = "published"` and a table for each stage, as
        `spikedata params --toml` writes it. Its values replace those of the preset.
    values : mapping of str to object, optional
        Values by dotted name, such as ``{"auditory_nerve.n_fibers": 4}``, as they are or as text; they replace all
        others.
    channels : int, optional
        Number of channels: preset and file are changed as by `CochleaParams.with_channels` [1].
    output : {"bushy_cells", "nerve"}, optional
        Whose spikes, before the channels are set.

    Returns
    -------
    preset : str
    params : CochleaParams

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError, TypeError
        If the file is not TOML, a preset or param is unknown, or a value or the number of channels is invalid.

    Examples
    --------
    >>> ear_params("published", values={"auditory_nerve.n_fibers": 4})[1].auditory_nerve.n_fibers
    4
    >>> ear_params(channels=350)[1].hair_cell.n_per_place
    10
    """
    content = _read_file(file) if file is not None else {}
    named = content.pop("preset", preset)
    preset = preset or named or "default"
    if named not in (None, preset):
        raise ValueError(f"{file}: has the preset {named!r}, but {preset!r} was requested")
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    params = PRESETS[preset]()
    try:
        params = with_values(params, read_tables(content), what="the cochlea")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from None
    values = dict(values or {})
    output = values.pop("output", output)  # with another output, other numbers of fibers belong to the channels
    if output is not None:
        params = with_values(params, {"output": output}, what="the cochlea")
    if channels is not None:
        params = params.with_channels(channels)
    return preset, with_values(params, values, what="the cochlea")


def _read_file(file: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: no such file") from None
    except ValueError as error:
        raise ValueError(f"{file}: cannot be read as TOML: {' '.join(str(error).split())}") from None


def params_of(made: Provenance) -> CochleaParams:
    """The params that a spike file was encoded with.

    What they have of several kinds (a membrane with compression or without, one model of hair cells or another) is told
    by their names. Params that were added to the cochlea since then are those that change nothing: see `NOT_YET`.

    Parameters
    ----------
    made : Provenance
        Of the file.

    Raises
    ------
    ValueError
        If it does not say them, or they are those of another version of the cochlea.
    """
    content = json.loads(made.params)
    if not isinstance(content, dict):
        raise ValueError("the params of the cochlea must be a JSON object")
    return params_from({name: value for name, value in content.items() if name != "preset"})


def params_from(content: Mapping[str, Any]) -> CochleaParams:
    """The params that are written in full as nested tables.

    Parameters
    ----------
    content : mapping
        As ``dataclasses.asdict`` gives it.

    Raises
    ------
    ValueError
        If one is missing, unknown or invalid.
    """
    values = read_tables(content)
    base = CochleaParams()
    known = {leaf.name for leaf in leaves(base, bases=switched(base, values))}
    values |= {name: value for name, value in NOT_YET.items() if name in known - values.keys()}
    missing = [leaf.name for leaf in leaves(base, bases=switched(base, values)) if leaf.name not in values]
    if missing:  # their values today need not be those of then
        raise ValueError(f"the cochlea's {', '.join(missing)} are not said")
    try:
        return with_values(base, values, what="the cochlea", as_stored=True)
    except TypeError as error:
        raise ValueError(str(error)) from None
