"""Divide samples into parts for training, validation and test, with disjoint speakers unless requested otherwise.

In a random split, the same speakers occur in all parts, and the score is too good: one network scored 95.6 % on such a
validation part of SHD and 82.7 % on the test set, which has unseen speakers.

Start with `make_split`, which makes a split by name. The functions behind the names take more options:
`split_by_speaker`, `leave_one_speaker_out`, `split_stratified`, `split_as_published`, `split_by_hash` and
`split_as_listed`. `Split` is the value that they all return; `save_split` and `load_split` keep it in a file.
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
