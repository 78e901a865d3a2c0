import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from spikedata import plot
from spikedata.disk import OutputError
from spikedata.events import Events, Sample
from spikedata.files.writer import SpikeWriter
from spikedata.plot.file import KINDS_OF_A_FILE
from spikedata.plot.timing import intervals_of

N_UNITS = 70
FREQUENCIES = np.geomspace(20_000, 100, N_UNITS)
COLUMNS = {
    "epoch": [1, 2, 3, 4],
    "train_accuracy": [0.1, 0.4, 0.6, 0.8],
    "validation_accuracy": [0.1, 0.5, 0.5, 0.3],
    "train_loss": [3.0, 2.0, 1.0, 0.5],
    "validation_loss": [3.0, 2.0, 1.9, 2.1],
}


def make_clip(n_spikes=200, label=0, speaker=0, seed=0):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 0.5, n_spikes))
    return Sample(times, rng.integers(0, N_UNITS, n_spikes).astype(np.uint16), label=label, speaker=speaker)


@pytest.fixture
def clip():
    return make_clip()


@pytest.fixture
def events():
    clips = [make_clip(label=i % 2, speaker=i // 2, seed=i) for i in range(4)]
    return Events.from_samples(clips, keys=["zero", "one"], n_units=N_UNITS)


def draw_word(**changes):
    clip = make_clip()
    rng = np.random.default_rng(1)
    arguments = {
        "waveform": rng.normal(size=800),
        "sample_rate": 1600,
        "cochleagram": rng.normal(size=(N_UNITS, 1000)),
        "cochleagram_rate": 2000,
        "times": clip.times,
        "units": clip.units,
        "frequencies": FREQUENCIES,
    }
    return plot.plot_word(**(arguments | changes))


def draw_recording(**changes):
    clip = make_clip()
    arguments = {"waveform": np.sin(np.arange(800)), "sample_rate": 1600, "times": clip.times, "units": clip.units}
    return plot.plot_recording(**(arguments | {"n_units": N_UNITS, "frequencies": FREQUENCIES} | changes))


def draw_hidden(**changes):
    rng = np.random.default_rng(2)
    arguments = {"spikes": rng.random((50, 16)) < 0.1, "dt": 0.01, "readout": rng.normal(size=(50, 4)), "keys": "abcd"}
    return plot.plot_hidden(**(arguments | changes))


def labels_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# Every picture


def test_every_picture_is_a_figure(clip, events):
    for draw in pictures_of(clip, events).values():
        figure = draw()
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()


def test_a_clip_without_spikes_can_be_drawn():
    none = np.empty(0)
    draw_word(times=none, units=none).draw_without_rendering()
    plot.plot_raster(none, none).draw_without_rendering()
    plot.plot_cochleagram(none, none).draw_without_rendering()
    draw_recording(times=none, units=none).draw_without_rendering()
    draw_hidden(spikes=np.zeros((50, 16))).draw_without_rendering()


@pytest.mark.parametrize(
    "draw",
    [plot.plot_rates, plot.plot_classes, plot.plot_speakers, plot.plot_means, plot.plot_psth, plot.plot_intervals],
)
def test_a_data_set_without_clips_or_spikes_can_be_drawn(draw):
    draw(Events.from_samples([], keys=["zero", "one"], n_units=N_UNITS)).draw_without_rendering()
    draw(Events.from_samples([make_clip(0)], keys=["zero"], n_units=N_UNITS)).draw_without_rendering()


def test_the_line_of_a_late_epoch_does_not_cross_the_word_chance() -> None:
    columns = {name: [0.5] * 12 for name in COLUMNS} | {"epoch": list(range(1, 13))}

    def box(best_epoch: int) -> np.ndarray:
        figure = plot.plot_learning_curve(columns, chance=0.05, best_epoch=best_epoch)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        label = next(text for text in figure.axes[0].texts if text.get_text() == "chance 5 %")
        words = label.get_window_extent()
        line = figure.axes[0].transData.transform((11, 0))[0]
        assert words.x0 < line < words.x1
        bottom, top = (round(canvas.get_width_height()[1] - y) for y in (words.y0, words.y1))
        return np.asarray(canvas.buffer_rgba())[top + 1 : bottom - 5, round(words.x0) + 1 : round(words.x1) - 1]

    assert np.array_equal(box(1), box(11))


def test_no_label_reaches_into_the_headline(clip) -> None:
    figure = plot.plot_raster(clip.times, clip.units, title="“no”, speaker unknown\nno/1.wav, clip 0 of words.h5")
    figure.draw_without_rendering()
    headline = figure._suptitle.get_window_extent()
    for axes in figure.axes:
        assert not axes.yaxis.label.get_window_extent().overlaps(headline)


@pytest.mark.parametrize("draw", [plot.plot_raster, plot.plot_cochleagram])
def test_times_and_units_must_be_equally_many(draw):
    with pytest.raises(ValueError, match="equally many, got 2 and 1"):
        draw([0.1, 0.2], [3])


def pictures_of(clip, events):
    """What draws each picture, by its name."""
    return {
        "word": lambda: draw_word(title="word"),
        "raster": lambda: plot.plot_raster(clip.times, clip.units, n_units=N_UNITS),
        "cochleagram": lambda: plot.plot_cochleagram(clip.times, clip.units, n_units=N_UNITS),
        "recording": lambda: draw_recording(),
        "psth": lambda: plot.plot_psth(events),
        "intervals": lambda: plot.plot_intervals(events),
        "rates": lambda: plot.plot_rates(events, frequencies=FREQUENCIES, title="rates"),
        "classes": lambda: plot.plot_classes(events),
        "speakers": lambda: plot.plot_speakers(events),
        "means": lambda: plot.plot_means(events),
        "hidden": lambda: draw_hidden(),
        "curve": lambda: plot.plot_learning_curve(COLUMNS, chance=0.05),
        "confusion": lambda: plot.plot_confusion(np.eye(3), ["a", "b", "c"]),
    }


def pixels_of(figure, path):
    plot.save_figure(figure, path, overwrite=True)
    return path.read_bytes()


@pytest.mark.parametrize("style", ["ggplot", pytest.param("dark_background", marks=pytest.mark.slow)])
def test_the_settings_of_the_caller_neither_matter_nor_change(clip, events, tmp_path, style):
    names = ("raster", "rates", "intervals", "hidden", "confusion")
    before = {name: pixels_of(pictures_of(clip, events)[name](), tmp_path / "x.png") for name in names}
    own = {"font.size": 30, "savefig.bbox": "tight", "figure.dpi": 40, "axes.titlelocation": "right"}
    with matplotlib.style.context(style), matplotlib.rc_context(own):
        settings = dict(matplotlib.rcParams)
        after = {name: pixels_of(pictures_of(clip, events)[name](), tmp_path / "x.png") for name in names}
        assert dict(matplotlib.rcParams) == settings
    assert [name for name in names if before[name] != after[name]] == []


def test_drawing_sets_nothing_for_other_threads(clip, events, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a global setting of Matplotlib was written")

    plot.plot_raster(clip.times, clip.units)  # what Matplotlib itself sets up at first use is done
    for name in ("__setitem__", "update", "_set"):
        monkeypatch.setattr(matplotlib.RcParams, name, refuse)
    for draw in pictures_of(clip, events).values():
        figure = draw()
    for kind in ("png", "svg", "pdf"):
        plot.save_figure(figure, tmp_path / f"x.{kind}")


def test_threads_draw_the_same_pictures_as_one(clip, tmp_path):
    def draw(number):
        return pixels_of(plot.plot_raster(clip.times, clip.units, n_units=N_UNITS), tmp_path / f"{number}.png")

    alone = draw(0)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(draw, range(1, 5))) == {alone}


def test_drawing_leaves_pyplot_alone():
    code = "import sys, spikedata.plot as p; p.plot_raster([0.1], [3]); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Files


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_the_name_of_a_picture_says_its_format(clip, tmp_path, name, start):
    plot.save_figure(plot.plot_raster(clip.times, clip.units), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, kind):
    for name in ("a", "b"):
        plot.save_figure(plot.plot_learning_curve(COLUMNS), tmp_path / f"{name}.{kind}")
    content = (tmp_path / f"a.{kind}").read_bytes()
    assert content == (tmp_path / f"b.{kind}").read_bytes()
    assert b"CreationDate" not in content
    assert b"dc:date" not in content


@pytest.mark.parametrize("name", ["a.bmp", "a", "png"])
def test_another_format_is_refused(clip, tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg or \.pdf"):
        plot.save_figure(plot.plot_raster(clip.times, clip.units), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_picture_is_replaced_only_when_told(clip, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    figure = plot.plot_raster(clip.times, clip.units)
    with pytest.raises(OutputError, match="exists"):
        plot.save_figure(figure, path)
    assert path.read_bytes() == b"mine"
    plot.save_figure(figure, path, overwrite=True)
    assert path.read_bytes() != b"mine"


@pytest.fixture
def spike_file(tmp_path, clip):
    path = tmp_path / "spikes.h5"
    with SpikeWriter(path, keys=["zero"], n_units=N_UNITS) as writer:
        writer.append(clip.times, clip.units, label=0, speaker=0)
    return path


@pytest.mark.parametrize("kind", KINDS_OF_A_FILE)
def test_a_file_can_be_drawn_in_every_kind(spike_file, kind):
    assert isinstance(plot.plot_file(spike_file, kind=kind), Figure)


@pytest.mark.parametrize("index", [1, -1])
def test_a_clip_that_is_not_in_the_file_is_refused(spike_file, index):
    with pytest.raises(ValueError, match=rf"spikes\.h5: no clip {index}, there are 1"):
        plot.plot_file(spike_file, clip=index)


def test_an_unknown_kind_is_refused(spike_file):
    with pytest.raises(ValueError, match=r"kind must be one of raster, .*, speakers for a spike file, got 'pie'"):
        plot.plot_file(spike_file, kind="pie")


# Axes of the caller's


@pytest.mark.parametrize("layout", [None, pytest.param("constrained", marks=pytest.mark.slow)])
def test_every_picture_is_drawn_into_axes_and_returns_them(clip, events, layout):
    figure = Figure(figsize=(40, 30), dpi=40, layout=layout)
    places = figure.subplots(4, 4).flat
    other = places[15]
    other.set_title("mine", loc="right")
    into = {
        "word": lambda **own: draw_word(**own),
        "raster": lambda **own: plot.plot_raster(clip.times, clip.units, n_units=N_UNITS, **own),
        "cochleagram": lambda **own: plot.plot_cochleagram(clip.times, clip.units, n_units=N_UNITS, **own),
        "recording": lambda **own: draw_recording(**own),
        "psth": lambda **own: plot.plot_psth(events, **own),
        "intervals": lambda **own: plot.plot_intervals(events, **own),
        "rates": lambda **own: plot.plot_rates(events, **own),
        "classes": lambda **own: plot.plot_classes(events, **own),
        "speakers": lambda **own: plot.plot_speakers(events, **own),
        "means": lambda **own: plot.plot_means(events, **own),
        "hidden": lambda **own: draw_hidden(**own),
        "curve": lambda **own: plot.plot_learning_curve(COLUMNS, **own),
        "confusion": lambda **own: plot.plot_confusion(np.eye(3), ["a", "b", "c"], **own),
    }
    assert into.keys() == pictures_of(clip, events).keys()
    for (name, draw), ax in zip(into.items(), places, strict=False):
        assert draw(ax=ax, title=name) is ax
        assert ax.figure is figure
    if layout:
        figure.draw_without_rendering()
    said = {text.get_text().split("\n")[0] for text in figure.findobj(Text)}
    assert into.keys() <= said
    assert other.get_title("right") == "mine"


def test_panels_are_where_the_axes_were(events):
    figure = Figure()
    grid = figure.add_gridspec(2, 2)
    for ax in (figure.add_axes((0.1, 0.5, 0.4, 0.4)), figure.add_subplot(grid[1, 1].subgridspec(1, 2)[1])):
        assert plot.plot_classes(events, title="mine", ax=ax) is ax
        part = figure.subfigs[-1]
        assert part.get_suptitle() == "mine"
        assert part.bbox.bounds == pytest.approx(ax.bbox.bounds)
    free = Figure(layout="constrained").add_axes((0.1, 0.5, 0.4, 0.4))
    with pytest.raises(ValueError, match=r"^ax must be one of a grid"):
        plot.plot_classes(events, ax=free)


@pytest.mark.parametrize(("ax", "found"), [(3, "int"), (np.zeros(2), r"an array of shape \(2,\): pass one of them")])
def test_what_is_no_axes_is_refused(clip, ax, found):
    with pytest.raises(TypeError, match=f"^ax must be one Matplotlib Axes, got {found}$"):
        plot.plot_raster(clip.times, clip.units, ax=ax)


def test_axes_are_saved_with_their_figure(clip, tmp_path):
    figure = Figure()
    ax = figure.subplots(1, 2)[1]
    plot.save_figure(plot.plot_raster(clip.times, clip.units, ax=ax), tmp_path / "a.png")
    plot.save_figure(figure, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# Frequencies


def scales_of(figure):
    return [child for axes in figure.axes for child in axes.child_axes]


@pytest.mark.parametrize("name", ["raster", "cochleagram", "recording", "rates", "classes"])
def test_channels_say_their_frequencies(clip, events, name):
    draw = {
        "raster": lambda: plot.plot_raster(clip.times, clip.units, n_units=N_UNITS, frequencies=FREQUENCIES),
        "cochleagram": lambda: plot.plot_cochleagram(clip.times, clip.units, n_units=N_UNITS, frequencies=FREQUENCIES),
        "recording": draw_recording,
        "rates": lambda: plot.plot_rates(events, frequencies=FREQUENCIES),
        "classes": lambda: plot.plot_classes(events, frequencies=FREQUENCIES),
    }
    for scale in scales_of(draw[name]()):
        axis = scale.yaxis if scale.get_ylabel() else scale.xaxis
        assert axis.get_label_text() == "Frequency (Hz)"
        ticks = dict(zip([label.get_text() for label in axis.get_ticklabels()], axis.get_ticklocs(), strict=True))
        assert list(ticks) == ["100", "200", "500", "1k", "2k", "5k", "10k", "20k"]
        assert FREQUENCIES[int(ticks["1k"])] > 1000 > FREQUENCIES[int(ticks["1k"]) + 1]
        break
    else:
        pytest.fail("there is no scale of frequencies")


@pytest.mark.parametrize(
    ("frequencies", "rule"),
    [(FREQUENCIES[1:], r"must be 70, one for each channel, got shape \(69,\)"), (FREQUENCIES[::-1], "must fall")],
)
def test_frequencies_must_be_those_of_the_channels(clip, frequencies, rule):
    with pytest.raises(ValueError, match=f"^frequencies {rule}"):
        plot.plot_raster(clip.times, clip.units, n_units=N_UNITS, frequencies=frequencies)


# When spikes come


def test_a_psth_is_the_rate_of_a_channel_over_clips():
    clips = [Sample(np.array(times), np.zeros(len(times), np.uint16), 0, 0) for times in ([0.01, 0.012, 0.03], [0.011])]
    events = Events.from_samples(clips, keys=["zero"], n_units=2)
    mean = next(patch for patch in plot.plot_psth(events, width=0.01).axes[0].patches if not patch.get_fill())
    # three spikes of two clips in two channels, in the bin from 10 to 20 ms
    np.testing.assert_allclose(mean.get_data().values, [0, 75, 0, 25])


def test_intervals_are_those_of_a_channel_in_a_clip(events):
    clips = [
        Sample(np.array([0.1, 0.15, 0.2, 0.4]), np.array([3, 5, 3, 5], np.uint16), label=0, speaker=0),
        Sample(np.array([0.3, 0.301]), np.array([3, 3], np.uint16), label=0, speaker=0),
    ]
    found = intervals_of(Events.from_samples(clips, keys=["zero"], n_units=N_UNITS))
    np.testing.assert_allclose(sorted(found), [0.001, 0.1, 0.25])
    assert intervals_of(events).size == sum(
        max(count - 1, 0) for clip in events for count in np.bincount(clip.units, minlength=N_UNITS)
    )


@pytest.mark.parametrize("width", [0, float("nan"), 1e-9])
def test_bins_that_cannot_be_counted_are_refused(events, width):
    with pytest.raises(ValueError, match=r"^width must be (> 0|a number > 0|at least 0\.0002)"):
        plot.plot_psth(events, width=width)


def test_times_in_other_units_and_hours_of_sound_are_drawn_in_little_memory(clip):
    # microseconds taken for seconds: bins of 1 ms would be half a billion
    events = Events.from_samples([clip._replace(times=clip.times * 1e6, n_units=N_UNITS)], keys=["zero"])
    for draw in (plot.plot_psth, plot.plot_means, plot.plot_intervals):
        draw(events)
    figure = draw_recording(waveform=np.zeros(10**6), sample_rate=2, times=events.times, units=events.units)
    image = next(axes.images[0] for axes in figure.axes if axes.images)
    assert np.asarray(image.get_array()).size < 10**7


# A word


def test_sound_membrane_and_spikes_share_the_time_axis():
    sound, membrane, raster, _ = draw_word().axes
    assert sound.get_xlim() == membrane.get_xlim() == raster.get_xlim() == (0, 0.5)


def test_high_frequencies_are_on_top():
    _, membrane, raster, _ = draw_word().axes
    assert membrane.get_ylim() == raster.get_ylim() == (N_UNITS - 0.5, -0.5)
    labels = [label.get_text() for label in membrane.get_yticklabels()]
    assert labels == ["100", "200", "500", "1k", "2k", "5k", "10k", "20k"]
    row = membrane.get_yticks()[labels.index("1k")]
    assert FREQUENCIES[int(row)] > 1000 > FREQUENCIES[int(row) + 1]


def test_a_tenth_of_the_amplitude_is_20_decibels_less():
    cochleagram = np.ones((N_UNITS, 1000))
    cochleagram[30] = 0.1
    _, membrane, _, _ = draw_word(cochleagram=cochleagram).axes
    level = np.asarray(membrane.images[0].get_array())
    np.testing.assert_allclose(level[29], 0)
    np.testing.assert_allclose(level[30], -20)


def test_a_silent_membrane_can_be_drawn():
    draw_word(cochleagram=np.zeros((N_UNITS, 1000))).draw_without_rendering()


def test_a_cochleagram_of_one_frame_can_be_drawn():
    draw_word(cochleagram=np.ones((N_UNITS, 1))).draw_without_rendering()


def test_a_word_changes_none_of_its_arrays():
    cochleagram = np.linspace(-1, 1, N_UNITS * 100).reshape(N_UNITS, 100)
    before = cochleagram.copy()
    draw_word(cochleagram=cochleagram)
    np.testing.assert_array_equal(cochleagram, before)


def test_a_cochleagram_must_have_two_axes():
    with pytest.raises(ValueError, match=r"\(n_places, n_frames\), got \(1000,\)"):
        draw_word(cochleagram=np.ones(1000))


def test_frequencies_must_fall():
    with pytest.raises(ValueError, match="frequencies must fall from base to apex"):
        draw_word(frequencies=FREQUENCIES[::-1])


# A data set


def test_rates_are_spikes_per_second_of_each_channel():
    clips = [
        Sample(np.array([0.1, 0.2, 0.5]), np.array([0, 0, 1], dtype=np.uint16), label=0, speaker=0),
        Sample(np.array([0.5]), np.array([1], dtype=np.uint16), label=0, speaker=0),
    ]
    axes = plot.plot_rates(Events.from_samples(clips, keys=["zero"], n_units=3)).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [2, 2, 0])


def test_a_clip_lasts_until_its_latest_spike_in_any_order():
    clip = Sample(np.array([0.1, 0.5]), np.array([0, 0], dtype=np.uint16), label=0, speaker=0)
    events = Events.from_samples([clip], keys=["zero"], n_units=2)
    unsorted = replace(events, times=events.times[::-1], is_sorted=False)
    np.testing.assert_allclose(plot.plot_rates(unsorted).axes[0].lines[0].get_ydata(), [4, 0])


def test_speakers_show_clips_classes_and_spikes(events):
    by_speaker, by_class, spikes, _ = plot.plot_speakers(events).axes
    assert [bar.get_width() for bar in by_speaker.patches] == [2, 2]
    np.testing.assert_array_equal(by_class.images[0].get_array(), [[1, 1], [1, 1]])
    np.testing.assert_allclose(spikes.lines[0].get_xdata(), [200, 200])


def test_speakers_who_are_not_known_are_called_so():
    events = Events.from_samples([make_clip(speaker=-1), make_clip(speaker=3)], keys=["zero"], n_units=N_UNITS)
    assert [tick.get_text() for tick in plot.plot_speakers(events).axes[0].get_yticklabels()] == ["unknown", "3"]


def test_many_speakers_are_counted_not_named():
    clips = [make_clip(20, speaker=speaker) for speaker in range(50)]
    by_speaker = plot.plot_speakers(Events.from_samples(clips, keys=["zero"], n_units=N_UNITS)).axes[0]
    assert by_speaker.get_ylabel() == "50 speakers"
    assert not by_speaker.get_yticklabels()


def test_a_mean_clip_has_the_mean_number_of_spikes():
    clips = [make_clip(n_spikes, label=label, seed=n_spikes) for n_spikes, label in ((100, 0), (300, 0), (50, 1))]
    # 12 units are two bands of five and one of two
    clips = [clip._replace(units=clip.units % 12) for clip in clips]
    panels = plot.plot_means(Events.from_samples(clips, keys=["zero", "one"], n_units=12)).axes
    for panel, n_spikes in zip(panels, (200, 50), strict=False):
        rates = np.asarray(panel.images[0].get_array())
        assert rates.shape[0] == 3
        np.testing.assert_allclose((rates.sum(axis=1) * 10e-3 * [5, 5, 2]).sum(), n_spikes)


def test_the_mean_clips_of_a_long_recording_are_whole():
    # 140 bands times 1,000 bins are more than 16 bits hold
    clip = Sample(np.array([9.99]), np.array([699], dtype=np.uint16), label=0, speaker=0)
    image = plot.plot_means(Events.from_samples([clip], keys=["zero"])).axes[0].images[0]
    rates = np.asarray(image.get_array())
    assert np.argwhere(rates).tolist() == [[139, rates.shape[1] - 1]]


def test_the_map_of_rates_keeps_the_number_of_spikes():
    # far from the borders, at which the smoothing reflects
    image = plot.plot_cochleagram([0.05, 0.1, 0.15], [30, 35, 40], n_units=N_UNITS).axes[0].images[0]
    assert np.asarray(image.get_array()).sum() * 1e-3 == pytest.approx(3, rel=1e-3)


def test_classes_show_clips_and_mean_counts(events):
    by_class, activity, by_speaker, _ = plot.plot_classes(events).axes
    assert [bar.get_width() for bar in by_class.patches] == [2, 2]
    assert [bar.get_height() for bar in by_speaker.patches] == [2, 2]
    np.testing.assert_allclose(np.asarray(activity.images[0].get_array()).sum(axis=1), [200, 200])


# A network


def test_the_three_highest_readouts_are_named():
    readout = np.zeros((50, 5))
    readout[10, 3], readout[20, 1], readout[30, 4] = 9, 7, 8
    _, traces = draw_hidden(readout=readout, keys=["a", "b", "c", "d", "e"]).axes
    assert labels_of(traces) == ["d", "e", "b"]


def test_two_classes_are_enough_for_readouts():
    assert len(labels_of(draw_hidden(readout=np.zeros((50, 2)), keys="ab").axes[1])) == 2


@pytest.mark.parametrize(
    ("rule", "winner", "has_dots"),
    [
        ("max", "a", True),
        ("softmax_sum", "b", False),
        ("last", "c", False),
        ("mean", "b", False),
        ("exp_mean", "b", False),
        ("first_spike", "c", False),
    ],
)
def test_the_class_that_is_named_first_wins_by_the_rule_of_the_network(rule, winner, has_dots):
    readout = np.zeros((50, 3))
    readout[10, 0], readout[:40, 1], readout[-1, 2] = 9, 2, 4
    _, traces = draw_hidden(readout=readout, keys="abc", rule=rule).axes
    assert labels_of(traces)[0] == winner
    assert any(line.get_marker() == "o" for line in traces.lines) == has_dots
    assert plot.network.RULES[rule] in traces.get_title("left")


def test_a_rule_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"rule must be one of max, softmax_sum, last, .*, got 'median'"):
        draw_hidden(rule="median")


@pytest.mark.parametrize("shape", [(49, 4), (50, 3)])
def test_readouts_must_fit_spikes_and_names(shape):
    with pytest.raises(ValueError, match=r"readout must have shape \(50, 4\)"):
        draw_hidden(readout=np.zeros(shape))


def test_the_first_epoch_with_the_best_validation_is_marked():
    assert plot.plot_learning_curve(COLUMNS).axes[0].get_title(loc="left") == "Validation 50.0 % at epoch 2"
    assert "epoch 3" in plot.plot_learning_curve(COLUMNS, best_epoch=3).axes[0].get_title(loc="left")


def test_where_nothing_was_validated_the_last_epoch_is_marked_in_training():
    nothing = [float("nan")] * 4
    axes = plot.plot_learning_curve(COLUMNS | {"validation_accuracy": nothing, "validation_loss": nothing}).axes[0]
    assert axes.get_title(loc="left") == "Training 80.0 % at epoch 4"
    assert "validation" not in [line.get_label() for line in axes.lines]


def test_a_history_may_be_columns_mappings_or_records():
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)]
    for history in (COLUMNS, rows, [SimpleNamespace(**row) for row in rows]):
        training = plot.plot_learning_curve(history).axes[0].lines[0]
        np.testing.assert_allclose(training.get_ydata(), [10, 40, 60, 80])


def test_a_history_of_one_epoch_can_be_drawn():
    plot.plot_learning_curve({name: values[:1] for name, values in COLUMNS.items()}).draw_without_rendering()


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="at least one epoch"):
        plot.plot_learning_curve([])


def test_a_best_epoch_that_never_was_is_refused():
    with pytest.raises(ValueError, match="best_epoch must be an epoch of the history, got 9"):
        plot.plot_learning_curve(COLUMNS, best_epoch=9)


def test_the_confusion_matrix_writes_counts_and_the_score():
    axes = plot.plot_confusion(np.array([[99, 1], [20, 80]]), ["a", "b"]).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["20", "80", "99"]  # 1 of 100 is too small a share
    assert axes.get_title(loc="left") == "179 of 200 correct (89.5 %)"


def test_a_class_without_clips_leaves_its_row_empty():
    axes = plot.plot_confusion(np.array([[3, 0], [0, 0]]), ["a", "b"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["3"]


def test_the_confusion_matrix_must_fit_the_names():
    with pytest.raises(ValueError, match=r"matrix must have shape \(3, 3\)"):
        plot.plot_confusion(np.eye(2), ["a", "b", "c"])
