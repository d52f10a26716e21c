"""How bright a point is beside the ground of its scan.

Units of one sensor differ in gain, and answers fade with distance and grazing incidence. The
median over the ground at about the same distance cancels all of that, so that asphalt of one
recording looks like asphalt of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 256            # intensities are told apart in steps of 1/255
RINGS = 16              # of equal ratio of distances, from 1 m to ...
FARTHEST = 100.         # [m]
FIRMNESS = 50.          # a ring of so many points is believed as much as the whole ground
DARKEST = .02           # keeps ratios to black ground finite

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Brightness:
    """Brightness of a scan's points.

    Attributes:
        expected: (N,) float32, intensity of ground at the distance of each point.
        relative: (N,) float32, intensity beside that.
        overall: Median intensity of the ground.
    """

    expected: Float
    relative: Float
    overall: float

    @classmethod
    def of_ground(cls, distance: Float, intensity: Float, ground: NDArray[np.int64]) -> Brightness:
        """Compares points with the ground of the scan.

        Args:
            distance: (N,) from the sensor [m].
            intensity: (N,) in [0, 1].
            ground: Rows of the points that are on the ground.
        """
        ring = (np.log(np.clip(distance, 1, .999 * FARTHEST)) * (RINGS / np.log(FARTHEST))
                ).astype(np.int64)
        level = np.clip(intensity[ground] * (LEVELS - 1) + .5, 0, LEVELS - 1).astype(np.int64)
        number = np.bincount(ring[ground] * LEVELS + level, minlength=RINGS * LEVELS)
        number = number.reshape(RINGS, LEVELS)
        overall = float(_median(number.sum(0, keepdims=True))[0])
        count = number.sum(1)
        median = (_median(number) * count + overall * FIRMNESS) / (count + FIRMNESS)
        expected = median.astype(np.float32)[ring]
        return cls(expected, intensity / (expected + np.float32(DARKEST)), overall)


def _median(number: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) medians of (K, LEVELS) histograms, 0 of empty ones."""
    running = number.cumsum(1)
    return np.asarray((2 * running >= running[:, -1:]).argmax(1) / (LEVELS - 1))
