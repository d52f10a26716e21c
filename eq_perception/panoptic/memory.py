"""What earlier scans said about a place: a recursive sum of log-probabilities.

Each voxel of the odometry frame keeps ``S_t = DECAY * S_(t-1) + mean of log p_t`` over its points;
a point is judged by ``log p_t + WEIGHT * S_(t-1)``. What the sensor saw well from nearby stays
known when it is far off, and what one scan leaves open the next may tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from eq_perception.panoptic.classes import CLASS_NAMES

DECAY = .9      # what is left of the past after one more scan of a place
WEIGHT = .5     # of the past beside the scan at hand
VOXEL = np.array([.4, .4, .5])              # [m]
BITS = (8, 8, 4)                            # binary logarithms of the voxels along each axis
EXTENT = VOXEL * 2 ** np.array(BITS) / 2    # no two places this near the sensor share a slot [m]
NUM_CLASSES = len(CLASS_NAMES)

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Integer = NDArray[np.int64]


@dataclass(eq=False)
class ClassMemory:
    """A table of voxels about the sensor; what leaves it on one side enters on the other.

    Law: quarter turns of the odometry frame move voxels to voxels and change no answer; turns of
    the sensor do not touch them at all.
    """

    _sum: Float = field(init=False, repr=False)
    _voxel: Integer = field(init=False, repr=False)
    _gathered: Float = field(init=False, repr=False)
    _filled: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        """Starts empty."""
        slots = 2 ** sum(BITS)
        self._sum = np.zeros((slots, NUM_CLASSES), np.float32)
        self._voxel = np.full(slots, -1)
        self._gathered = np.empty((0, NUM_CLASSES), np.float32)

    def reset(self) -> None:
        """Forgets everything; costs nothing where nothing is known, as without odometry."""
        if self._filled:
            self._voxel[:] = -1
        self._filled = False

    def recall(self, xyz: Float, pose: Double, evidence: Float, asking: NDArray[np.bool_]) -> None:
        """Joins a scan with what is remembered of its places, and remembers it.

        Args:
            xyz: (N, 3) points in the sensor's frame [m].
            pose: (4, 4) odometry frame <- sensor.
            evidence: (N, 20) of the scan at hand, see `postprocess.evidence_of`; what is
                remembered is added in place. Nothing is of places beyond `EXTENT`.
            asking: (N,) which points take part.
        """
        # Not as a matrix product: the threads of a BLAS spin on after it, on the cores that the
        # next inference wants.
        x, y, z = xyz.T
        apart = [np.asarray(a * x + b * y + c * z)
                 for a, b, c in pose[:3, :3].astype(np.float32)]
        rows = np.flatnonzero(asking & (np.hypot(apart[0], apart[1]) < EXTENT[0])
                              & (np.abs(apart[2]) < EXTENT[2]))
        cells = [np.floor((apart[axis][rows] + pose[axis, 3]) / VOXEL[axis]).astype(np.int64)
                 for axis in range(3)]
        touched, place, newest = self._distinct(cells)
        past = np.zeros((len(touched) + 1, NUM_CLASSES), np.float32)    # the last for the others
        past[:-1] = self._sum[touched]
        past[:-1][self._voxel[touched] != newest] = 0

        member = np.full(len(xyz), len(touched), np.int32)
        member[rows] = place
        points = csc_matrix((np.ones(len(xyz), np.float32), member, np.arange(len(xyz) + 1)),
                            (len(past), len(xyz)))
        number = np.bincount(place, minlength=len(touched)).astype(np.float32)
        self._sum[touched] = DECAY * past[:-1] + (points @ evidence)[:-1] / number[:, None]
        self._voxel[touched] = newest
        self._filled = True
        past *= WEIGHT
        # One gather into memory that is already there: fresh pages would cost more than the sums.
        if len(self._gathered) < len(xyz):
            self._gathered = np.empty((len(xyz), NUM_CLASSES), np.float32)
        evidence += np.take(past, member, axis=0, out=self._gathered[:len(xyz)], mode='clip')

    def _distinct(self, cells: list[Integer]) -> tuple[Integer, NDArray[np.int32], Integer]:
        """Finds the voxels of points (N,) without sorting.

        Returns:
            Slots (M,) in the table, place among them of each point (N,), voxels (M,).
        """
        slot, voxel = np.zeros((2, len(cells[0])), np.int64)
        for cell, bits in zip(cells, BITS, strict=True):
            slot = slot << bits | cell & (1 << bits) - 1
            voxel = voxel << 21 | cell & (1 << 21) - 1
        seen = np.zeros(len(self._voxel), bool)
        seen[slot] = True
        touched = np.flatnonzero(seen)
        rank = np.empty(len(self._voxel), np.int32)
        rank[touched] = np.arange(len(touched))
        member = rank[slot]
        newest = np.empty(len(touched), np.int64)
        newest[member] = voxel
        return touched, member, newest
