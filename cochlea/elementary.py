"""Exponential, logarithm, sine and their relatives, to the same bits on every machine.

The functions of a C library differ in the last bit from library to library, and within one library from processor to
processor; those of NumPy depend on the processor, too. These use only additions, multiplications, divisions and square
roots of doubles, which IEEE 754 rounds in one way, in the order in which they are written. They are within 2e-15 of the
exact value, relative to the larger of that value and 1 (the exponential: relative to the value).

They are compiled, and meant to be called within kernels; a single number from Python will do, too.
"""

import math

import numpy as np

from cochlea.compilation import Array, compiled

# log 2 and pi / 2, each as a sum whose first parts have trailing zeros, so that their products with whole numbers of up
# to 20 bits are exact and an argument can be reduced without rounding (Cody, Waite: Software Manual for the Elementary
# Functions, 1980).
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")
_HALF_PI_HIGH = float.fromhex("0x1.921fb54400000p+0")
_HALF_PI_MIDDLE = float.fromhex("0x1.0b4611a600000p-34")
_HALF_PI_LOW = float.fromhex("0x1.3198a2e037073p-69")
_PI = math.pi
_PER_LN2 = float.fromhex("0x1.71547652b82fep+0")
_PER_HALF_PI = float.fromhex("0x1.45f306dc9c883p-1")
_SQRT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")

_EXP = np.array([1.0 / math.factorial(n) for n in range(13, -1, -1)])  # powers from the highest down
_SIN = np.array([(-1.0) ** n / math.factorial(2 * n + 1) for n in range(9, -1, -1)])
_COS = np.array([(-1.0) ** n / math.factorial(2 * n) for n in range(9, -1, -1)])
_ARTANH = np.array([1.0 / (2 * n + 1) for n in range(12, -1, -1)])
_ARCTAN = np.array([(-1.0) ** n / (2 * n + 1) for n in range(12, -1, -1)])


@compiled()
def exp(x: float) -> float:
    """The exponential; 0 below -745 and infinity above 709.

    Parameters
    ----------
    x : float
        Exponent [1].
    """
    if not x > -745.0:  # also where x is not a number
        return 0.0 if x <= -745.0 else x
    if x > 709.0:
        return np.inf
    n = np.floor(x * _PER_LN2 + 0.5)
    rest = (x - n * _LN2_HIGH) - n * _LN2_LOW
    total = 0.0
    for coefficient in _EXP:
        total = total * rest + coefficient
    return math.ldexp(total, int(n))


@compiled()
def log(x: float) -> float:
    """The natural logarithm of a number above 0.

    Parameters
    ----------
    x : float
        A finite number above 0 [1].
    """
    mantissa, exponent = math.frexp(x)
    if mantissa < _SQRT_HALF:
        mantissa *= 2.0
        exponent -= 1
    # log m = 2 artanh((m - 1) / (m + 1)); the quotient is at most 0.172
    z = (mantissa - 1.0) / (mantissa + 1.0)
    zz = z * z
    total = 0.0
    for coefficient in _ARTANH:
        total = total * zz + coefficient
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + 2.0 * z * total)


@compiled()
def log1p(x: float) -> float:
    """log(1 + x), also close to 0.

    Parameters
    ----------
    x : float
        A finite number above -1 [1].
    """
    if -0.25 < x < 0.25:
        z = x / (2.0 + x)
        zz = z * z
        total = 0.0
        for coefficient in _ARTANH:
            total = total * zz + coefficient
        return 2.0 * z * total
    return log(1.0 + x)


@compiled()
def _reduced(x: float) -> tuple[float, int]:
    # x less a whole number of quarter turns, and that number modulo 4
    n = np.floor(x * _PER_HALF_PI + 0.5)
    rest = ((x - n * _HALF_PI_HIGH) - n * _HALF_PI_MIDDLE) - n * _HALF_PI_LOW
    return rest, int(n) & 3


