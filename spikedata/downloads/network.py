"""Open addresses: only https, redirects included, within a time, and again after temporary faults.

The timeout of a socket starts again with each byte, so a host that sends one now and then could hold a download for as
long as it likes. A `Reply` therefore has a deadline, too, which only its reader puts off.
"""

from __future__ import annotations

import http.client
import io
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import partial
from typing import IO, Any, TypeVar
from urllib import error, request

from spikedata import __version__
from spikedata.checks import Count, NotNegative, Positive, check_fields
from spikedata.disk import OutputError
from spikedata.downloads.entries import DownloadError

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_MAY_PASS = (
    408,
    416,
    425,
    429,
)  # temporary ones among the statuses 400 to 499 (RFC 9110, RFC 6585); after 416 the whole file is requested
_LONGEST_SAID = 300  # characters that a host contributes to a message
_ENOUGH = 2**20  # bytes of progress after which earlier faults no longer count


@dataclass(frozen=True, kw_only=True)
class TransferParams:
    """Timeouts and retries of a download.

    Parameters
    ----------
    timeout : float
        Longest wait for the next bytes [s].
    deadline : float
        Longest time until the file itself begins to arrive [s]: connection, redirects, status and headers together.
        Small pages, such as lists of checksums, must be complete by then.
    min_rate : float
        Lowest average rate over a `rate_window` [byte/s]; a slower source is treated as broken.
    rate_window : float
        Time over which the rate is averaged [s].
    attempts : int
        Consecutive attempts without progress after which a source is abandoned [1].
    first_wait : float
        Wait before the second attempt [s]; it doubles with each further attempt.
    longest_wait : float
        Longest wait between two attempts [s].
    """

    timeout: Positive = 60.0
    deadline: Positive = 120.0
    min_rate: NotNegative = 1000.0
    rate_window: Positive = 60.0
    attempts: Count = 5
    first_wait: NotNegative = 1.0
    longest_wait: NotNegative = 60.0

    def __post_init__(self) -> None:
        check_fields(self)

    def wait(self, n_failed: int) -> float:
        """The wait after `n_failed` consecutive failures [s]."""
        return min(self.longest_wait, self.first_wait * 2.0 ** (n_failed - 1))


def is_offline() -> bool:
    """Whether SPIKEDATA_OFFLINE forbids network access."""
    return os.environ.get("SPIKEDATA_OFFLINE", "0") not in ("", "0")


class Deadline:
    """A moment by which reading must be over. Whoever reads may put it off.

    Parameters
    ----------
    seconds : float
        Time from now [s].
    """

    def __init__(self, seconds: float) -> None:
        self.put_off(seconds)

    def put_off(self, seconds: float) -> None:
        """Set the deadline anew, from now on."""
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """The time left [s]; TimeoutError if there is none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing complete arrived within {self._seconds:g} s")
        return left


class Reply(http.client.HTTPResponse):
    """A response that is read by its deadline, however it arrives.

    Parameters
    ----------
    sock : socket
        The connection.
    deadline : Deadline
        Holds for the status, the headers and the body, and for what frames it.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.deadline = deadline
        self.fp.close()
        self.fp = io.BufferedReader(_TimedSocket(sock, deadline))


