"""The recordings that ship with the package: a part of the Heidelberg Digits, for examples and the demo."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

_CORPUS = "heidelberg_digits"
_MANIFEST = "manifest.csv"


def embedded_corpus() -> Path:
    """The folder of real speech in the package: 680 recordings of digits at 16 kHz, English and German, 12 speakers.

    Its recordings are named as in the Heidelberg Digits, so it is listed as the corpus ``heidelberg_digits``. Of each
    class it has three takes of each training speaker and two of the test speakers 4 and 5. The README in the folder
    names the authors and the license (CC BY 4.0).

    Returns
    -------
    Path
        The folder, with ``manifest.csv``: label, class, speaker, take and SHA-256 of each recording.

    Raises
    ------
    FileNotFoundError
        If the recordings are missing in the installation.

    Examples
    --------
    >>> (embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac").is_file()
    True
    """
    folder = Path(str(resources.files("spikedata") / _CORPUS))
    # a packager who strips data leaves no folder, or one without sound
    if not (folder / _MANIFEST).is_file() or next(folder.glob("*.flac"), None) is None:
        raise FileNotFoundError(
            f"{folder}: the recordings that ship with the package are missing; install spikedata-audio again"
        )
    return folder
