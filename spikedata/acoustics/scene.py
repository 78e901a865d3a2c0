"""A scene: speed, room, noise and level of a sound, drawn for each clip in each epoch.

They are applied in the order in which they happen. First the *speed*, for it changes the speaker; then the *room*, in
which the speaker is heard; then the *noise*, at a ratio to the speech as the room has made it; last the *level*, at
which the whole arrives at the ear. Noise is thus not reverberated: it has a room of its own, or none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import draw_within, stream_of
from spikedata.acoustics.levels import LOUDEST, as_rate, as_sound, set_level
from spikedata.acoustics.noise import mix_noise, white_noise
from spikedata.acoustics.room import LONGEST, impulse_response, reverberate
from spikedata.acoustics.speed import FASTEST, SLOWEST, change_speed
from spikedata.checks import Bounds, Order, check_fields, whole_number

NOISES = ("white", "speech_shaped", "babble")  # and folders

_Range = float | tuple[float, float]

#: Makes noise: of n samples [1], at a rate [Hz], for a clip id, by the clip's own random numbers.
NoiseMaker = Callable[[int, int, str, np.random.Generator], npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How sounds are changed before they reach the ear; a pair of numbers is a range, drawn from uniformly.

    Parameters
    ----------
    noise : str or path-like, optional
        "white", "speech_shaped" (the long-term average spectrum of the recordings), "babble" (other recordings at
        once), or a folder of recordings of noise [1]. Default: none.
    snr : float or (float, float), optional
        Signal-to-noise ratio [dB]; goes with `noise`.
    n_talkers : int
        Of babble [1].
    loop_noise : bool
        Whether noise of a folder that is shorter than a clip is repeated [1]. Otherwise it is refused.
    level : float or (float, float), optional
        Level of the sound with its noise [dB SPL]; the sound is in pascal then. Default: as it is.
    speed : float or (float, float), optional
        Times the speed of the recording, with its pitch; rounded to a thousandth [1]. Default: as it is.
    room : float or (float, float), optional
        Reverberation time, T60 [s]. Default: no room.
    direct_to_reverberant : float or (float, float)
        Energy of the direct sound over that of the reverberation [dB].

    Raises
    ------
    ValueError
        If a number is out of its range, a range is reversed, or only one of `noise` and `snr` is given.

    Examples
    --------
    >>> Scene(noise="babble", snr=(0, 20), level=(45, 85), speed=(0.9, 1.1), room=(0.3, 0.6)).needs_recordings
    True
    >>> Scene(noise="white", snr=(20, 0))
    Traceback (most recent call last):
    ...
    ValueError: Scene.snr must be two ascending numbers >= -60 and <= 120, got (20, 0)
    """

    noise: str | None = None
    snr: Annotated[_Range, Bounds(at_least=-60, at_most=120), Order(rises=True)] | None = None
    n_talkers: Annotated[int, Bounds(at_least=1, at_most=100)] = 8
    loop_noise: bool = False
    level: Annotated[_Range, Bounds(above=0, at_most=LOUDEST), Order(rises=True)] | None = None
    speed: Annotated[_Range, Bounds(at_least=SLOWEST, at_most=FASTEST), Order(rises=True)] | None = None
    room: Annotated[_Range, Bounds(above=0, at_most=LONGEST), Order(rises=True)] | None = None
    direct_to_reverberant: Annotated[_Range, Bounds(at_least=-40, at_most=60), Order(rises=True)] = 5.0

    def __post_init__(self) -> None:
        if isinstance(self.noise, os.PathLike):
            object.__setattr__(self, "noise", os.fspath(self.noise))
        check_fields(self)
        for name in Drawn._fields:  # as floats, so that equal scenes are written alike
            given = getattr(self, name)
            if given is not None:
                floats = tuple(map(float, given)) if isinstance(given, tuple) else float(given)
                object.__setattr__(self, name, floats)
        if (self.noise is None) != (self.snr is None):
            given, lacks = ("noise", "snr") if self.snr is None else ("snr", "noise")
            raise ValueError(f"Scene.noise and Scene.snr go together, got {given} without {lacks}")
        if self.noise == "":
            raise ValueError(f"Scene.noise must be one of {', '.join(NOISES)} or a folder, got ''")

    @property
    def needs_recordings(self) -> bool:
        """Whether its noise is made of other recordings of the same data."""
        return self.noise in ("speech_shaped", "babble")

    @property
    def noise_folder(self) -> str | None:
        """The folder of its noise; None if it has none."""
        return None if self.noise is None or self.noise in NOISES else self.noise

    @property
    def changes_nothing(self) -> bool:
        """Whether every sound is left as it is."""
        return (self.noise, self.level, self.speed, self.room) == (None,) * 4


