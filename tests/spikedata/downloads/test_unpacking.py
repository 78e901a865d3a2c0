"""Archives that mean harm, and those that are merely damaged."""

import gzip
import hashlib
import io
import random
import shutil
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from dataclasses import replace

import pytest

from spikedata.downloads.entries import ChecksumError, PublishedFile
from spikedata.downloads.unpacking import FileRecord, unpack

FILE = PublishedFile(
    name="x",
    archive="x.tar.gz",
    urls=(),
    target="x",
    members=r"(?:wrapper/)?(?P<path>(?:[^/]+/)*[^/]+\.wav)",
    max_bytes=100_000,
    max_members=10,
)
SPIKES = replace(FILE, archive="x.h5.zip", target="x.h5", members=r"(?P<path>x\.h5)")


def quiet(stage, done, size):
    pass


def tar(*members, mode="w:gz"):
    """An archive of (name, content, changes to the header)."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as packed:
        for name, content, changes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in changes.items():
                setattr(info, field, value)
            packed.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def zipped(*members):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for info, content in members:
            packed.writestr(info, content)
    return archive.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    """Unpack bytes; the result, and what is there then."""
    room = tmp_path / "room"
    room.mkdir()

    def run(archive, file=FILE):
        (tmp_path / file.archive).write_bytes(archive)
        return unpack(tmp_path / file.archive, file, room, quiet)

    run.room = room
    run.outside = lambda: sorted(path.name for path in tmp_path.iterdir() if path != room)
    return run


def test_what_is_expected_is_unpacked_and_remembered(unpacked):
    result = unpacked(tar(("./wrapper/a/1.wav", b"one", {}), ("wrapper/b.txt", b"no", {}), ("c.wav", b"three", {})))
    assert sorted(p.relative_to(unpacked.room).as_posix() for p in unpacked.room.rglob("*.*")) == ["a/1.wav", "c.wav"]
    assert result.files["a/1.wav"] == FileRecord(3, hashlib.sha256(b"one").hexdigest())
    assert result.left_out == ["wrapper/b.txt"]
    assert result.blobs == {}


@pytest.mark.parametrize(
    "name", ["../1.wav", "a/../../1.wav", "/1.wav", "a/..", "a\\1.wav", "./../1.wav", "a//1.wav", "a/\\n.wav"]
)
def test_a_member_that_leads_out_is_refused(unpacked, name):
    with pytest.raises(ChecksumError, match=r"x\.tar\.gz: member .* leads out of the folder; nothing was unpacked"):
        unpacked(tar((name, b"harm", {})))
    assert list(unpacked.room.iterdir()) == []
    assert unpacked.outside() == ["x.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_devices_and_pipes_are_refused(unpacked, kind):
    with pytest.raises(ChecksumError, match=r"member '1\.wav' is not a regular file"):
        unpacked(tar(("1.wav", b"", {"type": kind, "linkname": "/etc/passwd"})))
    assert list(unpacked.room.iterdir()) == []


def test_a_file_with_holes_is_refused(unpacked):
    header = bytearray(tarfile.TarInfo("1.wav").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    with pytest.raises(ChecksumError, match=r"member '1\.wav' is not a regular file"):
        unpacked(gzip.compress(bytes(header) + bytes(1024)))


def test_a_link_that_nobody_expects_is_left_out_and_leads_nowhere(unpacked, tmp_path):
    link = ("a", b"", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)})
    result = unpacked(tar(link, ("a/1.wav", b"one", {})))
    assert result.left_out == ["a"]
    assert (unpacked.room / "a" / "1.wav").read_bytes() == b"one"
    assert unpacked.outside() == ["x.tar.gz"]


@pytest.mark.parametrize("again", ["1.wav", "./1.wav", "wrapper/1.wav", "./wrapper/1.wav"])
def test_a_member_that_is_there_twice_is_refused(unpacked, again):
    with pytest.raises(ChecksumError, match="occurs twice"):
        unpacked(tar(("1.wav", b"one", {}), (again, b"two", {})))


def test_names_that_differ_in_case_alone_are_one_file_somewhere(unpacked):
    with pytest.raises(ChecksumError, match=r"member 'A\.wav' occurs twice"):
        unpacked(tar(("a.wav", b"one", {}), ("A.wav", b"two", {})))


def test_more_bytes_than_allowed_are_refused_before_they_are_written(unpacked):
    with pytest.raises(ChecksumError, match=r"member 'b\.wav' claims 60000 bytes, more than 100000 in all"):
        unpacked(tar(("a.wav", bytes(60_000), {}), ("b.wav", bytes(60_000), {})))
    assert not (unpacked.room / "b.wav").exists()


def test_left_out_members_count_too(unpacked):
    with pytest.raises(ChecksumError, match="claims 200000 bytes"):
        unpacked(tar(("a.txt", bytes(200_000), {})))


def test_more_members_than_allowed_are_refused(unpacked):
    with pytest.raises(ChecksumError, match="more than 10 members"):
        unpacked(tar(*((f"{n}.wav", b"", {}) for n in range(11))))


def test_a_header_that_claims_absurd_sizes_is_refused(unpacked):
    header = tarfile.TarInfo("1.wav")
    header.size = 2**60
    with pytest.raises(ChecksumError, match="claims 1152921504606846976 bytes"):
        unpacked(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))


def test_a_long_name_as_large_as_a_disk_is_not_taken_into_memory(unpacked):
    header = tarfile.TarInfo("name")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**40
    with pytest.raises(ChecksumError, match="damaged: a header claims 1099511627776 bytes"):
        unpacked(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_claims_less_than_nothing_is_refused(unpacked, kind):
    header = tarfile.TarInfo("1.wav")
    header.type, header.size = kind, -1024  # a reader that believes it goes back, and back, for ever
    with pytest.raises(ChecksumError, match="claims -1024 bytes"):
        unpacked(gzip.compress(bytes(header.tobuf(tarfile.GNU_FORMAT)) + bytes(1024)))


def test_an_archive_without_anything_expected_is_refused(unpacked):
    with pytest.raises(ChecksumError, match=r"none of its 1 members is expected, first \['readme'\]"):
        unpacked(tar(("readme", b"", {})))


@pytest.mark.parametrize("cut", [0, 5, 60, -1, -20])
def test_a_cut_archive_is_damaged(unpacked, cut):
    whole = tar(("1.wav", bytes(range(256)) * 20, {}))
    with pytest.raises(ChecksumError, match=r"x\.tar\.gz: damaged|none of its 0 members"):
        unpacked(whole[:cut])


@pytest.mark.parametrize("place", [20, 60, 100, -30, -6])
def test_a_flipped_bit_is_damage(unpacked, place):
    whole = bytearray(tar(("1.wav", bytes(range(256)) * 20, {})))
    whole[place] ^= 0x10
    with pytest.raises(ChecksumError, match=r"damaged|claims|leads out"):
        unpacked(bytes(whole))


def test_a_header_that_is_none_does_not_end_the_archive_in_silence(unpacked):
    first, second = (tar((name, b"one", {}), mode="w")[:1024] for name in ("1.wav", "2.wav"))
    spoiled = second.replace(b"2.wav", b"X.wav")  # its checksum is now wrong, and tarfile takes that for the end
    with pytest.raises(ChecksumError, match="damaged: no header at byte"):
        unpacked(gzip.compress(first + spoiled + bytes(1024)))


def test_a_zip_file_holds_the_file(unpacked):
    result = unpacked(zipped(("x.h5", b"spikes"), ("__MACOSX/x.h5", b"junk")), SPIKES)
    assert (unpacked.room / "x.h5").read_bytes() == b"spikes"
    assert result.left_out == ["__MACOSX/x.h5"]


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([("../x.h5", b"harm")], "leads out of the folder"),
        ([("/x.h5", b"harm")], "leads out of the folder"),
        ([(link("x.h5"), b"/etc/passwd")], r"member 'x\.h5' is not a regular file"),
        ([("other.h5", b"")], "none of its 1 members is expected"),
        ([("x.h5", bytes(100_001))], r"member 'x\.h5' claims 100001 bytes, more than 100000 in all"),
        ([(f"{n}", b"") for n in range(11)], "more than 10 members"),
    ],
)
def test_a_zip_file_that_means_harm_is_refused(unpacked, members, fault):
    with pytest.raises(ChecksumError, match=fault):
        unpacked(zipped(*members), SPIKES)
    assert list(unpacked.room.iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_file_with_the_file_twice_is_refused(unpacked):
    with pytest.raises(ChecksumError, match="occurs twice"):
        unpacked(zipped(("x.h5", b"one"), ("x.h5", b"two")), SPIKES)


def test_a_zip_file_that_holds_more_than_it_claims_is_refused(unpacked):
    whole = bytearray(zipped(("x.h5", bytes(90_000))))
    for field in (22, len(whole) - 22 - 50 + 24):  # the unpacked size in the local header and in the directory
        whole[field : field + 4] = (10).to_bytes(4, "little")
    with pytest.raises(ChecksumError, match=r"damaged|bytes, must be"):
        unpacked(bytes(whole), SPIKES)


def test_an_encrypted_zip_file_is_refused(unpacked):
    whole = bytearray(zipped(("x.h5", b"secret")))
    whole[6] |= 1
    whole[len(whole) - 22 - 50 + 8] |= 1
    with pytest.raises(ChecksumError, match=r"x\.h5\.zip: .*encrypted"):
        unpacked(bytes(whole), SPIKES)


def test_a_gz_file_that_grows_without_end_is_cut(unpacked):
    bomb = replace(SPIKES, archive="x.h5.gz")
    with pytest.raises(ChecksumError, match=r"x\.h5: more than 100000 bytes|more than \d+ bytes, must be 100000"):
        unpacked(gzip.compress(bytes(10**7)), bomb)
    assert (unpacked.room / "x.h5").stat().st_size <= 100_000


def test_progress_tells_how_much_of_the_archive_was_read(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "x.tar.gz").write_bytes(tar(("1.wav", b"one", {})))
    seen = []
    unpack(tmp_path / "x.tar.gz", FILE, tmp_path / "room", lambda *step: seen.append(step))
    size = (tmp_path / "x.tar.gz").stat().st_size
    assert seen[0] == ("unpack x.tar.gz", 0, size)
    assert all(done <= size for _, done, _ in seen)


METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
CONTENT = random.Random(0).randbytes(300) * 3


def zipped_by(method, content=CONTENT):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", METHODS[method]) as packed:
        packed.writestr("x.h5", content)
    return archive.getvalue()


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_file_may_be_packed_by_any_method(unpacked, method):
    unpacked(zipped_by(method), SPIKES)
    assert (unpacked.room / "x.h5").read_bytes() == CONTENT


def damaged(archive, rng):
    content, place = bytearray(archive), rng.randrange(len(archive))
    new = rng.choice([b"\xff", b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", rng.randbytes(1), rng.randbytes(8)])
    content[place : place + len(new)] = new
    return bytes(content[: rng.choice([len(content), len(content), place])])


def outcomes_of_damage(archive, file, unpacked, n, seed):
    """How often a damaged archive was unpacked as it was, differently, and refused in one line."""
    counts, rng = {"same": 0, "changed": 0, "refused": 0}, random.Random(seed)
    unpacked(archive, file)
    good = {path.name: path.read_bytes() for path in unpacked.room.rglob("*.*")}
    for _ in range(n):
        shutil.rmtree(unpacked.room)
        unpacked.room.mkdir()
        refusal = ""
        try:
            unpacked(damaged(archive, rng), file)
        except ChecksumError as error:
            refusal = str(error)
        found = {path.name: path.read_bytes() for path in unpacked.room.rglob("*.*")}
        assert refusal.isprintable()
        counts["refused" if refusal else "same" if found == good else "changed"] += 1
    return counts


ARCHIVES = {method: (zipped_by(method), SPIKES) for method in METHODS} | {
    "tar": (tar(("a/1.wav", CONTENT, {}), ("b/2.wav", b"two", {})), FILE),
    "gz": (gzip.compress(CONTENT), replace(SPIKES, archive="x.h5.gz")),
}


@pytest.mark.parametrize(("archive", "file"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_damaged_archive_is_refused_in_one_line(unpacked, archive, file):
    counts = outcomes_of_damage(archive, file, unpacked, 150, seed=0)
    assert counts["refused"] > 50


@pytest.mark.slow
@pytest.mark.parametrize(("archive", "file"), ARCHIVES.values(), ids=ARCHIVES)
def test_thousands_of_damaged_archives_are_refused_in_one_line(unpacked, archive, file):
    outcomes_of_damage(archive, file, unpacked, 8000, seed=1)


@pytest.mark.parametrize("method", ["bzip2", "lzma"])
@pytest.mark.parametrize("place", [0, 4, 9, 40, -9])
def test_a_damaged_member_of_a_zip_file_is_refused(unpacked, method, place):
    archive = bytearray(zipped_by(method))
    start = 30 + len("x.h5") if place >= 0 else archive.index(b"PK\x01\x02")
    for byte in range(8):
        archive[start + place + byte] ^= 0x5A
    with pytest.raises(ChecksumError, match=r"^x\.h5\.zip: damaged: ") as caught:
        unpacked(bytes(archive), SPIKES)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("method", ["deflate", "bzip2", "lzma"])
def test_a_member_that_becomes_far_more_than_it_claims_takes_no_memory(unpacked, method):
    archive = bytearray(zipped_by(method, bytes(2**25)))
    entry = archive.index(b"PK\x01\x02")
    struct.pack_into("<I", archive, entry + 24, 1000)  # the size that the directory says
    file = replace(SPIKES, max_bytes=2**20)
    tracemalloc.start()
    with pytest.raises(ChecksumError, match=r"x\.h5"):
        unpacked(bytes(archive), file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_a_name_that_was_left_out_is_told_without_its_control_characters(unpacked):
    with pytest.raises(ChecksumError, match="is expected") as caught:
        unpacked(zipped(("a\x9b2J\u202e.txt", b"")), SPIKES)
    assert str(caught.value).isprintable()
