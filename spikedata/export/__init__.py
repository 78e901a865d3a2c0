"""Spikes and networks for other software, each adapter a few lines over a library that it is tested against.

Every `to_…` makes a file or folder that appears complete or not at all. `to_nir` takes a network, all others a spike
file or `Events`, of which they keep times [s], units, labels, class names, speakers, clip ids and durations (`t_stop`).
"""

from spikedata.export.address_events import to_aer
from spikedata.export.arrays import to_npz
from spikedata.export.data_card import DataCard, write_data_card
from spikedata.export.formats import FORMATS, export_file
from spikedata.export.neo_blocks import neo_block, to_neo
from spikedata.export.nir_data import to_nir_data
from spikedata.export.nir_network import ExportedNetwork, nir_graph, to_nir
from spikedata.export.output import Exported
from spikedata.export.tables import to_csv, to_parquet

__all__ = [
    "FORMATS",
    "DataCard",
    "Exported",
    "ExportedNetwork",
    "export_file",
    "neo_block",
    "nir_graph",
    "to_aer",
    "to_csv",
    "to_neo",
    "to_nir",
    "to_nir_data",
    "to_npz",
    "to_parquet",
    "write_data_card",
]
