"""The model measured as a physiologist measures an animal.

- `recording`: tones at chosen levels, and the spikes of the fibers and bushy cells of one channel;
- `analysis`: measures of curves (place map, tuning width, delay, rate-level function);
- `spike_statistics`: measures of spikes (histograms, adaptation, phase locking, intervals);
- `measurements`: the experiments, which apply the others to any `CochleaParams`;
- `membrane_measurements`: those on the membrane alone.

`python benchmarks/physiology.py` runs them all; docs/explanation/physiology.md compares the results with those from
animals.
"""
