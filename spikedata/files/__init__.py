"""Spikes on disk, in the published layout: the only room that knows HDF5."""
