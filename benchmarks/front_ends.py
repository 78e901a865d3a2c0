"""What other auditory front ends cost beside ours, on the same second of sound and one thread.

    python benchmarks/front_ends.py [--python PATH] [--clip FILE] [--repeats N] [--only NAME,...] [--json]

Ours runs in this Python, the others in that of `--python`; front_ends.txt says how to make it. Each has a process.
Imports and what a user sets up once are not timed; the first call stands apart, the median of the others counts. CPU
time is that of the process and its children; memory is the most that the process held, above what the set-up left.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

if TYPE_CHECKING:  # the measured Python may have nothing installed, and shall still say so
    import numpy as np

N_CHANNELS = 700  # of the front ends that leave the choice
LOWEST, HIGHEST = 100.0, 20_000.0  # characteristic frequencies of those [Hz]
ONE_CALL_ABOVE = 10.0  # CPU seconds of the first call above which there is no other
TIME_LIMIT = 900.0  # [s] for one front end, imports included
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

Output = tuple[int, int | None]  # channels, and spikes where spikes come out
Encode = Callable[[], Output]
Prepare = Callable[["np.ndarray", int], Encode]  # takes the waveform and its rate [Hz], returns the call to time


@dataclass(frozen=True)
class FrontEnd:
    """A front end, the package that it comes in, what comes out of it and what it can take."""

    prepare: Prepare
    distribution: str
    gives: str
    sample_rate: int | None = None  # [Hz], where it takes one only
    longest: float = math.inf  # [s] of the sound that it gets


FRONT_ENDS: dict[str, FrontEnd] = {}
OURS = ("default", "published", "human")
COLUMNS = dict.fromkeys(("front_end", "version", "gives", "channels"), "") | {  # of the table, with their formats
    **{"spikes_per_s": ",.0f", "cpu_s_per_s": ".3g", "wall_s_per_s": ".3g", "cpu_to_default": ",.2f"},
    **{"memory_mb": ".0f", "first_call_cpu_s": ".2g", "note": ""},
}


def front_end(distribution: str, gives: str, **limits: Any) -> Callable[[Prepare], Prepare]:
    def register(prepare: Prepare) -> Prepare:
        FRONT_ENDS[prepare.__name__] = FrontEnd(prepare, distribution, gives, **limits)
        return prepare

    return register


@front_end("spikedata-audio", "spikes: 3,500 hair cells x 8 fibers, bushy cells")
def default(waveform: np.ndarray, sample_rate: int) -> Encode:
    from cochlea import CochleaParams, encode

    return lambda: (CochleaParams().n_channels, encode(waveform, sample_rate).times.size)


@front_end("spikedata-audio", "spikes: 700 hair cells x 40 fibers, bushy cells")
def published(waveform: np.ndarray, sample_rate: int) -> Encode:
    from cochlea import CochleaParams, encode

    params = CochleaParams.published()
    return lambda: (params.n_channels, encode(waveform, sample_rate, params).times.size)


@front_end("spikedata-audio", "spikes: 3,500 hair cells x 8 fibers of three classes, bushy cells")
def human(waveform: np.ndarray, sample_rate: int) -> Encode:
    from cochlea import CochleaParams, encode

    params = CochleaParams.human()
    return lambda: (params.n_channels, encode(waveform, sample_rate, params).times.size)


@front_end("lauscher", "spikes: 700 hair cells x 40 fibers, bushy cells", longest=0.1)
def lauscher(waveform: np.ndarray, sample_rate: int) -> Encode:
    from lauscher.audiowaves import MonoAudioWave
    from lauscher.helpers import CommandLineArguments
    from lauscher.transformations.wave2spike import Wave2Spike

    CommandLineArguments().num_concurrent_jobs = 1
    wave = MonoAudioWave(waveform, sample_rate)
    return lambda: (N_CHANNELS, len(wave.transform(Wave2Spike(N_CHANNELS)).spike_times))


@front_end("cochlea", "spikes: 700 hair cells x 40 fibers (Zilany 2014)", sample_rate=100_000, longest=0.5)
def zilany(waveform: np.ndarray, sample_rate: int) -> Encode:
    import numpy as np

    np.fft.fftpack = SimpleNamespace(_fft_cache=None)  # a cache that it empties; NumPy dropped it in 1.17
    from cochlea import run_zilany2014

    pressure = 0.02 * waveform / np.sqrt(np.mean(waveform**2))  # [Pa]: 60 dB SPL
    nerve = {"anf_num": (24, 8, 8), "cf": (125, HIGHEST, N_CHANNELS), "species": "human"}  # its lowest is 125 Hz

    def encode() -> Output:
        trains = run_zilany2014(pressure, sample_rate, **nerve, seed=0)
        return trains["cf"].nunique(), sum(map(len, trains["spikes"]))

    return encode


@front_end("brian2hears", "gammatone filters")
def brian2hears(waveform: np.ndarray, sample_rate: int) -> Encode:
    from brian2 import Hz
    from brian2hears import Gammatone, Sound, erbspace

    centers = erbspace(LOWEST * Hz, HIGHEST * Hz, N_CHANNELS)
    return lambda: (Gammatone(Sound(waveform, samplerate=sample_rate * Hz), centers).process().shape[1], None)


@front_end("gammatone", "gammatone filters")
def gammatone(waveform: np.ndarray, sample_rate: int) -> Encode:
    from gammatone.filters import centre_freqs, erb_filterbank, make_erb_filters

    filters = make_erb_filters(sample_rate, centre_freqs(sample_rate, N_CHANNELS, LOWEST))
    return lambda: (len(erb_filterbank(waveform, filters)), None)


@front_end("lyon", "rates (Lyon's passive ear)")
def lyon(waveform: np.ndarray, sample_rate: int) -> Encode:
    from lyon.calc import LyonCalc

    return lambda: (LyonCalc().lyon_passive_ear(waveform, sample_rate).shape[1], None)


@front_end("tonic", "Butterworth filters on the mel scale, rectified")
def tonic(waveform: np.ndarray, sample_rate: int) -> Encode:
    from tonic.audio_transforms import MelButterFilterBank

    bank = MelButterFilterBank(2, low_freq=LOWEST, sampling_freq=sample_rate, num_filters=N_CHANNELS, rectify=True)
    return lambda: (len(bank(waveform[None])), None)


@front_end("rockpool", "spike counts in 1 ms steps (simulated Xylo chip)", sample_rate=48_828)
def rockpool(waveform: np.ndarray, sample_rate: int) -> Encode:
    for name in ("samna", "samna.xyloAudio3", "samna.xyloAudio3.configuration"):
        sys.modules.setdefault(name, MagicMock())  # the chip's driver: always imported, not used by the simulation
    from rockpool.devices.xylo.syns65302 import AFESimExternal

    simulation = AFESimExternal()
    quantized = (waveform / abs(waveform).max() * (2**13 - 1)).round().astype("int64")  # it takes 14 bits
    return lambda: tally(simulation(quantized)[0], channel_axis=1)


@front_end("speech2spikes", "spikes in 5 ms frames: changes of mel power", sample_rate=16_000)
def speech2spikes(waveform: np.ndarray, sample_rate: int) -> Encode:
    import torch

    import_torchaudio()
    from speech2spikes import S2S

    convert, batch = S2S(), [(torch.from_numpy(waveform.astype("float32"))[None], torch.tensor(0))]
    return lambda: tally(convert(batch)[0], channel_axis=-2)


@front_end("librosa", "mel power in 11 ms frames")
def librosa(waveform: np.ndarray, sample_rate: int) -> Encode:
    from librosa.feature import melspectrogram

    return lambda: (len(melspectrogram(y=waveform.astype("float32"), sr=sample_rate)), None)


def tally(spikes: Any, channel_axis: int) -> Output:
    return spikes.shape[channel_axis], int(abs(spikes).sum())


def import_torchaudio() -> Any:
    """torchaudio, without its compiled part where that needs a CUDA build of PyTorch: mels are plain PyTorch."""
    try:
        import torchaudio
    except OSError:
        extension = ModuleType("torchaudio._extension")
        vars(extension).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=lambda function: function)
        sys.modules["torchaudio._extension"] = extension
        import torchaudio
    return torchaudio


def measure(front: FrontEnd, sound: str, sample_rate: int, repeats: int) -> dict:
    """What a front end costs, measured in this process."""
    try:
        version = metadata.version(front.distribution)
    except metadata.PackageNotFoundError:
        return {"status": "not installed"}
    import numpy as np

    waveform = np.load(sound)
    encode, duration = front.prepare(waveform, sample_rate), len(waveform) / sample_rate
    before = peak_memory(forget=True)
    (n_channels, n_spikes), *first = timed(encode)
    later = [timed(encode)[1:] for _ in range(repeats if first[0] < ONE_CALL_ABOVE else 0)]
    cpu, wall = (statistics.median(seconds) / duration for seconds in zip(*(later or [first]), strict=True))
    return {
        "status": "measured",
        "version": version,
        "channels": n_channels,
        "spikes_per_s": None if n_spikes is None else n_spikes / duration,
        "cpu_s_per_s": cpu,
        "wall_s_per_s": wall,
        "first_call_cpu_s": first[0],
        "later_calls": len(later),
        "memory_mb": peak_memory() - before,
        "sound_s": duration,
    }


def timed(encode: Encode) -> tuple[Output, float, float]:
    cpu, wall = cpu_time(), time.perf_counter()
    return encode(), cpu_time() - cpu, time.perf_counter() - wall


def cpu_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_memory(forget: bool = False) -> float:
    """The most memory held since the start [MB]; on Linux, since it was last told to forget."""
    if not Path("/proc/self/clear_refs").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if forget:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def measure_apart(name: str, python: str, waveform: np.ndarray, sample_rate: int, repeats: int) -> dict:
    """`measure`, in a fresh process of that Python; the status says how it went."""
    import numpy as np

    from cochlea import resample

    front = FRONT_ENDS[name]
    rate = front.sample_rate or sample_rate
    part = waveform[: math.ceil(min(front.longest * sample_rate, len(waveform)))]
    with tempfile.TemporaryDirectory() as folder:
        sound, result = Path(folder, "sound.npy"), Path(folder, "result.json")
        np.save(sound, resample(part, sample_rate, rate))
        command = [python, __file__, "--measure", name, str(sound), str(rate), str(repeats), str(result)]
        try:
            done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, timeout=TIME_LIMIT)
            failed = {"status": f"failed: exit status {done.returncode}"}
            measured = json.loads(result.read_text(encoding="utf-8")) if result.exists() else failed
        except (OSError, subprocess.TimeoutExpired) as error:
            measured = {"status": f"failed: {error}"}
    notes = [f"at {rate} Hz"] * (rate != sample_rate) + [f"first {front.longest} s"] * (len(part) < len(waveform))
    notes += ["one call"] * (measured.get("later_calls") == 0)
    note = ", ".join(notes) if measured["status"] == "measured" else measured["status"].replace("|", "/")
    return {"front_end": name, "gives": front.gives, "sample_rate_hz": rate, "note": note} | measured


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:  # in the process that `measure_apart` started
        name, sound, sample_rate, repeats, outcome = sys.argv[2:]
        try:
            measured = measure(FRONT_ENDS[name], sound, int(sample_rate), int(repeats))
        except Exception as error:
            measured = {"status": f"failed: {type(error).__name__}: {error}".splitlines()[0]}
        Path(outcome).write_text(json.dumps(measured), encoding="utf-8")
        return
    from encode import PUBLISHED_CONVERTER, SAMPLE_RATE, read_clip, speech_like, table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the Python that has the others")
    parser.add_argument("--clip", metavar="FILE", help="a recording, one channel (default: a speech-like second)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="calls after the first")
    parser.add_argument("--only", metavar="NAME,...", default=",".join(FRONT_ENDS), help="some of: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - set(FRONT_ENDS):
        parser.error(f"no front end {', '.join(sorted(unknown))}; there are {', '.join(FRONT_ENDS)}")
    waveform, rate = read_clip(arguments.clip) if arguments.clip else (speech_like(), SAMPLE_RATE)
    pythons = {name: sys.executable if name in OURS else arguments.python for name in names}
    results = [measure_apart(name, pythons[name], waveform, rate, arguments.repeats) for name in names]
    ours = next((result.get("cpu_s_per_s") for result in results if result["front_end"] == "default"), None)
    for result in results:
        result["cpu_to_default"] = result["cpu_s_per_s"] / ours if ours and "cpu_s_per_s" in result else None
    if arguments.json:
        print(json.dumps({"sound_s": len(waveform) / rate, "sample_rate_hz": rate, "front_ends": results}, indent=2))
        return
    rows = [["-" if result.get(c) is None else format(result[c], f) for c, f in COLUMNS.items()] for result in results]
    print(table([column.replace("_", " ") for column in COLUMNS], rows))
    print(f"\nlauscher on the whole of a 0.795 s recording, measured before: {PUBLISHED_CONVERTER:.0f} CPU s per s.")


if __name__ == "__main__":
    main()
