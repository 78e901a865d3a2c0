"""Polynomial interpolation between evenly spaced nodes."""

import numpy as np
from numpy.typing import NDArray


def lagrange_weights(position: NDArray[np.float64], n_nodes: int) -> NDArray[np.float64]:
    """Weights of neighboring nodes in the polynomial through them (Lagrange).

    Parameters
    ----------
    position : ndarray, shape (...)
        Where to interpolate, in node distances from the first of the nodes [1]; best in the middle of them.
    n_nodes : int
        Nodes: 4 for a cubic, 6 for a quintic [nodes].

    Returns
    -------
    ndarray, shape (..., n_nodes)

    Examples
    --------
    >>> lagrange_weights(np.array([1.5]), 4)
    array([[-0.0625,  0.5625,  0.5625, -0.0625]])
    """
    nodes = np.arange(n_nodes)
    weights = np.ones((*np.shape(position), n_nodes))
    for node in nodes:
        for other in nodes[nodes != node]:
            weights[..., node] *= (position - other) / (node - other)
    return weights
