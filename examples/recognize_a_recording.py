"""
Recognize a recording
=====================

**Which word is in a recording?** ``sd.recognize("seven.wav")`` asks the network that ships with the package: the
digits from zero to nine in English and German, with a probability for each word.
"""

# %%
# One recording of speaker 4, whom the network never heard in training. ``spikedata recognize seven.wav`` prints the
# same.

import matplotlib.pyplot as plt
import numpy as np

import cochlea
import spikedata as sd

path = sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac"
heard = sd.recognize(path)
print(f"{path.name}: {heard.word!r}, {heard.score:.1%}")
print(*heard.notes, sep="\n")

# %%
# It takes samples, too. Here the same word is in noise, first a little, then ten times its power.

waveform, sample_rate = sd.read_audio(path)
noise = np.random.default_rng(0).normal(size=len(waveform)) * np.sqrt(np.mean(waveform**2))
noisy = {"as recorded": heard}
for ratio in (10, 0, -10):
    mixture = waveform + noise * 10 ** (-ratio / 20)
    noisy[f"noise, SNR {ratio} dB"] = sd.recognize((mixture, sample_rate))
for name, result in noisy.items():
    print(f"{name:<18} {result.word:<8} {result.score:>6.1%}")

# %%
# The picture: what the network saw, and the five likeliest words.

frequencies = cochlea.characteristic_frequencies(cochlea.BasilarMembraneParams())
figure, axes = plt.subplots(2, 4, figsize=(12, 5.5), layout="constrained", height_ratios=(2, 1))
for column, (name, result) in zip(axes.T, noisy.items(), strict=True):
    times, units = result.spikes
    column[0].scatter(times, frequencies[units], s=0.4, color="C0", linewidths=0, rasterized=True)
    column[0].set(title=name, xlabel="Time (s)", yscale="log", xlim=(0, 0.8), ylim=(100, 20_000))
    column[0].set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1k", "3k", "10k"])
    words = list(result.scores)[:5]
    colors = ["C2" if word == "sieben" else "0.7" for word in words]
    column[1].barh(words, [100 * result.scores[word] for word in words], color=colors)
    column[1].invert_yaxis()
    column[1].set(xlabel="Score (%)", xlim=(0, 100))
axes[0, 0].set(ylabel="Characteristic frequency (Hz)")
plt.show()
