"""
My own network, scored like the others
======================================

**How does a network of my own compare?** Any ``torch.nn.Module`` that takes counts and gives logits is trained under
the protocol of this package: speakers kept apart, the epoch chosen on some of them, the test speakers heard once.
"""

# %%
# The recordings that ship with the package, through a cochlea with 70 channels instead of 700, which takes a tenth of
# the time. The file is made once, by this or another example.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import cochlea
import spikedata as sd
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
folder = Path(tempfile.gettempdir(), "spikedata_examples")
spike_path = folder / "digits_70.h5"
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)

# %%
# The network: made with the sizes by name, called with counts, (clip, step, unit).


class MyNet(torch.nn.Module):
    def __init__(self, n_units, n_classes, n_hidden=64):
        super().__init__()
        self.cells = torch.nn.GRU(n_units, n_hidden, batch_first=True)
        self.dropout = torch.nn.Dropout(0.2)
        self.out = torch.nn.Linear(n_hidden, n_classes)

    def forward(self, counts):
        values, _ = self.cells(counts)
        return self.out(self.dropout(values).mean(dim=1))


# %%
# It is trained like ``recurrent``, spiking neurons of this package, in the same steps, so that the two differ in the
# network alone. Two speakers choose the epoch; two others, 4 and 5 as in SHD, are for the test.

spiking = sd.recipe_from("recurrent", {"epochs": 15, "n_merged": 1, "hidden": "64", "learning_rate": 2e-3})
mine = sd.custom_recipe(MyNet, arguments={"n_hidden": 64}, like=spiking)
speakers = {"validation_speakers": (6, 7), "test_speakers": (4, 5)}

runs = Path(tempfile.mkdtemp())
cards = {
    "MyNet": sd.train_run(spike_path, runs / "mine", recipe=mine, network=MyNet, **speakers),
    "recurrent": sd.train_run(spike_path, runs / "recurrent", recipe=spiking, **speakers),
}

# %%
# The test part is opened once for each. The card of ``MyNet`` says whose code it was, and a run's folder alone runs
# none: the network has to be named.

sd.evaluate_run(runs / "mine", network=MyNet)
sd.evaluate_run(runs / "recurrent")
code = cards["MyNet"].recipe.network.code
print(f"{code.name}, {code.arguments}, {code.file}\n")
print(format_leaderboard(leaderboard(runs)))

# %%
# The picture: the accuracy on the speakers of the test, with its 95 % interval.

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for place, run in enumerate(("mine", "recurrent")):
    score = sd.baseline.read_card(runs / run).tests[-1].score
    low, high = score.interval_95
    axes.plot([100 * low, 100 * high], [place, place], color="C0", linewidth=2)
    axes.plot(100 * score.accuracy, place, "o", color="C0", markersize=8)
axes.axvline(5, color="gray", linestyle=":")
axes.annotate("chance", (5.5, 0.5), color="gray")
axes.set(
    xlabel="Accuracy on unseen speakers (%)", yticks=(0, 1), yticklabels=tuple(cards), xlim=(0, 100), ylim=(-0.5, 1.5)
)
plt.show()
