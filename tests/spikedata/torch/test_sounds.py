"""Recordings that are encoded as they are asked for: the same in every worker, another scene in every epoch."""

import pickle
import shutil
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

import cochlea
import spikedata as sd
from spikedata.acoustics import NoiseError, Scene
from spikedata.encoding import surroundings
from spikedata.encoding.encode import encode
from spikedata.files.reader import SpikeFile
from spikedata.torch import SoundDataset, SoundError, SpikeDataset, collate, sounds
from spikedata.transforms import Blend, ChannelJitter, ChannelMerge

RATE = 8000
SCENE = Scene(noise="babble", snr=(0, 20), n_talkers=2, speed=(0.9, 1.1))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three speakers, each with a pitch, who say two words twice."""
    root = tmp_path_factory.mktemp("words")
    for number, name in enumerate(("ann", "bob", "cat")):
        for digit in range(2):
            for take in range(2):
                tone = 0.3 * np.sin(2 * np.pi * (500 + 900 * number) * np.arange(400 + 10 * digit + take) / RATE)
                soundfile.write(root / f"{digit}_{name}_{take}.wav", tone, RATE, subtype="FLOAT")
    return root


def make(words, scene=SCENE, **options) -> SoundDataset:
    return SoundDataset(words, **{"corpus": "fsdd", "preset": "published", "workers": 1, **options}, scene=scene)


def plain(sample) -> tuple:
    return sample.times.tolist(), sample.units.tolist(), *sample[2:]


def all_of(dataset, epoch: int | None = None) -> list[tuple]:
    return [plain(sample) for sample in dataset.samples(range(len(dataset)), epoch=epoch)]


def the_batch(samples):
    return samples


@pytest.mark.parametrize("scene", [SCENE, None, Scene(noise="white", snr=3), Scene(room=(0.1, 0.2))])
def test_epoch_0_is_what_a_file_of_the_same_recordings_holds(words, tmp_path, scene):
    params = cochlea.CochleaParams.published()
    params = cochlea.CochleaParams(stimulus=params.stimulus)  # with times in float32
    encode(words, tmp_path / "x.h5", corpus="fsdd", params=params, scene=scene)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert [plain(sample) for sample in file] == all_of(make(words, scene, params=params), epoch=0)


def test_each_pass_draws_anew_and_counts_the_epochs(words):
    dataset = make(words)
    passes = [[plain(dataset[index]) for index in range(12)] for _ in range(3)]
    assert passes == [all_of(dataset, epoch) for epoch in range(3)]
    assert all(one[0] != another[0] for one, another in zip(passes[0], passes[1], strict=True))


def test_without_a_scene_the_hair_cells_draw_anew(words):
    dataset = make(words, None)
    assert plain(dataset[0]) != plain(dataset[0])


def test_a_pinned_epoch_stays(words):
    dataset = make(words)
    dataset.set_epoch(7)
    assert plain(dataset[3]) == plain(dataset[3]) == all_of(dataset, 7)[3]
    assert dataset.epoch == 7
    dataset.set_epoch(None)
    assert plain(dataset[3]) == all_of(dataset, 0)[3]


def test_a_clip_does_not_depend_on_its_neighbors_or_their_order(words):
    dataset = make(words)
    together = all_of(dataset, 2)
    assert [plain(sample) for sample in dataset.samples([5, 5, 0], epoch=2)] == [together[5], together[5], together[0]]


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_is_another_sound(words, seed):
    assert all_of(make(words), 0) != all_of(make(words, seed=seed), 0)


@pytest.mark.parametrize("n_threads", [2, 5])
def test_threads_do_not_change_a_clip(words, n_threads):
    assert all_of(make(words, workers=n_threads), 1) == all_of(make(words), 1)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_worker_processes_do_not_change_a_clip(words, context):
    dataset = make(words)
    loader = DataLoader(dataset, 5, num_workers=2, multiprocessing_context=context, collate_fn=the_batch)
    for epoch in range(1 if context == "spawn" else 2):
        drawn = [plain(sample) for batch in loader for sample in batch]
        assert drawn == all_of(make(words), epoch)


def test_a_plain_data_loader_stacks_counts(words):
    dataset = make(words, dt=0.01, n_steps=8)
    ((counts, labels),) = DataLoader(dataset, batch_size=12)
    assert counts.shape == (12, 8, 700)
    assert labels.tolist() == dataset.labels.tolist()
    assert counts[3].sum() == len(all_of(dataset, 0)[3][0])


def test_samples_are_collated_as_those_of_a_file(words):
    (batch,) = DataLoader(make(words), batch_size=12, collate_fn=partial(collate, dt=0.01, n_steps=8))
    assert batch.labels.tolist() == make(words).labels.tolist()


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_loader_of_this_package_draws_each_epoch_anew_and_the_same_again(words, shuffle):
    def epochs() -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
        loader = sd.loader(make(words), batch_size=5, dt=0.01, n_steps=8, shuffle=shuffle, seed=3)
        return [list(loader) for _ in range(2)]

    first, again = epochs(), epochs()
    assert [len(epoch) for epoch in first] == [3, 3]
    assert all(
        torch.equal(one[0], other[0])
        for a, b in zip(first, again, strict=True)
        for one, other in zip(a, b, strict=True)
    )
    assert not torch.equal(first[0][0][0], first[1][0][0])


def test_a_loader_takes_recordings_and_a_file_together(words, tmp_path):
    encode(words, tmp_path / "x.h5", corpus="fsdd", preset="published")
    both = ConcatDataset([make(words), SpikeDataset(tmp_path / "x.h5"), Subset(make(words), [2, 3])])
    batches = list(sd.loader(both, batch_size=26, dt=0.01, n_steps=8))
    assert [len(labels) for _, labels in batches] == [26]


def test_the_steps_of_the_data_set_are_those_of_the_loader(words):
    loader = sd.loader(make(words, dt=0.01, n_steps=8), batch_size=12)
    assert next(iter(loader))[0].shape == (12, 8, 700)


# parts


def test_a_part_has_noise_of_its_own_clips_alone(words, monkeypatch):
    read = set()
    read_at = surroundings._read_at
    monkeypatch.setattr(surroundings, "_read_at", lambda clip, rate: read.add(clip.name) or read_at(clip, rate))
    dataset = make(words)
    part = dataset.select(dataset.speakers != 1)
    for epoch in range(3):
        all_of(part, epoch)
    assert read == {name for name in dataset.sources if "bob" not in name}


def test_a_part_has_the_clips_in_the_order_asked(words):
    dataset = make(words, None)
    part = dataset.select([7, 2])
    assert part.sources == (dataset.sources[7], dataset.sources[2])
    assert all_of(part, 0) == [all_of(dataset, 0)[7], all_of(dataset, 0)[2]]
    assert len(dataset.select([])) == 0
    assert len(dataset) == 12


def test_a_part_keeps_its_pinned_epoch(words):
    dataset = make(words)
    dataset.set_epoch(4)
    assert dataset.select([0]).epoch == 4


def test_a_split_of_the_recordings_divides_the_data_set(words):
    dataset = make(words, None)
    split = sd.make_split(dataset.listing, "leave_one_speaker_out", speaker=1)
    parts = [dataset.select(numbers) for numbers in split.parts.values()]
    assert sum(map(len, parts)) == 12
    assert not set(parts[0].speakers.tolist()) & set(parts[-1].speakers.tolist())


# what is kept


@pytest.fixture
def n_encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs of all clips that are encoded."""
    epochs = []
    inner = sounds.encode_clip

    def count(*args, **options):
        epochs.append(options["epoch"])
        return inner(*args, **options)

    monkeypatch.setattr(sounds, "encode_clip", count)
    return epochs


