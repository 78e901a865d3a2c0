"""Name what a file is that is no spike file, and what to type instead: archives, pages, pointers, data of other kinds.

The first bytes decide, never the name: a page that says "404" is often saved as ``.h5``.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import struct
import zipfile
from pathlib import Path

import h5py

from spikedata.files.schema import FormatError

with contextlib.suppress(ImportError):
    import hdf5plugin  # type: ignore[import-not-found,unused-ignore]  # noqa: F401  # where it is installed, its filters can be read without a further word

_SUFFIXES = (".h5", ".hdf5", ".hdf")
_LONGEST_NAME = 60  # characters of a name in a message
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_N_LOOKED_AT = 2048
_UNPACK = "unpack it: {} {}"
# what files begin with, what they are, and what to do; {} stands for the file
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", "gunzip .gz"),
    (b"BZh", "a bzip2 archive", "bunzip2 .bz2"),
    (b"\xfd7zXZ\x00", "an xz archive", "unxz .xz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unzstd .zst"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x {}"),
    (b"Rar!\x1a\x07", "a RAR archive", "unrar x {}"),
    (b"\x93NUMPY", "a NumPy array (.npy)", ""),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", ""),
    (b"CDF", "a NetCDF-3 file", ""),
    (b"PAR1", "a Parquet file", ""),
    (b"ARROW1", "an Arrow file", ""),
    (b"\x80\x02", "a Python pickle", ""),
    (b"\x80\x03", "a Python pickle", ""),
    (b"\x80\x04", "a Python pickle", ""),
    (b"\x80\x05", "a Python pickle", ""),
    (b"#!AER-DAT", "an AEDAT recording of events", ""),
    (b"#!/", "a script", ""),
    (b"SQLite format 3\x00", "an SQLite database", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x89PNG", "a picture (PNG)", ""),
    (b"\xff\xd8\xff", "a picture (JPEG)", ""),
    (b"fLaC", "a recording (FLAC)", "encode"),
    (b"OggS", "a recording (Ogg)", "encode"),
    (b"ID3", "a recording (MP3)", "encode"),
)
_FILTERS = {  # by their registered numbers; those that hdf5plugin brings, and others
    307: ("bzip2", True), 32001: ("Blosc", True), 32004: ("LZ4", True), 32008: ("Bitshuffle", True),
    32013: ("ZFP", True), 32015: ("Zstandard", True), 32017: ("SZ", True), 32018: ("FCIDECOMP", True),
    32024: ("SZ3", True), 32026: ("Blosc2", True), 32028: ("SPERR", True), 32000: ("LZF", False),
    305: ("LZO", False), 4: ("SZIP", False),
}  # fmt: skip
_HOW_TO_WRITE = "write its spikes with spikedata.SpikeWriter"


def refuse_other_kinds(path: Path) -> None:
    """Raise a FormatError that names what a file is, unless it has the signature of HDF5.

    Parameters
    ----------
    path : Path
        An existing file.

    Raises
    ------
    FormatError
        If it is of another kind, known or unknown.
    OSError
        If it may not be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_N_LOOKED_AT)
        # the signature may lie behind a block of the user, whose size is a power of two
        place = 512
        is_tar = start[257:262] == b"ustar"  # whose first file begins at 512, so HDF5 would read that one alone
        is_hdf5 = start.startswith(_SIGNATURE)
        while not is_hdf5 and not is_tar and place + len(_SIGNATURE) <= size:
            file.seek(place)
            is_hdf5 = file.read(len(_SIGNATURE)) == _SIGNATURE
            place *= 2
    if is_hdf5:
        return
    kind, advice = _kind_of(path, start, size)
    said = f"it is {kind}" if kind else "it does not have the signature of one"
    raise FormatError(f"{path}: not a readable HDF5 file: {said}{advice and '; ' + advice}")


def folder_advice(path: Path) -> str:
    """What to type for a folder that was given in place of a file, as the end of a message; empty if unknown.

    Parameters
    ----------
    path : Path
        A folder or device.
    """
    try:
        names = sorted(place.name for place in path.iterdir() if place.suffix.lower() in _SUFFIXES)
    except OSError:  # a device, or a folder that may not be searched
        return ""
    if (path / "card.json").is_file():
        return f"; it is a run that train made: spikedata evaluate {path}"
    return f"; it holds {_listed(names)}" if names else f"; of recordings: {_encode(path)}"


def explained(path: Path, text: str) -> str:
    """What HDF5 says of a file that it cannot open, in words that help; the same text where there are none.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        The reason that HDF5 gives.

    Examples
    --------
    >>> explained(Path("x.h5"), "truncated file: eof = 200, sblock->base_addr = 0, stored_eof = 300")
    'truncated: it has 200 bytes of 300; copy or download it again'
    """
    found = re.search(r"truncated file: eof = (\d+), sblock->base_addr = (\d+), stored_eof = (\d+)", text)
    if found:
        has, offset, all_of_it = map(int, found.groups())
        return f"truncated: it has {has} bytes of {all_of_it + offset}; copy or download it again"
    if "already open for write" in text or "already open for SWMR" in text:
        return f"its writer has not closed it, or died; if no process is writing it: h5clear -s {_quoted(path)}"
    return text


def is_locked(error: BaseException) -> bool:
    """Whether HDF5 could not open a file since another process holds it.

    Parameters
    ----------
    error : BaseException
        Raised by h5py.
    """
    return isinstance(error, BlockingIOError) or "Resource temporarily unavailable" in str(error)


