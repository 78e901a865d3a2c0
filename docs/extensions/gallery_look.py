"""The gallery: in which order its examples stand, and how their pictures look."""

from typing import Any

# as a newcomer would ask: first sound, then spikes, then networks, then other software
ORDER = (
    "own_recordings",
    "parameters_of_the_ear",
    "word_in_babble",
    "which_channels",
    "recognize_a_recording",
    "words_as_they_are_spoken",
    "own_pytorch_model",
    "own_network",
    "snntorch_model",
    "lightning_model",
    "augmentation",
    "held_out_speakers",
    "rate_or_timing",
    "learning_rule",
    "yin_yang",
    "neo_and_brian",
    "nir_data",
    "many_workers",
    "report_page",
)

LOOK: dict[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6B7280",
    "xtick.color": "#6B7280",
    "ytick.color": "#6B7280",
    "xtick.labelcolor": "#1B1F24",
    "ytick.labelcolor": "#1B1F24",
    "text.color": "#1B1F24",
    "axes.labelcolor": "#1B1F24",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


class Order:
    """Sorts the scripts of the gallery; one that is not in the list fails the build.

    Parameters
    ----------
    src_dir : str
        The folder of the scripts.
    """

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, name: str) -> int:
        return ORDER.index(name.removesuffix(".py"))


def set_look(gallery_conf: dict[str, Any], name: str) -> None:
    """Give Matplotlib the look of the house before each script, whatever the one before has set.

    Parameters
    ----------
    gallery_conf : dict
        The configuration of the gallery; not used.
    name : str
        The script; not used.
    """
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcdefaults()
    plt.rcParams.update(LOOK)
    # Okabe & Ito, "Color universal design" (2008), as in `spikedata.plot`
    plt.rcParams["axes.prop_cycle"] = cycler(color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"])
