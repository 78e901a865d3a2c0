"""Listen to recordings as they are spoken: how soon the answers come, what they cost, and how often they are right.

    python benchmarks/live.py [words] [--network digits] [--audio FOLDER] [--out docs/images/live.json]
    python benchmarks/live.py ear [--out docs/images/live_ear.json]
    python benchmarks/live.py write

`words` takes the recordings of speakers 4 and 5 that ship with the package, on whom no network that ships with it was
trained (with --audio, all of theirs in a folder of the Heidelberg Digits). They are recognized as whole files; each by
itself from a player whose clock is reckoned, by CPU time; ten of them in real time; and ten in a row, with pauses of
0.5 to 1.5 s of faint noise. Then the network is asked before the word has ended, with the spikes of a `cochlea.Stream`
whose gain is fixed: by the word itself, which no stream knows, and by the ten words of its speaker before it.

`ear` compares the spikes of `cochlea.Stream` with those of `cochlea.encode`, by hop, for two presets.

Both print what they find, and write it as JSON with --out. `write` puts what docs/images holds into the tables of
docs/howto/recognize.md and docs/explanation/model.md.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import cochlea
import spikedata as sd
from cochlea.stimulus import pascal
from spikedata.baseline.runs.card import tally
from spikedata.baseline.runs.inspect_run import class_logits
from spikedata.corpora import list_clips
from spikedata.events import Sample
from spikedata.recognition import Heard, Player, Pretrained, find_words, listen, load_pretrained, recognize

DOCS = Path(__file__).parents[1] / "docs"
UNSEEN = (4, 5)
N_REAL = 10
PAUSES = 0.5, 1.5  # [s]
NOISE = 3e-4  # [re full scale] of the pauses
MOMENTS = 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0  # [s] after a word begins
HOPS = 0.02, 0.05, 0.1, 0.25, None
_RELATIVE = 0.3  # [1] the level that the default preset brings a sound to, here in pascal


class Clip(NamedTuple):
    """A recording of one word."""

    name: str
    word: str
    speaker: int
    waveform: npt.NDArray[np.float64]
    rate: int


def clips_of(audio: Path) -> list[Clip]:
    """The recordings of the unseen speakers, in an order that mixes words and languages but not speakers."""
    listing = list_clips("heidelberg_digits", audio, missing="skip")
    listed = [clip for clip in listing.clips if clip.speaker in UNSEEN]
    rng = np.random.default_rng(0)
    listed = sorted((listed[i] for i in rng.permutation(len(listed))), key=lambda clip: clip.speaker)
    return [Clip(c.name, listing.keys[c.label], c.speaker, *sd.read_audio(c.path)) for c in listed]


def share(right: Iterable[bool]) -> dict[str, Any]:
    """How many are right, with the 95 % interval."""
    counted = tally(np.asarray(list(right), bool))
    low, high = counted.interval_95
    return {
        "n": counted.n,
        "right": round(100 * counted.accuracy, 1),
        "low": round(100 * low, 1),
        "high": round(100 * high, 1),
    }


def percent(shares: Iterable[float]) -> float:
    """The mean of some shares [%]."""
    return round(100 * float(np.mean(list(shares))), 2)


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    listed = np.asarray(list(values))
    return {
        "median": round(float(np.median(listed)), 3),
        "95 %": round(float(np.percentile(listed, 95)), 3),
        "most": round(float(listed.max()), 3),
    }


def words_of(heard: Iterable[Heard]) -> list[Heard]:
    return [each for each in heard if each.recognition is not None]


def played(clips: list[Clip], network: Pretrained, *, in_real_time: bool) -> dict[str, Any]:
    """Each by itself: the answer that comes last, and how the player fared."""
    answers, delays, early, blocks, busy, seconds = [], [], [], [], 0.0, 0.0
    for clip in clips:
        player = Player((clip.waveform, clip.rate), in_real_time=in_real_time)
        heard = list(listen(player, network=network, provisional=True))
        final = [each for each in words_of(heard) if each.is_final]
        first = next((each for each in words_of(heard)), None)
        answers.append(final[-1].recognition.word if len(final) == 1 else "")
        delays += [each.latency for each in final]
        early += (
            [first.latency] if first is not None and not first.is_final and final and first.end == final[-1].end else []
        )
        blocks += player.seconds
        busy, seconds = busy + sum(player.seconds), seconds + player.duration
    return {
        "answers": answers,
        "accuracy": share(a == c.word for a, c in zip(answers, clips, strict=True)),
        "latency_s": spread(delays),
        "provisional_latency_s": spread(early),
        "longest_block_s": round(max(blocks), 3),
        "blocks_within_their_20_ms": round(float(np.mean(np.asarray(blocks) < 0.02)), 3),
        "computing_s_per_s": round(busy / seconds, 3),
    }


def in_a_row(clips: list[Clip], network: Pretrained) -> dict[str, Any]:
    """Ten words in a recording, with pauses between them."""
    rng = np.random.default_rng(1)
    right, delays, found = [], [], Counter()
    for first in range(0, len(clips), 10):
        parts, spans, at = [], [], 0
        for clip in clips[first : first + 10]:
            pause = NOISE * rng.standard_normal(round(rng.uniform(*PAUSES) * clip.rate))
            spans.append((at + pause.size, at + pause.size + clip.waveform.size))
            parts += [pause, clip.waveform]
            at = spans[-1][1]
        parts.append(NOISE * rng.standard_normal(clips[0].rate))
        rate = clips[first].rate
        heard = words_of(listen(Player((np.concatenate(parts), rate), in_real_time=False), network=network))
        for clip, (begin, end) in zip(clips[first : first + 10], spans, strict=True):
            here = [each for each in heard if each.start * rate < end and each.end * rate > begin]
            found[len(here)] += 1
            right.append(len(here) == 1 and here[0].recognition.word == clip.word)
            delays += [each.latency for each in here]
    return {"accuracy": share(right), "latency_s": spread(delays), "words_by_pieces": dict(sorted(found.items()))}


def full_scale_for(rms: float) -> float:
    """The full scale [dB SPL] that brings a sound of a root mean square to the level of the default preset."""
    return float(20 * np.log10(_RELATIVE / rms / pascal(0.0)))


def level_of(clip: Clip) -> float:
    """Root mean square of the word as `recognize` cuts it."""
    (start, stop, _), *_ = sorted(find_words(clip.waveform, clip.rate), key=lambda word: -word.energy)
    return float(np.sqrt(np.mean(np.square(clip.waveform[start:stop]))))


def streamed(clip: Clip, rms: float, hop: float | None) -> tuple[cochlea.Spikes, cochlea.Stream]:
    """The spikes of a word that comes in blocks of 20 ms."""
    (start, stop, _), *_ = sorted(find_words(clip.waveform, clip.rate), key=lambda word: -word.energy)
    stream = cochlea.Stream(clip.rate, full_scale_db_spl=full_scale_for(rms), hop=hop)
    n, heard = round(0.02 * clip.rate), clip.waveform[start:stop]
    found = [stream.push(heard[first : first + n]) for first in range(0, heard.size, n)] + [stream.finish()]
    return cochlea.Spikes(*(np.concatenate(parts) for parts in zip(*found, strict=True))), stream


def answer(network: Pretrained, spikes: cochlea.Spikes, until: float) -> str:
    """The word by the spikes before a time."""
    n = int(np.searchsorted(spikes.times, until))
    sample = Sample(spikes.times[:n], spikes.units[:n], 0, -1, "", 16_000, network.n_units, network.duration)
    return network.classes[int(class_logits(network.network, [sample])[0].argmax())]


def while_spoken(clips: list[Clip], network: Pretrained) -> dict[str, Any]:
    """How often the network is right before the word has ended, with the spikes of a stream."""
    right: dict[str, dict[float, list[bool]]] = {
        way: {m: [] for m in MOMENTS} for way in ("own level", "level of the last ten words")
    }
    before: dict[int, list[float]] = {}
    for clip in clips:
        rms = level_of(clip)
        known = before.setdefault(clip.speaker, [])
        running = float(np.sqrt(np.mean(np.square(known[-10:])))) if known else rms
        for way, level in zip(right, (rms, running), strict=True):
            spikes, _ = streamed(clip, level, 0.05)
            for moment in MOMENTS:
                right[way][moment].append(answer(network, spikes, moment) == clip.word)
        known.append(rms)
    _, stream = streamed(clips[0], 0.1, 0.05)
    return {
        "latency_of_the_stream_s": round(stream.latency, 3),
        "right_percent": {way: {m: percent(r) for m, r in at.items()} for way, at in right.items()},
        "words_that_last_longer_percent": {
            m: percent(c.waveform.size / c.rate > m for c in clips) for m in MOMENTS
        },
    }  # fmt: skip


def words(args: argparse.Namespace) -> dict[str, Any]:
    network = load_pretrained(args.network)
    clips = clips_of(args.audio or sd.embedded_corpus())
    recognize((clips[0].waveform, clips[0].rate), network=network)  # what is compiled and loaded once
    began = time.process_time()
    whole = [recognize((clip.waveform, clip.rate), network=network).word for clip in clips]
    per_word = (time.process_time() - began) / len(clips)
    found: dict[str, Any] = {"network": args.network, "clips": len(clips), "sample_rate": clips[0].rate}
    found["whole_files"] = {
        "accuracy": share(a == c.word for a, c in zip(whole, clips, strict=True)),
        "cpu_s_per_word": round(per_word, 3),
    }
    reckoned = played(clips, network, in_real_time=False)
    same = [one == other for one, other in zip(reckoned.pop("answers"), whole, strict=True)]
    found["played_one_by_one"] = {**reckoned, "same_answer_as_whole": share(same)}
    print(json.dumps(found), flush=True)
    found["ten_in_a_row"] = in_a_row(clips, network)
    print(json.dumps(found["ten_in_a_row"]), flush=True)
    found["while_spoken"] = while_spoken(clips, network)
    print(json.dumps(found["while_spoken"]), flush=True)
    chosen = clips[:: -(-len(clips) // N_REAL)][:N_REAL]
    real = played(chosen, network, in_real_time=True)
    answers = zip(chosen, real.pop("answers"), strict=True)
    found["played_in_real_time"] = {**real, "ten": [{"file": c.name, "word": c.word, "answer": a} for c, a in answers]}
    found["cpu_s"] = round(time.process_time(), 1)
    return found


def in_common(one: cochlea.Spikes, other: cochlea.Spikes) -> tuple[float, float]:
    """Share of the spikes of one that the other has at the same step, and within 1 ms, of the same unit."""
    apart = []
    for unit in np.unique(one.units):
        mine, theirs = one.times[one.units == unit], other.times[other.units == unit]
        theirs = np.concatenate([[-np.inf], theirs, [np.inf]])
        right = np.searchsorted(theirs, mine)
        apart.append(np.minimum(mine - theirs[right - 1], theirs[right] - mine))
    distances = np.concatenate(apart)
    return float(np.mean(distances == 0)), float(np.mean(distances <= 1e-3))


def ear(args: argparse.Namespace) -> dict[str, Any]:
    clips = clips_of(sd.embedded_corpus())[::16]
    rows = []
    for name, preset, level in (
        ("default", cochlea.CochleaParams(), 83.5),
        ("human", cochlea.CochleaParams.human(), 65.0),
    ):
        for hop in HOPS:
            same, close, spent, whole, seconds, stream = [], [], 0.0, 0.0, 0.0, None
            for clip in clips if name == "default" else clips[::2]:
                waveform = np.concatenate([clip.waveform, clip.waveform, clip.waveform, clip.waveform, clip.waveform])
                full_scale = level - 20 * np.log10(level_of(clip))
                stream = cochlea.Stream(clip.rate, preset, full_scale_db_spl=full_scale, hop=hop)
                n = round(0.02 * clip.rate)
                began = time.process_time()
                found = [stream.push(waveform[i : i + n]) for i in range(0, waveform.size, n)] + [stream.finish()]
                spent += time.process_time() - began
                began = time.process_time()
                wanted = cochlea.encode(waveform, clip.rate, stream.params)
                whole += time.process_time() - began
                shares = in_common(
                    wanted, cochlea.Spikes(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
                )
                same.append(shares[0])
                close.append(shares[1])
                seconds += waveform.size / clip.rate
            rows.append({
                "preset": name, "hop_s": hop or 2.5, "latency_s": round(stream.latency, 3),
                "cpu_s_per_s": round(spent / seconds, 3), "encode_cpu_s_per_s": round(whole / seconds, 3),
                "same_percent": percent(same), "within_1_ms_percent": percent(close),
            })  # fmt: skip
            print(rows[-1], flush=True)
    return {"seconds_of_sound": round(seconds, 1), "rows": rows, "cpu_s": round(time.process_time(), 1)}


def spoken_of(found: dict[str, Any]) -> str:
    """The table of the words."""

    def row(name: str, part: dict[str, Any]) -> str:
        accuracy = part["accuracy"]
        right = f"{accuracy['right']:.1f} % ({accuracy['low']:.1f} to {accuracy['high']:.1f})"
        delay = part.get("latency_s")
        delays = "" if delay is None else f"{delay['median']:.2f} s | {delay['95 %']:.2f} s"
        cost = part.get("computing_s_per_s")
        return f"| {name} | {accuracy['n']} | {right} | {delays or ' | '} | {'' if cost is None else f'{cost:.2f} s'} |"

    lines = [
        f"`{found['network']}` on the recordings of speakers 4 and 5 that ship with the package, at "
        f"{found['sample_rate'] // 1000} kHz. A pause ends a word after 0.30 s, which is a part of the latency:",
        "",
        "| | words | right | latency: median | 95 % | computing for 1 s of sound |",
        "|---|---:|---:|---:|---:|---:|",
        row("whole files", found["whole_files"]),
        row("one by one, reckoned clock", found["played_one_by_one"]),
        row("ten in a row, pauses of 0.5 to 1.5 s", found["ten_in_a_row"]),
    ]
    if "played_in_real_time" in found:
        lines.append(row("ten in real time", found["played_in_real_time"]))
    one = found["played_one_by_one"]
    lines += [
        "",
        f"Of the words, {one['same_answer_as_whole']['right']:.1f} % get the answer that their file gets, and the "
        f"first answer is there {one['provisional_latency_s']['median']:.2f} s after the end (median). "
        f"{100 * one['blocks_within_their_20_ms']:.0f} % of the blocks of 20 ms take less than 20 ms; one in which a "
        "word is recognized takes longer, and the blocks behind it wait. The reckoned clock counts CPU time, so these are "
        "times of a processor that has nothing else to do.",
    ]
    if "while_spoken" in found:
        before = found["while_spoken"]
        moments = list(next(iter(before["right_percent"].values())))
        lines += [
            "",
            "Before a word has ended, the network can be asked with the spikes of a `cochlea.Stream`, which come "
            f"{before['latency_of_the_stream_s']:.2f} s late, and whose gain is fixed. Right after so much of it:",
            "",
            "| gain | " + " | ".join(f"{float(moment):g} s" for moment in moments) + " |",
            "|---|" + "---:|" * len(moments),
        ]
        for way, at in before["right_percent"].items():
            lines.append(f"| {way} | " + " | ".join(f"{at[moment]:.0f} %" for moment in moments) + " |")
        longer = before["words_that_last_longer_percent"]
        lines.append("| recordings that go on | " + " | ".join(f"{longer[moment]:.0f} %" for moment in moments) + " |")
    return "\n".join([*lines, "", "```", "python benchmarks/live.py words --out docs/images/live.json", "```"])


def heard_of(found: dict[str, Any]) -> str:
    """The table of the spikes."""
    lines = [
        "| preset | hop | latency | CPU time for 1 s of sound | of `encode` | spikes at the same step | within 1 ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['preset']} | {row['hop_s']:g} s | {row['latency_s']:.2f} s | {row['cpu_s_per_s']:.2f} s | "
            f"{row['encode_cpu_s_per_s']:.2f} s | {row['same_percent']:.1f} % | {row['within_1_ms_percent']:.1f} % |"
        )
    return "\n".join([*lines, "", "```", "python benchmarks/live.py ear --out docs/images/live_ear.json", "```"])


def write() -> None:
    """Put the tables of what docs/images holds between their marks."""
    for name, mark, document, text_of in (
        ("live", "live", "howto/recognize.md", spoken_of),
        ("live_ear", "live ear", "explanation/model.md", heard_of),
    ):
        path = DOCS / "images" / f"{name}.json"
        if not path.exists():
            continue
        page = DOCS / document
        before, rest = page.read_text("utf-8").split(f"<!-- {mark}: written by benchmarks/live.py -->\n")
        _, after = rest.split(f"<!-- /{mark} -->")
        text = text_of(json.loads(path.read_text("utf-8")))
        marked = f"<!-- {mark}: written by benchmarks/live.py -->\n{text}\n<!-- /{mark} -->"
        page.write_text(before + marked + after, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("words", "ear", "write"), default="words")
    parser.add_argument("--network", default="digits")
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.what == "write":
        write()
        return
    found = words(args) if args.what == "words" else ear(args)
    print(json.dumps(found, indent=1))
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
