"""The commands that look at a spike file."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedata import downloads
from spikedata.cli import main
from spikedata.downloads import Verification
from spikedata.files.writer import SpikeWriter


@pytest.mark.parametrize("kind", ["raster", "cochleagram", "psth", "intervals", "rates", "classes"])
def test_plot_draws_every_kind(spike_path: Path, tmp_path: Path, kind: str) -> None:
    assert main(["plot", str(spike_path), "--kind", kind, "--out", str(tmp_path / "x.png"), "-q"]) == 0

    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_plot_encodes_a_recording_with_two_presets(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, out = str(corpus / "cat/1.wav"), str(tmp_path / "x.svg")
    words = ["plot", sound, "--preset", "default", "--preset", "published", "--kind", "intervals", "--out", out]
    assert main([*words, "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["file"] == out
    assert Path(out).read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["{spikes}", "--out", "x.bmp"],
            r"x\.bmp: the name of a picture must end in \.png, \.svg or \.pdf, got '\.bmp'",
        ),
        (["{spikes}", "--out", "x.png", "--clip", "dog"], r"words\.h5: no clip 'dog'; there are 36, counted from 0"),
        (["{spikes}", "--out", "x.png", "--class", "lo"], r"words\.h5: no class 'lo'; nearest: low, high"),
        (["nothing.wav", "--out", "x.png"], r"nothing\.wav: no such file"),
    ],
)
def test_plot_refuses_in_one_line(
    words: list[str], line: str, spike_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["plot", *(word.format(spikes=spike_path) for word in words)]) == 1

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(line, error)
    assert list(tmp_path.iterdir()) == []


def broken(path: Path, kind: str) -> Path:
    with SpikeWriter(path, keys=["a"]) as writer:
        for _ in range(3):
            writer.append([0.1, 0.2], [5, 6], label=0, speaker=0)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
        return path
    with h5py.File(path, "r+") as file:
        if kind == "no dataset":
            del file["spikes/times"]
        elif kind == "unit":
            file["spikes/units"][1] = np.array([5, 812], np.uint16)
        elif kind == "unequal":
            file["spikes/units"][1] = np.array([5], np.uint16)
        elif kind == "negative":
            file["spikes/times"][1] = np.array([-0.1, 0.2], np.float32)
        for name in ("extra/checksum",):
            del file[name]
        for name in list(file.attrs):
            del file.attrs[name]
    return path


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("no dataset", "no dataset 'spikes/times'"),
        ("unit", "sample 1.*unit 812, must be < 700"),
        ("unequal", "sample 1.*2 times.*1 unit"),
        ("negative", "sample 1.*time -0.1"),
        ("truncated", "truncated"),
    ],
)
def test_a_broken_spike_file_gives_one_line_and_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, line: str
) -> None:
    path = broken(tmp_path / "x.h5", kind)

    assert main(["info", str(path)]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(rf"x\.h5: .*{line}", error), error


def test_verify_finds_a_spike_file_whole(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(spike_path), "--json"]) == 0

    verified = json.loads(capsys.readouterr().out)
    assert (verified["clips"], verified["spikes"], verified["compared"]) == (36, 36 * 200, 0)


@pytest.mark.parametrize("kind", ["unit", "unequal", "truncated"])
def test_verify_of_a_broken_spike_file_gives_one_line_and_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert main(["verify", str(broken(tmp_path / "x.h5", kind))]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"spikedata: .*x\.h5: .*\n", printed.err)


def test_deep_verification_encodes_every_clip_again(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "x.h5")
    assert main(["encode", "folder", str(corpus), path, "-q"]) == 0

    assert main(["verify", path, "--deep", str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compared"] == 2


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["{spikes}", "--deep"], "--deep needs the recordings that it was made of, as --deep AUDIO"),
        (["fsdd", "--deep", "folder"], "fsdd: --deep of a data set takes no folder, got 'folder'"),
    ],
)
def test_deep_verification_takes_a_folder_for_a_file_alone(
    words: list[str], rule: str, spike_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *(word.format(spikes=spike_path) for word in words)]) == 2
    assert capsys.readouterr().err.rstrip().endswith(rule)


def test_a_file_that_exists_wins_over_a_name(
    spike_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shd").write_bytes(spike_path.read_bytes())

    assert main(["verify", "shd", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 36


def found(path: Path, *, changed: tuple[str, ...] = ()) -> Verification:
    return Verification(name="fsdd", path=path, n_files=1, missing=(), changed=changed, notes=(), is_deep=True)


def test_verify_finds_a_data_set_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def verify_download(name: str, root: str, *, deep: bool) -> list[Verification]:
        calls.append((name, root, deep))
        return [found(tmp_path / "fsdd")]

    monkeypatch.setattr(downloads, "verify_download", verify_download)

    assert main(["verify", "fsdd", "--root", "data", "--deep"]) == 0
    assert calls == [("fsdd", "data", True)]
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{tmp_path / 'fsdd'}: ok")
    assert printed.err == ""


def test_verify_names_what_has_changed_in_a_data_set_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = [found(tmp_path / "fsdd", changed=("recordings/0_george_0.wav",))]
    monkeypatch.setattr(downloads, "verify_download", lambda *args, **options: result)

    assert main(["verify", "fsdd", "--json"]) == 3
    printed = capsys.readouterr()
    described = json.loads(printed.out)
    assert not described["ok"]
    assert described["parts"][0]["changed"] == ["recordings/0_george_0.wav"]
    assert printed.err == f"spikedata: {tmp_path / 'fsdd'}: not as it was; remove it and download it again\n"


def test_verify_of_a_data_set_that_is_not_there_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "ssc", "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "`spikedata download ssc_train` fetches it" in error


def test_verify_of_neither_a_file_nor_a_name_shows_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "nothing.h5"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("spikedata: nothing.h5: no such file, and no data set of that name (shd, ssc, ")