@compiled()
def sin_cos(x: float) -> tuple[float, float]:
    """Sine and cosine.

    Parameters
    ----------
    x : float
        Angle, up to 1e6 on either side of 0 [rad].
    """
    rest, quarter = _reduced(x)
    zz = rest * rest
    sine = cosine = 0.0
    for coefficient in _SIN:
        sine = sine * zz + coefficient
    for coefficient in _COS:
        cosine = cosine * zz + coefficient
    sine *= rest
    if quarter == 0:
        return sine, cosine
    if quarter == 1:
        return cosine, -sine
    if quarter == 2:
        return -sine, -cosine
    return -cosine, sine


@compiled()
def angle(x: float, y: float) -> float:
    """The angle of the point (x, y) from the positive x axis, from -pi to pi [rad].

    Parameters
    ----------
    x, y : float
        Coordinates, not both 0 [1].
    """
    wide, high = abs(x), abs(y)
    tangent = high / wide if high <= wide else wide / high
    # Halving the angle twice leaves a tangent of at most 0.199.
    for _ in range(2):
        tangent = tangent / (1.0 + math.sqrt(1.0 + tangent * tangent))
    zz = tangent * tangent
    total = 0.0
    for coefficient in _ARCTAN:
        total = total * zz + coefficient
    turned = 4.0 * tangent * total
    if high > wide:
        turned = _PI / 2 - turned
    if x < 0.0:
        turned = _PI - turned
    return -turned if y < 0.0 else turned


@compiled()
def arcsinh(x: float) -> float:
    """The inverse of the hyperbolic sine, at 0 or above.

    Parameters
    ----------
    x : float
        A number of at least 0 [1].
    """
    return log(x + math.sqrt(x * x + 1.0))


@compiled()
def sinh(x: float) -> float:
    """The hyperbolic sine.

    Parameters
    ----------
    x : float
        Argument [1].
    """
    return 0.5 * (exp(x) - exp(-x))


@compiled()
def bessel_i0(x: float) -> float:
    """The modified Bessel function of the first kind of order 0, as the sum over n of ((x / 2)^n / n!)^2.

    Parameters
    ----------
    x : float
        Argument, up to 50 on either side of 0 [1].
    """
    total = term = 1.0
    n = 1.0
    while term > 1e-18 * total:
        term *= (x / (2.0 * n)) * (x / (2.0 * n))
        total += term
        n += 1.0
    return total


@compiled()
def cosines(angles: Array) -> Array:
    """The cosine of each angle [1].

    Parameters
    ----------
    angles : ndarray, shape (n,)
        Angles, up to 1e6 on either side of 0 [rad].
    """
    found = np.empty(angles.size)
    for i in range(angles.size):
        found[i] = sin_cos(angles[i])[1]
    return found


@compiled()
def hyperbolic_sines(values: Array) -> Array:
    """The hyperbolic sine of each value [1].

    Parameters
    ----------
    values : ndarray, shape (n,)
        Arguments [1].
    """
    found = np.empty(values.size)
    for i in range(values.size):
        found[i] = sinh(values[i])
    return found


@compiled()
def inverse_hyperbolic_sines(values: Array) -> Array:
    """The inverse hyperbolic sine of each value [1].

    Parameters
    ----------
    values : ndarray, shape (n,)
        Numbers of at least 0 [1].
    """
    found = np.empty(values.size)
    for i in range(values.size):
        found[i] = arcsinh(values[i])
    return found


@compiled()
def logarithms(values: Array) -> Array:
    """The natural logarithm of each value [1].

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite numbers above 0 [1].
    """
    found = np.empty(values.size)
    for i in range(values.size):
        found[i] = log(values[i])
    return found


@compiled()
def exponentials(values: Array) -> Array:
    """The exponential of each value [1].

    Parameters
    ----------
    values : ndarray, shape (...)
        Exponents [1].
    """
    found = np.empty_like(values)
    for i in range(values.size):
        found.flat[i] = exp(values.flat[i])
    return found
