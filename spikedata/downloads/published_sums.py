"""Ask the hosts for a checksum that the registry does not know."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from spikedata.downloads.entries import Checksum
from spikedata.downloads.errors import DownloadError
from spikedata.downloads.network import TransferParams, fetch_text


def ask_for(checksum: Checksum | None, name: str, params: TransferParams) -> tuple[Checksum | None, str]:
    """A checksum with its value, and a note where the value had to be asked for.

    Such a value finds what was damaged on the way; it comes from the host itself, and so proves nothing about the host.

    Parameters
    ----------
    checksum : Checksum, optional
        As in the registry; None stays None.
    name : str
        Archive in a list of checksums, or folder in a commit.
    params : TransferParams
        How patient to be.

    Raises
    ------
    DownloadError
        If none of the addresses tells it.
    """
    if checksum is None or checksum.value:
        return checksum, ""
    faults = []
    for url in checksum.asked_at:
        try:
            text = fetch_text(url, params)
        except DownloadError as error:
            faults.append(str(error))
            continue
        value = _find_tree(text, name) if checksum.algorithm == "git-tree" else _find_sum(text, name)
        if value:
            note = f"{name}: {checksum.algorithm.upper()} {value}, as {url} told at the download"
            return replace(checksum, value=value), note
        faults.append(f"{url}: does not name {name}")
    raise DownloadError(f"{name}: its checksum is not to be had: {'; '.join(faults)}; try again later")


def _find_sum(text: str, name: str) -> str:
    """Of lines such as `d41d8cd98f00b204e9800998ecf8427e  name`, the sum of a name."""
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{32}|[0-9a-fA-F]{64})\s+\*?(?:\S*/)?(\S+)", line.strip())
        if match and match[2] == name:
            return match[1].lower()
    return ""


def _find_tree(text: str, name: str) -> str:
    """Of GitHub's description of a commit's tree, the identifier of a folder in it."""
    try:
        entries = json.loads(text)["tree"]
        found = [str(entry["sha"]) for entry in entries if entry["path"] == name and entry["type"] == "tree"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found[0] if found and re.fullmatch("[0-9a-f]{40}", found[0]) else ""
