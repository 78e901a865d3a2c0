"""The params of the cochlea from a preset, a TOML file and single values, or as a spike file says them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cochlea import CochleaParams
from spikedata.encoding.blocks import PRESETS
from spikedata.files.schema import Provenance
from spikedata.named_params import leaves, read_tables, with_values


def ear_params(
    preset: str | None = None, file: str | os.PathLike[str] | None = None, values: Mapping[str, Any] | None = None
) -> tuple[str, CochleaParams]:
    """The name of a preset, and its params with the values of a file and single values replaced.

    Parameters
    ----------
    preset : {"default", "published"}, optional
        The preset to start from; default: that of the file, or else "default".
    file : str or path-like, optional
        A TOML file with an optional line `preset = "published"` and a table for each stage, as
        `spikedata params --toml` writes it. Its values replace those of the preset.
    values : mapping of str to object, optional
        Values by dotted name, such as ``{"auditory_nerve.n_fibers": 4}``, as they are or as text; they replace those of
        the file.

    Returns
    -------
    preset : str
    params : CochleaParams

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError, TypeError
        If the file is not TOML, a preset or param is unknown, or a value is invalid.

    Examples
    --------
    >>> ear_params("published", values={"auditory_nerve.n_fibers": 4})[1].auditory_nerve.n_fibers
    4
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
    return preset, with_values(params, values or {}, what="the cochlea")


def _read_file(file: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: no such file") from None
    except ValueError as error:
        raise ValueError(f"{file}: cannot be read as TOML: {' '.join(str(error).split())}") from None


def params_of(made: Provenance) -> CochleaParams:
    """The params that a spike file was encoded with.

    Parameters
    ----------
    made : Provenance
        Of the file.

    Raises
    ------
    ValueError
        If it does not say them, or they are those of another version of the cochlea.
    """
    content = json.loads(with_high_pass(made).params)
    if not isinstance(content, dict):
        raise ValueError("the params of the cochlea must be a JSON object")
    values = read_tables({name: value for name, value in content.items() if name != "preset"})
    missing = [leaf.name for leaf in leaves(CochleaParams()) if leaf.name not in values]
    if missing:  # their values today need not be those of then
        raise ValueError(f"the cochlea's {', '.join(missing)} are not said")
    try:
        return with_values(CochleaParams(), values, what="the cochlea")
    except TypeError as error:
        raise ValueError(str(error)) from None


def with_high_pass(made: Provenance) -> Provenance:
    """The provenance with the params that were not there when the file was made: what they turn on was off then."""
    params = json.loads(made.params)
    if not isinstance(params, dict) or not isinstance(params.get("stimulus"), dict):
        return made
    return replace(made, params=json.dumps(with_lacking(params), sort_keys=True))


def with_lacking(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a cochlea as JSON has them, with those that it lacks because it is older than they are."""
    filled = {**_LACKED, **params}
    for stage, values in _LACKED.items():
        if isinstance(values, dict) and isinstance(filled[stage], dict):
            filled[stage] = {**values, **filled[stage]}
    return filled


# What params that files may lack would have been set to: what they turn on was off.
_LACKED: dict[str, Any] = {
    "output": "bushy_cells",
    "stimulus": {"high_pass": None, "level_db_spl": None, "full_scale_db_spl": None},
    "basilar_membrane": {"middle_ear": None, "velocity_scale": 1.0},
    "compression": None,
}
