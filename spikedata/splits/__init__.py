"""Which samples train, which choose, which judge: named splits that hold speakers apart.

A random split of the samples lets a network meet the same voices on both sides and flatters it: one
network scored 95.6 % on such a validation part of SHD and 82.7 % on the test set, whose speakers are new.
"""

from spikedata.splits.by_speaker import split_by_speaker
from spikedata.splits.folds import leave_one_speaker_out, leave_speaker_out
from spikedata.splits.listed import split_as_listed
from spikedata.splits.named import SPLITS, available_splits, make_split
from spikedata.splits.promises import require_speakers_apart
from spikedata.splits.published import split_as_published, split_by_hash, which_set
from spikedata.splits.split import Split, load_split, sample_names, save_split
from spikedata.splits.stratified import split_stratified

__all__ = [
    "SPLITS",
    "Split",
    "available_splits",
    "leave_one_speaker_out",
    "leave_speaker_out",
    "load_split",
    "make_split",
    "require_speakers_apart",
    "sample_names",
    "save_split",
    "split_as_listed",
    "split_as_published",
    "split_by_hash",
    "split_by_speaker",
    "split_stratified",
    "which_set",
]
