"""A data set or a run as one HTML page: it needs no server, loads nothing from anywhere, and can be sent as it is.

`report` finds out what a path is; the others are for one kind each. The page of a data set needs no PyTorch, so each
name loads its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedata.report.any_kind import report
    from spikedata.report.board import report_board
    from spikedata.report.dataset import report_data_set
    from spikedata.report.page import Report
    from spikedata.report.run import report_run

_HOMES = {
    "Report": "page",
    "report": "any_kind",
    "report_board": "board",
    "report_data_set": "dataset",
    "report_run": "run",
}

__all__ = ["Report", "report", "report_board", "report_data_set", "report_run"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'spikedata.report' has no attribute {name!r}")
    return getattr(import_module(f"spikedata.report.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
