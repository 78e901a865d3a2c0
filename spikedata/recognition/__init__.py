"""Recognize the word in a recording with a network that ships with the package, or with one of your own.

`find_words` finds where in a recording something is said, `load_pretrained` reads a network of `networks`, and
`recognize` joins them: recording, word, spikes, network, scores.
"""

from spikedata.recognition.pretrained import PRETRAINED, Pretrained, PretrainedCard, load_pretrained
from spikedata.recognition.recognize import Recognition, recognize
from spikedata.recognition.words import Word, find_words

__all__ = [
    "PRETRAINED",
    "Pretrained",
    "PretrainedCard",
    "Recognition",
    "Word",
    "find_words",
    "load_pretrained",
    "recognize",
]
