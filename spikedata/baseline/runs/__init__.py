"""Runs: train on some speakers, choose the epoch on others, score once on unseen ones.

`train.py` makes a run, `evaluation.py` scores it, `refit.py` trains its choice again on both parts, `groups.py` does
each of these for several seeds or folds. What a run says of itself is its `card.py`; where it lies is its `folder.py`;
which clips it trains, validates and tests on, `data.py`. `group_summary.py` and `leaderboard.py` compare runs.
"""
