"""Params of a training: everything but the network, the data and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from spikedata.checks import Bounds, Count, NotNegative, OneOf, Positive, ShareBelowOne, check_fields
from spikedata.learning.feedback import FEEDBACK
from spikedata.learning.rules import RULES
from spikedata.training.devices import PRECISIONS
from spikedata.training.losses import LOSSES, ActivityParams
from spikedata.training.schedules import SCHEDULES
from spikedata.transforms.named import OF_NETWORK, augmentation_of, known_control

OPTIMIZERS = ("adam", "adamax", "adamw", "sgd")
LAYOUTS = ("dense", "lists")
GRADIENTS = ("bptt", *RULES)

_LATER = {"added_later": True}  # cards from before have no such param: it had its default
_LARGEST_RATE = 1e3  # above it, optimizers overflow before the loss can be checked


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Number of passes over the training part [1].
    batch_size : int
        Number of clips in a batch [1].
    optimizer : str
        Name of the optimizer [1]: adam, adamax, adamw or sgd.
    learning_rate : float
        Largest learning rate [1].
    weight_decay : float
        L2 strength; for adamw, the fraction by which weights shrink per step and unit of learning rate [1].
    momentum : float
        Momentum of sgd [1].
    gradient_clip : float
        Largest norm of the gradient of all weights together [1]; 0 for no limit.
    schedule : str
        How the learning rate changes [1]: see `spikedata.training.schedules.learning_rate_at`.
    schedule_factor : float
        Factor of the learning rate at each plateau, or, if "exponential", after each epoch [1].
    schedule_patience : int
        Number of epochs without a better validation accuracy before one more makes a plateau [1].
    schedule_rise : float
        Share of the training in which "one_cycle" raises the learning rate [1].
    loss : str
        Loss of the classes [1]: cross_entropy, binary_cross_entropy or step_cross_entropy, see
        `spikedata.training.losses.classification_loss`. Scoring gives the cross-entropy of the scores for any of them.
    label_smoothing : float
        Share of the target that is spread evenly over all classes [1].
    late_strength : float
        Weight of a penalty on late first spikes of the true class, exp(t / ``late_tau``) - 1; for networks in
        continuous time whose readout is "first_spike" [1].
    late_tau : float
        Time constant of that penalty [s].
    activity : ActivityParams
        Bounds on the spikes of hidden neurons [1].
    unit_shift : float
        Standard deviation of the random shift along the units that each clip gets in each epoch, as a fraction of all
        units [1]. Units are places on the cochlea, a logarithmic axis of frequency, so a shift scales all frequencies
        as a longer or shorter vocal tract would: it simulates more speakers.
    augmentation : tuple of str
        Transforms of the training clips, drawn anew in each epoch [1]: see
        `spikedata.transforms.named.augmentation_of`.
    weight_average : float
        Share of the old in each step of an exponential moving average of the weights [1], which takes their place in
        scoring and in what is kept (Polyak & Juditsky, SIAM J. Control Optim. 30:838, 1992); 0 for none.
    control : str
        Information that is removed from every clip, including validation and test clips, or from the network [1]: see
        `spikedata.transforms.named`.
    layout : str
        Whether a network on a grid gets "dense" counts or event "lists" [1]: results agree up to rounding, speed
        differs.
    matmul_precision : str
        Precision of matrix products in training [1]: see `spikedata.training.devices.at_precision`. Gathered spikes,
        and all scoring, keep full precision.
    gradient : str
        How the gradient is computed [1]: "bptt", back-propagation through time, or by an online rule, "eprop" or
        "superspike", for spiking networks without delays, dropout and batch normalization: see
        `spikedata.learning.online_gradients`.
    feedback : str
        How the errors of an online rule reach hidden neurons [1]: "symmetric", "random" or "uniform", see
        `spikedata.learning.feedback.feedback_weights`. The seed of the training draws the random one.

    Raises
    ------
    ValueError
        If a number is out of range or a name unknown.
    """

    epochs: Count = 80
    batch_size: Count = 64
    optimizer: Annotated[str, OneOf(OPTIMIZERS)] = "adamax"
    learning_rate: Annotated[float, Bounds(above=0, at_most=_LARGEST_RATE)] = 5e-3
    weight_decay: NotNegative = 0.0
    momentum: ShareBelowOne = 0.0
    gradient_clip: NotNegative = 0.0
    schedule: Annotated[str, OneOf(SCHEDULES)] = "cosine"
    schedule_factor: Annotated[float, Bounds(above=0, below=1)] = 0.7
    schedule_patience: Annotated[int, Bounds(at_least=0)] = 5
    schedule_rise: Annotated[float, Bounds(above=0, below=1)] = 0.3
    loss: Annotated[str, OneOf(LOSSES)] = field(default="cross_entropy", metadata=_LATER)
    label_smoothing: ShareBelowOne = 0.0
    late_strength: NotNegative = field(default=0.0, metadata=_LATER)
    late_tau: Positive = field(default=6.4e-3, metadata=_LATER)
    activity: ActivityParams = field(default_factory=ActivityParams)
    unit_shift: NotNegative = 0.03
    augmentation: tuple[str, ...] = ()
    weight_average: ShareBelowOne = field(default=0.0, metadata=_LATER)
    control: str = "none"
    layout: Annotated[str, OneOf(LAYOUTS)] = "dense"
    matmul_precision: Annotated[str, OneOf(PRECISIONS)] = "highest"
    gradient: Annotated[str, OneOf(GRADIENTS)] = field(default="bptt", metadata=_LATER)
    feedback: Annotated[str, OneOf(FEEDBACK)] = field(default="symmetric", metadata=_LATER)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.feedback != "symmetric" and self.gradient == "bptt":
            rule = "must be 'symmetric' for the gradient 'bptt', which knows no other feedback"
            raise ValueError(f"TrainParams.feedback {rule}, got {self.feedback!r}")
        try:
            augmentation_of(self.augmentation)
            known_control(self.control)
        except ValueError as error:
            raise ValueError(f"TrainParams: {error}") from None
        if self.control == OF_NETWORK and self.gradient != "bptt":
            rule = f"must be 'bptt' under the control {OF_NETWORK!r}, which leaves no time to a rule"
            raise ValueError(f"TrainParams.gradient {rule}, got {self.gradient!r}")
