"""The page of a data set: what it is, how often which channel fires, and clips that play."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spikedata.corpora import Clip
from spikedata.data_facts import (
    UNNAMED,
    checks_of,
    content_of,
    credit_of,
    how_it_was_made,
    known_of,
    preset_of,
    summary_of,
    task_in,
)
from spikedata.disk import file_digest
from spikedata.events.events import Events
from spikedata.files.info import SpikeCounts, count_spikes, describe_open
from spikedata.files.reader import SpikeFile
from spikedata.printable import number_of
from spikedata.report.charts import Axis, Line, axis, counts_table, histogram, lines
from spikedata.report.clips import (
    FREQUENCY_TICKS,
    frequencies_of,
    names_in_use,
    order_of_choice,
    pack_sample,
    pack_scale,
    pack_sound,
    recordings_of,
    short_hertz,
    speed_of,
)
from spikedata.report.page import (
    MEGABYTE,
    USUAL_SIZE,
    Report,
    Section,
    Tile,
    build_page,
    check_page,
    facts,
    folded,
    json_in_script,
    paragraphs,
    preformatted,
    sentences,
    shortened,
    write_page,
)
from spikedata.report.player import Panel, player

USUAL_CLIPS = 120  # of a page, unless the user wants others
MOST_NAMED = 200  # classes or speakers that are listed
_MOST_COUNTED = 4_000_000  # numbers of spikes by class and unit that are kept in memory
_LONGEST_LIST = 20  # clips in a row that may be too large for what is left of the page
_PANELS = [
    Panel("rates", "Cochleagram: rate by channel and time, slightly smoothed."),
    Panel("raster", "Raster: a dot is a spike."),
]

_Band: TypeAlias = "tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]"
Progress = Callable[[str, int, int], None]


def report_data_set(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    audio: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    clips: int | None = None,
    max_size: float = USUAL_SIZE,
    title: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Write one HTML page about a spike file; the same file gives the same page, byte for byte.

    The whole file is read and checked once, in memory that does not grow with its spikes. Clips that can be looked at
    are drawn with the seed, balanced over classes and speakers.

    Parameters
    ----------
    path : str or path-like
        The spike file.
    out : str or path-like
        The page to write, which ends in .html.
    audio : str or path-like, optional
        The recordings of which the file was made, as they were given to `encode`: clips then have their sound.
    columns : dict of str to str, optional
        The columns of the table ``audio``, as they were given to `encode`.
    clips : int, optional
        How many clips can be looked at [1]. Default: as many as fit, 120 at most.
    max_size : float
        The largest size of the page [MB].
    title : str, optional
        Its heading; default: the name of the file.
    seed : int
        Of the draw of clips.
    overwrite : bool
        Whether an existing page may be replaced.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it.
    on_progress : callable, optional
        Called with "reading" or "packing", the number of finished clips and of all clips.

    Returns
    -------
    Report

    Raises
    ------
    FileNotFoundError, FormatError
        If the file or the recordings do not exist, or the file violates the format.
    ValueError
        If a recording is missing or is not the one that was encoded, or the page would be larger than it may be.
    OutputError
        If the page cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from spikedata.files.writer import SpikeWriter
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SpikeWriter(f"{folder}/x.h5", keys=["zero"]) as writer:
    ...         writer.append([0.1, 0.2], [5, 699], label=0, speaker=3)
    ...     made = report_data_set(f"{folder}/x.h5", f"{folder}/page.html")
    >>> made.kind, made.clips
    ('data set', 1)
    """
    report = on_progress or (lambda *_: None)
    check_page(out, overwrite=overwrite, about=path, clips=clips, max_size=max_size)
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        recordings = None if audio is None else recordings_of(file, audio, columns=columns)
        counted = _ByClass(file, report)
        report("reading", 0, len(file))
        counts = count_spikes(file, watch=counted.add)
        d = describe_open(file, counts)
        about = _About(Path(path), file, d, counts, counted, title, clips)
        # what is left for clips: the page without any, and room for the names and numbers that come with them
        left = max_size * MEGABYTE - len(about.page([], [], has_sound=False)) - 2000
        packed = _fitting(file, recordings, audio, clips, left, seed, report)
    page = about.page([index for index, _ in packed], [clip for _, clip in packed], has_sound=audio is not None)
    write_page(out, page, max_size=max_size, clips=clips, overwrite=overwrite)
    notes = [f"{len(packed):,} of {len(file):,} clips are on the page"] if len(packed) < len(file) else []
    notes += (
        []
        if audio is not None or not packed or task_in(d)
        else ["clips have no sound: --audio FOLDER, the recordings of the file"]
    )
    return Report(str(out), "data set", len(packed), len(page), tuple(notes))


