"""Pictures of files and recordings by name."""

import numpy as np
import pytest
import soundfile
from matplotlib.text import Text

import cochlea
from spikedata import plot
from spikedata.encoding.encode import encode
from spikedata.encoding.hear import hear, stored_frequencies, unit_frequencies
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
from spikedata.plot import Column
from spikedata.plot.file import KINDS_OF_A_SOUND, is_spike_file


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two class folders with a recording of 50 ms each, and their spikes with the published preset."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(1)
    for name in ("fünf", "sechs"):
        (root / "words" / name).mkdir(parents=True)
        soundfile.write(root / "words" / name / "1.wav", rng.uniform(-0.5, 0.5, 800), 16_000)
    encode(root / "words", root / "words.h5", preset="published")
    return root


@pytest.fixture(scope="module")
def sound(corpus):
    return corpus / "words" / "fünf" / "1.wav"


def titles_of(picture):
    found = [text.get_text() for text in picture.figure.findobj(Text)]
    return [text for text in found if "\n" in text and text != "Spikes/s\nper channel"]


def has_frequencies(picture):
    return any(axes.child_axes for axes in picture.figure.axes)


def test_the_title_of_a_clip_names_class_speaker_preset_recording_and_file(corpus):
    picture = plot.plot_file(corpus / "words.h5", clip="sechs/1.wav")
    assert "“sechs”, speaker unknown, preset published\nsechs/1.wav, clip 1 of words.h5" in titles_of(picture)
    assert titles_of(plot.plot_file(corpus / "words.h5", clip="1"))[0] == titles_of(picture)[0]
    assert has_frequencies(picture)


def test_pictures_of_clips_are_of_all_one_or_a_class(corpus):
    path = corpus / "words.h5"
    both = plot.plot_file(path, kind="psth")
    assert titles_of(both)[0] == "words.h5\n2 clips, speakers unknown, preset published"
    assert "mean of 2 clips" in [text.get_text() for text in both.axes[0].get_legend().get_texts()]
    assert "“sechs”, 1 clip, " in titles_of(plot.plot_file(path, kind="psth", class_name="sechs"))[0]
    assert "clip 0 of words.h5" in titles_of(plot.plot_file(path, kind="intervals", clip=0))[0]
    assert "clip 1 of words.h5" in titles_of(plot.plot_file(path, class_name="sechs"))[0]
    assert "“fünf”" in titles_of(plot.plot_file(path, class_name="fu\u0308nf"))[0]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"clip": "sechs/2.wav"}, r"words\.h5: no clip 'sechs/2\.wav'; nearest: sechs/1\.wav"),
        ({"clip": "3"}, r"words\.h5: no clip 3, there are 2, counted from 0"),
        ({"clip": "x"}, r"words\.h5: no clip 'x'; there are 2, counted from 0"),
        ({"class_name": "sech"}, r"words\.h5: no class 'sech'; nearest: sechs"),
        ({"kind": "sound"}, "kind must be one of raster, .* for a spike file, got 'sound'"),
        (
            {"params": cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=350))},
            r"words\.h5: has 700 units, the params given have 350",
        ),
    ],
)
def test_what_is_not_in_a_file_is_refused_in_one_line(corpus, options, rule):
    with pytest.raises(ValueError, match=f"{rule}") as caught:
        plot.plot_file(corpus / "words.h5", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("n_units", [64, 700])
def test_a_file_that_does_not_say_its_frequencies_shows_them_if_they_are_given(tmp_path, n_units):
    with SpikeWriter(tmp_path / "x.h5", keys=["a"], n_units=n_units) as writer:
        writer.append([0.1, 0.2], [5, 6], label=0, speaker=-1)
    assert not has_frequencies(plot.plot_file(tmp_path / "x.h5"))
    if n_units == 700:
        assert has_frequencies(plot.plot_side_by_side([Column(tmp_path / "x.h5", "published")]))
    with SpikeFile(tmp_path / "x.h5") as file:
        assert stored_frequencies(file.provenance) is None


def test_the_frequencies_of_a_file_are_those_of_its_params(corpus):
    with SpikeFile(corpus / "words.h5") as file:
        found = stored_frequencies(file.provenance)
    np.testing.assert_array_equal(found, unit_frequencies(cochlea.CochleaParams.published()))
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("given", [{"clip": 3}, {"class_name": "a"}, {"n_units": 64}])
def test_what_is_for_spike_files_is_refused_for_a_recording(sound, given):
    with pytest.raises(ValueError, match=rf"1\.wav: is a recording, so leave out {next(iter(given))}, "):
        plot.plot_side_by_side([sound], **given)


@pytest.mark.parametrize("kind", KINDS_OF_A_SOUND)
def test_a_recording_is_encoded_and_drawn_in_every_kind(sound, kind):
    picture = plot.plot_sound(sound, kind=kind, preset="published")
    assert titles_of(picture)[0] == "1.wav\npreset published"
    assert has_frequencies(picture) == (kind not in ("psth", "intervals"))


def test_a_recording_has_the_spikes_of_a_file_of_it_alone(sound, tmp_path):
    encode(sound, tmp_path / "x.h5")
    with SpikeFile(tmp_path / "x.h5") as file:
        expected = file[0]
    heard = hear(sound)
    np.testing.assert_array_equal(heard.sample.times.astype(np.float32), expected.times.astype(np.float32))
    np.testing.assert_array_equal(heard.sample.units, expected.units)
    assert heard.sample.duration == expected.duration == 0.05


def test_two_presets_files_and_recordings_stand_side_by_side(sound, corpus):
    columns = [Column(sound, "default"), Column(sound, "published"), corpus / "words.h5"]
    figure = plot.plot_side_by_side(columns)
    assert [axes.get_title("left").split("\n")[0] for axes in figure.axes] == [
        "1.wav",
        "1.wav",
        "“fünf”, speaker unknown, preset published",
    ]
    assert [axes.get_title("left").split("\n")[1] for axes in figure.axes[:2]] == ["preset default", "preset published"]
    assert len(plot.plot_side_by_side([sound, sound], kind="sound").subfigs) == 2


@pytest.mark.parametrize(
    ("columns", "options", "rule"),
    [
        ([], {}, "a picture has 1 to 6 columns, got 0"),
        (["a.wav"] * 7, {}, "a picture has 1 to 6 columns, got 7"),
        (["a.wav"], {"kind": "pie"}, "kind must be one of sound, raster, .*, got 'pie'"),
        (["a.wav"], {"kind": "rates"}, "kind must be one of sound, .*, intervals for a recording, got 'rates'"),
        ([Column("a.wav", "loud")], {}, "preset must be one of default, published, human, got 'loud'"),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(columns, options, rule):
    with pytest.raises(ValueError, match=rf"^{rule}$"):
        plot.plot_side_by_side(columns, **options)


def test_spike_files_are_told_from_recordings_by_what_they_are(corpus, sound, tmp_path):
    (tmp_path / "spikes").write_bytes((corpus / "words.h5").read_bytes())
    (tmp_path / "x.h5").write_bytes(b"")
    assert is_spike_file(tmp_path / "spikes")
    assert is_spike_file(tmp_path / "x.h5")
    assert is_spike_file("missing.h5.gz")
    assert not is_spike_file(sound)
    assert not is_spike_file("missing.wav")
