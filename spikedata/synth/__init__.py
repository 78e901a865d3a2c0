"""Speak a corpus: words in synthetic voices, as recordings with a manifest.

Start with `synthesize`. `words` has the word lists, `clip` draws how a clip is spoken and edits it, and `engine` finds
eSpeak NG and lets it speak, through the program in `voice`.
"""

from spikedata.synth.corpus import synthesize
from spikedata.synth.engine import EngineError, find_engine
from spikedata.synth.words import read_words

__all__ = ["EngineError", "find_engine", "read_words", "synthesize"]
