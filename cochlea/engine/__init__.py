"""The same chain of stages, fused and blocked for speed; the tests check it against the plain stages.

- `fused` runs the chain: it takes the pressure at the stapes and returns the steps at which the bushy cells fire;
- `traveling_wave` gives it the velocity of the membrane, a few places at a time, and a long sound segment by segment;
- `fourier` has its transforms, to the same bits on every machine; `turning` turns matrices for it and for the tiles;
- `motion` runs it for a membrane, or for an active and a passive one, whose velocities `compressing` mixes;
- `periodic` interpolates that velocity where its grid is not that of the steps (the published convention);
- `classes` is the same chain with the hair cells of Sumner and others, to which `fused` hands over, and `synapses` has
  its kernels;
- `blocks` runs the kernels of either chain over the blocks and segments of a sound;
- `fibers` tells apart the fibers of a cell that are alike, where the spikes of the nerve are wanted;
- `velocity_tiles` brings the velocity into the order in which the kernels take it;
- `tiles` advances hair cells, nerve fibers and bushy cells, 64 channels by 128 steps at a time;
- `chance` draws the random numbers, one independent stream per hair cell and clip.
"""
