"""Pictures: every `plot_…` takes arrays, events or a file and returns a Matplotlib figure; `save_figure` writes it.

With ``ax=`` a picture is drawn into axes of your own, which are returned: so pictures stand beside each other.
Nothing here touches pyplot or Matplotlib's global settings, so those of a script, server or notebook are not affected.
"""

from spikedata.plot.clip import plot_cochleagram, plot_raster, plot_recording, plot_word
from spikedata.plot.dataset import plot_classes, plot_means, plot_rates, plot_speakers
from spikedata.plot.figure import save_figure
from spikedata.plot.file import Column, plot_file, plot_side_by_side, plot_sound
from spikedata.plot.network import plot_confusion, plot_hidden, plot_learning_curve
from spikedata.plot.timing import plot_intervals, plot_psth

__all__ = [
    "Column",
    "plot_classes",
    "plot_cochleagram",
    "plot_confusion",
    "plot_file",
    "plot_hidden",
    "plot_intervals",
    "plot_learning_curve",
    "plot_means",
    "plot_psth",
    "plot_raster",
    "plot_rates",
    "plot_recording",
    "plot_side_by_side",
    "plot_sound",
    "plot_speakers",
    "plot_word",
    "save_figure",
]
