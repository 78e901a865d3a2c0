"""Checksums that the hosts tell."""

import json

import pytest

from spikedata.downloads.entries import Checksum, DownloadError
from spikedata.downloads.fetching import ask_for

SUM = "d41d8cd98f00b204e9800998ecf8427e"
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.fixture
def ask(host, params):
    def run(page, algorithm="md5", name="a.zip"):
        host.pages["/sums"] = page.encode()
        checksum, note = ask_for(Checksum(algorithm=algorithm, asked_at=(f"{host.url}sums",)), name, params)
        assert note == f"{name}: {algorithm.upper()} {checksum.value}, as given by {host.url}sums at the download"
        return checksum.value

    return run


@pytest.mark.parametrize("line", [f"{SUM}  a.zip", f"{SUM} *a.zip", f"{SUM}\t./data/a.zip", f"{SUM.upper()}  a.zip\r"])
def test_a_list_names_a_checksum(ask, line):
    assert ask(f"{'0' * 32}  b.zip\n{line}\n{'1' * 32}  not-a.zip\n") == SUM


def test_a_description_of_a_commit_names_a_tree(ask):
    entries = [{"path": "data", "type": "blob", "sha": "0" * 40}, {"path": "data", "type": "tree", "sha": TREE}]
    assert ask(json.dumps({"tree": entries}), "git-tree", "data") == TREE


@pytest.mark.parametrize("page", ["", "<html>moved</html>", f"{SUM[1:]}  a.zip", f"{SUM}  aXzip"])
def test_a_page_that_says_something_else_is_no_list(ask, page):
    with pytest.raises(
        DownloadError, match=r"a\.zip: its checksum is not available: .*does not name a\.zip; try again"
    ):
        ask(page)


@pytest.mark.parametrize(
    "page", ["", "[]", '{"tree": [{}]}', '{"tree": [{"path": "data", "type": "tree", "sha": "x"}]}']
)
def test_a_page_that_says_something_else_describes_no_commit(ask, page):
    with pytest.raises(DownloadError, match="does not name data"):
        ask(page, "git-tree", "data")


def test_a_list_without_an_end_is_not_read(ask):
    with pytest.raises(DownloadError, match="more than 1048576 bytes"):
        ask("x" * 2**21)


def test_the_second_host_is_asked_where_the_first_has_no_list(host, mirror, params):
    mirror.pages["/sums"] = f"{SUM}  a.zip".encode()
    asking = Checksum(algorithm="md5", asked_at=(f"{host.url}sums", f"{mirror.url}sums"))
    assert ask_for(asking, "a.zip", params)[0].value == SUM


def test_a_checksum_that_is_known_is_not_asked_for(params):
    known = Checksum(algorithm="md5", value=SUM)
    assert ask_for(known, "a.zip", params) == (known, "")
    assert ask_for(None, "a.zip", params) == (None, "")
