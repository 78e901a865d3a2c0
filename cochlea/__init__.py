"""Sound to spikes: a hydrodynamic basilar membrane, inner hair cells, nerve fibers and bushy cells.

Pure functions on arrays: this package prints nothing, knows no data set and opens no file but its own cache of a table.
"""

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve
from cochlea.basilar_membrane import basilar_membrane
from cochlea.bushy_cell import BushyCellParams, bushy_cell
from cochlea.hair_cell import HairCellParams, hair_cell, place_hair_cells
from cochlea.model import CochleaParams, Spikes, encode, encode_many
from cochlea.stimulus import StimulusParams, apply_ramps, as_waveform, normalize_rms, prepare_stimulus, resample
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_table import characteristic_frequencies

__all__ = [
    "AuditoryNerveParams",
    "BasilarMembraneParams",
    "BushyCellParams",
    "CochleaParams",
    "HairCellParams",
    "Spikes",
    "StimulusParams",
    "apply_ramps",
    "as_waveform",
    "auditory_nerve",
    "basilar_membrane",
    "bushy_cell",
    "characteristic_frequencies",
    "encode",
    "encode_many",
    "hair_cell",
    "normalize_rms",
    "place_hair_cells",
    "prepare_stimulus",
    "resample",
    "transfer_function",
]
