"""The recordings of which the noise of a scene is made: which may be, and how they are read when they are needed.

Noise never leaks from one part of a split into another: babble and speech-shaped noise of a clip are made of clips of
its own part alone, and babble never of the clip itself nor of its speaker.
"""

from __future__ import annotations

import errno
import json
import pickle
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.acoustics import (
    NoiseError,
    Scene,
    Staged,
    active_rms,
    average_spectrum,
    babble,
    resample,
    set_scene,
    speech_shaped_noise,
)
from spikedata.acoustics.chance import draw_below
from spikedata.corpora.audio import AudioError, read_sound
from spikedata.corpora.clip import Clip, spelled_as
from spikedata.corpora.walk import find_audio

CACHE_BYTES = 2**28  # of recordings that are kept for the next clip

_N_OF_SPECTRUM = 64  # recordings of a part that its average spectrum is taken of
_MOST_DRAWS = 100  # in a row that cannot be used
_OF_THE_MACHINE = frozenset({errno.EMFILE, errno.ENFILE})  # every recording would have these
_Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pool:
    """The recordings of which noise may be made. Pickled, it is compressed, since it is sent with each block.

    Parameters
    ----------
    clips : tuple of Clip
        The recordings.
    parts : tuple of str
        Part of the split of each; a clip has noise of its own part alone.
    digests : tuple of (str, str)
        For each part, a digest of the names, speakers and sizes of its recordings.
    state : str
        A digest of the same with the times of their last change.
    """

    clips: tuple[Clip, ...]
    parts: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]
    state: str

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self._packed,)

    @cached_property
    def _packed(self) -> bytes:
        return zlib.compress(pickle.dumps((self.clips, self.parts, self.digests, self.state)))

    @cached_property
    def files(self) -> npt.NDArray[np.int64]:
        """Number of the file of each recording, of which several may be pieces."""
        paths = [clip.name if clip.recording is None else clip.recording.path for clip in self.clips]
        numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
        return np.array([numbers[path] for path in paths], np.int64)

    @cached_property
    def index_of(self) -> dict[str, int]:
        """The number of each recording by its clip id."""
        return {clip.name: index for index, clip in enumerate(self.clips)}

    @cached_property
    def members(self) -> dict[str, npt.NDArray[np.int64]]:
        """Numbers of the recordings of each part."""
        parts = np.array(self.parts, dtype=object)
        return {part: np.flatnonzero(parts == part) for part in dict.fromkeys(self.parts)}

    @cached_property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each recording, -1 if unknown."""
        return np.array([clip.speaker for clip in self.clips], np.int64)


def _unpacked(packed: bytes) -> Pool:
    return Pool(*pickle.loads(zlib.decompress(packed)))  # our own


def make_pool(clips: Sequence[Clip], parts: Sequence[str] | None = None) -> Pool:
    """A pool of recordings.

    Parameters
    ----------
    clips : sequence of Clip
        The recordings.
    parts : sequence of str, optional
        Part of a split of each. Default: they are not divided.
    """
    # sorted, since what is drawn is a number in this order
    listed = sorted(zip(clips, parts or [""] * len(clips), strict=True), key=lambda pair: pair[0].name)
    facts: dict[str, list[list[str | int]]] = {part: [] for _, part in listed}
    state = blake2b(digest_size=16)
    for clip, part in listed:
        try:
            status = clip.path.stat()
            size, modified = status.st_size, status.st_mtime_ns
        except OSError:
            size, modified = -1, 0
        facts[part].append([clip.name, clip.speaker, size])
        state.update(json.dumps([part, clip.name, clip.speaker, size, modified]).encode())
    digests = {part: blake2b(json.dumps(sorted(found)).encode(), digest_size=16) for part, found in facts.items()}
    named = tuple(sorted((part, digest.hexdigest()) for part, digest in digests.items()))
    return Pool(tuple(clip for clip, _ in listed), tuple(part for _, part in listed), named, state.hexdigest())


def pool_of_folder(folder: str) -> Pool:
    """All recordings below a folder, as noise for every clip.

    Parameters
    ----------
    folder : str
        Its path.

    Raises
    ------
    NoiseError
        If there is no such folder, or no recording in it.
    """
    root = Path(folder)
    try:
        found = find_audio(root)
    except FileNotFoundError:
        raise NoiseError(f"{folder}: no such folder; noise is white, speech_shaped, babble or a folder") from None
    except OSError as error:
        raise NoiseError(f"{folder}: noise must be in a folder: {error.strerror or error}") from None
    if not found.names:
        why = next((f": {name}: {reason}" for name, reason in found.unfit.items()), "")
        raise NoiseError(f"{folder}: no recording of noise in it{why}")
    return make_pool([Clip(root, name, 0, -1, spelled_as(name, found.places)) for name in found.names])


def pool_for(scene: Scene | None, clips: Sequence[Clip], parts: Sequence[str] | None = None) -> Pool | None:
    """The pool that the noise of a scene needs: some of the clips themselves, a folder, or None.

    Parameters
    ----------
    scene : Scene, optional
    clips : sequence of Clip
        All clips of the data, including those that are encoded elsewhere.
    parts : sequence of str, optional
        Part of a split of each.

    Raises
    ------
    NoiseError
        If the folder of the noise has no recording.
    """
    if scene is None or scene.noise in (None, "white"):
        return None
    return make_pool(clips, parts) if scene.noise_folder is None else pool_of_folder(scene.noise_folder)


def scene_text(scene: Scene, pool: Pool | None) -> str:
    """A scene as a file stores it: with the name of a folder instead of its path, and digests of the recordings.

    Parameters
    ----------
    scene : Scene
    pool : Pool or None
    """
    named = scene if scene.noise_folder is None else replace(scene, noise=Path(scene.noise_folder).resolve().name)
    recordings = {} if pool is None else {"recordings": dict(pool.digests)}
    return json.dumps(asdict(named) | recordings, sort_keys=True)


def scene_from(text: str) -> tuple[Scene, dict[str, str]]:
    """The scene that a file stores, and the digests of its recordings by part; the inverse of `scene_text`.

    Parameters
    ----------
    text : str

    Raises
    ------
    ValueError
        If it is no scene of this version.
    """
    content = json.loads(text)
    try:
        recordings = dict(content.pop("recordings", {}))
        ranges: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return Scene(**ranges), recordings
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"its scene is not valid in this version: {' '.join(str(error).split())}") from None


class ByteCache:
    """Keeps the values used last, up to some bytes; threads may share it.

    Parameters
    ----------
    most_bytes : int
        Largest number of bytes [1]; 0 keeps nothing.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.n_bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size_of: Callable[[Any], int]) -> Any:
        """The value of a key, made if it is not there. Two threads may both make it.

        Parameters
        ----------
        key : hashable
        make : callable
            Makes the value.
        size_of : callable
            Size of a value [byte]; a larger one than the cache holds is not kept.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        value = make()
        size = size_of(value)
        with self._lock:
            if key not in self._kept and size <= self.most_bytes:
                self._kept[key] = value, size
                self.n_bytes += size
                while self.n_bytes > self.most_bytes:
                    self.n_bytes -= self._kept.popitem(last=False)[1][1]
        return value


class Surroundings:
    """Puts clips into a scene; reads the recordings of its noise, and keeps those used last.

    What it makes of a clip depends on the clip, the scene, the pool, the seed and the epoch, not on what it has kept.

    Parameters
    ----------
    scene : Scene
    pool : Pool or None
        From `pool_for`.
    cache : ByteCache, optional
        Where recordings are kept. Default: one of 256 MB.
    """

    def __init__(self, scene: Scene, pool: Pool | None, cache: ByteCache | None = None) -> None:
        self._scene, self._pool = scene, pool
        self._cache = ByteCache(CACHE_BYTES) if cache is None else cache
        self._spectra: dict[str, npt.NDArray[np.float64]] = {}
        self._lock = Lock()

    def stage(
        self, waveform: npt.NDArray[np.float64], sample_rate: int, clip: Clip, *, seed: int, epoch: int = 0
    ) -> Staged:
        """A clip in the scene.

        Parameters
        ----------
        waveform : ndarray of float64, shape (n_samples,)
            Its sound [1].
        sample_rate : int
            [Hz]
        clip : Clip
        seed : int
            Seed of the data set.
        epoch : int
            Number of the epoch, from 0.

        Raises
        ------
        NoiseError
            If no noise can be made for it.
        ValueError
            If it is silent.
        """
        maker = None
        if self._pool is not None:
            pool, make = self._pool, self._maker()

            def maker(n_samples: int, rate: int, _: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
                return make(pool, clip, n_samples, rate, rng)

        return set_scene(waveform, sample_rate, self._scene, seed=seed, key=clip.name, epoch=epoch, noise=maker)

    def _maker(self) -> Callable[[Pool, Clip, int, int, np.random.Generator], npt.NDArray[np.float64]]:
        return {"babble": self._babble, "speech_shaped": self._speech_shaped}.get(str(self._scene.noise), self._piece)

    def _babble(
        self, pool: Pool, clip: Clip, n_samples: int, rate: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        others = self._others(pool, clip)
        talkers = []
        for _ in range(self._scene.n_talkers):
            said: list[_Sound] = []
            mine = others
            while sum(map(len, said)) < n_samples:
                index, sound = self._draw(pool, mine, rate, rng)
                if not said and pool.speakers[index] >= 0:  # the next things that this talker says
                    mine = others[pool.speakers[others] == pool.speakers[index]]
                said.append(sound)
            talkers.append(said)
        return babble(n_samples, rate, talkers, rng)

    def _others(self, pool: Pool, clip: Clip) -> npt.NDArray[np.int64]:
        """The recordings that may be babble for a clip: of its part, and by other speakers."""
        index = self._index_of(pool, clip)
        part = pool.parts[index]
        members = pool.members[part]
        if clip.speaker >= 0:
            is_other = pool.speakers[members] != clip.speaker
        else:
            is_other = pool.files[members] != pool.files[index]
        others: npt.NDArray[np.int64] = members[is_other]
        if not others.size:
            where = f"part {part!r}" if part else "the data"
            who = f"speaker {clip.speaker}" if clip.speaker >= 0 else "this recording"
            rule = f"babble must be of other speakers, and {where} has none but {who}"
            raise NoiseError(f"{clip.name}: {rule}; noise that is speech_shaped or of a folder needs none")
        return others

    def _index_of(self, pool: Pool, clip: Clip) -> int:
        try:
            return pool.index_of[clip.name]
        except KeyError:
            raise NoiseError(f"{clip.name}: is not among the recordings that its noise is made of") from None

    def _draw(
        self, pool: Pool, members: npt.NDArray[np.int64], rate: int, rng: np.random.Generator
    ) -> tuple[int, _Sound]:
        """One of some recordings, at a rate; those that cannot be used are passed over."""
        for _ in range(_MOST_DRAWS):
            index = int(members[draw_below(members.size, rng)])
            sound = self._read(pool, index, rate)
            if isinstance(sound, np.ndarray):
                return index, sound
        raise NoiseError(f"{_MOST_DRAWS} recordings drawn for noise cannot be used, the last since {sound}")

    def _read(self, pool: Pool, index: int, rate: int) -> _Sound | str:
        """A recording at a rate, or why it cannot be used."""
        return self._cache.get(  # type: ignore[no-any-return]
            (index, rate),
            lambda: _read_at(pool.clips[index], rate),
            lambda found: found.nbytes if isinstance(found, np.ndarray) else 100 + len(found),
        )

    def _speech_shaped(
        self, pool: Pool, clip: Clip, n_samples: int, rate: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        part = pool.parts[self._index_of(pool, clip)]
        with self._lock:
            if part not in self._spectra:
                self._spectra[part] = self._spectrum_of(pool, part)
        return speech_shaped_noise(n_samples, rate, self._spectra[part], rng)

    def _spectrum_of(self, pool: Pool, part: str) -> npt.NDArray[np.float64]:
        # By a digest of the name, so that the choice is as good as random, and the same for every shard and worker.
        members = sorted(pool.members[part].tolist(), key=lambda index: _shuffled(pool.clips[index].name))
        sounds: list[tuple[_Sound, int]] = []
        fault = ""
        for index in members:
            try:
                waveform, rate = read_sound(pool.clips[index].path)
                sound = pool.clips[index].cut(waveform).astype(np.float32)
            except (AudioError, FileNotFoundError) as error:
                if is_of_the_machine(error):
                    raise
                fault = str(error)
                continue
            if sound.size and active_rms(sound, rate):
                sounds.append((sound, rate))
            if len(sounds) == _N_OF_SPECTRUM:
                break
        if not sounds:
            raise NoiseError(f"noise has the spectrum of speech, and no recording can be used{fault and ': '}{fault}")
        return average_spectrum(sounds)

    def _piece(
        self, pool: Pool, clip: Clip, n_samples: int, rate: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        index = draw_below(len(pool.clips), rng)
        sound, path = self._read(pool, index, rate), pool.clips[index].path
        if isinstance(sound, str):
            raise NoiseError(sound)
        if sound.size < n_samples:
            if not self._scene.loop_noise:
                lengths = f"{sound.size / rate:.3g} s of noise, shorter than {clip.name} of {n_samples / rate:.3g} s"
                raise NoiseError(f"{path}: {lengths}; --loop-noise (loop_noise=True) repeats it")
            first = draw_below(sound.size, rng)
            repeated: npt.NDArray[np.float64] = np.resize(np.roll(sound, -first), n_samples).astype(np.float64)
            return repeated
        for _ in range(_MOST_DRAWS):
            first = draw_below(sound.size - n_samples + 1, rng)
            piece = sound[first : first + n_samples]
            if piece.min() < piece.max():
                return np.asarray(piece, np.float64)
        raise NoiseError(f"{path}: silent in {_MOST_DRAWS} places, so no noise for {clip.name} is found in it")


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error says nothing of the recording: too many open files, a missing library.

    Parameters
    ----------
    error : Exception
        Raised when a recording was read.
    """
    causes = (error, error.__cause__)
    return any(isinstance(cause, OSError) and cause.errno in _OF_THE_MACHINE for cause in causes) or (
        isinstance(error, ImportError)
    )


def _read_at(clip: Clip, rate: int) -> _Sound | str:
    try:
        waveform, own_rate = read_sound(clip.path)
    except (AudioError, FileNotFoundError) as error:
        if is_of_the_machine(error):  # another machine would read it, and make other noise of it
            raise
        return " ".join(str(error).split())
    waveform = clip.cut(waveform)
    if not waveform.size or not active_rms(waveform, own_rate):
        return f"{clip.path}: the noise is silent, all of its {waveform.size} samples are equal"
    sound = resample(waveform, own_rate, rate).astype(np.float32)
    return sound if active_rms(sound, rate) else f"{clip.path}: the noise is silent at {rate} Hz"


def _shuffled(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