class _ByClass:
    """Spikes by class and unit, counted while the file is read; None where there are too many of both."""

    def __init__(self, file: SpikeFile, report: Progress) -> None:
        size = len(file.keys) * file.n_units
        self.spikes = np.zeros((len(file.keys), file.n_units), np.int64) if size <= _MOST_COUNTED else None
        self._n_clips, self._report = len(file), report

    def add(self, first: int, events: Events) -> None:
        if self.spikes is not None:
            labels = np.repeat(events.labels, np.diff(events.offsets))
            cells = labels * events.n_units + events.units
            self.spikes += np.bincount(cells, minlength=self.spikes.size).reshape(self.spikes.shape)
        self._report("reading", first + len(events), self._n_clips)


def _fitting(
    file: SpikeFile,
    recordings: Mapping[str, Clip] | None,
    audio: str | os.PathLike[str] | None,
    wanted: int | None,
    left: float,
    seed: int,
    report: Progress,
) -> list[tuple[int, dict[str, Any]]]:
    """The clips that fit, by number: all that are wanted, or the first of the draw for which there is room."""
    order = order_of_choice(file.labels, file.speakers, seed=seed)
    most = min(USUAL_CLIPS if wanted is None else wanted, len(order))
    found: list[tuple[int, dict[str, Any]]] = []
    n_too_large = 0
    for index in order.tolist():
        if len(found) == most or n_too_large > _LONGEST_LIST:
            break
        sample = file[index]
        clip = pack_sample(sample) | {"n": index, "id": shortened(sample.source)}
        if recordings is not None and audio is not None:
            recording = recordings.get(sample.source)
            clip["sound"] = pack_sound(
                recording, sample, file=file.path.name, audio=audio, index=index, speed=speed_of(file, index)
            )
        # a class has its name in the list of names, too
        size = len(json_in_script(clip)) + len(json_in_script({"": shortened(file.keys[sample.label])})) + 60
        if size > left and wanted is None:
            n_too_large += 1
            continue
        left -= size
        found.append((index, clip))
        report("packing", len(found), most)
    return sorted(found, key=lambda pair: pair[0])


