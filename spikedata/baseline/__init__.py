"""Baselines: networks with named recipes, trained and scored under one protocol (docs/explanation/protocol.md).

- `recipes`: a network and how it is trained, by name (`RECIPES`, `recipe_from`), or one of your own (`Recipe`, and
  `custom_recipe` for a `torch.nn.Module`)
- `runs`: train a recipe on some speakers (`train_run`), choose the epoch on others, score once on unseen ones
  (`evaluate_run`); every run is a folder with a result card (`Card`)

The networks themselves are in `spikedata.nn`, the training loop in `spikedata.training`.
"""

from spikedata.baseline.recipes.catalog import RECIPES, recipe_from
from spikedata.baseline.recipes.own_network import custom_recipe
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import ChosenRun, Run, load_run, read_card, read_chosen_run
from spikedata.baseline.runs.probes import PROBES, probe_run
from spikedata.baseline.runs.quantized import quantize_run
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.train import train_run
from spikedata.nn.networks import (
    Activity,
    ConvolutionParams,
    CountParams,
    CustomParams,
    EventDrivenParams,
    NetworkCode,
    SequenceParams,
    SpikingNetwork,
    SpikingNetworkParams,
    make_network,
)
from spikedata.nn.neurons import AdLIFParams, ALIFParams, CSiLIFParams, LIFParams, SiLIFParams
from spikedata.nn.surrogate import SurrogateParams
from spikedata.training.history import EpochRecord, Trained
from spikedata.training.loop import train
from spikedata.training.losses import ActivityParams
from spikedata.training.params import TrainParams
from spikedata.training.scoring import Score, evaluate

__all__ = [
    "PROBES",
    "RECIPES",
    "ALIFParams",
    "Activity",
    "ActivityParams",
    "AdLIFParams",
    "CSiLIFParams",
    "Card",
    "ChosenRun",
    "ConvolutionParams",
    "CountParams",
    "CustomParams",
    "EpochRecord",
    "EventDrivenParams",
    "LIFParams",
    "NetworkCode",
    "Recipe",
    "Run",
    "Score",
    "SequenceParams",
    "SiLIFParams",
    "SpikingNetwork",
    "SpikingNetworkParams",
    "SurrogateParams",
    "TrainParams",
    "Trained",
    "custom_recipe",
    "evaluate",
    "evaluate_run",
    "load_run",
    "make_network",
    "probe_run",
    "quantize_run",
    "read_card",
    "read_chosen_run",
    "recipe_from",
    "refit_run",
    "train",
    "train_run",
]
