"""Pictures as bitmaps, from image files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_DARK = 0.5  # of a brightness of 0 to 1
_LUMA = (0.2126, 0.7152, 0.0722)  # of red, green and blue, ITU-R BT.709


def read_bitmap(path: str | os.PathLike[str]) -> npt.NDArray[np.bool_]:
    """The dark pixels of a picture.

    Parameters
    ----------
    path : str or path-like
        A file .png, which matplotlib reads; or .npy with an array of truths, or of brightness (0 to 1, or bytes).

    Returns
    -------
    ndarray of bool, shape (height, width)
        True where the brightness is below one half; what is transparent is bright.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such picture.
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if place.suffix not in (".png", ".npy"):
        raise ValueError(f"{path}: a picture must be .png or .npy, got {place.suffix or 'no suffix'}")
    try:
        if place.suffix == ".npy":
            pixels: npt.NDArray[Any] = np.load(place, allow_pickle=False)
        else:
            from matplotlib.image import imread

            pixels = np.asarray(imread(place))
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise ValueError(f"{path}: cannot be read as a picture: {' '.join(str(error).split())}") from None
    if pixels.dtype == np.bool_ and pixels.ndim == 2:
        return np.asarray(pixels, np.bool_)
    if pixels.dtype == np.uint8:
        pixels = pixels / 255
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):  # gray or color, with opacity
        opacity = pixels[..., -1:]
        pixels = opacity * pixels[..., :-1] + (1 - opacity)
    if pixels.ndim == 3 and pixels.shape[2] in (1, 3):
        pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels @ np.array(_LUMA)
    if pixels.ndim != 2 or pixels.dtype.kind != "f" or not pixels.size:
        raise ValueError(f"{path}: must be a picture in gray or color, got {pixels.dtype} of shape {pixels.shape}")
    return np.asarray(pixels < _DARK)
