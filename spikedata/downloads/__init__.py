"""Published data sets: fetched over https, checked, unpacked, and only then visible under their name.

`registry` says what there is, `plan` what a download would do, `fetching` does it: `transfer` brings the archive,
`unpacking` opens it, `manifest` remembers what it held, `verification` looks whether that is still so,
`origin` what a spike file is that lies there.
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
