"""Images as latencies: the brighter a pixel, the earlier its spike, and none where it is dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, OneOf, Positive, checked
from spikedata.events import Events
from spikedata.tasks.latencies import events_from_latencies

CODES = ("log", "linear")

_BRIGHTEST = 255


def latency_images(
    images: npt.NDArray[np.uint8],
    labels: npt.ArrayLike,
    *,
    code: str = "log",
    threshold: float = 0.2,
    tau: float = 0.02,
    t_max: float = 0.02,
    duration: float = 0.1,
    keys: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
) -> Events:
    """Images as spikes: one unit for each pixel, row after row, which fires at most once.

    ==========  ===============================================  ======================
    code        time of the spike of a pixel of value x in 0..1  pixels that fire
    ==========  ===============================================  ======================
    ``log``     ``tau * log(x / (x - threshold))``               x > ``threshold``
    ``linear``  ``(1 - x) * t_max``                              x > 1/255
    ==========  ===============================================  ======================

    The first is the time at which a leaky integrator with the time constant ``tau`` and a constant input x reaches the
    threshold, as in the notebooks of SpyTorch (Neftci, Mostafa, Zenke, IEEE Signal Processing Magazine 36:51, 2019);
    the second that of Wunderlich & Pehle, Scientific Reports 11:12829 (2021). A spike that would come after the end of
    the clip, as that of a pixel barely above the threshold would, is dropped and not moved to the end.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_clips, height, width)
        Brightness of each pixel, 255 is x = 1.
    labels : array_like of int, shape (n_clips,)
        Class of each image.
    code : {"log", "linear"}
        How brightness becomes time.
    threshold : float
        Value above which a pixel fires, for "log" [1].
    tau : float
        Time constant, for "log" [s].
    t_max : float
        Time of a pixel of value 0, for "linear" [s].
    duration : float
        Length of the clips [s].
    keys : sequence of str, optional
        Class names. Default: the numbers of the classes.
    sources : sequence of str, optional
        Clip ids. Default: none.

    Returns
    -------
    Events
        ``height * width`` units; times in float64.

    Raises
    ------
    TypeError
        If the images are not bytes.
    ValueError
        If the shape of the images is another, there are not as many labels, or a number is out of range.

    Examples
    --------
    >>> events = latency_images(np.array([[[255, 0], [128, 52]]], np.uint8), [3])
    >>> events[0].times.round(4), events[0].units
    (array([0.0045, 0.0102, 0.079 ]), array([0, 2, 3], dtype=uint16))
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    if images.ndim != 3 or not images.shape[1] * images.shape[2]:
        raise ValueError(f"images must be (n_clips, height, width), got an array of shape {images.shape}")
    classes = np.asarray(labels)
    if classes.shape != images.shape[:1]:
        raise ValueError(f"labels must be {len(images)}, one for each image, got an array of shape {classes.shape}")
    by_brightness = _latency_of_brightness(code, threshold, tau, t_max)
    if keys is None:
        keys = [str(label) for label in range(int(classes.max(initial=0)) + 1)]
    pixels = images.reshape(len(images), -1)
    return events_from_latencies(by_brightness[pixels], classes, keys=keys, duration=duration, sources=sources)


def _latency_of_brightness(code: str, threshold: float, tau: float, t_max: float) -> npt.NDArray[np.float64]:
    """The time of the spike of a pixel of each brightness from 0 to 255; infinite where there is none."""
    x = np.arange(_BRIGHTEST + 1) / _BRIGHTEST
    if checked("code", code, Annotated[str, OneOf(CODES)]) == "linear":
        return np.where(x > 1 / _BRIGHTEST, (1 - x) * checked("t_max", t_max, Positive), np.inf)
    threshold = checked("threshold", threshold, Annotated[float, Bounds(above=0, below=1)])
    tau = checked("tau", tau, Positive)
    latencies, fires = np.full(len(x), np.inf), x > threshold
    latencies[fires] = tau * np.log(x[fires] / (x[fires] - threshold))
    return latencies
