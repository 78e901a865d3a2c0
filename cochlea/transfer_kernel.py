"""The transfer function, compiled, and the same to the bit on every machine: what the table is made of.

`cochlea.transfer_function` has the same equations in the words of NumPy and SciPy, whose complex numbers and Hankel
functions differ in the last bits from processor to processor; the tests check this file against it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cochlea.compilation import Array, compiled
from cochlea.elementary import angle, exp, log, sin_cos
from cochlea.middle_ear import middle_ear_gain
from cochlea.transfer_function import BasilarMembraneParams

# Hankel's integral over the real line, for H0 and H1 of z = r exp(i t), 0 <= t <= pi / 2 (Watson, A Treatise on the
# Theory of Bessel Functions, 1922, section 6.12). The integrand has no singularity nearer than sqrt(r) to the real
# line, so the sum over points of this pitch is within exp(-2 pi sqrt(r) / pitch) of the integral: 2e-14 from r = 1 on.
_PITCH, _N_POINTS = 0.2, 32
_SERIES_BELOW = 1.0  # of abs(z): the power series is used
_ASYMPTOTIC_ABOVE = 20.0  # of abs(z): Hankel's expansion in powers of 1 / z is used, which is within 1e-15 there
_EULER = 0.5772156649015329
_PER_ROOT_PI = 0.5641895835477563  # 1 / sqrt(pi)


class Membrane:
    """What all places of a membrane share at some frequencies.

    Parameters
    ----------
    frequencies : ndarray of float64, shape (frequency,)
        Frequencies above 0 [Hz].
    params : BasilarMembraneParams
    """

    def __init__(self, frequencies: NDArray[np.float64], params: BasilarMembraneParams) -> None:
        p = params
        self._constants = np.array([
            p.stiffness, p.stiffness_decay, p.stiffness_offset, p.density, p.damping, p.height, p.mass,
        ])  # fmt: skip
        self._tilt = np.array([p.velocity_exponent, log(p.frequency_scale), p.stiffness_decay / 2])
        self._distance = p.curvature_distance
        self._angular = 2.0 * np.pi * frequencies
        self._base = np.empty((frequencies.size, 3), np.complex128)
        _fill_base(self._angular, self._constants, self._base)
        if p.middle_ear is not None:
            _put_middle_ear(self._angular, self._base)

    def response(self, position: float, n_frequencies: int) -> NDArray[np.complex128]:
        """The velocity at a place per unit pressure at the stapes, as `transfer_function`; shape (n_frequencies,) [1].

        Parameters
        ----------
        position : float
            Distance from the base [cm].
        n_frequencies : int
            Number of frequencies for which it is wanted, from the lowest [1].
        """
        row = self._velocity(position, n_frequencies)
        if self._distance > 0:
            before, behind = (
                self._velocity(place, n_frequencies) for place in (position - self._distance, position + self._distance)
            )
            row -= 0.5 * (before + behind)
        exponent, scale, decay = self._tilt.tolist()
        if exponent != 0:
            row *= exp(exponent * (scale - decay * position))
        return row

    def _velocity(self, position: float, n_frequencies: int) -> NDArray[np.complex128]:
        row = np.empty(n_frequencies, np.complex128)
        _fill_row(position, self._angular, self._constants, self._base, row)
        return row


@compiled()
def _quotient(a: complex, b: complex) -> complex:
    size = b.real * b.real + b.imag * b.imag
    return complex((a.real * b.real + a.imag * b.imag) / size, (a.imag * b.real - a.real * b.imag) / size)


@compiled()
def _root(z: complex) -> complex:
    # the square root with a positive real part
    size = math.sqrt(z.real * z.real + z.imag * z.imag)
    if z.real >= 0.0:
        real = math.sqrt((size + z.real) / 2.0)
        return complex(real, z.imag / (2.0 * real) if real > 0.0 else 0.0)
    imag = math.copysign(math.sqrt((size - z.real) / 2.0), z.imag)
    return complex(z.imag / (2.0 * imag), imag)


@compiled()
def _log(z: complex) -> complex:
    return complex(0.5 * log(z.real * z.real + z.imag * z.imag), angle(z.real, z.imag))


@compiled()
def _exp(z: complex) -> complex:
    size = exp(z.real)
    sine, cosine = sin_cos(z.imag)
    return complex(size * cosine, size * sine)


@compiled()
def _weights() -> Array:
    weights = np.empty(_N_POINTS)
    for i in range(_N_POINTS):
        weights[i] = (_PITCH if i == 0 else 2.0 * _PITCH) * _PER_ROOT_PI * exp(-(i * _PITCH) * (i * _PITCH))
    return weights


@compiled()
def _scaled_hankel0(z: complex, weights: Array) -> complex:
    # exp(-i z) H0(1)(z). On the membrane, z is in the first quadrant of the complex plane; far before its base, where
    # the table of a membrane of a few places has rows, it is near the negative real axis. There the function follows
    # from those of u = -z, H0(1)(z) = -H0(2)(u) above the axis, 2 H0(1)(u) + H0(2)(u) below it (DLMF 10.11.5), and from
    # H0(2)(u) = conj(H0(1)(conj(u))).
    if z.real >= 0.0:
        return _scaled_hankel0_right(z, weights)
    mirrored = _scaled_hankel0_right(complex(-z.real, z.imag), weights)
    if z.imag >= 0.0:
        return complex(-mirrored.real, mirrored.imag)
    return 2.0 * _exp(-2.0j * z) * _scaled_hankel0_right(-z, weights) + complex(mirrored.real, -mirrored.imag)


@compiled()
def _scaled_hankel0_right(z: complex, weights: Array) -> complex:
    size = math.sqrt(z.real * z.real + z.imag * z.imag)
    if size < _SERIES_BELOW:
        quarter = -0.25 * z * z
        bessel, rest, term, harmonic = 1.0 + 0.0j, 0.0j, 1.0 + 0.0j, 0.0
        for k in range(1, 14):
            term = term * quarter / float(k * k)
            harmonic += 1.0 / k
            bessel += term
            rest -= harmonic * term
        neumann = (2.0 / math.pi) * ((_log(0.5 * z) + _EULER) * bessel + rest)
        return (bessel + 1.0j * neumann) * _exp(-1.0j * z)
    total = 0.0j
    if size > _ASYMPTOTIC_ABOVE:
        term = 1.0 + 0.0j
        factor = _quotient(-0.125j, z)
        for k in range(1, 26):
            total += term
            term = term * factor * ((2.0 * k - 1.0) * (2.0 * k - 1.0) / k)
    else:
        factor = _quotient(0.5j, z)
        for i in range(_N_POINTS):
            s = i * _PITCH
            total += weights[i] * _quotient(1.0 + 0.0j, _root(1.0 + (s * s) * factor))
    # sqrt(2 / (pi z)) exp(-i pi / 4) = (1 - i) / sqrt(pi z)
    return complex(_PER_ROOT_PI, -_PER_ROOT_PI) * _quotient(total, _root(z))


@compiled()
def _hankel_ratio(x: float, weights: Array) -> complex:
    # H0(1)(x) / H1(1)(x)
    if x < _SERIES_BELOW:
        quarter = -0.25 * x * x
        j0, y0, j1, y1, term, harmonic = 1.0, 0.0, 0.5 * x, 0.0, 1.0, 0.0
        y1 = -(0.5 * x) * (1.0 - 2.0 * _EULER)  # the sum of the two psi functions at k = 0: 1 - 2 Euler
        for k in range(1, 14):
            term = term * quarter / float(k * k)
            harmonic += 1.0 / k
            j0 += term
            y0 -= harmonic * term
            odd = term * (0.5 * x) / (k + 1.0)
            j1 += odd
            y1 -= (2.0 * harmonic + 1.0 / (k + 1.0) - 2.0 * _EULER) * odd
        logarithm = log(0.5 * x)
        y0 = (2.0 / math.pi) * ((logarithm + _EULER) * j0 + y0)
        y1 = (y1 - 2.0 / x + 2.0 * logarithm * j1) / math.pi
        return _quotient(complex(j0, y0), complex(j1, y1))
    zero = one = 0.0j
    for i in range(_N_POINTS):
        s = i * _PITCH
        root = _root(complex(1.0, 0.5 * s * s / x))
        zero += weights[i] * _quotient(1.0 + 0.0j, root)
        one += (2.0 * s * s * weights[i]) * root
    return 1.0j * _quotient(zero, one)


@compiled()
def _impedance(w: float, x: float, constants: Array) -> tuple[complex, complex]:
    # xi, and the `root` whose logarithm is taken below
    stiffness, decay, offset, _, damping, _, mass = constants
    s = exp(-decay * x / 2.0)
    friction = w * damping * math.sqrt(stiffness * mass) * s
    b2 = offset + mass * w * w
    xi = complex(stiffness * s * s - b2, -friction)
    return xi, (2.0j * math.sqrt(b2)) * _root(xi) + complex(2.0 * b2, friction)


@compiled()
def _fill_base(angular: Array, constants: Array, base: Array) -> None:
    # Columns: root and phase at the base, and the input impedance over the pressure there.
    stiffness, decay, _, density, _, height, _ = constants
    weights = _weights()
    speed = math.sqrt(density / height)
    for k in range(angular.size):
        w = angular[k]
        xi, root = _impedance(w, 0.0, constants)
        g = _quotient(complex(w * speed, 0.0), _root(xi))
        phase = (2.0 / decay) * g
        pressure = _root(_quotient(phase, g)) * _scaled_hankel0(phase, weights)
        ratio = _hankel_ratio(2.0 * w / decay * math.sqrt(2.0 / (height * stiffness)), weights)
        impedance = (1.0j * math.sqrt(2.0 * stiffness / height)) * complex(ratio.real, -ratio.imag)
        base[k, 0], base[k, 1], base[k, 2] = root, phase, _quotient(impedance, pressure)


@compiled()
def _put_middle_ear(angular: Array, base: Array) -> None:
    # The table has the convention exp(-i w t), in which the gain is the conjugate.
    for k in range(angular.size):
        gain = middle_ear_gain(angular[k])
        base[k, 2] = base[k, 2] * complex(gain.real, -gain.imag)


@compiled()
def _fill_row(x: float, angular: Array, constants: Array, base: Array, row: Array) -> None:
    _, decay, offset, density, _, height, mass = constants
    weights = _weights()
    speed = math.sqrt(density / height)
    for k in range(row.size):
        w = angular[k]
        xi, root = _impedance(w, x, constants)
        g = _quotient(complex(w * speed, 0.0), _root(xi))
        b = math.sqrt(offset + mass * w * w)
        path = 2.0 * w * speed / (decay * b) * (_log(_quotient(root, base[k, 0])) + decay * x / 2.0)
        phase = base[k, 1] + 1.0j * path
        pressure = _root(_quotient(phase, g)) * _scaled_hankel0(phase, weights) * _exp(-path)
        row[k] = _quotient(complex(2.0 * w, 0.0), xi) * pressure * base[k, 2]
