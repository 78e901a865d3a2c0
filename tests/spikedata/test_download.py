"""The downloader against hosts that misbehave; no test opens a socket to the world."""

import hashlib
import io
import re
import threading
import zipfile
from dataclasses import replace
from email.message import Message
from pathlib import Path
from urllib import request

import pytest

from spikedata import download as module
from spikedata.download import DownloadError, download
from spikedata.registry import FILES, SOURCES

CONTENT = b"spikes" * 1000


def packed(content: bytes = CONTENT, name: str = "shd_test.h5") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, content)
    return archive.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Response(io.BytesIO):
    """What a host answers; it may announce another length or break off."""

    def __init__(self, body: bytes, announced: int | None = None, breaks: bool = False) -> None:
        super().__init__(body)
        self.headers = Message()
        self.headers["Content-Length"] = str(len(body) if announced is None else announced)
        self._breaks = breaks

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if self._breaks and not piece:
            raise ConnectionResetError("connection reset by peer")
        return piece


@pytest.fixture
def hosts(monkeypatch):
    """The answers of the hosts in their order, and what was asked of them; the file has the checksums of `packed()`."""
    answers: list[Response | Exception] = []
    asked: list[str] = []

    def answer(url: str) -> Response:
        asked.append(url)
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    file = replace(FILES["shd_test"], archive_md5=md5(packed()), md5=md5(CONTENT))
    monkeypatch.setitem(module.FILES, "shd_test", file)
    monkeypatch.setattr(module, "_open", answer)
    monkeypatch.delenv("SPIKEDATA_OFFLINE", raising=False)
    return answers, asked


def left(folder: Path) -> set[str]:
    """What lies in a folder, the lock apart."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_a_file_is_fetched_unpacked_and_named(hosts, tmp_path):
    answers, asked = hosts
    answers.append(Response(packed()))
    path = download("shd_test", tmp_path / "new")
    assert path == tmp_path / "new" / "shd_test.h5"
    assert path.read_bytes() == CONTENT
    assert left(tmp_path / "new") == {"shd_test.h5"}
    assert asked == [f"{SOURCES[0]}shd_test.h5.zip"]


def test_a_file_that_is_there_is_not_fetched(hosts, tmp_path):
    (tmp_path / "shd_test.h5").write_bytes(b"mine")
    assert download("shd_test", tmp_path).read_bytes() == b"mine"
    assert hosts[1] == []


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Response(packed()[:-10], announced=len(packed())), "got .* of .* bytes"),
        (Response(packed()[:100], breaks=True), "connection reset by peer"),
        (Response(packed(b"other" * 1000)), "MD5 is .*, must be"),
        (request.HTTPError("https://x", 404, "Not Found", Message(), None), "404"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_the_mirror_serves_where_the_first_host_fails(hosts, tmp_path, caplog, answer, fault):
    answers, asked = hosts
    answers += [answer, Response(packed())]
    assert download("shd_test", tmp_path).read_bytes() == CONTENT
    assert [url.rpartition("/")[0] + "/" for url in asked] == list(SOURCES)
    assert re.search(fault, caplog.text)

    answers += [TimeoutError("no"), TimeoutError("no")]
    (tmp_path / "shd_test.h5").unlink()
    with pytest.raises(DownloadError, match=r"zenkelab\.org.*no; .*compneuro\.net.*no"):
        download("shd_test", tmp_path)
    assert left(tmp_path) == set()


@pytest.mark.parametrize(
    ("archive", "fault"),
    [
        (packed(name="../shd_test.h5"), "must hold shd_test.h5 once"),
        (packed(name="other.h5"), "must hold shd_test.h5 once"),
        (b"PK but no archive", "not a zip file"),
        (packed(b"something else"), "MD5 is .*, must be"),
    ],
)
def test_an_archive_with_something_else_leaves_nothing(hosts, tmp_path, monkeypatch, archive, fault):
    monkeypatch.setitem(module.FILES, "shd_test", replace(module.FILES["shd_test"], archive_md5=md5(archive)))
    hosts[0].append(Response(archive))
    with pytest.raises(DownloadError, match=fault):
        download("shd_test", tmp_path)
    assert left(tmp_path) == set()


def test_an_archive_that_claims_too_much_is_not_unpacked(hosts, tmp_path, monkeypatch):
    monkeypatch.setitem(module.FILES, "shd_test", replace(module.FILES["shd_test"], largest=100))
    hosts[0].append(Response(packed()))
    with pytest.raises(DownloadError, match="6000 bytes, more than there is room for"):
        download("shd_test", tmp_path)
    assert left(tmp_path) == set()


def test_a_host_may_not_lead_out_of_https():
    handler = module._OnlyHttps()
    asked = request.Request("https://zenkelab.org/datasets/shd_test.h5.zip")
    with pytest.raises(DownloadError, match="leads to http://elsewhere/x, which is not https"):
        handler.redirect_request(asked, io.BytesIO(), 302, "Found", Message(), "http://elsewhere/x")
    led = handler.redirect_request(asked, io.BytesIO(), 302, "Found", Message(), "https://elsewhere/x")
    assert led is not None
    assert led.full_url == "https://elsewhere/x"


def test_all_addresses_are_https():
    assert all(source.startswith("https://") for source in SOURCES)


def test_two_that_ask_at_once_fetch_once(hosts, tmp_path):
    answers, asked = hosts
    answers += [Response(packed()), Response(packed())]
    threads = [threading.Thread(target=download, args=("shd_test", tmp_path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_offline_opens_no_socket(hosts, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"shd_test\.h5: not there, and SPIKEDATA_OFFLINE forbids"):
        download("shd_test", tmp_path)
    assert hosts[1] == []


def test_an_unknown_name_names_those_that_exist(tmp_path):
    with pytest.raises(ValueError, match="no published file 'shd_valid', must be one of shd_train, shd_test"):
        download("shd_valid", tmp_path)
