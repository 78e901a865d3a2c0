"""Nothing but https is ever opened."""

import pytest

from spikedata.downloads.entries import DownloadError
from spikedata.downloads.network import Deadline, TransferParams, _opener, fetch_text, keep_trying, open_url


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "HTTP://x", "x"])
def test_another_scheme_is_refused(url):
    with pytest.raises(DownloadError, match="is not https"):
        open_url(url, {}, TransferParams())


def test_the_opener_knows_no_other_scheme():
    assert {"http", "ftp", "file", "data"}.isdisjoint(_opener(Deadline(1.0)).handle_open)


def test_a_try_that_brings_a_good_piece_sets_the_count_of_failures_back(params):
    arrived = [n * 2**20 for n in (1, 2, 2, 3, 3, 3)]  # as many tries in vain as there may be, at the end alone
    so_far = [0]

    def fail():
        so_far.append(arrived[len(so_far) - 1])
        raise ConnectionResetError("again")

    with pytest.raises(DownloadError, match="again"):
        keep_trying("https://x", fail, params, lambda: so_far[-1])
    assert so_far == [0, *arrived]


def test_offline_refuses_at_the_last_door_too(monkeypatch):
    monkeypatch.setenv("SPIKEDATA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="SPIKEDATA_OFFLINE forbids opening it"):
        open_url("https://127.0.0.1/x", {}, TransferParams())


@pytest.mark.parametrize("value", ["", "0"])
def test_an_empty_wish_to_stay_offline_is_none(host, params, monkeypatch, value):
    monkeypatch.setenv("SPIKEDATA_OFFLINE", value)
    host.pages["/note"] = "grüß".encode()
    assert fetch_text(f"{host.url}note", params) == "grüß"
