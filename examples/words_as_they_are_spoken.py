"""
Words as they are spoken
========================

**What does the network hear, and when does it answer?** ``cochlea.Stream`` encodes a sound block by block, and
``sd.listen`` answers 0.3 s after each word has ended. ``spikedata recognize --microphone`` does the same with yours.
"""

# %%
# Three words with pauses between them, played as a microphone would give them: in blocks of 20 ms. The player does not
# wait here; it reckons when each answer would have come.

import matplotlib.pyplot as plt
import numpy as np

import cochlea
import spikedata as sd
from spikedata.recognition import Player

names = ("german_speaker-04_trial-0_digit-7", "english_speaker-05_trial-0_digit-2", "german_speaker-05_trial-0_digit-4")
recordings = [sd.read_audio(sd.embedded_corpus() / f"lang-{name}.flac") for name in names]
sample_rate = recordings[0][1]
pause = np.zeros(int(0.5 * sample_rate))
sentence = np.concatenate([part for waveform, _ in recordings for part in (pause, waveform)] + [pause])

answers = list(sd.listen(Player((sentence, sample_rate), silence=0.0, in_real_time=False)))
for heard in answers:
    word = heard.recognition
    print(
        f"{heard.start:.2f} to {heard.end:.2f} s: {word.word!r}, {word.score:.1%}, {heard.latency:.2f} s after its end"
    )

# %%
# The spikes come as steadily as the sound. A stream cannot bring the whole sound to a level, as ``cochlea.encode``
# does; its gain is fixed by the level of a waveform whose root mean square is 1.

stream = cochlea.Stream(sample_rate, full_scale_db_spl=105, hop=0.05)
block = int(0.02 * sample_rate)
found = [stream.push(sentence[first : first + block]) for first in range(0, len(sentence), block)] + [stream.finish()]
times = np.concatenate([spikes.times for spikes in found])
units = np.concatenate([spikes.units for spikes in found])
print(f"{len(times):,} spikes, each at most {stream.latency:.2f} s and a block after its sound")

# %%
# The picture: the spikes, and the moments of the answers.

figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
axes.scatter(times, units, s=0.4, color="C0", linewidths=0, rasterized=True)
for heard in answers:
    axes.axvspan(heard.start, heard.end, color="0.9", zorder=0)
    answered = heard.end + heard.latency
    axes.axvline(answered, color="C2")
    axes.text(answered, 690, f" {heard.recognition.word}", color="C2", va="bottom")
axes.set(xlabel="Time (s)", ylabel="Channel", ylim=(700, 0))
plt.show()
