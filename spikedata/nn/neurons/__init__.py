"""Neuron models: for each its params, its state, one step, and the plain loop over all steps, in PyTorch.

`spikedata.nn.kernels` has the loops fused for the CPU; its tests hold them against those here.
"""

from spikedata.nn.neurons.adlif import AdLIFCoefficients, AdLIFParams, AdLIFState, adlif_loop, adlif_step
from spikedata.nn.neurons.alif import ALIFParams, ALIFState, alif_loop, alif_step
from spikedata.nn.neurons.c_silif import (
    CSiLIFCoefficients,
    CSiLIFParams,
    CSiLIFState,
    CSiLIFValues,
    c_silif_coefficients,
    c_silif_loop,
    c_silif_step,
    draw_c_silif,
)
from spikedata.nn.neurons.coefficients import AdLIFFractions, adlif_coefficients
from spikedata.nn.neurons.integrator import IntegratorParams, leaky_integrator
from spikedata.nn.neurons.lif import LIFParams, LIFState, lif_loop, lif_step
from spikedata.nn.neurons.recurrent_delays import delayed
from spikedata.nn.neurons.silif import (
    SiLIFParams,
    SiLIFState,
    SiLIFValues,
    as_adlif,
    draw_silif,
    silif_coefficients,
    silif_loop,
    silif_step,
)

__all__ = [
    "ALIFParams",
    "ALIFState",
    "AdLIFCoefficients",
    "AdLIFFractions",
    "AdLIFParams",
    "AdLIFState",
    "CSiLIFCoefficients",
    "CSiLIFParams",
    "CSiLIFState",
    "CSiLIFValues",
    "IntegratorParams",
    "LIFParams",
    "LIFState",
    "SiLIFParams",
    "SiLIFState",
    "SiLIFValues",
    "adlif_coefficients",
    "adlif_loop",
    "adlif_step",
    "alif_loop",
    "alif_step",
    "as_adlif",
    "c_silif_coefficients",
    "c_silif_loop",
    "c_silif_step",
    "delayed",
    "draw_c_silif",
    "draw_silif",
    "leaky_integrator",
    "lif_loop",
    "lif_step",
    "silif_coefficients",
    "silif_loop",
    "silif_step",
]
