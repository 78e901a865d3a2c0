"""See that all machines of a cluster give the same bits."""

from __future__ import annotations

import importlib
import logging
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from spikedata import __version__
from spikedata.cluster.errors import ClusterError, scheduler_errors, short_reason

if TYPE_CHECKING:
    from distributed import Client

_BIT_RELEVANT = ("numpy", "scipy", "numba")  # whose version may change the last bits of a result

_logger = logging.getLogger(__name__)


def check_software(client: Client, scheduler: str) -> None:
    """Refuse another version of this package; warn of what else may change a result's bits."""
    try:
        with scheduler_errors(scheduler):
            found = {f"scheduler {scheduler}": client.run_on_scheduler(_describe_machine)}
    except ImportError as error:
        reason = short_reason(error)
        raise ClusterError(f"scheduler {scheduler} cannot load spikedata {__version__}: {reason}") from error
    with scheduler_errors(scheduler):
        workers = client.run(_describe_machine, on_error="return")
    found |= {f"worker {name}": there for name, there in workers.items() if not isinstance(there, OSError)}
    here = _describe_machine()
    differences: dict[tuple[str, str], str] = {}
    for machine, there in found.items():
        if isinstance(there, Exception):
            raise ClusterError(f"{machine} cannot load spikedata {__version__}: {short_reason(there)}") from there
        if there["spikedata"] != __version__:
            raise ClusterError(wrong_version(machine, there["spikedata"], __version__))
        if machine.startswith("worker"):
            for name in here:
                if there[name] != here[name]:
                    differences.setdefault((name, there[name]), machine)
    for (name, value), machine in differences.items():
        text = "%s has %s %s, here is %s: its results may differ from ours in the last bits"
        _logger.warning(text, machine, name, value, here[name])


def wrong_version(machine: str, found: str, expected: str) -> str:
    """What to say of a machine that runs another version of this package."""
    return f"{machine} has spikedata {found}, here is {expected}: install the same version on all machines"


def _describe_machine() -> dict[str, str]:
    """What the bits of a result may depend on."""
    processor = importlib.import_module("llvmlite.binding").get_host_cpu_name()  # what Numba compiles for
    libraries = {name: version(name) for name in _BIT_RELEVANT}
    return {"spikedata": __version__, "python": platform.python_version(), **libraries, "processor": processor}
