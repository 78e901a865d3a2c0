"""Recipes of papers, in the units and equations of this package.

Where a paper's equation scales a membrane's input by a factor and ours does not, the initial weights and the learning
rate are scaled instead: with an optimizer of the Adam family, training takes the same course.

The two ``recurrent_slow`` recipes are ours, not of the paper: the network of Cramer et al. with slow neurons.
"""

from __future__ import annotations

import math
from dataclasses import replace

from spikedata.baseline.recipes.recipe import Recipe, with_params
from spikedata.nn.networks import EventDrivenParams, SpikingNetworkParams
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import AdLIFParams, ALIFParams, CSiLIFParams, LIFParams, SiLIFParams
from spikedata.nn.surrogate import SurrogateParams
from spikedata.training.losses import NO_LIMITS, ActivityParams
from spikedata.training.params import TrainParams


def _gains(gain: float, *, kind: str) -> InitializationParams:
    return InitializationParams(kind=kind, input_gain=gain, hidden_gain=gain, recurrent_gain=gain, readout_gain=gain)


def _spytorch() -> Recipe:
    """The tutorial spytorch (Neftci, Mostafa, Zenke 2019): 100 bins of 14 ms, with decays computed for bins of 1 ms.

    Its two penalties, on the sum of all spikes and on the squared spikes of each neuron, are merged into one.
    """
    dt = 14e-3
    return Recipe(
        name="spytorch",
        about="the widely copied network: 200 recurrent LIF neurons, 100 bins over 1.4 s (published: 69.2)",
        network=SpikingNetworkParams(
            hidden=(200,),
            neuron=LIFParams(tau_mem=10 * dt, tau_syn=5 * dt, reset="zero", surrogate=SurrogateParams(scale=100.0)),
            tau_readout=10 * dt,
            initialization=_gains(0.2, kind="normal"),
            duration=1.4,
            dt=dt,
        ),
        training=TrainParams(
            epochs=200,
            batch_size=256,
            optimizer="adamax",
            learning_rate=2e-4,
            schedule="constant",
            activity=ActivityParams(lower_strength=0.0, upper_threshold=0.0, upper_strength=0.13),
            unit_shift=0.0,
            layout="lists",
        ),
    )


#: As others copy the regularization of Cramer et al., both bounds are upper ones. 0.01 spikes a step, of 2,000, are 20
#: a clip. The strength of 1 is divided by 2000**2, since ours counts spikes a clip, and multiplied by
#: 256 * 128 / (256 + 128), since theirs divides by the sum of clips and neurons.
_CRAMER_BOUNDS = ActivityParams(
    lower_strength=0.0, upper_threshold=100.0, upper_strength=0.06, neuron_threshold=20.0, neuron_strength=2.1e-5
)


def _cramer2022(
    name: str,
    about: str,
    *,
    dt: float,
    gain: float = 1.0,
    n_hidden: int = 128,
    n_merged: int = 1,
    slowness: float = 1.0,
    augmentation: tuple[str, ...] = (),
) -> Recipe:
    """The recurrent network of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022).

    Published: layers, hidden time constants, batch, optimizer, epochs, surrogate, bounds, the loss of the largest value
    over time. Inferred, since the paper does not say it: that the readout forgets in 1 s, as long as a clip, as in the
    laboratory's later code (with the 20 ms of the hidden neurons, the accuracy is some ten points lower); the initial
    weights; and which fraction of its current a membrane takes, here ``gain``, which decides how fast the network
    learns. In steps of 4 ms, a gain of 1 learns twice as fast as 1 - beta = 0.18; in steps of 0.5 ms, a gain of 1 makes
    every neuron fire without end. With a ``slowness`` of 7, the time constants are those of `spytorch`, that of the
    readout, too; see docs/explanation/results.md for the effects.
    """
    tau_syn = 10e-3 * slowness
    is_slow = slowness != 1
    return Recipe(
        name=name,
        about=about,
        network=SpikingNetworkParams(
            hidden=(n_hidden,),
            neuron=LIFParams(
                tau_mem=20e-3 * slowness,
                tau_syn=tau_syn,
                reset="zero",
                surrogate=SurrogateParams(scale=40.0),
            ),
            tau_readout=20e-3 * slowness if is_slow else 1.0,
            initialization=InitializationParams(
                kind="uniform",
                input_gain=gain,
                recurrent_gain=gain,
                # a spike moves a readout that hardly forgets by its whole current, 1 / (1 - alpha), in the end
                readout_gain=gain if is_slow else (1 - math.exp(-dt / tau_syn)) / 15,
            ),
            n_merged=n_merged,
            duration=1.0,
            dt=dt,
        ),
        training=TrainParams(
            epochs=150,
            batch_size=256,
            optimizer="adamax",
            learning_rate=1e-3 * gain,
            schedule="constant",
            activity=_CRAMER_BOUNDS,
            unit_shift=0.0,
            augmentation=augmentation,
            layout="lists" if n_merged == 1 else "dense",  # most merged units are not silent, so lists save nothing
        ),
    )