def test_variants_return_and_are_not_encoded_again(words, n_encoded):
    dataset = make(words, n_variants=2)
    passes = [[plain(dataset[index]) for index in range(12)] for _ in range(5)]
    assert passes[0] == passes[2] == passes[4] != passes[1] == passes[3]
    assert n_encoded == [0] * 12 + [1] * 12


def test_a_pinned_epoch_is_encoded_once(words, n_encoded):
    dataset = make(words)
    dataset.set_epoch(3)
    assert all_of(dataset) == all_of(dataset)
    assert n_encoded == [3] * 12


def test_what_is_never_used_again_is_not_kept(words):
    dataset = make(words, None)
    all_of(dataset)
    assert dataset._in_this_process()[1].n_bytes == 0


@pytest.mark.parametrize("most", [0, 20_000, 10**9])
def test_memory_is_bounded_and_changes_no_clip(words, n_encoded, most):
    dataset = make(words, n_variants=1, cache_bytes=most)
    assert [all_of(dataset) for _ in range(2)] == [all_of(make(words), 0)] * 2
    around, spikes = dataset._in_this_process()
    assert spikes.n_bytes + around._cache.n_bytes <= most
    assert len(n_encoded) == {0: 36, 20_000: 36, 10**9: 24}[most]


def test_workers_divide_what_may_be_kept(words):
    dataset = make(words, cache_bytes=9_000_000)
    loader = DataLoader(AsksForBytes(dataset), num_workers=2, multiprocessing_context="fork")
    assert [int(most) for most in islice(loader, 3)] == [4_500_000] * 3


