"""What encoding a corpus costs, before it is begun: CPU hours, days on some cores, bytes of spikes.

    python benchmarks/budget.py CORPUS AUDIO [--clips N] [--json]

Encodes some clips of a corpus that is there, on one thread, and works out from them what others cost. Prints Markdown.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from spikedata.corpora import list_clips
from spikedata.encoding.encode import PRESETS, encode_clips

SECONDS_PER_CLIP = 0.98  # of Speech Commands, mean (Warden 2018: at most 1 s)
CORPORA = {  # hours of sound
    "Heidelberg Digits (10,420 clips)": 2.09,
    "Speech Commands v0.02 (105,829 clips)": 105_829 * SECONDS_PER_CLIP / 3600,
    "1,000 hours of speech": 1_000,
    "a million hours of speech": 1_000_000,
}
CORES = (2, 64, 1_000)


def measure(corpus: str, audio: str, preset: str, n_clips: int) -> dict[str, float]:
    """CPU seconds, spikes and bytes per second of sound, of clips taken evenly from a corpus."""
    listing = list_clips(corpus, audio)
    step = max(1, len(listing.clips) // n_clips)
    some = replace(listing, clips=listing.clips[::step][:n_clips])
    with tempfile.TemporaryDirectory() as room:
        first = replace(listing, clips=listing.clips[:1])
        encode_clips(first, Path(room) / "first.h5", preset=preset, workers=1)  # compiles, makes tables
        done = encode_clips(some, Path(room) / "some.h5", preset=preset, workers=1)
        size = (Path(room) / "some.h5").stat().st_size
    sound = done.sound_duration
    return {
        "clips": done.n_clips,
        "sound": sound,
        "cpu_s_per_s": done.cpu_time / sound,
        "spikes_per_s": done.n_spikes / sound,
        "bytes_per_s": size / sound,
    }


def budget(measured: dict[str, float], hours: float) -> dict[str, float]:
    """What so many hours of sound cost."""
    core_hours = hours * measured["cpu_s_per_s"]
    days = {f"days_on_{cores}": core_hours / cores / 24 for cores in CORES}
    spikes = hours * 3600 * measured["spikes_per_s"]
    return {"core_hours": core_hours, **days, "spikes": spikes, "bytes": hours * 3600 * measured["bytes_per_s"]}


def span(days: float) -> str:
    """A time in the unit in which a person would say it."""
    for unit, length in (("days", 1.0), ("h", 1 / 24), ("min", 1 / 1440)):
        if days >= 1.5 * length:
            return f"{days / length:,.{0 if days >= 15 * length else 1}f} {unit}"
    return f"{days * 86400:.0f} s"


def size(n_bytes: float) -> str:
    """A size in the unit in which a person would say it."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes:.0f} B"


def as_markdown(result: dict) -> str:
    """Tables of what was measured and what follows."""
    lines = []
    for preset, measured in result.items():
        lines += [
            f"Preset {preset}: {measured['cpu_s_per_s']:.3f} CPU s, {measured['spikes_per_s']:,.0f} spikes and "
            f"{measured['bytes_per_s'] / 1e3:.0f} kB per second of sound "
            f"({measured['clips']} clips, {measured['sound']:.0f} s).",
            "",
            f"| corpus | core hours | {' | '.join(f'{cores:,} cores' for cores in CORES)} | spikes | file |",
            "|---|---:|" + "---:|" * (len(CORES) + 2),
        ]
        for name, hours in CORPORA.items():
            cost = budget(measured, hours)
            spans = " | ".join(span(cost[f"days_on_{cores}"]) for cores in CORES)
            core_hours = f"{cost['core_hours']:,.{2 if cost['core_hours'] < 10 else 0}f}"
            lines.append(f"| {name} | {core_hours} | {spans} | {cost['spikes']:.2g} | {size(cost['bytes'])} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("audio")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = {preset: measure(args.corpus, args.audio, preset, args.clips) for preset in PRESETS}
    print(json.dumps(result) if args.json else as_markdown(result))


if __name__ == "__main__":
    main()