class _About:
    """What the page says besides its clips."""

    def __init__(
        self,
        path: Path,
        file: SpikeFile,
        d: dict[str, Any],
        counts: SpikeCounts,
        counted: _ByClass,
        title: str | None,
        wanted: int | None,
    ) -> None:
        self.known = known_of(path)
        self.name, self.size, self.sha256 = path.name, path.stat().st_size, file_digest(path, "sha256")
        self.d, self.counts, self.by_class, self.title = d, counts, counted.spikes, title or path.name
        self.wanted = wanted
        self.keys, self.labels, self.speakers = file.keys, file.labels, file.speakers
        self.parts, self.durations = file.parts, file.durations
        self.frequencies = frequencies_of(file)
        self.remarks = file.remarks

    def page(self, numbers: Sequence[int], packed: Sequence[Mapping[str, Any]], *, has_sound: bool) -> bytes:
        """The page with some clips, whose numbers rise."""
        keys, place_of_key = names_in_use(self.keys, [int(self.labels[number]) for number in numbers])
        parts, place_of_part = names_in_use(*self._parts_of(numbers))
        of_clip = self._parts_of(numbers)[1]
        clips = [
            {
                **clip,
                "c": place_of_key[int(self.labels[number])],
                "s": int(self.speakers[number]),
                "p": place_of_part[part] if part >= 0 and parts else -1,
            }
            for number, part, clip in zip(numbers, of_clip or [-1] * len(numbers), packed, strict=True)
        ]
        data: dict[str, Any] = {
            "classes": keys,
            "parts": parts,
            "clips": clips,
            **pack_scale(self.d["channels"], self.frequencies),
        }
        n_sections = [Section("Clips", self._player(len(clips), has_sound)), *self._sections()]
        return build_page(self.title, self._lead(), self._tiles(), n_sections, kind="data set", data=data)

    def _parts_of(self, numbers: Sequence[int]) -> tuple[list[str], list[int]]:
        """Names of the parts of the file, and the part of each clip as its place among them."""
        if not any(self.parts):
            return [], []
        names = sorted(set(self.parts))
        return [name or "none" for name in names], [names.index(self.parts[number]) for number in numbers]

    def _lead(self) -> str:
        return summary_of(self.d, self.known.origin.corpus)

    def _tiles(self) -> list[Tile]:
        d = self.d
        tiles = [Tile(f"{d['samples']:,}", "clips"), Tile(f"{len(d['classes']):,}", "classes")]
        tiles.append(Tile(f"{len(d['speakers']):,}" if d["speakers"] else "unknown", "speakers"))
        total = d["durations"]["total"]
        tiles.append(Tile(_time(total), "sound") if total else Tile(_time(d["total_time"]), "until last spikes"))
        tiles.append(Tile(f"{d['spikes']['mean']:,.0f}", "spikes per clip"))
        tiles.append(Tile(f"{d['rate_per_channel']['mean']:.3g} Hz", "mean rate", f"of a {d['unit']}"))
        return tiles

    def _player(self, n_clips: int, has_sound: bool) -> str:
        n_all = self.d["samples"]
        if not n_all:
            return paragraphs(["The file has no clips."])
        if not n_clips:
            why = "No clip was asked for." if self.wanted == 0 else "None of its clips is small enough for this page."
            return paragraphs([why])
        drawn = ", drawn with a seed and balanced over classes and speakers" if n_clips < n_all else ""
        count = (
            f"{n_clips:,} of {n_all:,} clips{drawn}."
            if n_clips < n_all
            else f"All {n_all:,} clips."
            if n_all > 1
            else "The one clip."
        )
        silent = "" if has_sound else " There is no sound on this page: the line runs as the clip would be heard."
        notes = [self.d["advice"][:1].upper() + self.d["advice"][1:] + "."] if self.d["advice"] else []
        notes += [] if self.d["channels_are_said"] else ["The file itself does not say how many units it has."]
        return paragraphs(notes, kind="note") + player(f"{count}{silent}", _PANELS)

    def _sections(self) -> Iterator[Section]:
        d = self.d
        classes = list(zip(map(str, d["classes"]), d["classes"].values(), strict=True))
        speakers = [(str(who), n) for who, n in d["speakers"].items()]
        if d["samples_of_unknown_speaker"]:
            speakers.append(("unknown", d["samples_of_unknown_speaker"]))
        parts = list(d["parts"].items())
        columns = [
            f"<div>{counts_table('Clips by class', 'class', classes, most=MOST_NAMED)}</div>",
            f"<div>{counts_table('Clips by speaker', 'speaker', speakers, most=MOST_NAMED)}"
            + (counts_table("Clips by part", "part", parts, most=MOST_NAMED) if parts else "")
            + "</div>",
        ]
        yield Section("Classes and speakers", f'<div class="pair">{"".join(columns)}</div>')
        if d["spikes"]["total"]:
            yield Section(f"Rates by {self.d['unit']}", self._rates())
        if d["samples"]:
            yield Section("Durations and spikes", self._histograms())
        yield Section("Card", self._card())

    def _rates(self) -> str:
        rates, unit = np.array(self.d["rate_by_channel"]), self.d["unit"]
        units = np.arange(len(rates), dtype=np.float64)
        if self.frequencies is None:
            most = max(len(rates) - 1.0, 1.0)
            x, at = axis(f"{unit} (the file does not say its frequency)", most, n_ticks=8, whole=True), units
        else:
            at = self.frequencies
            low, high = float(at[-1]), float(at[0])
            ticks = tuple((float(f), short_hertz(f)) for f in FREQUENCY_TICKS if low <= f <= high)
            x = Axis(f"characteristic frequency of the {unit} [Hz]", low, high, ticks, is_log=True)
        band = self._band(at)
        top = max(float(rates.max()), float(band[2].max()) if band is not None else 0.0)
        strongest = int(rates.argmax())
        where = (
            f"at {self.frequencies[strongest]:,.0f} Hz" if self.frequencies is not None else f"in {unit} {strongest}"
        )
        caption = f"Mean rate of each {unit} over all clips; the highest is {rates[strongest]:.3g} spikes/s {where}."
        caption += (
            " The band runs from the class with the lowest to that with the highest rate." if band is not None else ""
        )
        silent = self.d["silent_channels"]
        caption += f" {number_of(silent, unit)} {'has' if silent == 1 else 'have'} no spike." if silent else ""
        order = slice(None, None, -1) if self.frequencies is not None else slice(None)
        line = Line("mean of all clips", at[order], rates[order])
        return lines(caption, x, axis("spikes per second", top, to_tick=True), [line], band=band)

    def _band(self, at: npt.NDArray[np.float64]) -> _Band | None:
        """The lowest and the highest rate of a class in each channel."""
        if self.by_class is None:
            return None
        seconds = np.where(self.durations > 0, self.durations, self.counts.latest)
        heard = np.bincount(self.labels, weights=seconds, minlength=len(self.by_class))
        if np.count_nonzero(heard) < 2:
            return None
        by_class = self.by_class[heard > 0] / heard[heard > 0, None]
        low, high = by_class.min(axis=0), by_class.max(axis=0)
        order = np.argsort(at, kind="stable")
        return at[order], low[order], high[order]

    def _histograms(self) -> str:
        each, timed = self.counts.each, self.durations[self.durations > 0]
        charts = []
        if timed.size:
            short, middle, long = np.quantile(timed, (0.05, 0.5, 0.95))
            said = f"Length of the clips: median {middle:.2f} s, nine of ten between {short:.2f} and {long:.2f} s."
            charts.append(histogram(said, "duration [s]", timed))
        else:
            latest = self.counts.latest
            middle = np.median(latest)
            said = f"Last spike of each clip, since the file does not say its length: median {middle:.2f} s."
            charts.append(histogram(said, "last spike [s]", latest))
        few, middle, many = np.quantile(each, (0.05, 0.5, 0.95))
        said = f"Spikes of a clip: median {middle:,.0f}, nine of ten between {few:,.0f} and {many:,.0f}."
        charts.append(histogram(said, "spikes per clip", each, whole=True))
        return f'<div class="pair">{"".join(charts)}</div>'

    def _card(self) -> str:
        d, origin = self.d, self.known.origin
        said = [f"{self.name} is {origin}"] if origin.kind == "official" else []
        part = [d["provenance"]["part"]] if d["provenance"] and d["provenance"]["part"] else []
        rows = [
            ("file", f"{self.name}, {self.size:,} bytes"),
            ("SHA-256", self.sha256),
            ("corpus", origin.corpus if origin.corpus not in UNNAMED else "not named"),
            *([] if task_in(d) else [("preset", preset_of(d) or "unknown")]),
            *content_of(d),
        ]
        shown = [facts(rows), "<h3>How it was made</h3>"]
        shown.append(paragraphs([how_it_was_made(d, said, part)]))
        if not said and d["provenance"] is not None:
            written = json.dumps(d["provenance"]["params"], ensure_ascii=False, indent=2, sort_keys=True)
            shown.append(folded("All params" if task_in(d) else "All params of the cochlea", preformatted(written)))
        shown += ["<h3>License and citation</h3>", paragraphs(credit_of(self.known.entry, task_in(self.d)))]
        remarks = [f"{len(self.remarks):,} clips have a remark, the first: {self.remarks[0]}"] if self.remarks else []
        shown += [
            "<h3>Checks</h3>",
            sentences([*checks_of(d), *remarks]),
        ]
        return "\n".join(shown)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
