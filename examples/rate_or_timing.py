"""
Does timing matter?
===================

**Is a word in how often channels fire, or in when they fire?** In both: counts alone tell many words apart, more are
told apart when spikes are counted in short steps, and shuffling the times takes all of that gain away again.
"""

# %%
# The recordings that ship with the package, by 12 speakers, through a cochlea with 70 channels; the file is made
# once, for all examples that ask for it.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cochlea
import spikedata as sd

ear = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
spike_path = Path(tempfile.gettempdir(), "spikedata_examples", "digits_70.h5")
sd.encode(sd.embedded_corpus(), spike_path, corpus="heidelberg_digits", params=ear)

# %%
# Three versions of the data. ``ShuffleTimes`` keeps how often each channel fires in a clip and draws the times anew;
# with ``keep_envelope`` it also keeps how many spikes there are at each moment, and only exchanges them between
# channels.

versions = {
    "as heard": None,
    "envelope kept": sd.transforms.ShuffleTimes(keep_envelope=True),
    "shuffled": sd.transforms.ShuffleTimes(),
}
steps = (1000, 500, 200, 100, 50, 20)  # [ms]


# %%
# A linear classifier of counts per channel and step, always on speakers that it was not trained on: six folds of two
# speakers.


def accuracies(transform, step):
    digits = sd.SpikeDataset(spike_path, transform=transform)
    batches = sd.loader(digits, batch_size=len(digits), dt=step / 1000, n_steps=1000 // step)
    counts, labels = next(iter(batches))
    features = np.sqrt(counts.numpy().reshape(len(digits), -1))
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000))
    folds = GroupKFold(6)
    return 100 * cross_val_score(classifier, features, labels.numpy(), groups=digits.events.speakers, cv=folds)


scores = {name: np.array([accuracies(transform, step) for step in steps]) for name, transform in versions.items()}
print(f"{'step':>8}" + "".join(f"{name:>16}" for name in versions))
for row, step in enumerate(steps):
    print(f"{step:>5} ms" + "".join(f"{scores[name][row].mean():>14.1f} %" for name in versions))

# %%
# The picture: the shorter the steps, the more timing the classifier sees. Without timing, short steps only add noise.
# Bands are the standard error over the six folds.

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, values in scores.items():
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    ax.plot(steps, mean, marker="o", label=name)
    ax.fill_between(steps, mean - error, mean + error, alpha=0.2)
ax.axhline(5, color="gray", linestyle=":", label="chance")
ax.set(
    title="Unseen speakers, 20 words",
    xlabel="Length of a step (ms)",
    ylabel="Accuracy (%)",
    xscale="log",
    ylim=(0, 60),
)
ax.set_xticks(steps, [str(step) for step in steps])
ax.minorticks_off()
ax.invert_xaxis()
ax.legend(loc="upper left", ncols=2)
plt.show()
