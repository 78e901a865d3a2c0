"""The card of a data set: a README with the front matter of Hugging Face, and Croissant metadata as JSON-LD.

What they say comes from the spike file itself and from the registry of known corpora. It is not the card of a run,
which says how a network was trained and scored (`spikedata.Card`).
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, combinations
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.data_facts import (
    UNKNOWN_LICENSE,
    UNNAMED,
    checks_of,
    content_of,
    credit_of,
    how_it_was_made,
    known_of,
    summary_of,
    task_in,
)
from spikedata.disk import check_output, file_digest, write_atomically
from spikedata.downloads.entries import DataSet
from spikedata.events.sample import UNKNOWN_SPEAKER
from spikedata.export.croissant import DataFile, describe_in_croissant
from spikedata.export.output import ABOUT, about_of
from spikedata.export.source import opened
from spikedata.export.tables import CLIPS, SPIKES, features_of
from spikedata.files.info import describe_file
from spikedata.files.reader import SpikeFile
from spikedata.printable import printable

README, CROISSANT = "README.md", "croissant.json"
_MOST_LISTED = 40  # classes or speakers in a table; of more, the range is given
_LANGUAGES = {  # ISO 639-1, of the words that are spoken
    "heidelberg_digits": ("en", "de"),
    "speech_commands": ("en",),
    "fsdd": ("en",),
    "audiomnist": ("en",),
    "spoken_digits": ("en", "de"),
}
_ADDRESSES = {
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "mit": "https://opensource.org/license/mit",
}
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
_OF_SAMPLES = ("speaker", "source", "sample_rate", "duration", "part")  # in the group `extra` of a spike file
_SUMMED = ("samples", "samples_of_unknown_speaker", "samples_without_spikes", "samples_of_unknown_duration")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class DataCard(NamedTuple):
    """A card that was written.

    Parameters
    ----------
    file : str
        The README.
    croissant : str
        The JSON-LD beside it.
    clips, spikes : int
        Number of clips and of spikes in the data set.
    described : tuple of str
        The files that the card describes, from its folder.
    notes : tuple of str
        What is not known or was left out, a line each, with what to do.
    """

    file: str
    croissant: str
    clips: int
    spikes: int
    described: tuple[str, ...]
    notes: tuple[str, ...] = ()


def write_data_card(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    license: str | None = None,
    creator: str | None = None,
    url: str | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> DataCard:
    """Write the card of a data set: ``README.md`` and ``croissant.json`` in one folder.

    The README has the front matter of Hugging Face (license, languages, task, size, and the features, so that
    `datasets.load_dataset` of the folder works) and says what the data are, how they were made, the classes and the
    speakers with their counts, license, citation and checks. The JSON-LD is Croissant 1.1. Exports of the same file in
    the folder (``NAME.parquet``, ``NAME_PART.parquet`` or ``NAME_csv``) are described, too, and preferred for loading.

    Parameters
    ----------
    path : path-like, or sequence of path-like
        The spike file, or those of all parts of a data set, as ``encode --split`` makes them.
    out : path-like, optional
        The folder, which must exist; default: that of the spike file.
    license : str, optional
        License of the data, as Hugging Face names it, such as "cc-by-4.0"; default: that of the corpus, if it is known.
    creator, url : str, optional
        Who made the data set, and its page; Croissant asks for both.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it.
    overwrite : bool
        Whether an existing card is replaced.
    on_progress : callable, optional
        Called with the number of clips read of a file and how many it has.

    Returns
    -------
    DataCard

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    OutputError
        If the card cannot be written.
    ValueError
        If a file has no clips, or the files are not parts of one data set: of the same classes, units and provenance.
    """
    paths = [Path(path)] if isinstance(path, str | os.PathLike) else sorted(map(Path, path), key=_order)
    if not paths:
        raise ValueError("a card is that of at least one spike file, got none")
    folder = paths[0].parent if out is None else Path(out)
    places = folder / README, folder / CROISSANT
    for place in places:
        check_output(place, overwrite=overwrite)
    each = [describe_file(place, time_unit=time_unit, n_units=n_units, on_progress=on_progress) for place in paths]
    d, parts = _joined(each), _part_names(each)
    said, known = _said(paths, parts, d, folder)
    asked = license or said["license"]
    said |= {"license": asked, "license_url": _ADDRESSES.get(asked, asked), "creator": creator, "url": url}
    said["time_unit"] = time_unit if time_unit != "s" else None
    notes = [] if asked != UNKNOWN_LICENSE else ["the license is not known: --license cc-by-4.0, or what it is"]
    missing = [f"--{name}" for name in ("creator", "url") if not said[name]]
    notes += [f"Croissant asks for what the file does not say: {' and '.join(missing)}"] if missing else []
    files, exports = [], []
    stored: dict[str, Any] = {}
    for place, part, one in zip(paths, parts, each, strict=True):
        with SpikeFile(place, time_unit=time_unit, n_units=n_units) as file, opened(file) as source:
            features, about = features_of(source), source.about()
            stored = stored or _features_of_hdf5(file, d)
        speakers = (*([UNKNOWN_SPEAKER] if one["samples_of_unknown_speaker"] else []), *one["speakers"])
        files.append(_data_file(place, folder, "hdf5", part=part, n_clips=one["samples"], speakers=speakers))
        found, left_out = _exports_of(place, folder, about, part)
        exports.append(found)
        notes += left_out
    tables = [file for found in exports for file in found]
    loaded = [file for file in tables if file.kind == "parquet"] if all(exports) else []
    notes += _undivided(d, loaded or files) if len(paths) == 1 else []
    listed = _features_in_yaml(features if loaded else stored)
    front = _front_matter(d, said, loaded or files, listed)
    body = "\n".join(_body(d, said, [*files, *tables], loaded or files, known))
    outside = [file.url for file in files if file.url.startswith("..")]
    notes += [f"{name}: lies outside the folder of the card, so copy it there to upload both" for name in outside]
    described = describe_in_croissant(summary_of(d, said["corpus"]), said, [*files, *tables], list(d["classes"]), known)
    content = front + body, json.dumps(described, ensure_ascii=False, indent=2) + "\n"
    for place, text in zip(places, content, strict=True):
        write_atomically(place, text.encode(), overwrite=overwrite)
    urls = tuple(file.url for file in [*files, *tables])
    return DataCard(str(places[0]), str(places[1]), d["samples"], d["spikes"]["total"], urls, tuple(notes))


def _said(
    paths: Sequence[Path], parts: Sequence[str], d: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Any], DataSet | None]:
    """What is said of a data set besides its description, and the registry's entry of it or of its recordings."""
    each = [known_of(place) for place in paths]
    entry, corpus = each[0].entry, each[0].origin.corpus
    name = paths[0].stem if len(paths) == 1 else paths[0].stem.removesuffix(parts[0]).rstrip("_-.")
    return {
        "name": name or folder.resolve().name,
        "license": each[0].license,
        "corpus": corpus,
        "task": task_in(d),
        "origins": [
            f"{place.name} is {known.origin}"
            for place, known in zip(paths, each, strict=True)
            if known.origin.kind == "official"
        ],
        "made_by": f"spikedata-audio {d['provenance']['package_version']}" if d["provenance"] else "",
        "date": datetime.now(UTC).date().isoformat(),
    }, entry