class AsksForBytes(torch.utils.data.Dataset):
    """What the data set in a worker may keep."""

    def __init__(self, dataset: SoundDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        around, spikes = self.dataset._in_this_process()
        return spikes.most_bytes + around._cache.most_bytes


def test_what_is_pickled_does_not_carry_what_is_kept(words):
    dataset = make(words, n_variants=1)
    before = all_of(dataset)
    content = pickle.dumps(dataset)
    assert len(content) < 20_000
    assert all_of(pickle.loads(content)) == before


# transforms, levels, bad input


def test_a_transform_of_events_depends_on_the_epoch_and_the_clip(words):
    jittered = make(words, transform=ChannelJitter(sigma=20))
    assert all_of(jittered, 1) == all_of(jittered, 1)
    assert all_of(jittered, 1) != all_of(make(words), 1)
    assert plain(jittered.samples([4], epoch=1)[0]) == all_of(jittered, 1)[4]


def test_a_transform_may_merge_channels(words):
    dataset = make(words, transform=ChannelMerge(n_merged=10), dt=0.01, n_steps=8)
    assert dataset[0][0].shape == (8, 70)


def test_a_transform_may_be_a_function(words):
    dataset = make(words, transform=lambda sample: sample._replace(times=sample.times + 1), n_variants=1)
    assert dataset[0].times.min() >= 1
    assert dataset[0].times.max() < 1.2  # what is kept is not transformed twice


def test_a_transform_that_mixes_clips_finds_no_partner(words):
    with pytest.raises(ValueError, match="no clip of class"):
        make(words, transform=Blend(share=0.5))[0]


def test_a_target_transform_changes_labels(words):
    dataset = make(words, None, target_transform=lambda label: label + 10)
    assert [sample.label for sample in dataset.samples([0, 11])] == [10, 11]


def test_a_level_that_the_cochlea_does_not_hear_is_refused(words):
    with pytest.raises(ValueError, match=r"^a level of 65 dB SPL is not heard: "):
        make(words, Scene(level=65))


def test_a_level_is_heard_by_an_ear_that_takes_sounds_as_they_are(words):
    params = cochlea.CochleaParams(stimulus=cochlea.StimulusParams(level=None, level_db_spl=65))
    quiet, loud = (make(words, Scene(level=level), params=params) for level in (30, 110))
    assert loud.notes[0].startswith("level: 110 dB SPL, each sound at its own")
    assert len(loud[0].times) > 2 * len(quiet[0].times)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_recording_that_cannot_be_used_is_named_in_one_line(words, tmp_path, n_workers):
    shutil.copytree(words, tmp_path / "words")
    (tmp_path / "words/1_bob_0.wav").write_bytes(b"no sound")
    dataset = make(tmp_path / "words", Scene(noise="white", snr=3))
    loader = DataLoader(dataset, 4, num_workers=n_workers, collate_fn=the_batch)
    with pytest.raises(SoundError) as caught:
        list(loader)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(f"{tmp_path / 'words/1_bob_0.wav'}: not a readable recording: ")


@pytest.mark.parametrize("n_workers", [0, 1])
def test_noise_that_cannot_be_made_is_named_in_one_line(words, tmp_path, n_workers):
    soundfile.write(tmp_path / "hum.wav", np.zeros(4000), RATE)
    dataset = make(words, Scene(noise=str(tmp_path), snr=3))
    with pytest.raises(SoundError, match=r"^\S+hum\.wav: the noise is silent, all of its 4000 samples are equal$"):
        list(DataLoader(dataset, 4, num_workers=n_workers, collate_fn=the_batch))


@pytest.mark.parametrize(
    ("options", "error", "fault"),
    [
        ({"scene": {"snr": 3}}, TypeError, "scene must be Scene"),
        ({"preset": "human2"}, ValueError, "preset must be one of default, published"),
        ({"params": 3}, TypeError, "params must be CochleaParams"),
        ({"dt": 0.01}, ValueError, "dt and n_steps must be given together"),
        ({"n_variants": 0}, ValueError, "n_variants must be a whole number >= 1|n_variants must be >= 1"),
        ({"cache_bytes": -1}, ValueError, "cache_bytes must be "),
        ({"workers": 0}, ValueError, "workers must be "),
        ({"transform": ChannelJitter}, TypeError, "transform must be an EventTransform or callable"),
        ({"target_transform": 3}, TypeError, "target_transform must be callable"),
        ({"seed": -1}, ValueError, "seed must be "),
    ],
)
def test_what_makes_no_data_set_is_refused(words, options, error, fault):
    with pytest.raises(error, match=f"^{fault}"):
        make(words, **options)


def test_a_folder_without_noise_is_refused_at_once(words, tmp_path):
    with pytest.raises(NoiseError, match="no recording of noise in it"):
        make(words, Scene(noise=str(tmp_path), snr=3))


def test_there_is_no_clip_beyond_the_last(words):
    with pytest.raises(IndexError):
        make(words)[12]


def test_the_front_door_shows_it():
    assert sd.SoundDataset is SoundDataset
    assert sd.Scene is Scene
