"""The digests of the files that this package makes of the Heidelberg Digits, for `spikedata verify` and the docs.

    spikedata encode heidelberg_digits AUDIO published --preset published --split published
    spikedata encode heidelberg_digits AUDIO default --split published
    python benchmarks/remade.py published/shd_*.h5 default/*.h5            # shows the table
    python benchmarks/remade.py published/shd_*.h5 default/*.h5 --write    # writes it, too

Each file is read and checked as a whole. The table is written to spikedata/downloads/remade.json, which `verify`
knows, with the checksums of all clips in remade_clips.npz beside it, and to docs/howto/encoding.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import spikedata.downloads.remade as table
from spikedata.disk import file_digest
from spikedata.downloads.remade import Remade, upper_words
from spikedata.encoding.assemble import read_total
from spikedata.files.columns import CHECKSUM
from spikedata.files.reader import SpikeFile

PLACE = Path(table.__file__).with_name("remade.json")
CLIPS = PLACE.with_name("remade_clips.npz")
DOCS = Path(__file__).parents[1] / "docs/howto/encoding.md"
BEGIN, END = "<!-- remade: written by benchmarks/remade.py -->\n", "<!-- /remade -->\n"


def describe(path: Path) -> Remade:
    """The entry of a file."""
    total = read_total(path)
    with SpikeFile(path) as file:
        made = file.provenance
        if (
            made is None
            or made.corpus != "heidelberg_digits"
            or not made.part
            or not made.split.startswith("published")
        ):
            raise SystemExit(f"{path}: must be made by: spikedata encode heidelberg_digits AUDIO OUT --split published")
        if made.seed:
            raise SystemExit(f"{path}: must be made with the seed 0, got {made.seed}")
        preset = str(json.loads(made.params)["preset"])
        return Remade(
            name=f"shd_{made.part}",
            preset=preset,
            clips=total.n_clips,
            spikes=total.n_spikes,
            digest=file.spikes_digest,
            sha256=file_digest(path, "sha256"),
            version=made.package_version,
        )


def as_markdown(entries: list[Remade]) -> str:
    """The table of the docs."""
    rows = ["| like | preset | clips | spikes | SHA-256 of the file |", "|---|---|---:|---:|---|"]
    rows += [f"| `{e.name}.h5` | {e.preset} | {e.clips:,} | {e.spikes:,} | `{e.sha256}` |" for e in entries]
    return "\n".join(rows) + "\n"


def checksums_of(path: Path) -> np.ndarray:
    """What `remade_clips` knows of the clips of a file."""
    with SpikeFile(path) as file:
        return upper_words(file.columns.numbers(CHECKSUM))


def write_clips(files: list[Path], found: list[Remade]) -> None:
    """Replace the clips of the presets of these files, which must be all files of a preset."""
    tables = {preset: table.remade_clips(preset) for preset in {known.preset for known in table.remade_files()}}
    for preset in sorted({entry.preset for entry in found}):
        parts = [checksums_of(path) for path, entry in zip(files, found, strict=True) if entry.preset == preset]
        tables[preset] = np.unique(np.concatenate(parts))
    np.savez(CLIPS, **dict(sorted(tables.items())))


def main() -> None:
    """Show or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="spike files")
    parser.add_argument("--write", action="store_true", help=f"replace their entries in {PLACE.name} and {DOCS.name}")
    args = parser.parse_args()
    described = [describe(path) for path in args.files]
    found = {(entry.name, entry.preset): entry for entry in described}
    if args.write:
        write_clips(args.files, described)
        found = {(known.name, known.preset): known for known in table.remade_files()} | found
    entries = [found[key] for key in sorted(found, key=lambda key: (key[1], key[0] != "shd_train"))]
    content = json.dumps([entry._asdict() for entry in entries], indent=1) + "\n"
    print(content + as_markdown(entries), end="")
    if args.write:
        PLACE.write_text(content, encoding="utf-8")
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        DOCS.write_text(before + BEGIN + as_markdown(entries) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
