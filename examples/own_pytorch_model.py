"""
SHD with my own PyTorch model
=============================

**How do I train a model of my own on spikes?** As on any other data set: ``sd.SHD`` and ``sd.SpikeDataset`` are
PyTorch data sets of counts and labels, and a spiking network is a module with a loop over time.
"""

# %%
# With the published file, the data are one line (this one is not run here, because it downloads 130 MB)::
#
#     train = sd.SHD("data", split="train", download=True, dt=0.02, n_steps=50)
#
# Here, the recordings that ship with the package stand in for it, by the same speakers, through a cochlea with 70
# channels instead of 700, which takes a tenth of the time. The file is made once: when the call is repeated, by this
# or another example, it finds the file complete and returns at once.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

import cochlea
import spikedata as sd

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
spike_path = Path(tempfile.gettempdir(), "spikedata_examples", "digits_70.h5")
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)

# %%
# Two speakers show how training goes, and two others, 4 and 5 as in SHD, are only for the test.

digits = sd.SpikeDataset(spike_path, dt=0.02, n_steps=50)
split = sd.splits.split_by_speaker(digits.events.speakers, digits.events.labels, validation=(6, 7), test=(4, 5))
train = DataLoader(digits.select(split.part("train")), batch_size=32, shuffle=True)
validation = DataLoader(digits.select(split.part("validation")), batch_size=256)
test = DataLoader(digits.select(split.part("test")), batch_size=256)
print({part: len(clips) for part, clips in split.parts.items()})

# %%
# The model: recurrent leaky integrate-and-fire neurons, and a leaky readout whose largest value over time decides.
# Back-propagation takes a smooth function instead of the derivative of a spike (Zenke and Ganguli 2018).


class Spike(torch.autograd.Function):
    """1 where the membrane is above threshold; backwards, a fast sigmoid."""

    @staticmethod
    def forward(context, membrane):
        context.save_for_backward(membrane)
        return (membrane > 0).float()

    @staticmethod
    def backward(context, gradient):
        (membrane,) = context.saved_tensors
        return gradient / (1 + 10 * membrane.abs()) ** 2


class MyNetwork(torch.nn.Module):
    def __init__(self, n_inputs, n_hidden, n_classes):
        super().__init__()
        self.hidden = torch.nn.Linear(n_inputs, n_hidden)
        self.recurrent = torch.nn.Linear(n_hidden, n_hidden, bias=False)
        self.readout = torch.nn.Linear(n_hidden, n_classes)

    def forward(self, counts, decay=0.9):
        drive = self.hidden(counts)  # (clip, step, neuron)
        membrane = spikes = torch.zeros_like(drive[:, 0])
        train = []
        for step in range(drive.shape[1]):
            membrane = decay * membrane * (1 - spikes.detach()) + drive[:, step] + self.recurrent(spikes)
            spikes = Spike.apply(membrane - 1)
            train.append(spikes)
        output, outputs = 0.0, []
        for value in self.readout(torch.stack(train, dim=1)).unbind(dim=1):
            output = decay * output + value
            outputs.append(output)
        return torch.stack(outputs, dim=1).mean(dim=1), torch.stack(train, dim=1)


# %%
# The usual loop, 15 times over 480 clips. The test speakers are listened to once, at the end.

torch.manual_seed(0)
torch.set_num_threads(1)  # more do not help with matrices this small
network = MyNetwork(digits.events.n_units, 128, len(digits.classes))
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)


@torch.no_grad()
def accuracy(loader):
    return torch.cat([network(counts)[0].argmax(1) == labels for counts, labels in loader]).float().mean().item()


curves = {"training, while learning": [], "validation": []}
for _ in range(15):
    n_right = 0
    for counts, labels in train:
        logits, _ = network(counts)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        n_right += (logits.argmax(1) == labels).sum().item()
    curves["training, while learning"].append(n_right / len(train.dataset))
    curves["validation"].append(accuracy(validation))
print(f"accuracy on unseen speakers: {accuracy(test):.1%} of {len(test.dataset)} clips (chance: 5 %)")

# %%
# The picture: how it learned, and the first clip of a test speaker that it gets right.

counts, labels = next(iter(test))
with torch.no_grad():
    logits, spikes = network(counts)
clip = int(torch.nonzero(logits.argmax(1) == labels)[0])
truth, answer = (digits.classes[label] for label in (labels[clip], logits[clip].argmax()))
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for name, values in curves.items():
    left.plot(np.arange(1, len(values) + 1), 100 * np.array(values), label=name)
left.axhline(5, color="gray", linestyle=":", label="chance")
left.set(title="Learning", xlabel="Epoch", ylabel="Accuracy (%)", ylim=(0, 100), xticks=(1, 5, 10, 15))
left.legend()
middle.imshow(
    counts[clip].T.numpy(), aspect="auto", cmap="Blues", extent=(0, 1, counts.shape[2], 0), interpolation="nearest"
)
middle.set(title=f'In: "{truth}", counts', xlabel="Time (s)", ylabel="Channel (high to low frequency)")
step, neuron = np.nonzero(spikes[clip].numpy())
right.scatter((step + 0.5) * digits.dt, neuron, s=6, marker="|", color="C0")
right.set(title=f'Hidden spikes; answer: "{answer}"', xlabel="Time (s)", ylabel="Neuron", xlim=(0, 1), ylim=(-1, 128))
plt.show()
