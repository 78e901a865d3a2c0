"""Speak a corpus: words in synthetic voices, as recordings with a manifest."""

from spikedata.synth.corpus import embedded_corpus, synthesize
from spikedata.synth.engine import EngineError, find_engine
from spikedata.synth.words import read_words

__all__ = ["EngineError", "embedded_corpus", "find_engine", "read_words", "synthesize"]
