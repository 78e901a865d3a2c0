"""Whole layers over all steps at once: compiled on the CPU, the loops of `spikedata.nn.neurons` elsewhere.

Autograd sees each kernel as one operation: a compiled loop over the steps forward, and a hand-written one backward,
which can be differentiated once. The device and dtype of the arguments decide which form runs.
"""

from spikedata.nn.kernels.adlif import run_adlif
from spikedata.nn.kernels.alif import run_alif
from spikedata.nn.kernels.c_silif import run_c_silif
from spikedata.nn.kernels.chunks import kernel_threads
from spikedata.nn.kernels.dropout import drop
from spikedata.nn.kernels.integrator import run_integrator
from spikedata.nn.kernels.lif import run_lif
from spikedata.nn.kernels.peak import max_over_time
from spikedata.nn.kernels.projection import dense_events, project_events, project_spikes
from spikedata.nn.kernels.silif import run_silif
from spikedata.nn.kernels.tracing import plain_loops

__all__ = [
    "dense_events",
    "drop",
    "kernel_threads",
    "max_over_time",
    "plain_loops",
    "project_events",
    "project_spikes",
    "run_adlif",
    "run_alif",
    "run_c_silif",
    "run_integrator",
    "run_lif",
    "run_silif",
]
