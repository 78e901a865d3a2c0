import warnings

import numpy as np
import pytest

from spikedata.events import Sample, find_fault
from spikedata.files.schema import Provenance, checksum

GOOD = {"package_version": "0.1.0", "params": '{"n_places": 3500}', "seed": 7, "corpus": "folder"}


def sample_of(**changes):
    times, units = np.array([0.1, 0.2], dtype=np.float32), np.array([1, 2], dtype=np.uint16)
    return Sample(times, units, label=0, speaker=3, source="a.wav", sample_rate=16000)._replace(**changes)


def test_provenance_takes_json_params():
    assert Provenance(**GOOD).seed == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": "not json"}, "Provenance.params must be JSON, got 'not json'"),
        ({"seed": -1}, "Provenance.seed must be >= 0 and <= 9223372036854775807, got -1"),
        ({"corpus": "x" * 60_001}, "Provenance.corpus must be at most 60000 bytes, got 60001"),
    ],
)
def test_provenance_refuses_what_a_file_cannot_hold(changes, message):
    with pytest.raises(ValueError, match=message):
        Provenance(**(GOOD | changes))


def test_equal_samples_have_equal_checksums():
    assert checksum(sample_of(), "zero") == checksum(sample_of(), "zero")


@pytest.mark.parametrize(
    "changes",
    [
        {"times": np.array([0.1, 0.25], dtype=np.float32)},
        {"times": np.array([0.1, 0.2], dtype=np.float64)},
        {"units": np.array([1, 3], dtype=np.uint16)},
        {"speaker": 4},
        {"source": "b.wav"},
        {"sample_rate": 48000},
    ],
)
def test_the_checksum_covers_every_field(changes):
    assert checksum(sample_of(**changes), "zero") != checksum(sample_of(), "zero")


def test_the_checksum_covers_the_class_name():
    assert checksum(sample_of(), "zero") != checksum(sample_of(), "null")


def test_the_checksum_does_not_depend_on_the_byte_order_in_memory():
    swapped = sample_of(times=np.array([0.1, 0.2], dtype=">f4"), units=np.array([1, 2], dtype=">u2"))
    assert checksum(swapped, "zero") == checksum(sample_of(), "zero")


def test_the_checksum_stays_what_it_was():
    # The value of this release: another one would make every file of today unreadable.
    assert checksum(sample_of(), "zero") == 0x54F525FDA7A92AAC


@pytest.mark.parametrize(
    ("times", "units", "fault"),
    [
        ([], [], None),
        ([0.0, 2.0], [0, 699], None),
        ([0.0, -0.5], [0, 1], (1, "time -0.5 s, must be finite and >= 0")),
        ([0.0, np.nan, np.nan], [0, 1, 2], (1, "time nan s, must be finite and >= 0")),
        ([np.inf, 0.0], [0, 1], (0, "time inf s, must be finite and >= 0")),
        ([0.0, 1.0], [0, 812], (1, "unit 812, must be < 700")),
        ([0.0, 1.0], [0, 700], (1, "unit 700, must be < 700")),
        ([0.0, 1.0], [-3, 1], (0, "unit -3, must be >= 0")),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_first_fault_is_found(times, units, fault, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_fault(np.array(times, dtype=dtype), np.array(units, dtype=np.int64), 700) == fault
