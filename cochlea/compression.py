"""The level-dependent membrane: sharp and sensitive for soft sounds, broad and linear for loud ones."""

from dataclasses import dataclass
from typing import Annotated

from cochlea.checks import Bounds, Positive, check_fields


@dataclass(frozen=True, kw_only=True)
class CompressionParams:
    """How the velocity of the membrane passes from that of an active to that of a passive one as the level rises.

    Parameters
    ----------
    passive_damping : float
        Damping of the passive membrane over sqrt(stiffness * mass), above `BasilarMembraneParams.damping`, which is
        that of the active one [1].
    exponent : float
        c: at high levels, the share of the active membrane falls with the passive amplitude to the power c - 1 [1].
    knee : float
        Sound pressure level of a tone at a place's characteristic frequency above which the place compresses [dB SPL].
    time_constant : float
        Time over which the passive amplitude is averaged [s].
    """

    # At 0.5, the phases of the two membranes differ so much that they cancel at medium levels, by 8 to 13 dB.
    passive_damping: Annotated[float, Bounds(at_least=0.02, at_most=0.3)] = 0.3
    exponent: Annotated[float, Bounds(at_least=0, at_most=1)] = 0.25
    knee: Annotated[float, Bounds(at_least=-20, at_most=120)] = 35.0
    time_constant: Positive = 1e-3

    def __post_init__(self) -> None:
        check_fields(self)
