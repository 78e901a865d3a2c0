"""The cochlea that hears sounds at the levels of a scene."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from cochlea import CochleaParams
from spikedata.acoustics import Scene
from spikedata.acoustics.levels import REFERENCE_PRESSURE, decibels_of

PASCAL = decibels_of(1 / REFERENCE_PRESSURE)  # [dB SPL] of a root mean square of 1 Pa, 93.98
_LEAST_DIFFERENCE = 0.05  # [dB] between two calibrations

_Params = TypeVar("_Params", CochleaParams, CochleaParams | None)


def ear_for(scene: Scene | None, params: _Params) -> tuple[_Params, tuple[str, ...]]:
    """The params with which the levels of a scene are heard, and notes on what was changed in them.

    A scene with a level gives sounds in pascal. An ear that brings every sound to one level in dB SPL, as the preset
    "human" does, takes them at their own instead.

    Parameters
    ----------
    scene : Scene or None
    params : CochleaParams or None

    Returns
    -------
    params : CochleaParams or None
        Unchanged if the scene has no level.
    notes : tuple of str

    Raises
    ------
    ValueError
        If the params bring every sound to one relative level, or take it for another unit than pascal.
    """
    if scene is None or scene.level is None or params is None:
        return params, ()
    stimulus = params.stimulus
    level, calibration = (getattr(stimulus, name, None) for name in ("level_db_spl", "full_scale_db_spl"))
    said = _in_words(scene.level)
    if calibration is not None:
        if abs(calibration - PASCAL) > _LEAST_DIFFERENCE:
            rule = f"a scene with a level of {said} gives sounds in pascal, so full_scale_db_spl must be {PASCAL:.2f}"
            raise ValueError(f"{rule} or left out, got {calibration!r}")
        return params, ()
    if level is None:
        way = "use the preset human (--preset human), or set stimulus.level=none and"
        raise ValueError(
            f"a level of {said} is not heard: the cochlea brings every sound to stimulus.level={stimulus.level!r}; "
            f"{way} stimulus.full_scale_db_spl={PASCAL:.2f}"
        )
    own: dict[str, Any] = {"level_db_spl": None, "full_scale_db_spl": PASCAL}
    at_own_level = replace(stimulus, **own)
    note = f"level: {said}, each sound at its own, in place of the cochlea's stimulus.level_db_spl={level!r}"
    return replace(params, stimulus=at_own_level), (note,)


def _in_words(level: float | tuple[float, float]) -> str:
    return f"{level[0]:g} to {level[1]:g} dB SPL" if isinstance(level, tuple) else f"{level:g} dB SPL"
