"""SiLIF neurons over all steps at once: the passes of adaptive LIF neurons, with other coefficients."""

from __future__ import annotations

from torch import Tensor

from spikedata.nn.kernels.adlif import run_adlif
from spikedata.nn.kernels.arguments import check_shapes, is_fused
from spikedata.nn.neurons import AdLIFCoefficients, SiLIFParams, as_adlif, silif_loop


def run_silif(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: SiLIFParams,
    *,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of SiLIF neurons that start from 0: `spikedata.nn.neurons.silif_loop`, fused on the CPU.

    Gradients reach the drive, the recurrent weight and the coefficients; there are no second derivatives.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Coefficients of each neuron; the decay of the membrane must be below 1.
    params : SiLIFParams
        Threshold and surrogate.
    delay_kernel : Tensor, (delay, neuron), optional
        Share of each neuron's spikes that is sent to its own layer at each delay; see
        `spikedata.nn.neurons.recurrent_delays`. Default: no delays.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    ValueError
        If the shapes do not match, or a membrane does not decay.

    Examples
    --------
    >>> import torch
    >>> coefficients = AdLIFCoefficients(*torch.tensor([[0.5], [0.9], [0.0], [2.0]]))
    >>> run_silif(torch.full((1, 6, 1), 3.0), None, coefficients, SiLIFParams()).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    check_shapes(drive, recurrent_weight)
    if not is_fused(drive):
        return silif_loop(drive, recurrent_weight, coefficients, params, delay_kernel=delay_kernel)
    return run_adlif(drive, recurrent_weight, *as_adlif(coefficients, params), delay_kernel=delay_kernel)
