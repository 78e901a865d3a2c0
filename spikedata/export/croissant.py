"""Croissant 1.1 metadata of a data set as JSON-LD, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.downloads.entries import DataSet

_CONTEXT = {  # that of the specification
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEDIA_TYPES = {"hdf5": "application/x-hdf5", "parquet": "application/x-parquet", "csv": "text/csv"}
_COLUMNS = {  # of the exports: type and meaning
    "times": ("sc:Float", "spike times [s]"),
    "units": ("sc:Integer", "unit of each spike"),
    "clip": ("sc:Integer", "number of the clip in the spike file"),
    "label": ("sc:Integer", "class, an index into the class names"),
    "class_name": ("sc:Text", "name of the class"),
    "speaker": ("sc:Integer", "number of the speaker, -1 if unknown"),
    "source": ("sc:Text", "clip id of the recording"),
    "sample_rate": ("sc:Integer", "sample rate of the recording [Hz], 0 if unknown"),
    "duration": ("sc:Float", "duration of the recording [s], 0 if unknown"),
    "n_spikes": ("sc:Integer", "number of spikes"),
    "time": ("sc:Float", "spike time [s]"),
    "unit": ("sc:Integer", "unit of the spike"),
}
_FIELDS = {
    "parquet": ("times", "units", "label", "speaker", "source", "sample_rate", "duration", "clip"),
    "clips": ("clip", "label", "class_name", "speaker", "source", "sample_rate", "duration", "n_spikes"),
    "spikes": ("clip", "time", "unit"),
}


class DataFile(NamedTuple):
    """A file of the data set.

    Parameters
    ----------
    path : Path
        Where it is.
    url : str
        Its path from the folder of the card, with slashes.
    sha256 : str
        Its checksum.
    size : int
        Its size [byte].
    kind : {"hdf5", "parquet", "csv"}
        Its format.
    part : str
        The part of the data in it, as Hugging Face names splits: "train" where they are not divided.
    table : str
        "clips" or "spikes", of CSV alone.
    n_clips : int
        Number of clips in it; 0 in a table.
    speakers : tuple of int
        Speakers in it, of a part alone.
    """

    path: Path
    url: str
    sha256: str
    size: int
    kind: str
    part: str = "train"
    table: str = ""
    n_clips: int = 0
    speakers: tuple[int, ...] = ()


def describe_in_croissant(
    summary: str,
    said: Mapping[str, Any],
    files: Sequence[DataFile],
    class_names: Sequence[str],
    known: DataSet | None,
) -> dict[str, Any]:
    """A data set as JSON-LD of Croissant 1.1.

    Parameters
    ----------
    summary : str
        What it is, in a sentence.
    said : mapping
        Its name, license_url, creator, url and date, and made_by, the program that made the spikes.
    files : sequence of DataFile
        Its files. Those in Parquet and CSV have record sets; HDF5 is not read by Croissant's library.
    class_names : sequence of str
        The class names, which are a record set, too.
    known : DataSet or None
        The corpus of the recordings.
    """
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": re.sub(r"[^\w-]", "_", said["name"]),
        "description": summary,
        "license": said["license_url"],
        "version": "1.0.0",
        "datePublished": said["date"],
        "keywords": ["spikes", "spiking neural networks", "neuromorphic", *([] if said["task"] else ["cochlea"])],
        "distribution": [_file_object(file) for file in files],
        "recordSet": [_classes(class_names), *(_records(file, files) for file in files if file.kind != "hdf5")],
    }
    if said["creator"]:
        described["creator"] = {"@type": "sc:Organization", "name": said["creator"]}
    if said["url"]:
        described["url"] = said["url"]
    if known is not None:
        described |= {"citeAs": known.citation, "isBasedOn": known.homepage}
    elif said["made_by"]:
        described["citeAs"] = said["made_by"]
    return described


def _file_object(file: DataFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.url,
        "name": file.url,
        "contentUrl": file.url,
        "contentSize": f"{file.size} B",
        "encodingFormat": _MEDIA_TYPES[file.kind],
        "sha256": file.sha256,
    }


def _classes(class_names: Sequence[str]) -> dict[str, Any]:
    kinds = {"label": "sc:Integer", "name": "sc:Text"}
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The class names",
        "key": {"@id": "classes/label"},
        "field": [{"@type": "cr:Field", "@id": f"classes/{n}", "name": n, "dataType": k} for n, k in kinds.items()],
        "data": [{"classes/label": label, "classes/name": key} for label, key in enumerate(class_names)],
    }


def _records(file: DataFile, files: Sequence[DataFile]) -> dict[str, Any]:
    """The rows of a file: a record for each clip, or in a table of spikes for each spike."""
    n_alike = sum((other.kind, other.table) == (file.kind, file.table) for other in files)
    kind = file.table or "clips"
    named = kind if n_alike == 1 else f"{kind}_{file.part}"
    columns = _FIELDS[file.table or file.kind]
    return {
        "@type": "cr:RecordSet",
        "@id": named,
        "name": named,
        "description": "A record for each spike" if kind == "spikes" else "A record for each clip",
        "field": [_field(named, column, file.url) for column in columns],
    }


def _field(named: str, column: str, url: str) -> dict[str, Any]:
    kind, what = _COLUMNS[column]
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{named}/{column}",
        "name": column,
        "description": what,
        "dataType": kind,
        "source": {"fileObject": {"@id": url}, "extract": {"column": column}},
    }
    if column in ("times", "units"):
        field |= {"isArray": True, "arrayShape": "-1"}
    if column == "label":
        field["references"] = {"field": {"@id": "classes/label"}}
    return field
