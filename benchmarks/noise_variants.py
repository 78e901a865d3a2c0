"""What the fibers of three kinds are worth in the preset `human`: the study of noise_study.py with parts of it changed.

    python benchmarks/noise_variants.py AUDIO OUT [--variants NAME,...] [--seeds 0,1,2] [--workers 2]

Networks are trained on the first of the two noises of each training clip, and asked about the validation part alone: no
test clip is opened. OUT may be that of noise_study.py, whose Noisy Digits and spikes of `human` are then used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import noise_study as study_of_noise

from cochlea import CochleaParams, SumnerHairCellParams

WEIGHT = 6500.0  # [1/s] of the bushy cells, instead of 9,000: they fire less, and later reach their limit


def high_alone(params: CochleaParams) -> CochleaParams:
    cells = params.hair_cell
    if not isinstance(cells, SumnerHairCellParams):
        raise TypeError(f"the preset human must have the hair cells of Sumner, got {type(cells).__name__}")
    shares = {name: replace(getattr(cells, name), share=share) for name, share in
              (("high", 1.0), ("medium", 0.0), ("low", 0.0))}  # fmt: skip
    return replace(params, hair_cell=replace(cells, **shares))


def small_weight(params: CochleaParams) -> CochleaParams:
    return replace(params, bushy_cell=replace(params.bushy_cell, weight=WEIGHT))


CHANGES: dict[str, tuple[str, Callable[[CochleaParams], CochleaParams]]] = {
    "human": ("as it is", lambda params: params),
    "human-high": ("fibers of high spontaneous rate alone", high_alone),
    "human-weight": (f"a weight of {WEIGHT:,.0f} for the bushy cells", small_weight),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path, help="the Heidelberg Digits")
    parser.add_argument("out", type=Path, help="folder in which all is kept")
    parser.add_argument("--variants", default=",".join(CHANGES), metavar="NAME,...", help="some of: %(default)s")
    parser.add_argument("--seeds", default="0,1,2", help="of the networks (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="threads (default: %(default)s)")
    args = parser.parse_args()
    study_of_noise.MIXED = {folder: part for folder, part in study_of_noise.MIXED.items() if folder != "train-2"}
    for name, (about, change) in CHANGES.items():
        hear = study_of_noise.spikes_of(lambda level, change=change: change(study_of_noise.human_at(level)))
        study_of_noise.FRONT_ENDS[name] = study_of_noise.FrontEnd(about, hear, True, False)
    study = study_of_noise.Study(args.audio, args.out, workers=args.workers, quick=False)
    study.runs = args.out / "runs-of-one-noise"
    study.prepare()
    for name in args.variants.split(","):
        study_of_noise.hear_all(study, name, is_test=False)
        for seed in map(int, args.seeds.split(",")):
            study_of_noise.train_one(study, name, seed)


if __name__ == "__main__":
    main()