def _quick(recipe: Recipe) -> Recipe:
    """The same recipe with 40 epochs of one learning-rate cycle, in place of 150 at a constant rate."""
    adam = {"epochs": 40, "optimizer": "adam", "learning_rate": 4e-4, "schedule": "one_cycle", "gradient_clip": 1.0}
    return with_params(recipe, adam)


def _se_adlif() -> Recipe:
    """SE-adLIF: Baronig, Ferrand, Sabathiel, Legenstein, Nature Communications (2025)."""
    return Recipe(
        name="se_adlif",
        about="two recurrent layers of 360 adaptive LIF neurons, symplectic Euler (clean split: 93.8)",
        network=SpikingNetworkParams(
            hidden=(360, 360),
            neuron=AdLIFParams(),
            readout="softmax_sum",
            tau_readout=60e-3,
            bias=True,
            dropout=0.15,
            initialization=_gains(1.0, kind="orthogonal"),
            n_merged=5,
            duration=1.0,
            dt=4e-3,
        ),
        training=TrainParams(
            epochs=300,
            batch_size=256,
            optimizer="adam",
            learning_rate=0.01,
            gradient_clip=1.5,
            schedule="constant",
            activity=NO_LIMITS,
            unit_shift=0.0,
            layout="lists",
        ),
    )


def _radlif() -> Recipe:
    """RadLIF: Bittar, Garner, Frontiers in Neuroscience 16:865897 (2022); their time constants are in steps."""
    dt = 14e-3
    return Recipe(
        name="radlif",
        about="two recurrent layers of 1,024 adaptive LIF neurons, batch normalization (picked on test: 94.6)",
        network=SpikingNetworkParams(
            hidden=(1024, 1024),
            neuron=AdLIFParams(
                scheme="euler",
                reset="subtract",
                detach_reset=False,
                surrogate=SurrogateParams(shape="boxcar", scale=2.0),
                tau_mem=(5 * dt, 25 * dt),
                tau_adaptation=(30 * dt, 120 * dt),
                membrane_coupling=(-1.0, 1.0),
                spike_coupling=(0.0, 2.0),
                coupling_gain=1.0,
                leaky_coupling=False,
            ),
            readout="softmax_sum",
            tau_readout=15 * dt,
            dropout=0.1,
            batch_norm=True,
            initialization=_gains(1.0, kind="orthogonal"),
            duration=1.4,
            dt=dt,
        ),
        training=TrainParams(
            epochs=50,
            batch_size=128,
            optimizer="adam",
            learning_rate=0.01,
            schedule="plateau",
            schedule_factor=0.7,
            schedule_patience=1,
            activity=NO_LIMITS,
            unit_shift=0.0,
            layout="lists",
        ),
    )


def _silif(
    name: str, about: str, neuron: SiLIFParams | CSiLIFParams, *, dropout: float, learning_rate: float, factor: float,
    patience: int,
) -> Recipe:  # fmt: skip
    """SiLIF and C-SiLIF: Fabre, Dudchenko, Bouhadjar, Neftci, arXiv:2506.06374 (2025), as their code sets them for SHD.

    Their readout trains a time constant for each class, between 5 and 25 steps; ours has 15 steps for all.
    """
    dt = 4e-3
    return Recipe(
        name=name,
        about=about,
        network=SpikingNetworkParams(
            hidden=(512, 512),
            recurrent=False,
            neuron=neuron,
            readout="softmax_sum",
            tau_readout=15 * dt,
            dropout=dropout,
            batch_norm=True,
            initialization=_gains(1.0, kind="uniform"),
            n_merged=5,
            duration=1.0,
            dt=dt,
        ),
        training=TrainParams(
            epochs=100,
            batch_size=128,
            optimizer="adam",
            learning_rate=learning_rate,
            schedule="plateau",
            schedule_factor=factor,
            schedule_patience=patience,
            activity=NO_LIMITS,
            unit_shift=0.0,
            layout="lists",
        ),
    )


