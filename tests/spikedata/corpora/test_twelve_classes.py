"""The twelve-class task of Speech Commands."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.cli import main
from spikedata.corpora import list_clips
from spikedata.corpora.audio import read_audio
from spikedata.corpora.twelve import TWELVE_CLASSES
from spikedata.files.reader import SpikeFile
from spikedata.splits import make_split

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
RATE = 8_000  # [Hz]


def make_corpus(root: Path, *, n_speakers: int = 6, noise: np.ndarray | None = None, lists: bool = True) -> Path:
    """Ten commands and two other words by some speakers: the first validates, the second tests."""
    rng = np.random.default_rng(0)
    for word in (*COMMANDS, "bird", "cat"):
        (root / word).mkdir(parents=True)
        for speaker in range(n_speakers):
            soundfile.write(root / word / f"{speaker:08x}_nohash_0.wav", rng.normal(0, 0.1, 200), RATE)
    if lists:
        for speaker, name in enumerate(("validation_list.txt", "testing_list.txt")):
            lines = [f"{word}/{speaker:08x}_nohash_0.wav" for word in (*COMMANDS, "bird", "cat")]
            (root / name).write_text("\n".join(lines))
    if noise is not None:
        (root / "_background_noise_").mkdir()
        soundfile.write(root / "_background_noise_" / "hum.wav", noise, RATE)
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * RATE)
    return make_corpus(tmp_path_factory.mktemp("commands"), noise=noise)


def test_each_part_has_a_tenth_as_many_unknown_words_and_silences_as_commands(corpus: Path) -> None:
    listing = list_clips("speech_commands_12", corpus)
    assert listing.keys == TWELVE_CLASSES == ("_silence_", "_unknown_", *sorted(COMMANDS))
    key_of = {clip.name: listing.keys[clip.label] for clip in listing.clips}
    assert listing.parts is not None
    assert sum(map(len, listing.parts.values())) == len(listing.clips)
    for part, n_commands, n_more in (("train", 40, 4), ("validation", 10, 1), ("test", 10, 1)):
        counts = Counter(key_of[name] for name in listing.parts[part])
        assert (counts.pop("_unknown_"), counts.pop("_silence_")) == (n_more, n_more)
        assert counts == dict.fromkeys(COMMANDS, n_commands // 10)
    assert make_split(listing, "listed").kind == "listed"


def test_words_keep_ids_and_speakers_of_the_corpus(corpus: Path) -> None:
    whole = {clip.name: clip.speaker for clip in list_clips("speech_commands", corpus).clips}
    for clip in list_clips("speech_commands_12", corpus).clips:
        assert clip.speaker == whole.get(clip.name, -1)
        assert (clip.name in whole) == (clip.recording is None)
        assert clip.path.is_file()


def test_no_stretch_of_noise_is_in_two_parts(corpus: Path) -> None:
    listing = list_clips("speech_commands_12", corpus)
    assert listing.parts is not None
    piece_of = {clip.name: clip.recording for clip in listing.clips}
    ends = {}
    for part, names in listing.parts.items():
        spans = [piece[1:] for name in names if (piece := piece_of[name])]
        assert all(end - first == RATE for first, end in spans)
        ends[part] = (min(span[0] for span in spans), max(span[1] for span in spans))
    assert ends["train"][1] <= 16 * RATE <= ends["validation"][0]
    assert ends["validation"][1] <= 18 * RATE <= ends["test"][0]


def test_pieces_without_sound_are_passed_over_and_short_noises_give_what_they_have(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * RATE)
    noise[: 14 * RATE] = 0.01  # of the 16 s of training, two have sound
    noise[18 * RATE :] = 0.0
    listing = list_clips("speech_commands_12", make_corpus(tmp_path, noise=noise))
    silences = [clip for clip in listing.clips if listing.keys[clip.label] == "_silence_"]
    assert listing.parts is not None
    assert Counter(part for part, names in listing.parts.items() for c in silences if c.name in names) == {
        "train": 4, "validation": 1,
    }  # fmt: skip
    assert all(np.ptp(clip.cut(read_audio(clip.path)[0])) > 0 for clip in silences)


def test_a_corpus_without_noise_has_no_silence_and_says_so(tmp_path: Path) -> None:
    listing = list_clips("speech_commands_12", make_corpus(tmp_path))
    assert listing.keys == TWELVE_CLASSES
    assert 0 not in listing.labels
    assert "_silence_: no clips, since there is no _background_noise_ beside the words" in listing.notes


def test_without_lists_the_hash_of_the_speaker_divides(tmp_path: Path) -> None:
    listing = list_clips("speech_commands_12", make_corpus(tmp_path, lists=False))
    assert listing.parts_from == "hashes of the speakers"
    assert listing.parts is not None
    assert sum(map(len, listing.parts.values())) == len(listing.clips)


def test_what_is_not_the_corpus_is_refused(tmp_path: Path) -> None:
    root = make_corpus(tmp_path)
    (root / "_unknown_").mkdir()
    (root / "bird" / "00000000_nohash_0.wav").rename(root / "_unknown_" / "00000000_nohash_0.wav")
    with pytest.raises(ValueError, match="the published test set is encoded as 'folder'"):
        list_clips("speech_commands_12", root)
    (root / "_unknown_" / "00000000_nohash_0.wav").unlink()
    with pytest.raises(
        ValueError, match=r"validation_list.txt and testing_list.txt: names 1 recordings that do not exist"
    ):
        list_clips("speech_commands_12", root)
    for path in (root / "go").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"needs recordings of yes, .*, got no 'go'"):
        list_clips("speech_commands_12", root)


def test_the_task_is_encoded_and_pieces_of_noise_are_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * RATE)
    root = make_corpus(tmp_path / "sc", n_speakers=3, noise=noise)
    words = ["encode", "speech_commands_12", str(root), str(tmp_path / "out"), "--split", "listed"]
    assert main([*words, "--preset", "published"]) == 0
    assert "_silence_: 3 pieces of 1 s of 1 files" in capsys.readouterr().err
    for part in ("train", "validation", "test"):
        path = tmp_path / "out" / f"speech_commands_12_{part}.h5"
        with SpikeFile(path) as file:
            assert (len(file), file.keys) == (12, TWELVE_CLASSES)
    assert main(["verify", str(path), "--deep", str(root), "-q"]) == 0


def test_the_real_words_are_listed(real_audio: Path) -> None:
    listing = list_clips("speech_commands_12", real_audio / "speech_commands")
    assert listing.parts is not None
    n_commands = sum(listing.keys[clip.label] in COMMANDS for clip in listing.clips)
    assert n_commands == 100
    assert len(listing.clips) == n_commands + sum(
        -(-sum(n.split("/")[0] in COMMANDS for n in names) // 10) for names in listing.parts.values()
    )