class Drawn(NamedTuple):
    """What was drawn for a clip.

    Parameters
    ----------
    snr : float
        Signal-to-noise ratio [dB]; infinity without noise.
    level : float
        [dB SPL]; 0 where it is left as it is.
    speed : float
        Times the speed of the recording [1].
    room : float
        Reverberation time [s]; 0 without a room.
    direct_to_reverberant : float
        [dB]; infinity without a room.
    """

    snr: float = np.inf
    level: float = 0.0
    speed: float = 1.0
    room: float = 0.0
    direct_to_reverberant: float = np.inf


class Staged(NamedTuple):
    """A sound in its scene.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        In pascal if the scene has a level, otherwise in the unit of the recording.
    drawn : Drawn
        What was drawn for it.
    """

    waveform: npt.NDArray[np.float64]
    drawn: Drawn


def draw_scene(scene: Scene, *, seed: int, key: str, epoch: int = 0) -> Drawn:
    """The numbers of a scene for one clip in one epoch.

    Parameters
    ----------
    scene : Scene
    seed : int
        Seed of the data set.
    key : str
        Clip id.
    epoch : int
        Number of the epoch, from 0.

    Examples
    --------
    >>> scene = Scene(level=(45, 85))
    >>> draw_scene(scene, seed=0, key="a.wav") == draw_scene(scene, seed=0, key="a.wav")
    True
    """
    values = {}
    for name in Drawn._fields:
        bounds = getattr(scene, name)
        if bounds is not None and not (name == "direct_to_reverberant" and scene.room is None):
            values[name] = draw_within(bounds, stream_of(seed, key, epoch, name))
    if "speed" in values:
        values["speed"] = round(1000 * values["speed"]) / 1000
    return Drawn(**values)


def set_scene(
    waveform: npt.ArrayLike,
    sample_rate: int,
    scene: Scene,
    *,
    seed: int,
    key: str,
    epoch: int = 0,
    noise: NoiseMaker | None = None,
) -> Staged:
    """A sound in a scene: its speed, room, noise and level.

    It depends on the sound, the scene, the seed, the clip id and the epoch alone, and on the recordings of which its
    noise is made.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    sample_rate : int
        [Hz]
    scene : Scene
    seed : int
        Seed of the data set.
    key : str
        Clip id.
    epoch : int
        Number of the epoch, from 0.
    noise : callable, optional
        Makes the noise of the scene from (n_samples, sample_rate, key, rng). White noise needs none.

    Returns
    -------
    Staged

    Raises
    ------
    ValueError
        If the sound is silent and the scene has noise or a level, or the scene needs a noise maker.
    NoiseError
        If the noise is silent or too short.

    Examples
    --------
    >>> tone = np.sin(np.arange(16_000) / 3)
    >>> staged = set_scene(tone, 16_000, Scene(noise="white", snr=(0, 20), level=65), seed=0, key="tone")
    >>> staged.waveform.shape, staged.drawn.level, 0 < staged.drawn.snr < 20
    ((16000,), 65.0, True)
    """
    sound, rate = as_sound("waveform", waveform), as_rate(sample_rate)
    drawn = draw_scene(scene, seed=seed, key=key, epoch=whole_number("epoch", epoch, at_least=0))
    if scene.speed is not None:
        sound = change_speed(sound, drawn.speed)
    if scene.room is not None:
        response = impulse_response(
            rate,
            reverberation_time=drawn.room,
            direct_to_reverberant=drawn.direct_to_reverberant,
            rng=stream_of(seed, key, epoch, "walls"),
        )
        sound = reverberate(sound, response)
    if scene.noise is not None:
        rng = stream_of(seed, key, epoch, "noise")
        if noise is not None:
            added = noise(sound.size, rate, key, rng)
        elif scene.noise == "white":
            added = white_noise(sound.size, rng)
        else:
            raise ValueError(f"noise: {scene.noise!r} is made of recordings, and none are given")
        sound = mix_noise(sound, added, rate, snr=drawn.snr, loop=scene.loop_noise)
    if scene.level is not None:
        sound = set_level(sound, rate, drawn.level)
    return Staged(sound, drawn)