def _dcls_delays() -> Recipe:
    """Learned delays: Hammouamri, Khalfaoui-Hassani, Masquelier, ICLR (2024)."""
    return Recipe(
        name="dcls_delays",
        about="two layers of 256 LIF neurons whose delays up to 250 ms are learned (clean split: 93.8)",
        network=SpikingNetworkParams(
            hidden=(256, 256),
            recurrent=False,
            neuron=LIFParams(
                tau_mem=10e-3, tau_syn=1e-3, reset="zero", surrogate=SurrogateParams(shape="arctan", scale=5.0)
            ),
            readout="softmax_sum",
            tau_readout=20e-3,
            dropout=0.4,
            dropout_of="neurons",
            batch_norm=True,
            max_delay=0.25,
            initialization=_gains(math.sqrt(6), kind="uniform"),  # He et al. 2015
            n_merged=5,
            duration=1.0,
            dt=10e-3,
        ),
        training=TrainParams(
            epochs=150,
            batch_size=256,
            optimizer="adam",
            learning_rate=5e-3,
            schedule="one_cycle",
            activity=NO_LIMITS,
            unit_shift=0.0,
        ),
    )


def _delrec() -> Recipe:
    """DelRec: Queant, Rançon, Cottereau, Masquelier, arXiv:2509.24852 (2025), as their code sets it for SHD.

    A membrane keeps a twentieth of its value for the next step, so that memory is in the delays. Their first layer is
    not recurrent, a fifth of the recurrent input is dropped in training, and each epoch has every clip three times: as
    it is, its channels jittered in time, and blended with another one. Here both layers are alike, no recurrent input
    is dropped, and a third of the clips is blended.
    """
    dt, kept = 10e-3, 1 - 1 / 1.05
    tau = -dt / math.log(kept)
    return Recipe(
        name="delrec",
        about="two layers of 256 LIF neurons whose delays within the layer are learned (clean split: 93.7)",
        network=SpikingNetworkParams(
            hidden=(256, 256),
            neuron=LIFParams(
                tau_mem=tau,
                tau_syn=1e-3,
                reset="zero",
                surrogate=SurrogateParams(shape="arctan", scale=2.5 * math.pi, height=2.5),
            ),
            readout="softmax_sum",
            tau_readout=tau,
            bias=True,
            dropout=0.4,
            dropout_of="neurons",
            batch_norm=True,
            max_recurrent_delay=0.3,
            initialization=replace(_gains(math.sqrt(6), kind="orthogonal"), recurrent_gain=1.0),  # He et al. 2015
            n_merged=5,
            duration=1.0,
            dt=dt,
        ),
        training=TrainParams(
            epochs=150,
            batch_size=256,
            optimizer="adamw",
            learning_rate=5e-3,
            weight_decay=1e-5,
            schedule="one_cycle",
            activity=NO_LIMITS,
            unit_shift=0.0,
            augmentation=("blend share=0.5 chance=0.33",),
            layout="lists",
        ),
    )


def _eprop_alif() -> Recipe:
    """e-prop with adaptive thresholds: Bellec et al., Nature Communications 11:3625 (2020), on spoken digits.

    Network, training and decision (the largest mean of the readout) are those of Knight & Nowotny's published runs on
    the Heidelberg Digits, but for the steps, which were of 1 ms, the window, as long as the longest clip, a bias of the
    readout, and a weak pull of all rates to 10 Hz. Their readout does not scale its input by 1 - kappa as ours does: so
    all voltages, the weights and the learning rate are larger by that factor. It belongs to ``dt``.
    """
    dt, tau = 5e-3, 20e-3
    gain = 1 / (1 - math.exp(-dt / tau))
    return Recipe(
        name="eprop_alif",
        about="256 recurrent neurons with adaptive thresholds, trained by e-prop (published, steps of 1 ms: 78.8)",
        network=SpikingNetworkParams(
            hidden=(256,),
            neuron=ALIFParams(
                tau_mem=tau,
                threshold=0.6 * gain,
                adaptation=0.0174 * gain,
                surrogate=SurrogateParams(shape="triangle", scale=1 / (0.6 * gain), height=0.3 / (0.6 * gain)),
            ),
            readout="mean",
            tau_readout=tau,
            initialization=_gains(gain, kind="normal"),
            duration=1.0,
            dt=dt,
        ),
        training=TrainParams(
            epochs=100,
            batch_size=512,
            optimizer="adam",
            learning_rate=1e-3 * gain,
            schedule="constant",
            loss="step_cross_entropy",
            activity=NO_LIMITS,
            unit_shift=0.0,
            layout="lists",
            gradient="eprop",
        ),
    )


