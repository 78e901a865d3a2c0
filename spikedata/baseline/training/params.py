"""How a network is trained: every number and name beside the network, the data and the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from spikedata.baseline.training.augmentation import augmentation_of
from spikedata.baseline.training.controls import control_of
from spikedata.baseline.training.losses import ActivityParams
from spikedata.baseline.training.precision import PRECISIONS
from spikedata.baseline.training.schedules import SCHEDULES

OPTIMIZERS = ("adam", "adamax", "adamw", "sgd")
LAYOUTS = ("dense", "lists")
_NAMES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "layout": LAYOUTS, "matmul_precision": PRECISIONS}

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
        How the learning rate goes on [1]: see `spikedata.baseline.training.schedules.learning_rate_at`.
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
        `spikedata.baseline.training.augmentation.augmentation_of`.
    control : str
        What is taken away from every clip, those of validation and test too [1]: see
        `spikedata.baseline.training.controls`.
    layout : str
        Whether the network gets "dense" counts or "lists" of events [1]; the same to rounding, and a matter of speed.
    matmul_precision : str
        Of products of matrices in training [1]: see `spikedata.baseline.training.precision.at_precision`. Spikes that
        are gathered, and all scoring, stay in the full one.

    Raises
    ------
    ValueError
        If a number is out of range or a name unknown.
    """

    epochs: int = 80
    batch_size: int = 64
    optimizer: str = "adamax"
    learning_rate: float = 5e-3
    weight_decay: float = 0.0
    momentum: float = 0.0
    gradient_clip: float = 0.0
    schedule: str = "cosine"
    schedule_factor: float = 0.7
    schedule_patience: int = 5
    schedule_rise: float = 0.3
    label_smoothing: float = 0.0
    activity: ActivityParams = field(default_factory=ActivityParams)
    unit_shift: float = 0.03
    augmentation: tuple[str, ...] = ()
    control: str = "none"
    layout: str = "dense"
    matmul_precision: str = "highest"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            self._refuse_unless(0 < getattr(self, name) < math.inf, name, "> 0")
        self._refuse_unless(self.learning_rate <= _LARGEST_RATE, "learning_rate", f"<= {_LARGEST_RATE:g}")
        for name in ("weight_decay", "gradient_clip", "schedule_patience", "unit_shift"):
            self._refuse_unless(0 <= getattr(self, name) < math.inf, name, ">= 0")
        for name in ("momentum", "label_smoothing"):
            self._refuse_unless(0 <= getattr(self, name) < 1, name, "in 0..1, 1 excluded")
        for name in ("schedule_factor", "schedule_rise"):
            self._refuse_unless(0 < getattr(self, name) < 1, name, "between 0 and 1")
        for name, known in _NAMES.items():
            self._refuse_unless(getattr(self, name) in known, name, f"one of {', '.join(known)}")
        try:
            augmentation_of(self.augmentation)
            control_of(self.control)
        except ValueError as error:
            raise ValueError(f"TrainParams: {error}") from None

    def _refuse_unless(self, condition: bool, name: str, rule: str) -> None:
        if not condition:
            raise ValueError(f"TrainParams.{name} must be {rule}, got {getattr(self, name)!r}")
