"""Cubic interpolation between evenly spaced nodes."""

import numpy as np
from numpy.typing import NDArray


def cubic_weights(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of four neighboring nodes in the cubic through them (Lagrange).

    Parameters
    ----------
    position : ndarray, shape (...)
        Where to interpolate, in node distances from the first of the four [1]; best between 1 and 2.

    Returns
    -------
    ndarray, shape (..., 4)

    Examples
    --------
    >>> cubic_weights(np.array([1.5]))
    array([[-0.0625,  0.5625,  0.5625, -0.0625]])
    """
    a, b, c, d = (position - node for node in range(4))
    return np.stack([-b * c * d / 6, a * c * d / 2, -a * b * d / 2, a * b * c / 6], axis=-1)
