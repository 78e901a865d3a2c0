"""A model of the auditory periphery: sound in, the spikes of bushy cells or of nerve fibers out.

`encode` runs the whole chain. Each stage is also a public function in a module of the same name, so `cochlea.hair_cell`
is the function. In the order in which sound passes through them, the modules are:

- `stimulus`: the recording without what lies below hearing (`high_pass`), resampled if asked for, brought to a fixed
  level or calibrated, and given onset and offset ramps;
- `middle_ear`: the filter in front of the cochlea, where it is wanted; it is part of the transfer function;
- `basilar_membrane`: the velocity at each place along the membrane. `transfer_function` holds its equations and
  parameters, `transfer_table` their values, computed once and kept on disk (by `transfer_kernel`);
- `compression`: the velocity of a membrane that is active for soft and passive for loud sounds, where that is wanted;
- `hair_cell`: the transmitter pools of the inner hair cells, and the release probability that follows from them;
  `sumner_hair_cell` is the richer model, with a receptor potential, calcium and three classes of fibers, and
  `fiber_classes` says which fibers each of its cells has;
- `auditory_nerve`: how many refractory nerve fibers fire in each step (`fibers_that_fire`: which of them);
- `bushy_cell`: one integrate-and-fire cell of the cochlear nucleus per channel, whose spikes are the result.

`model` joins the stages: `CochleaParams`, `encode` and `encode_many`; `stream` is `encode` for a sound that has not
ended. `engine` is the same chain fused for speed;
`encode` uses it, and the tests check it against the stages. `physiology` measures the model as a physiologist measures
an animal. `signals` and `checks` check arguments; `interpolation` and `compilation` serve several stages.

Signals have the axes (channel, sample); place 0 and channel 0 are at the base of the cochlea, which responds to the
highest frequencies. The functions take arrays and return arrays. The package prints nothing, knows no data set, and the
only files that it reads or writes are in its own cache.
"""

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve, fibers_that_fire
from cochlea.basilar_membrane import basilar_membrane
from cochlea.bushy_cell import BushyCellParams, bushy_cell
from cochlea.compression import CompressionParams, compress, compressive_membrane
from cochlea.hair_cell import HairCellParams, hair_cell, place_hair_cells
from cochlea.high_pass import high_pass
from cochlea.middle_ear import middle_ear
from cochlea.model import CochleaParams, Spikes, encode, encode_many
from cochlea.stimulus import StimulusParams, apply_ramps, as_waveform, normalize_rms, prepare_stimulus, resample
from cochlea.stream import Stream
from cochlea.sumner_hair_cell import FiberClassParams, SumnerHairCellParams, sumner_hair_cell
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_table import characteristic_frequencies

__all__ = [
    "AuditoryNerveParams",
    "BasilarMembraneParams",
    "BushyCellParams",
    "CochleaParams",
    "CompressionParams",
    "FiberClassParams",
    "HairCellParams",
    "Spikes",
    "StimulusParams",
    "Stream",
    "SumnerHairCellParams",
    "apply_ramps",
    "as_waveform",
    "auditory_nerve",
    "basilar_membrane",
    "bushy_cell",
    "characteristic_frequencies",
    "compress",
    "compressive_membrane",
    "encode",
    "encode_many",
    "fibers_that_fire",
    "hair_cell",
    "high_pass",
    "middle_ear",
    "normalize_rms",
    "place_hair_cells",
    "prepare_stimulus",
    "resample",
    "sumner_hair_cell",
    "transfer_function",
]
