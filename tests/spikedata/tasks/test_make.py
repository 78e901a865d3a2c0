import json

import numpy as np
import pytest

from spikedata.disk import OutputError
from spikedata.files.reader import SpikeFile
from spikedata.tasks import TASKS, make_task, task_params, write_task, yin_yang


@pytest.fixture
def archive(tmp_path):
    """Forty small images, sorted by class as some archives are."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 30), ("test", 10)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, 5, 5), np.uint8)
        arrays[f"{part}_labels"] = np.repeat(np.arange(10, dtype=np.uint8), n // 10)
    np.savez(tmp_path / "mnist.npz", **arrays)
    return tmp_path / "mnist.npz"


def test_a_written_task_is_read_as_it_was_made(tmp_path):
    made = make_task("yin_yang", n_clips=4)
    write_task(made, tmp_path / "x.h5")
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.parts == made.parts
        assert file.keys == ("yin", "yang", "dot")
        assert file.n_units == 5
        assert file.sources == made.events.sources
        events = file.read_events()
        assert json.loads(file.provenance.params)["task"] == "yin_yang"
        assert file.provenance.corpus == "yin_yang"
    # float32: 2 ns at 30 ms
    np.testing.assert_allclose(events.times, made.events.times, rtol=0, atol=2e-9)


def test_the_same_params_give_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_task(make_task("randman", n_clips=3, n_classes=2, seed=5), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_file_that_is_there_is_kept(tmp_path):
    made = make_task("equidistant")
    write_task(made, tmp_path / "x.h5")
    with pytest.raises(OutputError):
        write_task(made, tmp_path / "x.h5")
    write_task(made, tmp_path / "x.h5", overwrite=True)


def test_one_clip_of_ten_of_each_class_validates_and_one_tests():
    made = make_task("randman", n_clips=20, n_classes=3)
    for label in range(3):
        parts = [part for part, own in zip(made.parts, made.events.labels, strict=True) if own == label]
        assert [parts.count(part) for part in ("train", "validation", "test")] == [16, 2, 2]


def test_a_part_alone_has_the_clips_that_it_has_in_the_whole():
    whole, part = make_task("delayed_xor", n_clips=30), make_task("delayed_xor", n_clips=30, part="test")
    is_test = np.array(whole.parts) == "test"
    assert part.events.sources == tuple(np.array(whole.events.sources)[is_test])
    assert part.events.times.tolist() == whole.events.select(is_test).times.tolist()
    assert part.parts == ()
    assert part.provenance.part == "test"


def test_yin_yang_has_the_published_parts_unless_a_seed_is_given():
    made = make_task("yin_yang", n_clips=5)
    assert made.events.select(np.arange(5)).times.tolist() == yin_yang("train", n_clips=5).times.tolist()
    assert json.loads(made.provenance.params)["seeds"] == [42, 41, 40]
    own = make_task("yin_yang", n_clips=5, seed=1)
    assert json.loads(own.provenance.params)["seeds"] == [3, 4, 5]
    assert own.events.times.tolist() != made.events.times.tolist()


def test_images_of_both_parts_stand_in_one_file(archive):
    made = make_task("mnist", images=archive, code="linear")
    assert made.parts == ("train",) * 30 + ("test",) * 10
    assert made.events.keys == tuple("0123456789")
    assert made.events.sources[30] == "mnist/test/00000"


def test_fewer_images_are_drawn_whatever_their_order(archive):
    made = make_task("mnist", images=archive, n_clips=10, part="train")
    assert len(set(made.events.labels)) > 4
    again = make_task("mnist", images=archive, n_clips=10, part="train")
    assert made.events.sources == again.events.sources
    other = make_task("mnist", images=archive, n_clips=10, part="train", seed=1)
    assert made.events.sources != other.events.sources


def test_the_images_are_named_by_their_digest(archive, tmp_path):
    digest = json.loads(make_task("mnist", images=archive).provenance.params)["images"]
    with np.load(archive) as arrays:
        changed = {name: arrays[name].copy() for name in arrays.files}
    changed["test_images"][0, 0, 0] ^= 1
    np.savez(tmp_path / "other.npz", **changed)
    assert json.loads(make_task("mnist", images=tmp_path / "other.npz").provenance.params)["images"] != digest


def test_a_picture_is_drawn_as_a_raster(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(4, dtype=bool))
    made = make_task("raster", bitmap=tmp_path / "x.npy")
    assert made.events.units.tolist() == [0, 1, 2, 3]
    assert json.loads(made.provenance.params)["bitmap"] == "x.npy"


@pytest.mark.parametrize("name", TASKS)
def test_every_param_has_a_default_that_is_written(name, archive):
    options = {"images": archive} if name in ("mnist", "fashion_mnist") else {}
    options |= {"n_clips": 2} if name in ("randman", "yin_yang", "delayed_xor") else {}
    written = json.loads(make_task(name, **options).provenance.params)
    assert set(task_params(name)) < set(written)


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("shd", {}, "task must be one of randman, yin_yang, mnist, .*, got 'shd'"),
        ("randman", {"aplha": 2.0}, "randman has no param 'aplha'; nearest: alpha"),
        ("randman", {"images": "x"}, "images belongs to mnist and fashion_mnist, got it for randman"),
        ("yin_yang", {"bitmap": "x.png"}, "bitmap belongs to raster, got it for yin_yang"),
        ("raster", {"part": "test"}, "the task has no parts"),
        ("equidistant", {"seed": 1}, "equidistant draws nothing, so it takes no seed"),
        ("randman", {"part": "test", "n_clips": 5}, "part must be one of train, got 'test'"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, rule):
    with pytest.raises(ValueError, match=rule):
        make_task(name, **options)


def test_more_images_than_there_are_are_refused(archive):
    with pytest.raises(ValueError, match="n_clips must be at most 10, the number of images of the part, got 11"):
        make_task("mnist", images=archive, n_clips=11, part="test")
    with pytest.raises(ValueError, match="part must be one of train, test, got 'validation'"):
        make_task("mnist", images=archive, part="validation")
