"""Polynomial interpolation between evenly spaced nodes."""

import numpy as np
from numpy.typing import NDArray


def lagrange_weights(position: NDArray[np.float64], n_nodes: int) -> NDArray[np.float64]:
    """The weights of neighboring nodes in Lagrange interpolation.

    Parameters
    ----------
    position : ndarray, shape (...)
        Where to interpolate, in distances between nodes from the first node; most accurate in the middle of them [1].
    n_nodes : int
        Number of nodes: 4 for a cubic polynomial, 6 for a quintic [nodes].

    Returns
    -------
    ndarray, shape (..., n_nodes)
        Weights, which sum to 1 [1].

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