def check_filters(column: h5py.Dataset, where: str) -> None:
    """Raise a FormatError that names the filter, unless a column can be unpacked here.

    Parameters
    ----------
    column : Dataset
        An open column.
    where : str
        File and column, for the message.

    Raises
    ------
    FormatError
        If a filter is missing.
    """
    properties = column.id.get_create_plist()
    for index in range(properties.get_nfilters()):
        code, _, _, stored = properties.get_filter(index)
        if h5py.h5z.filter_avail(code):
            continue
        name, is_in_plugin = _FILTERS.get(
            code, ("".join(filter(str.isprintable, stored.decode(errors="replace"))), True)
        )
        unpacked = "unpack it where it was written: h5repack -f NONE IN.h5 OUT.h5"
        advice = f"pip install hdf5plugin, or {unpacked}" if is_in_plugin else unpacked
        raise FormatError(f"{where} is packed by {name} (filter {code}), which is not installed here; {advice}")


def other_content(file: h5py.File) -> str:
    """What an HDF5 file holds that has no spikes, for a message; empty if it has a group of spikes.

    Parameters
    ----------
    file : File
        An open file.
    """
    names = [name for name in file if isinstance(name, str) and name.isprintable()]
    if "spikes" in names:
        return ""
    kind = next((word for mark, word in _CONTENTS.items() if mark in names or mark in file.attrs), "")
    if file.userblock_size:
        with Path(file.filename).open("rb") as block:
            kind = "a MATLAB file" if block.read(6) == b"MATLAB" else kind
    shown = ", ".join(repr(name[:_LONGEST_NAME]) for name in sorted(names)[:6]) + (", …" if len(names) > 6 else "")
    is_kind = f"it is {kind} with" if kind else "it holds"
    return f"; {is_kind} {shown or 'nothing'}; {_HOW_TO_WRITE}"


_CONTENTS = {
    "nwb_version": "an NWB file",
    "keras_version": "weights of Keras",
    "model_weights": "weights of Keras",
    "MATLAB_class": "a MATLAB file",
    "#refs#": "a MATLAB file",
    "events": "a recording of events",
}


def _kind_of(path: Path, start: bytes, size: int) -> tuple[str, str]:
    """What a file is, empty if unknown, and what to do."""
    if not size:
        return "empty (0 bytes)", "copy or download it again"
    if not start.strip(b"\0"):
        return "nothing but zeros at its beginning", "its download or copy was not finished: do it again"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of git-LFS", f"git lfs pull --include {shlex.quote(path.name)}"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    if start[257:262] == b"ustar":
        return "a tar archive", _UNPACK.format("tar -xf", _quoted(path))
    if start[:4] in (b"RIFF", b"RIFX", b"RF64") and start[8:12] == b"WAVE":
        return "a recording (WAV)", _encode(path)
    for beginning, kind, advice in _BEGINNINGS:
        if start.startswith(beginning):
            if advice == "encode":
                return kind, _encode(path)
            return kind, _unpack(path, advice) if advice else _HOW_TO_WRITE
    return _kind_of_text(start)


def _unpack(path: Path, how: str) -> str:
    """What to type to unpack an archive; the programs of single files insist on the suffix of theirs."""
    if "{}" in how:
        return f"unpack it: {how.format(_quoted(path))}"
    program, suffix = how.split()
    if path.name.endswith((f".tar{suffix}", ".tgz", ".tbz2", ".txz")):
        return f"unpack it: tar -xf {_quoted(path)}"
    if path.suffix == suffix:
        return f"unpack it: {program} -k {_quoted(path)}"
    return f"unpack it: {program} < {_quoted(path)} > OUT.h5"


def _kind_of_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile):
        return "a zip archive that is cut off or damaged", "copy or download it again"
    if names and all(name.endswith(".npy") for name in names):
        return f"an archive of NumPy arrays (.npz) with {_listed(names)}", _HOW_TO_WRITE
    if any(name.endswith("data.pkl") for name in names):
        return "a file of PyTorch tensors", _HOW_TO_WRITE
    if "[Content_Types].xml" in names:
        return "an Office document", ""
    inside = [name for name in names if name.lower().endswith(_SUFFIXES)]
    what = f"a zip archive with {_listed(inside or names)}" if names else "a zip archive with nothing in it"
    return what, _UNPACK.format("unzip", _quoted(path))


def _kind_of_text(start: bytes) -> tuple[str, str]:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"<(!doctype html|html|head|body)", text, re.IGNORECASE):
        title = re.search(rb"<title[^>]*>([^<]*)</title>", start, re.IGNORECASE)
        words = " ".join(title[1].decode(errors="replace").split())[:_LONGEST_NAME] if title else ""
        said = f" ({words!r})" if words else ""
        return (
            f"an HTML page{said}",
            "the download gave a page and not the file: spikedata download NAME, or its address",
        )
    if text.startswith((b"<?xml", b"<")):
        return "an XML file", "look at it: a host may have put an error there"
    if text.startswith((b"{", b"[")):
        return "a JSON file", "look at it: a host may have put an error there"
    try:
        characters = start.decode("utf-8", errors="ignore")
    except ValueError:
        return "", ""
    n_odd = sum(not (c.isprintable() or c.isspace()) for c in characters)
    if characters and not n_odd and len(characters.encode()) >= len(start) - 3:
        return "a text file", "of recordings, as a manifest: spikedata encode manifest FILE OUT.h5"
    return "", ""


def _encode(path: Path) -> str:
    return f"turn it into spikes: spikedata encode {_quoted(path)} OUT.h5"


def _quoted(path: Path) -> str:
    """A path as it is typed; one that cannot be is a placeholder."""
    return shlex.quote(str(path)) if str(path).isprintable() else "FILE"


def _listed(names: list[str]) -> str:
    shown = ", ".join((name if name.isprintable() else repr(name))[:_LONGEST_NAME] for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
