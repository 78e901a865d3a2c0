"""How a network is trained: every number and name beside the network, the data and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from spikedata.checks import Bounds, Count, NotNegative, OneOf, ShareBelowOne, check_fields
from spikedata.training.devices import PRECISIONS
from spikedata.training.losses import ActivityParams
from spikedata.training.schedules import SCHEDULES
from spikedata.transforms.named import augmentation_of, control_of

OPTIMIZERS = ("adam", "adamax", "adamw", "sgd")
LAYOUTS = ("dense", "lists")

_LARGEST_RATE = 1e3  # beyond it optimizers overflow before anything can be said of the loss


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Times that the training part is gone through [1].
    batch_size : int
        Clips in a batch [1].
    optimizer : str
        Name of the optimizer [1]: adam, adamax, adamw or sgd.
    learning_rate : float
        Largest step size of the optimizer [1].
    weight_decay : float
        L2 strength; of adamw, the part by which weights shrink per step and learning rate [1].
    momentum : float
        Of sgd [1].
    gradient_clip : float
        Largest norm of the gradient of all weights together [1]; 0 for no limit.
    schedule : str
        How the learning rate goes on [1]: see `spikedata.training.schedules.learning_rate_at`.
    schedule_factor : float
        What a plateau multiplies the learning rate by [1].
    schedule_patience : int
        Epochs without a better validation accuracy that are not yet a plateau [1].
    schedule_rise : float
        Part of the training in which the learning rate of one cycle rises [1].
    label_smoothing : float
        Part of the target that goes to all classes alike [1].
    activity : ActivityParams
        Bounds on the spikes of hidden neurons [1].
    unit_shift : float
        Standard deviation of the shift along the units that each clip gets anew in each epoch, as a fraction of
        all units [1]. Units are places on the cochlea, a logarithmic axis of frequency, so a shift scales all
        frequencies as a longer or shorter vocal tract would: new voices from few.
    augmentation : tuple of str
        Transforms that each training clip goes through anew in each epoch [1]: see
        `spikedata.transforms.named.augmentation_of`.
    control : str
        What is taken away from every clip, those of validation and test too [1]: see
        `spikedata.transforms.named`.
    layout : str
        Whether the network gets "dense" counts or "lists" of events [1]; the same to rounding, and a matter of speed.
    matmul_precision : str
        Of products of matrices in training [1]: see `spikedata.training.devices.at_precision`. Spikes that
        are gathered, and all scoring, stay in the full one.

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
    label_smoothing: ShareBelowOne = 0.0
    activity: ActivityParams = field(default_factory=ActivityParams)
    unit_shift: NotNegative = 0.03
    augmentation: tuple[str, ...] = ()
    control: str = "none"
    layout: Annotated[str, OneOf(LAYOUTS)] = "dense"
    matmul_precision: Annotated[str, OneOf(PRECISIONS)] = "highest"

    def __post_init__(self) -> None:
        check_fields(self)
        try:
            augmentation_of(self.augmentation)
            control_of(self.control)
        except ValueError as error:
            raise ValueError(f"TrainParams: {error}") from None
