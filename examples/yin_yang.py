"""
Yin-Yang in thirty lines
========================

**Can a small network tell points of the plane by spike times alone?** Yes: each coordinate is one spike, and 120
neurons that hear five spikes learn the border between three classes.

The points are those of Kriener, Göltz and Petrovici, *The Yin-Yang dataset* (NICE 2022), the same as everybody's.
"""

# %%
# Make: three parts with seeds of their own. The spikes of a clip are x, y, 1 - x, 1 - y and a bias, within 30 ms.

import matplotlib.pyplot as plt
import numpy as np
import torch

import spikedata as sd
import spikedata.nn as snn
from spikedata.training.loop import train
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

parts = {part: sd.tasks.yin_yang(part) for part in ("train", "validation", "test")}

# %%
# Train: a hidden layer of LIF neurons in steps of 1 ms, and the largest membrane of the readout. The weights of the
# best epoch on the validation part are kept.

neuron = snn.LIFParams(tau_mem=20e-3, tau_syn=5e-3)
start = snn.InitializationParams(input_gain=1.0)
params = snn.SpikingNetworkParams(
    hidden=(120,), recurrent=False, neuron=neuron, duration=0.06, dt=1e-3, initialization=start
)
network = snn.make_network(params, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0))
how = TrainParams(epochs=12, batch_size=32, optimizer="adam", learning_rate=5e-3, unit_shift=0.0)
trained = train(network, parts["train"], parts["validation"], how, seed=0)
for record in trained.history:
    print(f"epoch {record.epoch}: validation {record.validation_accuracy:.1%}")

# %%
# Score: the test part, once.

score = evaluate(trained.network, parts["test"])
print(f"test: {score.accuracy:.1%} of {len(parts['test'])}, {score.hidden_spikes:.1f} spikes per hidden neuron")

# %%
# The picture: the points as they are, and what the network says of them.

points, labels = sd.tasks.yin_yang_points("test")
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True)
for ax, classes, title in zip(axes, (labels, score.predictions), ("True class", "Network"), strict=True):
    for label, name in enumerate(parts["test"].keys):
        ax.scatter(*points[classes == label, :2].T, s=8, label=name)
    ax.set(title=title, xlabel="x", aspect="equal")
wrong = score.predictions != labels
axes[1].scatter(*points[wrong, :2].T, s=40, facecolors="none", edgecolors="black", label=f"{np.sum(wrong)} wrong")
axes[0].set_ylabel("y")
axes[1].legend(loc="upper right", fontsize="small")
plt.show()
