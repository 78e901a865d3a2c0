"""Published data sets: downloaded over https, checked and unpacked before they get their names.

Start with `fetching.download`. It takes the description of a data set from `registry`, lets `transfer` bring the
archive (over `network`, into the partial file of `partial`) and `unpacking` open it, and has `manifest` record what was
in it. `plan` tells in advance what a download would do, `verification` whether the files are still as they were
unpacked, and `origin` where a spike file comes from: published, remade by this package, or unknown.
"""

from spikedata.downloads.entries import ChecksumError, DownloadError
from spikedata.downloads.fetching import Download, download
from spikedata.downloads.origin import Origin, corpus_of, numbering_of, origin_of
from spikedata.downloads.plan import DownloadPlan, format_plan, plan_download
from spikedata.downloads.registry import DATASETS, NAMES
from spikedata.downloads.verification import Verification, format_verification, verify_download

__all__ = [
    "DATASETS",
    "NAMES",
    "ChecksumError",
    "Download",
    "DownloadError",
    "DownloadPlan",
    "Origin",
    "Verification",
    "corpus_of",
    "download",
    "format_plan",
    "format_verification",
    "numbering_of",
    "origin_of",
    "plan_download",
    "verify_download",
]
