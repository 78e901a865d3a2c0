"""Open addresses: only https, redirects included, and again after temporary faults."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, TypeVar
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
_ENOUGH = 2**20  # bytes of progress after which earlier faults no longer count


@dataclass(frozen=True, kw_only=True)
class TransferParams:
    """Timeouts and retries of a download.

    Parameters
    ----------
    timeout : float
        Longest wait for the next bytes [s].
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


def open_url(url: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    """The response of a host.

    Parameters
    ----------
    url : str
        An https address; its certificate is checked against those of the system (or SSL_CERT_FILE).
    headers : mapping
        Headers of the request.
    timeout : float
        Longest wait for the next bytes [s].

    Raises
    ------
    DownloadError
        If the address or a redirect is not https, or SPIKEDATA_OFFLINE is set.
    OSError, http.client.HTTPException
        If the host does not respond, or not with the file.
    """
    if is_offline():
        raise DownloadError(f"{url}: SPIKEDATA_OFFLINE forbids opening it")
    if not url.startswith("https://"):
        raise DownloadError(f"{url}: is not https")
    asked = request.Request(url, headers={"User-Agent": f"spikedata-audio/{__version__}", **headers})
    answer: http.client.HTTPResponse = _opener().open(asked, timeout=timeout)
    return answer


def fetch_text(url: str, params: TransferParams, *, max_bytes: int = 2**20) -> str:
    """A small page as text, with the retries of `keep_trying`.

    Raises
    ------
    DownloadError
        If the page is not available, or is longer than `max_bytes`.
    """

    def read() -> bytes:
        with open_url(url, {}, params.timeout) as reply:
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
            fp.close()
            raise DownloadError(f"{req.full_url}: redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> request.OpenerDirector:
    """An opener for https only: the default opener of urllib also opens http, ftp and file."""
    opener = request.OpenerDirector()
    handlers: tuple[request.BaseHandler, ...] = (
        request.ProxyHandler(),
        request.HTTPSHandler(context=ssl.create_default_context()),
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
        return f"HTTP status {fault.code} {fault.reason}"
    reason = fault.reason if isinstance(fault, error.URLError) else fault
    return str(reason) or type(reason).__name__
