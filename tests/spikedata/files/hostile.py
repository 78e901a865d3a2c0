"""Files that mean harm: each address of a small file replaced by each address that could lead astray.

Blocks of the latest formats bear a checksum, which protects from chance, not from intent: it is mended.
"""

import random
import re
import struct

import numpy as np

from spikedata.compilation import compiled

_BLOCKS = re.compile(
    rb"TREE|SNOD|HEAP|GCOL|OHDR|OCHK|FRHP|FHDB|FHIB|BTHD|BTIN|BTLF|FAHD|FADB|EAHD|EAIB|EASB|EADB|\x89HDF"
)
_OLD_HEADER = re.compile(rb"\x01\x00[\x01-\x20]\x00[\x01-\x04]\x00\x00\x00")
_NO_SUM = (b"TREE", b"SNOD", b"HEAP", b"GCOL")
_LONGEST = 9000  # of a block that is looked at [byte]


@compiled
def lookup3(content, start, size):
    """Bob Jenkins' hash, which HDF5 uses for checksums (burtleburtle.net/bob/c/lookup3.c, `hashlittle`)."""
    mask = np.uint64(0xFFFFFFFF)
    words = np.zeros(3, np.uint64)
    words[:] = np.uint64(0xDEADBEEF + size) & mask
    place, left = start, size
    mixing = np.array([[0, 2, 4, 1], [1, 0, 6, 2], [2, 1, 8, 0], [0, 2, 16, 1], [1, 0, 19, 2], [2, 1, 4, 0]])
    final = np.array([[2, 1, 14], [0, 2, 11], [1, 0, 25], [2, 1, 16], [0, 2, 4], [1, 0, 14], [2, 1, 24]])
    while left > 0:
        for index in range(min(left, 12)):
            words[index // 4] += np.uint64(content[place + index]) << np.uint64(8 * (index % 4))
        words &= mask
        if left <= 12:
            break
        for row in range(6):
            a, b, turn, c = mixing[row]
            turned = (words[b] << np.uint64(turn) | words[b] >> np.uint64(32 - turn)) & mask
            words[a] = ((words[a] - words[b]) & mask) ^ turned
            words[b] = (words[b] + words[c]) & mask
        place += 12
        left -= 12
    if size:
        for row in range(7):
            a, b, turn = final[row]
            turned = (words[b] << np.uint64(turn) | words[b] >> np.uint64(32 - turn)) & mask
            words[a] = ((words[a] ^ words[b]) - turned) & mask
    return words[2]


@compiled
def _end_of_block(content, start, last):
    for place in range(start + 4, last):
        found = np.uint64(0)
        for index in range(4):
            found |= np.uint64(content[place + index]) << np.uint64(8 * index)
        if found == lookup3(content, start, place - start):
            return place
    return -1


def checksums_of(good):
    """Begin of each block that bears a checksum, and the place of its checksum."""
    content, found = np.frombuffer(good, np.uint8), []
    for match in _BLOCKS.finditer(good):
        start = match.start()
        is_old = match.group() in _NO_SUM or (start == 0 and good[8] < 2)
        if not is_old:
            place = _end_of_block(content, start, min(start + _LONGEST, len(good) - 3))
            found += [(start, place)] if place > 0 else []
    return found


def replaced(good, place, new, checksums):
    """A file with other bytes at a place, and a checksum that fits them."""
    content = bytearray(good)
    content[place : place + len(new)] = new
    for start, end in checksums:
        if start <= place < end:
            struct.pack_into(
                "<I", content, end, int(lookup3(np.frombuffer(bytes(content), np.uint8), start, end - start))
            )
    return bytes(content[: len(good)])


def mutations(good, kind, n, seed):
    """A number of damaged files, each with the place of its damage.

    Parameters
    ----------
    good : bytes
        A file.
    kind : {"addresses", "bytes", "numbers"}
        Addresses that lead to every block, to nothing and out of the file; single bytes; numbers of all sizes.
    n, seed : int
        Number of files, and the seed of their choice.
    """
    rng, size, checksums = random.Random(f"{kind} {seed}"), len(good), checksums_of(good)
    blocks = sorted({match.start() for pattern in (_BLOCKS, _OLD_HEADER) for match in pattern.finditer(good)})
    special = [0, 1, 8, 96, 2**32, 2**63, 2**64 - 1, 2**64 - 2, size, size - 1, size - 8, size // 2]
    addresses = [
        place
        for place in range(size - 7)
        if 8 <= int.from_bytes(good[place : place + 8], "little") <= size or good[place : place + 8] == b"\xff" * 8
    ]
    written = [place for place in range(size) if good[place]]
    for _ in range(n):
        if kind == "addresses":
            place = rng.choice(addresses)
            new = rng.choice([*blocks, place, place - 8, *special]).to_bytes(8, "little", signed=False)
        elif kind == "bytes":
            place = rng.randrange(size)
            new = bytes([rng.choice([good[place] ^ 1 << rng.randrange(8), 0, 0xFF, rng.randrange(256)])])
        else:
            place, width = rng.choice(written), rng.choice([2, 4, 8])
            old = int.from_bytes(good[place : place + width], "little")
            chance = rng.randrange(2 ** (8 * width))
            number = rng.choice(
                [0, 1, old + 1, old - 1, 2 * old, -1, 2 ** (8 * width - 1), chance, rng.randrange(size)]
            )
            new = (number % 2 ** (8 * width)).to_bytes(width, "little")
        yield place, replaced(good, place, new, checksums)
