"""Recognize the word in a recording with a network that ships with the package, or with one of your own.

`find_words` finds where in a recording something is said, `load_pretrained` reads a network of `networks`, and
`recognize` joins them: recording, word, spikes, network, scores. `listen` does it while the words are spoken, with the
sound of a `Microphone` or of a recording that a `Player` plays.
"""

from spikedata.corpora.audio import MicrophoneError
from spikedata.recognition.listening import Heard, Listener, Source, listen
from spikedata.recognition.pretrained import PRETRAINED, Pretrained, PretrainedCard, load_pretrained
from spikedata.recognition.recognize import Recognition, recognize
from spikedata.recognition.sources import Microphone, Player
from spikedata.recognition.words import Word, find_words

__all__ = [
    "PRETRAINED",
    "Heard",
    "Listener",
    "Microphone",
    "MicrophoneError",
    "Player",
    "Pretrained",
    "PretrainedCard",
    "Recognition",
    "Source",
    "Word",
    "find_words",
    "listen",
    "load_pretrained",
    "recognize",
]
