"""
A model of snnTorch
===================

**Can I train a network of snnTorch on these spikes?** Yes: it takes tensors (step, clip, unit), which ``sd.loader``
makes with ``time_first=True``; the rest of a script of snnTorch stays as it is.
"""

# %%
# snnTorch is not a part of this package: ``pip install snntorch``. The spikes are the recordings that ship with the
# package, through a cochlea with 70 channels; the file is made once, for all examples that ask for it.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import snntorch
import torch

import cochlea
import spikedata as sd

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
spike_path = Path(tempfile.gettempdir(), "spikedata_examples", "digits_70.h5")
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)

# %%
# The ten English digits, and a split that keeps speakers apart.

digits = sd.SpikeDataset(spike_path)
english = digits.select(np.flatnonzero(digits.events.labels < 10))
split = sd.splits.split_by_speaker(english.events.speakers, english.events.labels, validation=(6, 7), test=(4, 5))
grid = {"dt": 0.02, "n_steps": 50, "time_first": True}
train = sd.loader(english.select(split.part("train")), batch_size=32, shuffle=True, **grid)
test = sd.loader(english.select(split.part("test")), batch_size=256, **grid)
counts, labels = next(iter(test))
print(f"a batch: {tuple(counts.shape)} is step, clip, unit")

# %%
# The model, in the way of snnTorch's tutorials: layers of ``Leaky`` neurons that are called step by step and whose
# state the caller keeps. The membrane of the last layer is the readout.


class Network(torch.nn.Module):
    def __init__(self, n_inputs, n_hidden, n_classes):
        super().__init__()
        surrogate = snntorch.surrogate.fast_sigmoid(slope=10)
        self.hidden = torch.nn.Linear(n_inputs, n_hidden)
        self.lif = snntorch.Leaky(beta=0.9, spike_grad=surrogate)
        self.output = torch.nn.Linear(n_hidden, n_classes)
        self.readout = snntorch.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, counts):
        membrane, readout = self.lif.init_leaky(), self.readout.init_leaky()
        outputs = []
        for step in counts:
            spikes, membrane = self.lif(self.hidden(step), membrane)
            _, readout = self.readout(self.output(spikes), readout)
            outputs.append(readout)
        return torch.stack(outputs)  # (step, clip, class)


# %%
# Training. With a loader of this package, the clips are drawn anew in each pass, also if a transform augments them.

torch.manual_seed(0)
torch.set_num_threads(1)  # more do not help with matrices this small
network = Network(english.events.n_units, 128, 10)
optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
losses = []
for _ in range(12):
    for counts, labels in train:
        loss = torch.nn.functional.cross_entropy(network(counts).mean(dim=0), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

counts, labels = next(iter(test))
with torch.no_grad():
    outputs = network(counts)
right = outputs.mean(dim=0).argmax(1) == labels
print(f"{right.float().mean():.1%} of {len(labels)} clips of unseen speakers (chance: 10 %)")

# %%
# The picture: the loss, and the readout of a clip, whose mean over time decides.

scores = outputs.mean(dim=0).softmax(dim=1)
clip = int(scores[torch.arange(len(labels)), labels].argmax())  # the one that it is most certain of
word = english.classes[labels[clip]]
figure, (left, middle) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(losses, linewidth=1)
left.set(title="Training", xlabel="Batch", ylabel="Cross-entropy (nats)", ylim=(0, None))
time = np.arange(1, outputs.shape[0] + 1) * grid["dt"]
for label in range(10):
    is_right = label == labels[clip]
    name = f'"{word}"' if is_right else ("the other nine" if label == int(labels[clip] == 0) else None)
    middle.plot(time, outputs[:, clip, label], color="C1" if is_right else "0.75", zorder=2 + is_right, label=name)
middle.set(title=f'Readout while "{word}" is heard', xlabel="Time (s)", ylabel="Membrane", xlim=(0, 1))
middle.legend()
plt.show()
