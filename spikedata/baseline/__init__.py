"""Baselines: a recurrent spiking network, and a linear classifier on counts, under one honest protocol."""

from spikedata.baseline.networks import Activity, RecurrentNetwork, RecurrentNetworkParams
from spikedata.baseline.neurons import LIFParams
from spikedata.baseline.protocol import evaluate_run, train_run
from spikedata.baseline.recipes import RECIPES, Recipe, recipe_from
from spikedata.baseline.run_folder import Run, load_run
from spikedata.baseline.scoring import Score, evaluate
from spikedata.baseline.training import EpochRecord, Trained, TrainParams, train

__all__ = [
    "RECIPES",
    "Activity",
    "EpochRecord",
    "LIFParams",
    "Recipe",
    "RecurrentNetwork",
    "RecurrentNetworkParams",
    "Run",
    "Score",
    "TrainParams",
    "Trained",
    "evaluate",
    "evaluate_run",
    "load_run",
    "recipe_from",
    "train",
    "train_run",
]