class _TimedSocket(socket.SocketIO):
    """The bytes of a connection, each read of which ends by a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__(sock, "r")
        sock._io_refs += 1  # type: ignore[attr-defined]  # as `socket.makefile` does: the last one closes the socket
        self._connection, self._deadline, self._timeout = sock, deadline, sock.gettimeout()

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left()
        self._connection.settimeout(left if self._timeout is None else min(left, self._timeout))
        try:
            return super().readinto(buffer)
        except TimeoutError:
            self._deadline.left()  # says more, if it was this
            raise


def open_url(url: str, headers: Mapping[str, str], params: TransferParams) -> Reply:
    """The response of a host.

    Parameters
    ----------
    url : str
        An https address; its certificate is checked against those of the system (or SSL_CERT_FILE).
    headers : mapping
        Headers of the request.
    params : TransferParams
        Its `timeout` and `deadline` hold until the reader of the body puts the deadline off.

    Raises
    ------
    DownloadError
        If the address or a redirect is not https or cannot be opened, or SPIKEDATA_OFFLINE is set.
    OSError, http.client.HTTPException
        If the host does not respond, or not with the file.
    """
    if is_offline():
        raise DownloadError(f"{url}: SPIKEDATA_OFFLINE forbids opening it")
    if not url.startswith("https://"):
        raise DownloadError(f"{url}: is not https")
    try:
        asked = request.Request(url, headers={"User-Agent": f"spikedata-audio/{__version__}", **headers})
        answer: Reply = _opener(Deadline(params.deadline)).open(asked, timeout=params.timeout)
    except error.HTTPError as fault:
        fault.close()  # what comes with it is not read
        raise
    except (ValueError, http.client.InvalidURL) as fault:  # of this address, or of one that it redirects to
        raise DownloadError(f"{url}: leads to an address that cannot be opened: {one_line(str(fault))}") from fault
    return answer


def one_line(text: str) -> str:
    """What a host says, on one line and without control characters.

    Parameters
    ----------
    text : str
        From a host: a reason, an address, a header.

    Examples
    --------
    >>> one_line("gone\\n\\x1b[2J for ever")
    'gone \\\\x1b[2J for ever'
    """
    text = " ".join(text.split())
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return text if len(text) <= _LONGEST_SAID else f"{text[:_LONGEST_SAID]} …"


def fetch_text(url: str, params: TransferParams, *, max_bytes: int = 2**20) -> str:
    """A small page as text, with the retries of `keep_trying`.

    Raises
    ------
    DownloadError
        If the page is not available, or is longer than `max_bytes`.
    """

    def read() -> bytes:
        with open_url(url, {}, params) as reply:
            return reply.read(max_bytes + 1)

    content = keep_trying(url, read, params)
    if len(content) > max_bytes:
        raise DownloadError(f"{url}: more than {max_bytes} bytes")
    return content.decode("utf-8", "replace")


def keep_trying(
    url: str, action: Callable[[], _Result], params: TransferParams, n_have: Callable[[], int] = lambda: 0
) -> _Result:
    """The result of an action that is tried again after temporary faults, with growing waits.

    Parameters
    ----------
    url : str
        The address, for the message.
    action : callable
        The action.
    params : TransferParams
        Number of attempts, and the waits between them.
    n_have : callable
        Returns how much has arrived so far [byte]; an attempt with considerable progress resets the count of failures.

    Raises
    ------
    DownloadError
        If the fault is permanent, or occurred `params.attempts` times in a row.
    OutputError
        If the data cannot be written.
    """
    n_failed, most = 0, n_have()
    while True:
        try:
            return action()
        except (OutputError, DownloadError):
            raise
        except (OSError, http.client.HTTPException) as fault:
            n_failed = 1 if n_have() >= most + _ENOUGH else n_failed + 1
            most = max(most, n_have())
            if _stays(fault) or n_failed >= params.attempts:
                raise DownloadError(f"{url}: {_say(fault)}") from fault
            _log.warning("%s: %s; trying again in %g s", url, _say(fault), params.wait(n_failed))
        time.sleep(params.wait(n_failed))


class _OnlyHttps(request.HTTPRedirectHandler):
    # a redirect must not lead away from https
    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> request.Request | None:
        if not newurl.startswith("https://"):
            raise DownloadError(f"{req.full_url}: redirects to {one_line(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]

    def http_error_302(self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message) -> Any:
        fp.close()  # urllib would read all that comes with a redirect
        return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Https(request.HTTPSHandler):
    # opens connections whose responses have a deadline
    def __init__(self, deadline: Deadline) -> None:
        self._safe = ssl.create_default_context()
        super().__init__(context=self._safe)
        self._deadline = deadline

    def https_open(self, req: request.Request) -> http.client.HTTPResponse:
        self._deadline.left()
        return self.do_open(partial(_connection, deadline=self._deadline), req, context=self._safe)


def _connection(host: str, *, deadline: Deadline, **options: Any) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection(host, **options)
    connection.response_class = partial(Reply, deadline=deadline)  # type: ignore[assignment]
    return connection


def _opener(deadline: Deadline) -> request.OpenerDirector:
    """An opener for https only: the default opener of urllib also opens http, ftp and file."""
    opener = request.OpenerDirector()
    handlers: tuple[request.BaseHandler, ...] = (
        request.ProxyHandler(),
        _Https(deadline),
        request.HTTPDefaultErrorHandler(),
        _OnlyHttps(),
        request.HTTPErrorProcessor(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _stays(fault: Exception) -> bool:
    """Whether a fault is permanent."""
    if isinstance(fault, error.HTTPError):
        return fault.code < 500 and fault.code not in _MAY_PASS
    reason = fault.reason if isinstance(fault, error.URLError) else fault
    return isinstance(reason, ssl.SSLCertVerificationError)


def _say(fault: Exception) -> str:
    if isinstance(fault, error.HTTPError):
        if str(fault.reason).startswith(request.HTTPRedirectHandler.inf_msg):
            return f"HTTP status {fault.code}: redirects in a circle, or too often"
        return f"HTTP status {fault.code} {one_line(str(fault.reason))}".rstrip()
    reason = fault.reason if isinstance(fault, error.URLError) else fault
    return one_line(str(reason)) or type(reason).__name__