def _eventprop(
    name: str,
    about: str,
    network: EventDrivenParams,
    *,
    batch_size: int,
    late_strength: float,
    augmentation: tuple[str, ...],
) -> Recipe:
    """EventProp: Wunderlich, Pehle, Scientific Reports 11:12829 (2021)."""
    return Recipe(
        name=name,
        about=about,
        network=network,
        training=TrainParams(
            epochs=100,
            batch_size=batch_size,
            optimizer="adam",
            learning_rate=5e-3,
            schedule="exponential",
            schedule_factor=0.95,
            late_strength=late_strength,
            activity=NO_LIMITS,
            unit_shift=0.0,
            augmentation=augmentation,
        ),
    )


_JITTER = ("channel_jitter sigma=20",)

PAPERS = (
    _spytorch(),
    _cramer2022(
        "cramer2022",
        "the recurrent network of Cramer et al. 2022: 128 LIF neurons, steps of 0.5 ms (published: 71.4)",
        dt=0.5e-3,
        gain=0.0247,  # 1 - beta
    ),
    _cramer2022(
        "cramer2022_coarse",
        "cramer2022 in steps of 4 ms, eight times faster",
        dt=4e-3,
    ),
    _cramer2022(
        "cramer2022_augmented",
        "cramer2022_coarse with 1,024 neurons, ten units merged and channel jitter (published: 83.2)",
        dt=4e-3,
        n_hidden=1024,
        n_merged=10,
        augmentation=_JITTER,
    ),
    _cramer2022(
        "recurrent_slow",
        "cramer2022_coarse with slow neurons: membranes of 140 ms, synapses of 70 ms, as in spytorch",
        dt=4e-3,
        gain=0.2,
        slowness=7.0,
    ),
    _quick(
        _cramer2022(
            "recurrent_slow_augmented",
            "cramer2022_augmented with slow neurons, in steps of 10 ms; 40 epochs of Adam",
            dt=10e-3,
            gain=0.2,
            n_hidden=1024,
            n_merged=10,
            slowness=7.0,
            augmentation=_JITTER,
        )
    ),
    _se_adlif(),
    _radlif(),
    _silif(
        "silif",
        "two layers of 512 SiLIF neurons, adaptive ones with trained logarithms of rates and steps",
        SiLIFParams(),
        dropout=0.25,
        learning_rate=1e-3,
        factor=0.7,
        patience=5,
    ),
    _silif(
        "c_silif",
        "two layers of 512 C-SiLIF neurons, which turn as states of S4D do (picked on test: 95.5)",
        CSiLIFParams(),
        dropout=0.1,
        learning_rate=5e-3,
        factor=0.9,
        patience=10,
    ),
    _dcls_delays(),
    _delrec(),
    _eprop_alif(),
    _eventprop(
        "eventprop_yin_yang",
        "Yin-Yang in continuous time by exact gradients: 200 LIF neurons, first spikes (published: 98.1)",
        EventDrivenParams(),
        batch_size=32,
        late_strength=3e-3,
        augmentation=(),
    ),
    _eventprop(
        "eventprop_mnist",
        "latency MNIST in continuous time by exact gradients: 350 LIF neurons, highest membranes (published: 97.6)",
        EventDrivenParams(
            hidden=(350,),
            readout="max",
            input_mean=0.078,
            input_deviation=0.045,
            readout_mean=0.2,
            readout_deviation=0.37,
        ),
        batch_size=5,
        late_strength=0.0,
        augmentation=("event_drop probability=0.2",),
    ),
)
