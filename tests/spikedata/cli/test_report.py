"""spikedata report: a page, what is said of it, and one line where there is none."""

import json
import webbrowser
from pathlib import Path

import pytest

from spikedata.cli import main


def test_a_page_is_made_and_described(spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "page.html")
    assert main(["report", str(spike_path), "--out", out, "--clips", "4", "--title", "Ours"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out}: data set, ")
    assert lines[1] == "  4 of 36 clips are on the page"
    assert "<h1>Ours</h1>" in Path(out).read_text("utf-8")

    assert main(["report", str(spike_path), "--out", out, "--overwrite", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["kind"], said["clips"]) == (out, "data set", 36)
    assert said["bytes"] == Path(out).stat().st_size


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["{file}", "--out", "{dir}/page.png"], 1, "page.png: must end in .html, as page.html"),
        (["{dir}/no.h5", "--out", "{dir}/p.html"], 1, "no.h5: no such file or folder"),
        (["{dir}/text.h5", "--out", "{dir}/p.html"], 3, "text.h5: not a readable HDF5 file: it is a text file"),
        (["{dir}", "--out", "{dir}/p.html"], 1, "no card.json below it: train a run first"),
        (["{file}", "--out", "{dir}/old.html"], 5, "old.html: exists already, will not replace it (--overwrite does)"),
        (["{file}", "--out", "{dir}/no/p.html"], 5, "make it first"),
        (["{file}", "--out", "{dir}/p.html", "--audio", "{dir}/no"], 1, "so leave out --audio"),
        (["{file}", "--out", "{dir}/p.html", "--max-size", "0"], 2, "must be a number of megabytes above 0, got '0'"),
        (["{file}", "--out", "{dir}/p.html", "--max-size", "0.01"], 1, "give --max-size 0.1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    words: list[str], status: int, said: str, spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.h5").write_text("no spikes\n")
    (tmp_path / "old.html").write_text("old")
    typed = [word.format(file=spike_path, dir=tmp_path) for word in words]
    if status == 2:
        with pytest.raises(SystemExit, match="2"):
            main(["report", *typed])
    else:
        assert main(["report", *typed]) == status
    *_, last = capsys.readouterr().err.splitlines()
    assert said in last
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_page_is_opened_or_its_address_is_said(
    has_browser: bool,
    spike_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or has_browser)

    assert main(["report", str(spike_path), "--out", str(tmp_path / "p.html"), "--open", "--no-progress"]) == 0

    assert opened == [(tmp_path / "p.html").as_uri()]
    line = f"no browser was found here; open {opened[0]}\n"
    assert capsys.readouterr().err == ("" if has_browser else line)
