"""Spike files: HDF5 in the layout of the published data sets. This is the only package that uses HDF5.

Start with `reader.SpikeFile` and `writer.SpikeWriter`. `columns` is the table of everything that a file stores for its
clips, `schema` defines what it stores about itself, `cache.open_events` opens a file as memory-mapped arrays, and
`info` describes one. `hdf5` and `heap` make sure that a damaged file cannot crash the HDF5 library, and `row_stream`
that a full disk cannot.
"""
