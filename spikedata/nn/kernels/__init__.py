"""Layers of neurons over all steps at once: fused on the CPU, elsewhere the loops of `spikedata.nn.neurons`.

Each kernel is one function of tensors that autograd takes for one operation: a compiled loop over the steps forward,
and one written by hand backward. What decides is the device and type of what is given.
"""

from spikedata.nn.kernels.adlif import run_adlif
from spikedata.nn.kernels.chunks import kernel_threads
from spikedata.nn.kernels.dropout import drop
from spikedata.nn.kernels.integrator import run_integrator
from spikedata.nn.kernels.lif import run_lif
from spikedata.nn.kernels.peak import max_over_time
from spikedata.nn.kernels.projection import dense_events, project_events, project_spikes

__all__ = [
    "dense_events",
    "drop",
    "kernel_threads",
    "max_over_time",
    "project_events",
    "project_spikes",
    "run_adlif",
    "run_integrator",
    "run_lif",
]
