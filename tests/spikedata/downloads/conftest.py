"""An https server on this machine that misbehaves as it is told, and an entry of the registry that it serves."""

import contextlib
import hashlib
import http.server
import io
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from spikedata.downloads.entries import Checksum, PublishedFile
from spikedata.downloads.network import TransferParams

CERTIFICATE = Path(__file__).with_name("localhost.pem")
CONTENT = bytes(range(256)) * 4000  # of x.h5: 1 MB, more than one piece of any reader, small enough to be quick
PATIENCE = 30.0  # [s], more than any of these steps takes on a busy machine


def packed(content: bytes = CONTENT, name: str = "x.h5") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo(name), content)
    return archive.getvalue()


def md5(content: bytes) -> Checksum:
    return Checksum(algorithm="md5", value=hashlib.md5(content, usedforsecurity=False).hexdigest())


class Host:
    """A server, what it has, how it behaves at the next requests, and what was asked of it.

    Each of `faults` spoils one request, in their order; after the last one the host behaves.
    """

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.etag: str | None = '"one"'
        self.has_ranges = True
        self.says_length = True
        self.faults: list[str] = []
        self.asked: list[tuple[str, str | None, str | None]] = []  # path, Range, If-Range
        self.may_go_on = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        # the handshake belongs to the thread of a request: one that fails must not leave a socket behind
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self.may_go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"  # one request a connection, its end is the end of the body

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    answer(host, self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def answer(host: Host, request: http.server.BaseHTTPRequestHandler) -> None:
    host.asked.append((request.path, request.headers["Range"], request.headers["If-Range"]))
    fault = host.faults.pop(0) if host.faults else ""
    body = host.pages.get(request.path)
    if fault.isdecimal() or body is None:
        request.send_error(int(fault or 404))
        return
    if fault.startswith(("http:", "https:")):
        request.send_response(302)
        request.send_header("Location", fault)
        request.end_headers()
        return
    start = first_byte(host, request, len(body))
    if start is None:
        request.send_error(416)
        return
    announced = len(body) - 7 if fault == "shorter" else len(body)
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{announced - 1}/{announced}")
    if host.says_length:
        request.send_header("Content-Length", str(announced - start))
    if host.etag:
        request.send_header("ETag", host.etag)
    request.end_headers()
    send_body(host, request, fault, bytes(255 - byte for byte in body) if fault == "wrong" else body, start, announced)


def first_byte(host: Host, request: http.server.BaseHTTPRequestHandler, size: int) -> int | None:
    asked, condition = request.headers["Range"], request.headers["If-Range"]
    if not asked or not host.has_ranges or (condition and condition != host.etag):
        return 0
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    return start if start < size else None


def send_body(
    host: Host, request: http.server.BaseHTTPRequestHandler, fault: str, body: bytes, start: int, end: int
) -> None:
    if fault in ("truncated", "reset", "hold"):
        end = (start + end) // 2
    if fault == "drip":
        while not host.may_go_on.wait(0.002):
            request.wfile.write(body[:1])
        return
    request.wfile.write(body[start:end])
    if fault == "hold":
        host.may_go_on.wait(PATIENCE)
    if fault == "reset":  # an abortive close: the other side gets "connection reset by peer"
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's certificate is trusted; no proxy, and no wish of the user to stay offline, gets in the way."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("SPIKEDATA_OFFLINE", raising=False)


@pytest.fixture
def host():
    server = Host()
    server.pages["/x.h5.zip"] = packed()
    yield server
    server.close()


@pytest.fixture
def mirror():
    server = Host()
    server.pages["/x.h5.zip"] = packed()
    yield server
    server.close()


@pytest.fixture
def file(host) -> PublishedFile:
    return PublishedFile(
        name="x",
        archive="x.h5.zip",
        urls=(f"{host.url}x.h5.zip",),
        target="x.h5",
        members=r"(?P<path>x\.h5)",
        max_bytes=2 * len(CONTENT),
        max_members=10,
        checksum=md5(packed()),
        content=md5(CONTENT),
    )


@pytest.fixture
def mirrored(file, mirror) -> PublishedFile:
    return replace(file, urls=(*file.urls, f"{mirror.url}x.h5.zip"))


@pytest.fixture
def params() -> TransferParams:
    """No patience with a host that misbehaves, and much with a busy machine."""
    return TransferParams(timeout=PATIENCE, attempts=3, first_wait=0.0)


CHILD = """
import json, resource, sys, time
from pathlib import Path
from spikedata.downloads.entries import Checksum, PublishedFile
from spikedata.downloads.fetching import fetch_file
from spikedata.downloads.network import TransferParams

fields, root, stop_at, largest = json.loads(sys.argv[1])
for name in ("checksum", "content"):
    fields[name] = fields[name] and Checksum(**fields[name])
file = PublishedFile(**fields)

def on_progress(stage, done, size):
    if stop_at and stage.startswith(stop_at) and done:
        print(stage, flush=True)
        time.sleep(1000)

if largest:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
print("begins", flush=True)
result = fetch_file(file, Path(root), TransferParams(attempts=3, first_wait=0.0), on_progress)
print("ends", result.n_bytes, flush=True)
"""


@pytest.fixture
def start_child() -> Callable[..., subprocess.Popen[str]]:
    """Start a process that fetches a file; it stays for ever at a stage, or may write no larger files, if told to."""
    children = []

    def start(file: PublishedFile, root: Path, *, stop_at: str = "", largest: int = 0) -> subprocess.Popen[str]:
        told = json.dumps([asdict(file), str(root), stop_at, largest])
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, told],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
