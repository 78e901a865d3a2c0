"""Baselines: spiking networks and references, trained and scored under one honest protocol."""

from spikedata.baseline.epochs import EpochRecord, Trained
from spikedata.baseline.losses import ActivityParams
from spikedata.baseline.networks import (
    Activity,
    ConvolutionParams,
    CountParams,
    SequenceParams,
    SpikingNetwork,
    SpikingNetworkParams,
    make_network,
)
from spikedata.baseline.neurons import AdLIFParams, LIFParams
from spikedata.baseline.protocol import evaluate_run, train_run
from spikedata.baseline.recipe import Recipe
from spikedata.baseline.recipes import RECIPES, recipe_from
from spikedata.baseline.run_folder import Run, load_run
from spikedata.baseline.scoring import Score, evaluate
from spikedata.baseline.surrogate import SurrogateParams
from spikedata.baseline.train_params import TrainParams
from spikedata.baseline.training import train

__all__ = [
    "RECIPES",
    "Activity",
    "ActivityParams",
    "AdLIFParams",
    "ConvolutionParams",
    "CountParams",
    "EpochRecord",
    "LIFParams",
    "Recipe",
    "Run",
    "Score",
    "SequenceParams",
    "SpikingNetwork",
    "SpikingNetworkParams",
    "SurrogateParams",
    "TrainParams",
    "Trained",
    "evaluate",
    "evaluate_run",
    "load_run",
    "make_network",
    "recipe_from",
    "train",
    "train_run",
]
