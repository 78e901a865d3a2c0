"""Sound before the cochlea: noise, level, speed and rooms, as pure functions of waveforms.

`Scene` says what is drawn for each clip and `set_scene` applies it; `mix_noise`, `set_level`, `change_speed` and
`reverberate` are its parts. `log_mel` gives the bands of a spectrum, a front end to compare an ear with. All random
numbers are those of a seed, a clip and an epoch (`chance`), and no scene depends on the processor. This room knows
neither files nor the cochlea: `spikedata.encoding.surroundings` reads the recordings of which noise is made.
"""

from spikedata.acoustics.chance import stream_of
from spikedata.acoustics.levels import active_rms, gain_of, level_of, set_level
from spikedata.acoustics.mel import LogMelParams, log_mel
from spikedata.acoustics.noise import (
    NoiseError,
    average_spectrum,
    babble,
    mix_noise,
    speech_shaped_noise,
    white_noise,
)
from spikedata.acoustics.room import impulse_response, reverberate
from spikedata.acoustics.scene import Drawn, Scene, Staged, draw_scene, set_scene
from spikedata.acoustics.speed import change_speed, resample

__all__ = [
    "Drawn",
    "LogMelParams",
    "NoiseError",
    "Scene",
    "Staged",
    "active_rms",
    "average_spectrum",
    "babble",
    "change_speed",
    "draw_scene",
    "gain_of",
    "impulse_response",
    "level_of",
    "log_mel",
    "mix_noise",
    "resample",
    "reverberate",
    "set_level",
    "set_scene",
    "speech_shaped_noise",
    "stream_of",
    "white_noise",
]
