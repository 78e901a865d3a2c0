"""
Training with Lightning
=======================

**How do spikes get into a Lightning module?** Through an ordinary ``DataLoader``: a data set that is told ``dt`` and
``n_steps`` gives tensors of one shape, and the layers of ``spikedata.nn`` are modules as any other.
"""

# %%
# Lightning is not a part of this package: ``pip install lightning``. The spikes are the recordings that ship with the
# package, through a cochlea with 70 channels; the file is made once, for all examples that ask for it.

import logging
import tempfile
import warnings
from pathlib import Path

import lightning
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

import cochlea
import spikedata as sd
import spikedata.nn as snn

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
spike_path = Path(tempfile.gettempdir(), "spikedata_examples", "digits_70.h5")
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)

# %%
# The data, as a data module: it knows the split and augments the training part alone.


class Digits(lightning.LightningDataModule):
    def setup(self, stage):
        digits = sd.SpikeDataset(spike_path, dt=0.02, n_steps=50)
        split = sd.splits.split_by_speaker(digits.events.speakers, digits.events.labels, validation=(6, 7), test=(4, 5))
        shift = sd.transforms.ChannelShift(largest=3)
        self.train = sd.SpikeDataset(digits.events.select(split.part("train")), transform=shift, dt=0.02, n_steps=50)
        self.validation, self.test = digits.select(split.part("validation")), digits.select(split.part("test"))

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.validation, batch_size=128)

    def test_dataloader(self):
        return DataLoader(self.test, batch_size=128)


# %%
# The model: recurrent LIF neurons, whose loops over time are compiled. ``network(counts)`` gives the logits;
# ``activity_of`` gives the hidden spikes beside them, for a penalty on neurons that fire more than 20 times in a clip.


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(
            snn.Linear(70, 128, gain=2.0),
            snn.LIF(128, recurrent=True, tau_mem=0.04, dt=0.02),
            snn.Readout(128, 20, kind="softmax_sum", tau_mem=0.04, dt=0.02),
        )
        self.curves = {"train": [], "validation": []}

    def score(self, name, logits, labels):
        self.log(name, (logits.argmax(1) == labels).float().mean(), on_epoch=True, on_step=False)

    def training_step(self, batch, batch_index):
        counts, labels = batch
        activity = snn.activity_of(self.network, counts)
        self.score("train", activity.logits, labels)
        penalty = (activity.hidden_spikes.sum(dim=1) - 20).clamp(min=0).square().mean()
        return torch.nn.functional.cross_entropy(activity.logits, labels) + 1e-3 * penalty

    def validation_step(self, batch, batch_index):
        self.score("validation", self.network(batch[0]), batch[1])

    def test_step(self, batch, batch_index):
        self.score("test", self.network(batch[0]), batch[1])

    def on_train_epoch_end(self):
        for name, values in self.curves.items():
            values.append(float(self.trainer.callback_metrics[name]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=4e-3)


# %%
# Training. The trainer writes no logs and no checkpoints here, and says nothing.

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # one process bins faster than workers send
warnings.filterwarnings("ignore", message=".*treespec.*")  # of Lightning 2.6 with PyTorch 2.13
lightning.seed_everything(0, verbose=False)
torch.set_num_threads(1)  # more do not help with matrices this small
model = Classifier()
trainer = lightning.Trainer(
    accelerator="cpu",
    max_epochs=20,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, Digits())
(result,) = trainer.test(model, Digits(), verbose=False)
print(f"{result['test']:.1%} of 80 clips of unseen speakers (chance: 5 %)")

# %%
# The picture: both curves.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, values in model.curves.items():
    ax.plot(np.arange(1, len(values) + 1), 100 * np.array(values), label=name)
ax.axhline(100 * result["test"], color="C2", linestyle="--", linewidth=1.2, label="test speakers, at the end")
ax.axhline(5, color="gray", linestyle=":", label="chance")
ax.set(title="Lightning", xlabel="Epoch", ylabel="Accuracy (%)", ylim=(0, 100), xticks=range(0, 21, 5))
ax.legend(loc="upper left", ncols=2)
plt.show()
