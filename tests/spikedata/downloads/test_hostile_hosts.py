"""Hosts that hold a download for as long as they can, or say what breaks a client: one line, in bounded time."""

import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
import tracemalloc
from dataclasses import replace

import pytest

from spikedata.disk import OutputError
from spikedata.downloads.entries import Checksum, DownloadError
from spikedata.downloads.fetching import ask_for, fetch_file
from spikedata.downloads.network import TransferParams, fetch_text, one_line
from spikedata.downloads.partial import Origin, read_origin, write_origin
from spikedata.downloads.transfer import fetch_archive

from .conftest import CERTIFICATE, PATIENCE

SHORT = 0.15  # [s], a deadline that a test can wait for
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class RawHost:
    """Answers each request with the next of `answers`, piece by piece, and with the last one from then on."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self._over = threading.Event()
        self.asked = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATE)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self._socket.getsockname()[1]}/"

    def _accept(self):
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._socket.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection, self._context.wrap_socket(connection, server_side=True) as safe:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += safe.recv(4096)
            self.asked.append(request)
            pieces = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            for piece in pieces(self, request) if callable(pieces) else pieces:
                safe.sendall(piece)
                if len(piece) == 1 and self._over.wait(0.005):
                    return

    def close(self):
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def start():
    hosts = []

    def begin(*answers):
        hosts.append(RawHost(*answers))
        return hosts[-1]

    yield begin
    for host in hosts:
        host.close()


def for_ever(text, before=b""):
    """Answers with a text and then with another one, a byte at a time, again and again."""
    return lambda *_: itertools.chain([before], (bytes([byte]) for byte in itertools.cycle(text)))


HELD = {
    "a status line": for_ever(b"HTTP/1.1 200 OK" + b" " * 100),
    "headers": for_ever(b"X-Name: value\r\n", OK),
    "a header": for_ever(b"a", OK + b"X: "),
    "100 Continue": for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the size of a chunk": for_ever(b"0", CHUNKED),
    "trailers": for_ever(b"X: y\r\n", CHUNKED + b"1\r\na\r\n0\r\n"),
    "what comes with a redirect": for_ever(
        b"a", b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 9999999\r\n\r\n"
    ),
    "the page": for_ever(b"a", OK + b"\r\n"),
    "the chunks of the page": for_ever(b"1\r\na\r\n", CHUNKED),
}


@pytest.fixture
def hasty():
    return TransferParams(timeout=PATIENCE, deadline=SHORT, attempts=1, first_wait=0.0)


@pytest.mark.parametrize("answer", HELD.values(), ids=HELD)
def test_a_host_that_drips_is_given_up_at_the_deadline(start, hasty, answer):
    host = start(answer)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=rf"^{host.url}: nothing complete arrived within 0\.15 s$"):
        fetch_text(host.url, hasty, max_bytes=10**6)
    assert time.monotonic() - began < PATIENCE / 3


@pytest.mark.parametrize("kind", ["headers", "100 Continue", "the size of a chunk", "trailers"])
def test_a_host_that_drips_around_an_archive_is_given_up(start, file, hasty, tmp_path, kind):
    host = start(HELD[kind])
    params = replace(hasty, timeout=SHORT, rate_window=SHORT)
    with pytest.raises(
        DownloadError, match=r"x\.h5\.zip: not available: https.*nothing complete arrived within 0\.\d+ s"
    ):
        fetch_archive(replace(file, urls=(host.url,)), None, tmp_path / "part", params, lambda *_: None)


def test_checksums_that_drip_do_not_hold_a_download(start, file, hasty, tmp_path):
    host = start(HELD["the page"])
    asked = Checksum(algorithm="md5", asked_at=(f"{host.url}md5sums.txt",))
    with pytest.raises(DownloadError, match=r"its checksum is not available: https.*nothing complete arrived"):
        fetch_file(replace(file, checksum=asked), tmp_path, hasty, lambda *_: None)


def test_a_redirect_with_an_endless_body_takes_no_memory(start, hasty):
    host = start(
        lambda *_: itertools.chain([b"HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n"], itertools.repeat(bytes(2**16)))
    )
    tracemalloc.start()
    with pytest.raises(DownloadError):
        fetch_text(host.url, hasty)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def redirect(place):
    return [b"HTTP/1.1 302 Found\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n\r\n"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (redirect(b"https://[::1/x"), "leads to an address that cannot be opened: .*"),
        (redirect(b"https://127.0.0.1:port/x"), "leads to an address that cannot be opened: .*"),
        (redirect(b"https://" + b"a" * 70 + b".example/x"), "leads to an address that cannot be opened: .*"),
        (redirect(b"https://127.0.0.1:99999/x"), ".+"),
        (redirect(b"http://x\x1b2J/"), r"redirects to http://x%1B2J/, which is not https"),
        (redirect(b"/"), "HTTP status 302: redirects in a circle, or too often"),
        (
            lambda host, request: redirect(request.split()[1] + b"x"),
            "HTTP status 302: redirects in a circle, or too often",
        ),
        ([b"HTTP/1.1 404 \x1b[31mGone\x1b]0;owned\x07\r\n\r\n"], r"HTTP status 404 \\x1b\[31mGone\\x1b\]0;owned\\x07"),
        ([b"HTTP/1.1 404 " + b"x" * 5000 + b"\r\n\r\n"], "HTTP status 404 x{300} …"),
        ([b"\x1b[2J\x1b[2J\r\n\r\n"], r".*\\x1b\[2J.*"),
    ],
)
def test_whatever_a_host_says_is_told_on_one_clean_line(start, params, answer, said):
    host = start(answer)
    with pytest.raises(DownloadError, match=rf"^{host.url}\w*: {said}$") as caught:
        fetch_text(host.url, replace(params, attempts=1), max_bytes=10)
    assert str(caught.value).isprintable()


def test_a_length_without_end_is_no_length(start, file, params, tmp_path, archive):
    host = start([OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + archive])
    fetch_archive(replace(file, urls=(host.url,)), file.checksum, tmp_path / "part", params, lambda *_: None)
    assert (tmp_path / "part").read_bytes() == archive


@pytest.fixture
def archive(host):
    return host.pages["/x.h5.zip"]


def pieces_of(archive, *, tag=b'"one"'):
    """Answers with half an archive, then with what is said to be the rest of it, then as it should."""
    half = len(archive) // 2
    head = b"ETag: " + tag + b"\r\nContent-Length: %d\r\n\r\n"
    return [OK + head % len(archive) + archive[:half]], [OK + head % len(archive) + archive]


@pytest.mark.parametrize(
    "said", [b"", b"bytes 0-9/10", b"bytes 7-9/10", b"lines 1-2/3", b"bytes \x1b[2J-9/10", b"bytes */*"]
)
@pytest.mark.parametrize("is_checked", [True, False])
def test_a_rest_that_begins_elsewhere_makes_the_download_begin_anew(
    start, file, params, tmp_path, archive, said, is_checked
):
    first, whole = pieces_of(archive)
    rest = [b"HTTP/1.1 206 Partial\r\nContent-Range: " + said + b"\r\nContent-Length: 4\r\n\r\nabcd"]
    host, path = start(first, rest, whole), tmp_path / "part"
    fetch_archive(replace(file, urls=(host.url,)), file.checksum if is_checked else None, path, params, lambda *_: None)
    assert path.read_bytes() == archive
    assert [b"Range" in request for request in host.asked] == [False, True, False]


@pytest.mark.parametrize("is_checked", [True, False])
def test_an_entity_tag_that_changes_midway_makes_the_download_begin_anew(
    start, file, params, tmp_path, archive, is_checked
):
    first, whole = pieces_of(archive)
    half, size = len(archive) // 2, len(archive)
    other = b'HTTP/1.1 206 Partial\r\nETag: "two"\r\nContent-Range: bytes %d-%d/%d\r\n\r\n' % (half, size - 1, size)
    host, path = start(first, [other + bytes(size - half)], whole), tmp_path / "part"
    fetch_archive(replace(file, urls=(host.url,)), file.checksum if is_checked else None, path, params, lambda *_: None)
    assert path.read_bytes() == archive


def test_a_rest_of_wrong_bytes_makes_the_download_begin_anew_once(start, file, params, tmp_path, archive):
    first, whole = pieces_of(archive)
    half, size = len(archive) // 2, len(archive)
    wrong = b'HTTP/1.1 206 Partial\r\nETag: "one"\r\nContent-Range: bytes %d-%d/%d\r\n\r\n' % (half, size - 1, size)
    host, path = start(first, [wrong + bytes(size - half)], whole), tmp_path / "part"
    fetch_archive(replace(file, urls=(host.url,)), file.checksum, path, params, lambda *_: None)
    assert path.read_bytes() == archive
    assert len(host.asked) == 3


def test_a_host_that_never_gives_the_rest_is_given_up(start, file, params, tmp_path, archive):
    first, _ = pieces_of(archive)
    rest = [b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-9/10\r\n\r\nabc"]
    host = start(*[first, rest] * 20)
    with pytest.raises(DownloadError, match="not available") as caught:
        fetch_archive(replace(file, urls=(host.url,)), None, tmp_path / "part", params, lambda *_: None)
    assert len(host.asked) <= 2 * params.attempts
    assert len(str(caught.value).splitlines()) == 1


NESTED = "[" * 100_000


def test_a_tree_that_is_nested_without_end_names_no_folder(host, params):
    host.pages["/tree"] = NESTED.encode()
    asked = Checksum(algorithm="git-tree", asked_at=(f"{host.url}tree",))
    with pytest.raises(DownloadError, match="does not name recordings; try again later"):
        ask_for(asked, "recordings", params)


@pytest.mark.parametrize(
    "note", [NESTED, json.dumps(["https://x", '"a\r\nHost: y"', 5]), json.dumps(["x", "ü", None]), "\0"]
)
def test_a_damaged_note_beside_a_part_is_none(host, file, params, tmp_path, archive, note):
    path = tmp_path / "part"
    path.write_bytes(archive[:100])
    path.with_name("part.json").write_text(note.replace("https://x", file.urls[0]), "utf-8")
    fetch_archive(file, file.checksum, path, params, lambda *_: None)
    assert path.read_bytes() == archive
    assert host.asked[0][2] is None


def test_a_folded_entity_tag_is_not_sent_back(start, file, params, tmp_path, archive):
    first, whole = pieces_of(archive, tag=b'"one\r\n two"')
    host, path = start(first, whole), tmp_path / "part"
    fetch_archive(replace(file, urls=(host.url,)), file.checksum, path, params, lambda *_: None)
    assert path.read_bytes() == archive
    assert read_origin(path).etag == ""


@pytest.mark.parametrize("name", ["x.h5.zip.part", "x.h5.zip.part.json", "x.h5.lock", "x.h5.room"])
@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_what_is_in_the_way_is_named_and_to_be_removed(host, file, params, tmp_path, name, kind):
    hidden = tmp_path / ".spikedata"
    hidden.mkdir()
    place = hidden / name
    if (kind == "file") != name.endswith("room") and kind != "link":
        pytest.skip("this is what belongs there")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    {"folder": place.mkdir, "link": lambda: place.symlink_to(elsewhere), "file": place.touch}[kind]()
    wanted = "folder" if name.endswith("room") else "file"
    with pytest.raises(OutputError, match=rf"/{name}: must be a {wanted} of the download, got a {kind}; remove it$"):
        fetch_file(file, tmp_path, params, lambda *_: None)
    assert host.asked == []
    assert elsewhere.read_text() == "precious"


def test_a_file_where_the_hidden_folder_belongs_is_named(file, params, tmp_path):
    (tmp_path / ".spikedata").touch()
    with pytest.raises(OutputError, match=r"/\.spikedata: must be a folder for downloads, got a file; remove it"):
        fetch_file(file, tmp_path, params, lambda *_: None)


def test_what_a_host_says_fits_on_one_line():
    assert one_line("a\r\n\tb\x1b[1m\u202ec") == "a b\\x1b[1m\\u202ec"


def test_an_origin_is_what_was_written(tmp_path):
    origin = Origin("https://x", '"ü"', 7)
    write_origin(tmp_path / "part", origin)
    assert read_origin(tmp_path / "part") == origin
