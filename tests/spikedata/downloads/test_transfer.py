"""Fetching from hosts that misbehave; the server is on this machine."""

from dataclasses import replace

import pytest

from spikedata.disk import OutputError
from spikedata.downloads import transfer
from spikedata.downloads.entries import ChecksumError, DownloadError
from spikedata.downloads.network import TransferParams
from spikedata.downloads.partial import Origin, read_origin, size_of, write_origin
from spikedata.downloads.transfer import fetch_archive


def quiet(stage, done, size):
    pass


@pytest.fixture
def archive(host):
    return host.pages["/x.h5.zip"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5.zip.part"


@pytest.fixture
def fetch(file, path, params):
    return lambda given=file, **changes: fetch_archive(given, given.checksum, path, replace(params, **changes), quiet)


def test_an_archive_arrives_as_it_is(fetch, path, archive, host):
    assert fetch() == len(archive)
    assert path.read_bytes() == archive
    assert host.asked == [("/x.h5.zip", None, None)]


def test_an_archive_that_is_whole_is_not_fetched_again(fetch, path, host):
    fetch()
    assert fetch() == 0
    assert len(host.asked) == 1


@pytest.mark.parametrize("fault", ["truncated", "reset"])
def test_after_a_cut_only_the_rest_is_fetched(fetch, path, archive, host, fault):
    host.faults = [fault]
    assert fetch() <= len(archive)  # not a byte twice; after a reset some that arrived may be lost
    assert path.read_bytes() == archive
    _, asked_range, condition = host.asked[1]
    assert condition == '"one"'
    assert fault == "reset" or asked_range == f"bytes={len(archive) // 2}-"


def test_a_host_without_ranges_sends_all_again(fetch, path, archive, host):
    host.has_ranges = False
    host.faults = ["truncated", "truncated"]
    fetch()
    assert path.read_bytes() == archive


def test_content_that_changed_between_two_tries_is_fetched_anew(fetch, path, archive, host):
    host.etag, host.faults = '"older"', ["truncated"] * 3
    with pytest.raises(DownloadError):
        fetch()
    path.write_bytes(b"older" + path.read_bytes()[5:])
    host.etag = '"newer"'
    fetch()
    assert host.asked[-1][2] == '"older"'
    assert path.read_bytes() == archive
    assert read_origin(path).etag == '"newer"'


def test_without_an_entity_tag_the_checksum_finds_parts_that_do_not_fit(fetch, path, archive, host):
    host.etag, host.faults = None, ["truncated"]
    path.write_bytes(b"something else")
    fetch()
    assert path.read_bytes() == archive
    assert host.asked[0][1:] == ("bytes=14-", None)
    assert host.asked[-1][1] is None


def test_content_of_another_length_is_fetched_anew_before_its_rest_is(fetch, path, archive, host):
    host.etag = None
    path.write_bytes(b"older")
    write_origin(path, Origin(f"{host.url}x.h5.zip", "", 10))
    assert fetch() == len(archive)
    assert path.read_bytes() == archive


def test_a_weak_entity_tag_is_no_ground_to_join_parts_that_no_checksum_protects(file, path, params, archive, host):
    host.etag, host.faults = 'W/"one"', ["truncated"]
    fetch_archive(file, None, path, params, quiet)
    assert [asked for _, asked, _ in host.asked] == [None, None]
    assert path.read_bytes() == archive


def test_a_file_that_is_longer_than_what_the_host_has_is_fetched_anew(fetch, path, archive, host):
    path.write_bytes(archive + b"more")
    fetch()
    assert path.read_bytes() == archive


@pytest.mark.parametrize("fault", ["500", "503", "429"])
def test_a_fault_of_the_host_may_pass(fetch, path, archive, host, fault):
    host.faults = [fault, fault]
    fetch()
    assert path.read_bytes() == archive
    assert len(host.asked) == 3


def test_a_host_is_given_up_after_so_many_tries(fetch, path, host):
    host.faults = ["500"] * 10
    with pytest.raises(DownloadError, match=r"x\.h5\.zip: not available: https.*HTTP status 500"):
        fetch()
    assert len(host.asked) == 3


def test_a_page_that_is_not_there_is_asked_for_once(fetch, host):
    host.faults = ["404"] * 10
    with pytest.raises(DownloadError, match="HTTP status 404 Not Found; try again later"):
        fetch()
    assert len(host.asked) == 1


def test_nobody_listening_is_a_fault_of_the_source(fetch, file):
    with pytest.raises(DownloadError, match="refused"):
        fetch(replace(file, urls=("https://127.0.0.1:1/x.h5.zip",)))


def test_wrong_bytes_are_removed_and_said(fetch, path, host):
    host.faults = ["wrong"]
    with pytest.raises(ChecksumError, match=r"MD5 is [0-9a-f]{32}, must be [0-9a-f]{32}; removed"):
        fetch()
    assert not path.exists()


def test_a_length_other_than_the_registry_says_is_refused_before_a_byte(fetch, file, path, archive, host):
    host.faults = ["shorter"]
    with pytest.raises(DownloadError, match=f"the host has {len(archive) - 7} bytes, must be {len(archive)}"):
        fetch(replace(file, size=len(archive)))
    assert not path.exists()


def test_a_length_that_nobody_knows_is_found_by_the_checksum(fetch, host):
    host.faults = ["shorter"]
    with pytest.raises(ChecksumError, match="must be"):
        fetch()


def test_a_body_without_a_length_is_read_to_its_end(fetch, path, archive, host):
    host.says_length = False
    fetch()
    assert path.read_bytes() == archive


def test_a_body_without_an_end_is_cut(fetch, file, path, host):
    host.says_length, host.faults = False, ["drip"]
    with pytest.raises(DownloadError, match="more than 20 bytes"):
        fetch(replace(file, max_bytes=20))
    assert not path.exists()


@pytest.mark.parametrize("fault", ["404", "wrong", "http://127.0.0.1/x.h5.zip"])
def test_the_mirror_serves_where_the_first_host_fails(fetch, mirrored, path, archive, host, mirror, fault, caplog):
    host.faults = [fault]
    fetch(mirrored)
    assert path.read_bytes() == archive
    assert (len(host.asked), len(mirror.asked)) == (1, 1)
    assert host.url in caplog.text


def test_the_mirror_goes_on_where_the_first_host_stopped(fetch, mirrored, path, archive, host, mirror):
    host.faults = ["truncated", "404"]
    assert fetch(mirrored) == len(archive)
    assert path.read_bytes() == archive
    assert mirror.asked[0][1] == f"bytes={len(archive) // 2}-"


def test_when_all_fail_each_is_named_and_wrong_data_count_most(fetch, mirrored, host, mirror):
    host.faults, mirror.faults = ["wrong"], ["404"]
    with pytest.raises(ChecksumError, match=rf"{host.url}.*MD5 is.*; {mirror.url}.*404"):
        fetch(mirrored)


def test_a_way_out_of_https_is_refused(fetch, file, host):
    host.faults = ["http://127.0.0.1:9/x.h5.zip"] * 5
    with pytest.raises(DownloadError, match=r"redirects to http://127\.0\.0\.1:9/x\.h5\.zip, which is not https"):
        fetch()
    assert len(host.asked) == 1


def test_a_way_to_another_https_address_is_taken(fetch, path, archive, host, mirror):
    host.faults = [f"{mirror.url}x.h5.zip"]
    fetch()
    assert path.read_bytes() == archive


def test_a_host_that_nobody_vouches_for_is_refused_at_once(fetch, host, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("SSL_CERT_DIR", "/dev/null")
    monkeypatch.setattr("spikedata.downloads.network.time.sleep", None)  # nobody waits to try again
    with pytest.raises(DownloadError, match="certificate verify failed"):
        fetch()
    assert host.asked == []


def test_a_slow_drip_is_given_up(fetch, path, host):
    host.faults = ["drip"] * 10
    with pytest.raises(DownloadError, match=r"slower than 1e\+08 bytes a second.*what has arrived is kept"):
        fetch(min_rate=1e8, rate_window=0.02)
    assert len(host.asked) == 3
    assert size_of(path) > 0


def test_a_host_that_falls_silent_is_given_up(fetch, host, archive, path):
    host.faults = ["hold"] * 10
    with pytest.raises(DownloadError, match="timed out"):
        fetch(timeout=0.2)
    assert size_of(path) > len(archive) // 2


def test_progress_begins_at_nothing_and_ends_at_all(file, path, params, archive, host):
    seen = []
    host.faults = ["truncated"]
    fetch_archive(file, file.checksum, path, params, lambda *step: seen.append(step))
    fetched = [step for step in seen if step[0] == "fetch x.h5.zip"]
    assert fetched[0] == ("fetch x.h5.zip", 0, len(archive))
    assert fetched[-1] == ("fetch x.h5.zip", len(archive), len(archive))
    assert [done for stage, done, _ in seen if stage == "check x.h5.zip"][-1] == len(archive)


def test_too_little_room_is_said_before_a_byte_is_written(fetch, file, path, host, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: transfer.shutil._ntuple_diskusage(9, 8, 1000))
    with pytest.raises(OutputError, match=r"MB are needed, 0 MB are free; free some space"):
        fetch()
    assert size_of(path) == 0


def test_a_folder_that_refuses_is_no_fault_of_the_source(fetch, path, host):
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        fetch()


def test_waits_double_up_to_a_limit():
    patient = TransferParams(first_wait=1.0, longest_wait=5.0)
    assert [patient.wait(n) for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize("change", [{"timeout": 0}, {"min_rate": -1}, {"attempts": 0}, {"rate_window": float("nan")}])
def test_patience_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match=rf"TransferParams\.{next(iter(change))} must be"):
        TransferParams(**change)
