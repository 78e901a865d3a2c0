"""The params of the cochlea that an encoding is told: a preset, a file, and single values over both."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cochlea import CochleaParams
from spikedata.encoding.blocks import PRESETS
from spikedata.named_params import read_tables, with_values


def ear_params(
    preset: str | None = None, file: str | os.PathLike[str] | None = None, values: Mapping[str, Any] | None = None
) -> tuple[str, CochleaParams]:
    """The preset that is meant, and its params with those of a file and single ones in their places.

    Parameters
    ----------
    preset : {"default", "published"}, optional
        What to start from; default: what the file says, or "default".
    file : str or path-like, optional
        TOML: perhaps `preset = "published"`, and a table for each stage, as `spikedata params --toml` writes it.
    values : mapping of str to object, optional
        By dotted name, as ``{"auditory_nerve.n_fibers": 4}``; or as text, as a command line gives it.

    Returns
    -------
    preset : str
    params : CochleaParams

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError, TypeError
        If it is no TOML, there is no such preset or param, or a value does not fit.

    Examples
    --------
    >>> ear_params("published", values={"auditory_nerve.n_fibers": 4})[1].auditory_nerve.n_fibers
    4
    """
    content = _read_file(file) if file is not None else {}
    named = content.pop("preset", preset)
    preset = preset or named or "default"
    if named not in (None, preset):
        raise ValueError(f"{file}: is of the preset {named!r}, which is not the preset {preset!r}")
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
