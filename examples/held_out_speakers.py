"""
Held-out speakers
=================

**How good is my classifier on people it has never heard?** Ask with a split that keeps speakers apart: a random split
has clips of the same speakers on both sides, and its score says how well the network knows those.
"""

# %%
# The recordings that ship with the package, by 12 speakers, through a cochlea with 70 channels; the file is made
# once, for all examples that ask for it.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cochlea
import spikedata as sd

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
spike_path = Path(tempfile.gettempdir(), "spikedata_examples", "digits_70.h5")
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)
digits = sd.SpikeDataset(spike_path)
events = digits.events

# %%
# The classifier is linear and sees counts of spikes in steps of 50 ms, so that all of this takes seconds. What it
# shows holds for networks, too: one of them scored 95.6 % on a random part of SHD, and 82.7 % on its test set.

counts, _ = next(iter(sd.loader(digits, batch_size=len(digits), dt=0.05, n_steps=20)))
features = np.sqrt(counts.numpy().reshape(len(digits), -1))


def score(split):
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000))
    train, test = split.part("train"), split.part("test")
    classifier.fit(features[train], events.labels[train])
    return 100 * classifier.score(features[test], events.labels[test])


# %%
# Twelve random splits, which hold out a twelfth of each class and speaker, against twelve that hold out one speaker
# each.

names = sd.splits.sample_names(events.sources)
shared, apart = [], {}
for seed in range(12):
    split = sd.splits.split_stratified(events.labels, events.speakers, names, validation=1 / 12, test=1 / 12, seed=seed)
    shared.append(score(split))
for speaker in range(12):
    split = sd.make_split(events, "leave_one_speaker_out", speaker=speaker)
    apart[speaker] = score(split)
mean_shared, mean_apart = np.mean(shared), np.mean(list(apart.values()))
print(f"speakers shared: {mean_shared:.1f} % (seeds from {min(shared):.1f} to {max(shared):.1f})")
print(f"speakers apart:  {mean_apart:.1f} % (speakers from {min(apart.values()):.1f} to {max(apart.values()):.1f})")

# %%
# The picture. The difference between the lines is what a random split promises too much; the spread of the speakers
# is why a score on two held-out speakers needs its interval.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
left.bar(range(12), shared, color="C1", width=0.7)
left.set(title=f"Random split: {mean_shared:.0f} %", xlabel="Seed", ylabel="Accuracy (%)", ylim=(0, 80))
right.bar(list(apart), list(apart.values()), color="C0", width=0.7)
right.set(title=f"Split by speaker: {mean_apart:.0f} %", xlabel="Held-out speaker")
for ax, mean in ((left, mean_shared), (right, mean_apart)):
    ax.axhline(mean, color="0.2", linewidth=1.2, label="mean")
    ax.axhline(5, color="0.2", linestyle=":", linewidth=1.2, label="chance")
    ax.set_xticks(range(12))
right.legend(loc="upper right", ncols=2)
plt.show()
