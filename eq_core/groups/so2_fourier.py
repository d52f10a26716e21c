"""Band-limited functions on the circle as coefficients of its harmonics.

A function of frequency F is

    f(a) = c_0 + sqrt(2) sum_k (c_k cos k a + s_k sin k a),  k = 1 .. F                     (1)

The basis is orthonormal under the mean over the circle, so that the mean of f^2 is the sum of the
squared coefficients (Parseval). Coefficients lie in one axis, ordered c_0, c_1, s_1, c_2, s_2 ..;
turning the circle turns each pair (c_k, s_k) by k times the angle, the irreducible representation
of frequency k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError

Floating = NDArray[np.floating[Any]]
Double = NDArray[np.float64]
_SAMPLES_PER_WAVE = 16
_ITERATIONS = 10


@dataclass(frozen=True, eq=False)
class Maximum:
    """The largest values of functions.

    Attributes:
        angle: (...) float64 in [0, 2 pi], where [rad].
        value: (...) float64, how large.
    """

    angle: Double
    value: Double


def circle_angles(count: int) -> Double:
    """Even angles (count,) from 0, counter-clockwise [rad]."""
    return np.asarray(2 * np.pi * np.arange(count) / count)


def circular_harmonics(angle: Floating, frequencies: int) -> Double:
    """Values of the orthonormal basis functions of (1).

    Args:
        angle: (...) [rad].
        frequencies: F.

    Returns:
        (..., 2 F + 1): 1, then sqrt(2) cos and sqrt(2) sin of k times the angle, k = 1 .. F.
    """
    angle = np.asarray(angle)
    turns = angle[..., None] * np.arange(1, frequencies + 1)
    waves = np.sqrt(2) * np.stack([np.cos(turns), np.sin(turns)], -1)
    return np.concatenate([np.ones((*angle.shape, 1)),
                           waves.reshape(*angle.shape, 2 * frequencies)], -1)


def forward(values: Floating, frequencies: int) -> Floating:
    """Transforms samples at even angles; the basis is orthogonal on them.

    Args:
        values: (..., N) at `circle_angles`, float32 or float64.
        frequencies: F.

    Returns:
        (..., 2 F + 1) coefficients, of the same dtype: exact for functions of frequency F, else
        of the function nearest to the samples.

    Raises:
        ConfigError: N samples do not resolve F: N < 2 F + 1.
    """
    count = values.shape[-1]
    if not 0 <= frequencies <= (count - 1) / 2:
        raise ConfigError(f'{count} samples resolve frequencies up to {(count - 1) // 2}, '
                          f'not {frequencies}')
    basis = circular_harmonics(circle_angles(count), frequencies) / count
    return values @ basis.astype(values.dtype)


def evaluate(coefficients: Floating, angle: Floating) -> Floating:
    """Inverse transform: values of functions at any angles.

    Args:
        coefficients: (..., 2 F + 1), float32 or float64.
        angle: (N,) [rad].

    Returns:
        (..., N), of the dtype of the coefficients.

    Raises:
        InputError: The number of coefficients is not odd.
    """
    basis = circular_harmonics(angle, _frequencies(coefficients))
    return coefficients @ basis.T.astype(coefficients.dtype)


def shift(coefficients: Floating, angle: Floating | float) -> Floating:
    """Turns functions: ``f(a - angle)``, so that peaks move by +angle.

    Args:
        coefficients: (..., 2 F + 1), float32 or float64.
        angle: (...) [rad], broadcast against the functions.

    Returns:
        (..., 2 F + 1), of the same dtype.

    Raises:
        InputError: The number of coefficients is not odd.
    """
    turns = np.asarray(angle)[..., None] * np.arange(1, _frequencies(coefficients) + 1)
    cosine, sine = coefficients[..., 1::2], coefficients[..., 2::2]
    cos, sin = np.cos(turns), np.sin(turns)
    pairs = np.stack([cos * cosine - sin * sine, sin * cosine + cos * sine], -1)
    *batch, frequencies, _ = pairs.shape
    mean = np.broadcast_to(coefficients[..., :1], (*batch, 1))
    shifted = np.concatenate([mean, pairs.reshape(*batch, 2 * frequencies)], -1)
    return shifted.astype(coefficients.dtype)


def argmax(coefficients: Floating) -> Maximum:
    """Finds the largest values of functions on the circle.

    A parabola through each sample and its neighbours tells which peak is highest; Newton's method
    goes on from there.

    Law: turning a function turns the answer.

    Args:
        coefficients: (..., 2 F + 1).

    Returns:
        One maximum for each function; where several are equally high, one of them.

    Raises:
        InputError: The number of coefficients is not odd, or they are not finite.
    """
    frequencies = _frequencies(coefficients)
    if not np.isfinite(coefficients).all():
        raise InputError('coefficients must be finite')
    functions = np.asarray(coefficients, np.float64)
    count = _SAMPLES_PER_WAVE * max(frequencies, 1)
    values = evaluate(functions, circle_angles(count))
    before, after = np.roll(values, 1, -1), np.roll(values, -1, -1)
    is_peak = (values >= before) & (values >= after)
    bend = np.where(is_peak, np.minimum(before - 2 * values + after, -1e-300), -1.)
    offset = (before - after) / (2 * bend)
    height = np.where(is_peak, values - (before - after) * offset / 4, -np.inf)
    best = height.argmax(-1)[..., None]
    start = (best + np.take_along_axis(offset, best, -1)) * (2 * np.pi / count)
    return _newton(functions, start[..., 0], np.pi / count)


def _newton(functions: Double, angle: Double, longest: float) -> Maximum:
    """Climbs from starts close to maxima, by steps up to `longest` [rad]."""
    wave = np.concatenate([[0], np.repeat(np.arange(1, _frequencies(functions) + 1), 2)])
    for _ in range(_ITERATIONS):
        basis = circular_harmonics(angle, (len(wave) - 1) // 2)
        turned = np.zeros_like(functions)      # the derivative's coefficients, wave by wave
        turned[..., 1::2], turned[..., 2::2] = functions[..., 2::2], -functions[..., 1::2]
        slope = (turned * wave * basis).sum(-1)
        curvature = -(functions * wave ** 2 * basis).sum(-1)
        step = slope / np.maximum(np.abs(curvature), 1e-300)
        angle = angle + np.clip(step, -longest, longest)
    value = (functions * circular_harmonics(angle, (len(wave) - 1) // 2)).sum(-1)
    return Maximum(np.asarray(angle % (2 * np.pi)), np.asarray(value))


def _frequencies(coefficients: Floating) -> int:
    """F of coefficients (..., 2 F + 1).

    Raises:
        InputError: Their number is not odd.
    """
    if coefficients.ndim < 1 or coefficients.shape[-1] % 2 == 0:
        raise InputError(f'the last axis of coefficients must be odd, '
                         f'got shape {coefficients.shape}')
    return int(coefficients.shape[-1] // 2)