def _part_names(each: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the parts of a data set: what the files say, or the end of their names, as in shd_train.h5."""
    if len(each) == 1:
        return [(each[0]["provenance"] or {}).get("part") or "train"]
    names = [(d["provenance"] or {}).get("part") or re.split(r"[_.-]", Path(d["file"]).stem)[-1] for d in each]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        files = [d["file"] for d, name in zip(each, names, strict=True) if name == twice]
        raise ValueError(f"{' and '.join(files)}: are both part {twice!r}; the parts of a data set differ")
    return names


def _joined(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The descriptions of the parts of a data set as one; they must have the same classes, units and provenance."""
    first = each[0]
    for other in each[1:]:
        for name, what in (("classes", "other classes"), ("channels", "another number of units"), ("provenance", "")):
            if _same_of_all(first, name) != _same_of_all(other, name):
                problem = f"has {what} than" if what else "was made in another way than"
                raise ValueError(f"{other['file']}: {problem} {first['file']}, so it is no part of one data set")
    if len(each) == 1:
        return first
    sizes = [d["samples"] for d in each]
    timed = [d["samples"] - d["samples_of_unknown_duration"] for d in each]
    sums = {name: sum(d[name] for d in each) for name in _SUMMED}
    fit = [d["integrity"]["checksums_fit"] for d in each]
    return {
        **first,
        **sums,
        "classes": {key: sum(d["classes"][key] for d in each) for key in first["classes"]},
        "speakers": {
            key: sum(d["speakers"].get(key, 0) for d in each)
            for key in sorted({*chain(*(d["speakers"] for d in each))})
        },
        "spikes": {"total": sum(d["spikes"]["total"] for d in each), **_spread(each, "spikes", sizes)},
        "last_spike": _spread(each, "last_spike", sizes),
        "durations": {"total": sum(d["durations"]["total"] for d in each), **_spread(each, "durations", timed)},
        "sample_rates": sorted({rate for d in each for rate in d["sample_rates"]}),
        "times_dtype": ", ".join(sorted({d["times_dtype"] for d in each})),
        "integrity": {"rows_checked": sums["samples"], "checksums_fit": True if all(fit) else None},
        "left_out": list(dict.fromkeys(line for d in each for line in d["left_out"])),
    }


def _same_of_all(d: Mapping[str, Any], name: str) -> Any:
    """What the parts of a data set have in common."""
    if name == "provenance" and d[name]:
        return {key: value for key, value in d[name].items() if key not in ("part", "shard")}
    return list(d[name]) if name == "classes" else d[name]


def _spread(each: Sequence[Mapping[str, Any]], name: str, weights: Sequence[int]) -> dict[str, Any]:
    counted = [(d[name], weight) for d, weight in zip(each, weights, strict=True) if weight]
    if not counted:
        return {"min": 0, "mean": 0.0, "max": 0}
    mean = sum(values["mean"] * weight for values, weight in counted) / sum(weight for _, weight in counted)
    return {"min": min(v["min"] for v, _ in counted), "mean": mean, "max": max(v["max"] for v, _ in counted)}


def _undivided(d: Mapping[str, Any], loaded: Sequence[DataFile]) -> list[str]:
    """A note that the parts of a merged file are loaded as one split, so that its test clips would be trained on."""
    if len(d["parts"]) < 2 or len(loaded) > 1:
        return []
    parts, name = ", ".join(f"{part} {n}" for part, n in d["parts"].items()), Path(d["file"]).name
    way_on = f"export each: spikedata export {name} --to parquet --part {next(iter(d['parts']))}"
    return [f"{name}: its parts ({parts}) are loaded as one split, {loaded[0].part!r}; {way_on}"]


def _data_file(path: Path, folder: Path, kind: str, **more: Any) -> DataFile:
    url = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    return DataFile(path, url, file_digest(path, "sha256"), path.stat().st_size, kind, **more)


def _exports_of(path: Path, folder: Path, about: Mapping[str, Any], whole: str) -> tuple[list[DataFile], list[str]]:
    """The exports of a spike file, whose part is ``whole``, in the folder of its card; notes on other exports."""
    found, notes = [], []
    of_parts = folder.glob(f"{glob.escape(path.stem)}[_.-]*.parquet")
    for place in sorted([*folder.glob(f"{glob.escape(path.stem)}.parquet"), *of_parts], key=_order):
        part = place.stem[len(path.stem) :].lstrip("_-.")
        try:
            speakers, said = _inside_parquet(place)
        except ModuleNotFoundError as error:
            notes.append(f"{place.name}: not described, since {error.name} is not installed")
            continue
        if said == about:
            more = {"part": part or whole, "n_clips": len(speakers), "speakers": tuple(sorted(set(speakers)))}
            found.append(_data_file(place, folder, "parquet", **more))
        else:
            notes.append(f"{place.name}: not described, since it is no export of {path.name} as it is now")
    tables = folder / f"{path.stem}_csv"
    if not found and (tables / ABOUT).is_file():
        if about_of(tables).items() >= about.items():
            found += [_data_file(tables / name, folder, "csv", part=whole, table=name[:-4]) for name in (CLIPS, SPIKES)]
        else:
            notes.append(f"{tables.name}: not described, since it is no export of {path.name} as it is now")
    return found, notes


def _order(path: Path) -> tuple[int, str]:
    """Training, validation and test part in that order."""
    place = next((index for index, name in enumerate(("train", "valid", "test")) if name in path.stem), 3)
    return place, path.name


def _inside_parquet(path: Path) -> tuple[list[int], Any]:
    """Speaker of each clip in a Parquet file, and what it says of all clips; None if it is not one of ours."""
    import pyarrow
    from pyarrow import parquet

    try:
        said = json.loads((parquet.read_metadata(path).metadata or {}).get(b"spikedata", b"null"))
        speakers = parquet.read_table(path, columns=["speaker"])["speaker"].to_pylist() if said else []
    except (pyarrow.ArrowInvalid, KeyError):
        return [], None
    return speakers, said


def _front_matter(
    d: Mapping[str, Any], said: Mapping[str, Any], loaded: Sequence[DataFile], listed: Sequence[Mapping[str, Any]]
) -> str:
    content = {
        "pretty_name": _title(said),
        "license": said["license"],
        "language": list(_LANGUAGES.get(said["corpus"], ())),
        "task_categories": [] if said["task"] else ["audio-classification"],
        "size_categories": [next((size for most, size in _SIZES if d["samples"] < most), "n>1M")],
        "tags": ["spikes", "spiking-neural-networks", "neuromorphic", *([] if said["task"] else ["cochlea"])],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": re.sub(r"\W", "_", file.part), "path": file.url} for file in loaded],
            }
        ],
        "dataset_info": {"features": list(listed)},
    }
    return "\n".join(["---", *_yaml({name: value for name, value in content.items() if value}), "---", "", ""])


