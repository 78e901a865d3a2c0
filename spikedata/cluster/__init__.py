"""Map a function over tasks on the workers of a Dask cluster.

Dask runs the tasks of a worker that died again on another one. What is added here: bounded memory at both ends, a
check that all machines run the same software, and errors that say what to do.
"""

from spikedata.cluster.errors import ClusterError
from spikedata.cluster.mapping import map_on_cluster

__all__ = ["ClusterError", "map_on_cluster"]
