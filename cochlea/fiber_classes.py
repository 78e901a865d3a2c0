"""Which fibers each hair cell has, and how the synapses of a class differ from cell to cell."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import exponentials
from cochlea.engine.chance import mixed
from cochlea.sumner_hair_cell import CLASSES, SumnerHairCellParams

_N_SUMMED = 12  # uniform numbers whose sum is nearly normal


def deal_fibers(n_cells: int, n_fibers: int, params: SumnerHairCellParams) -> NDArray[np.int64]:
    """How many fibers of each class every hair cell has.

    The fibers are numbered along the nerve, and dealt to the classes in such a way that among the first N fibers of the
    nerve, for any N, the number in each class is within one of its share.

    Parameters
    ----------
    n_cells : int
        Number of hair cells of the ear [cells].
    n_fibers : int
        Number of fibers of one hair cell [fibers].
    params : SumnerHairCellParams

    Returns
    -------
    ndarray of int64, shape (class, cell)
        Number of fibers; the sum over classes is `n_fibers` [fibers].

    Examples
    --------
    >>> deal_fibers(4, 8, SumnerHairCellParams())
    array([[5, 5, 5, 5],
           [2, 2, 1, 2],
           [1, 1, 2, 1]])
    """
    params = checked_object("params", params, SumnerHairCellParams)
    n_cells = whole_number("n_cells", n_cells, at_least=1)
    n_fibers = whole_number("n_fibers", n_fibers, at_least=1)
    ends = np.arange(n_cells + 1) * n_fibers  # number of fibers before each cell
    high = np.floor(params.high.share * ends + 0.5).astype(np.int64)
    # Of those that are left, in their own order: rounding the sum of two shares could deal a negative number.
    left = ends - high
    not_high = params.medium.share + params.low.share
    medium = np.floor((params.medium.share / not_high if not_high > 0 else 0.0) * left + 0.5).astype(np.int64)
    return np.diff(np.stack([high, medium, left - medium]), axis=1)


def calcium_conductances(cells: ArrayLike, params: SumnerHairCellParams) -> NDArray[np.float64]:
    """GCa at the synapses of each class of some hair cells, with the jitter of the class.

    The jitter is a property of the ear: it depends on the number of the cell and on nothing else. All fibers of one
    class of a cell share it; with some ten fibers per cell, medium and low classes have one or two.

    Parameters
    ----------
    cells : array_like of int, shape (cell,)
        Numbers of the hair cells, from base to apex [1].
    params : SumnerHairCellParams

    Returns
    -------
    ndarray, shape (class, cell)
        GCa [S].
    """
    number = (
        np.asarray(cells, np.uint64)[None, :] * np.uint64(len(CLASSES))
        + np.arange(len(CLASSES), dtype=np.uint64)[:, None]
    )
    normal = _normals(number.ravel()).reshape(number.shape)
    sigma = np.array([each.jitter for each in params.classes])[:, None]
    conductance = np.array([each.calcium_conductance for each in params.classes])[:, None]
    # The mean of exp(s n)^3 is exp(9 s^2 / 2); the second term makes it 1.
    return np.asarray(conductance * exponentials(sigma * normal - 1.5 * sigma * sigma))


@compiled()
def _normals(numbers: Array) -> Array:
    # A nearly normal number for each. The sum of twelve uniform numbers is normal but for its tails, which end at six
    # standard deviations, and is exact: a normal number from a library would depend on its logarithm.
    found = np.empty(numbers.size)
    for i in range(numbers.size):
        total = np.uint64(0)
        for draw in range(_N_SUMMED):
            total += mixed(numbers[i] * np.uint64(_N_SUMMED) + np.uint64(draw + 1)) >> np.uint64(32)
        found[i] = (np.float64(total) + _N_SUMMED / 2) / 2.0**32 - _N_SUMMED / 2
    return found