def _features_of_hdf5(file: SpikeFile, d: Mapping[str, Any]) -> dict[str, Any]:
    """The features with which `datasets` reads a spike file: without them it takes the class names for a column."""
    stored = file.columns.stored
    dtype_of = {"text": "string"}
    extra = {name: stored[f"extra/{name}"] for name in _OF_SAMPLES if f"extra/{name}" in stored}
    rows = {name: stored[f"spikes/{name}"].removeprefix("rows of ") for name in ("times", "units")}
    return {
        "spikes": {name: {"feature": {"dtype": dtype}, "_type": "Sequence"} for name, dtype in rows.items()},
        "labels": {"names": list(d["classes"]), "_type": "ClassLabel"},
    } | ({"extra": {name: {"dtype": dtype_of.get(dtype, dtype)} for name, dtype in extra.items()}} if extra else {})


def _features_in_yaml(features: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Features as front matter has them."""
    listed: list[dict[str, Any]] = []
    for name, feature in features.items():
        if feature.get("_type") == "ClassLabel":
            names = {str(label): key for label, key in enumerate(feature["names"])}
            listed.append({"name": name, "dtype": {"class_label": {"names": names}}})
        elif feature.get("_type") == "Sequence":
            listed.append({"name": name, "list": feature["feature"]["dtype"]})
        elif isinstance(feature.get("dtype"), str):
            listed.append({"name": name, "dtype": feature["dtype"]})
        else:
            listed.append({"name": name, "struct": _features_in_yaml(feature)})
    return listed


def _yaml(value: Any) -> Iterator[str]:
    """Lines of YAML; texts are quoted as in JSON, which YAML reads."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            name = key if re.fullmatch(r"[a-z_]+", key) else f"'{key}'"
            if isinstance(inner, Mapping | list):
                yield f"{name}:"
                yield from ("  " + line for line in _yaml(inner))
            else:
                yield f"{name}: {_scalar(inner)}"
    else:
        for item in value:
            lines = list(_yaml(item)) if isinstance(item, Mapping | list) else [_scalar(item)]
            yield f"- {lines[0]}"
            yield from ("  " + line for line in lines[1:])


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _title(said: Mapping[str, Any]) -> str:
    return f"{said['name']}, spikes of {said['corpus'] if said['corpus'] not in UNNAMED else 'recordings'}"


def _body(
    d: Mapping[str, Any],
    said: Mapping[str, Any],
    files: Sequence[DataFile],
    loaded: Sequence[DataFile],
    known: DataSet | None,
) -> Iterator[str]:
    made = d["provenance"]
    yield f"# {_cell(_title(said))}\n"
    yield summary_of(d, said["corpus"])
    unit = {"fiber": "; a unit is a fiber of the auditory nerve", "unit": ""}.get(
        d["unit"], "; a unit is a frequency channel"
    )
    yield f"Times are in seconds from the beginning of the clip{unit}.\n"
    if said["time_unit"]:
        names = ", ".join(_cell(file.url) for file in files if file.kind == "hdf5")
        yield f"In {names} itself, times are in {said['time_unit']}.\n"
    yield "## Content\n"
    yield from _table(("what", "value"), content_of(d))
    yield "## Classes\n"
    yield from _counts("class", d["classes"])
    yield "## Speakers\n"
    if d["speakers"]:
        yield from _counts("speaker", d["speakers"])
    if d["samples_of_unknown_speaker"]:
        yield f"The speaker of {d['samples_of_unknown_speaker']:,} clips is unknown (-1).\n"
    yield "## How it was made\n"
    parts = [file.part for file in files if file.kind == "hdf5"]
    yield how_it_was_made(d, said["origins"], parts) + "\n"
    if not said["origins"] and made is not None:
        yield f"All params:\n\n```json\n{json.dumps(made['params'], ensure_ascii=False)}\n```\n"
    yield "## Files\n"
    listed = [(f.url, f.kind, f.part, f"{f.n_clips:,}" if f.n_clips else "", f"{f.size:,}", f.sha256) for f in files]
    yield from _table(("file", "format", "part", "clips", "bytes", "sha256"), listed)
    yield from _parts(loaded)
    yield '```python\nfrom datasets import load_dataset\n\nclips = load_dataset("FOLDER OR REPOSITORY")\n```\n'
    yield "## License and citation\n"
    if said["license"] != UNKNOWN_LICENSE:
        yield f"This data set: {_cell(said['license'])}.\n"
    yield from (f"{line}\n" for line in credit_of(known, task_in(d)))
    yield "## Checks\n"
    yield from (f"- {_cell(line)}" for line in checks_of(d))
    yield ""


def _parts(files: Sequence[DataFile]) -> Iterator[str]:
    """Whether the parts of the data share speakers, by the speakers in them."""
    if len(files) < 2:
        return
    pairs = [set(one.speakers) & set(other.speakers) for one, other in combinations(files, 2)]
    shared = sorted(set.union(*pairs))
    if any(UNKNOWN_SPEAKER in file.speakers for file in files):
        yield "Speakers are unknown, so nobody can say whether the parts share some.\n"
    elif shared:
        yield f"The parts share speakers: {', '.join(map(str, shared))}.\n"
    else:
        yield "No speaker is in two parts.\n"


def _counts(name: str, counts: Mapping[Any, int]) -> Iterator[str]:
    if len(counts) > _MOST_LISTED:
        yield f"{len(counts):,}, with {min(counts.values()):,} to {max(counts.values()):,} clips each.\n"
    else:
        yield from _table((name, "clips"), [(str(key), f"{count:,}") for key, count in counts.items()])


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    yield ""


def _cell(text: str) -> str:
    """A text as Markdown shows it in a table: on one line, with nothing that is markup or steers a terminal."""
    return re.sub(r"([\\`*_|<>\[\]#])", r"\\\1", printable(" ".join(text.split())))
