"""Neurons: for each its params, its states, one step, and the plain loop over all steps, in PyTorch.

The fused forms of the loops, for the CPU, are in `spikedata.nn.kernels`.
"""

from spikedata.nn.neurons.adlif import AdLIFCoefficients, AdLIFParams, AdLIFState, adlif_loop, adlif_step
from spikedata.nn.neurons.coefficients import AdLIFFractions, adlif_coefficients
from spikedata.nn.neurons.integrator import IntegratorParams, leaky_integrator
from spikedata.nn.neurons.lif import LIFParams, LIFState, lif_loop, lif_step

__all__ = [
    "AdLIFCoefficients",
    "AdLIFFractions",
    "AdLIFParams",
    "AdLIFState",
    "IntegratorParams",
    "LIFParams",
    "LIFState",
    "adlif_coefficients",
    "adlif_loop",
    "adlif_step",
    "leaky_integrator",
    "lif_loop",
    "lif_step",
]
