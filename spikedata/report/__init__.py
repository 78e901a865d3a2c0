"""A data set or a run as one HTML page: it needs no server, loads nothing from anywhere, and can be sent as it is."""

from spikedata.report.board import report_board
from spikedata.report.dataset import report_data_set
from spikedata.report.page import Report
from spikedata.report.run import report_run

__all__ = ["Report", "report_board", "report_data_set", "report_run"]
