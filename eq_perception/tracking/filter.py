"""Kalman filters of many tracks at once: planar constant velocity, and bare scalars.

The planar state is (x, y, vx, vy). Its process noise is isotropic, so turning measurements,
means and covariances by one angle before a step equals turning the result after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POSITION = slice(0, 2)
VELOCITY = slice(2, 4)


def predict(mean: Array, covariance: Array, dt: float, acceleration: Array
            ) -> tuple[Array, Array]:
    """Moves states ahead under white acceleration noise.

    The noise over dt is ``q^2 [[dt^3/3, dt^2/2], [dt^2/2, dt]] (x) I2`` (Bar-Shalom et al.,
    Estimation with Applications to Tracking and Navigation, eq. 6.2.2-4).

    Args:
        mean: (N, 4) [m, m/s].
        covariance: (N, 4, 4).
        dt: Time step [s], not negative.
        acceleration: (N,) q, square root of the noise's spectral density [m/s^1.5].

    Returns:
        (N, 4) means and (N, 4, 4) covariances.
    """
    identity = np.eye(2)
    step = np.kron([[1., dt], [0., 1.]], identity)
    noise = np.kron([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]], identity)
    return (mean @ step.T,
            step @ covariance @ step.T + np.square(acceleration)[:, None, None] * noise)


def correct(mean: Array, covariance: Array, part: slice, measured: Array, noise: Array
            ) -> tuple[Array, Array]:
    """Joins states with a measurement of their position or velocity, in Joseph's form.

    Args:
        mean: (N, 4) [m, m/s].
        covariance: (N, 4, 4).
        part: `POSITION` or `VELOCITY`.
        measured: (N, 2).
        noise: (N, 2, 2) covariance of `measured`.

    Returns:
        (N, 4) means and (N, 4, 4) covariances, exactly symmetric.
    """
    innovation = covariance[:, part, part] + noise
    gain = covariance[:, :, part] @ np.linalg.inv(innovation)               # (N, 4, 2)
    left = np.tile(np.eye(4), (len(mean), 1, 1))
    left[:, :, part] -= gain
    joined = (left @ covariance @ left.transpose(0, 2, 1)
              + gain @ noise @ gain.transpose(0, 2, 1))
    correction = (gain @ (measured - mean[:, part])[:, :, None])[:, :, 0]
    return mean + correction, (joined + joined.transpose(0, 2, 1)) / 2


def correct_scalar(mean: Array, variance: Array, measured: Array, noise: Array | float
                   ) -> tuple[Array, Array]:
    """Joins independent numbers with measurements of them.

    Args:
        mean: Any shape.
        variance: Same shape.
        measured: Same shape.
        noise: Variance of `measured`, broadcast.

    Returns:
        Means and variances of the same shape.
    """
    gain = variance / (variance + noise)
    return mean + gain * (measured - mean), (1 - gain) * variance


def mahalanobis(first: Array, first_covariance: Array, second: Array, second_covariance: Array
                ) -> tuple[Array, Array]:
    """Squared distance of all pairs of planar points in units of their joint noise.

    Args:
        first: (N, 2) [m].
        first_covariance: (N, 2, 2) [m^2].
        second: (M, 2) [m].
        second_covariance: (M, 2, 2) [m^2].

    Returns:
        (N, M) squared distances and (N, M) log determinants of the joint covariances.
    """
    x, y = (np.subtract.outer(first[:, i], second[:, i]) for i in range(2))
    xx, xy, yy = (np.add.outer(first_covariance[:, i, j], second_covariance[:, i, j])
                  for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = xx * yy - xy**2
    return (yy * x**2 - 2 * xy * x * y + xx * y**2) / determinant, np.log(determinant)
