"""What every data set, real or simulated, yields: one labelled scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points


@dataclass(frozen=True, eq=False)
class LabeledScan:
    """One scan with whatever truth is known of it.

    Attributes:
        points: The scan, in the sensor's frame (x forward, y left, z up).
        pose: (4, 4) float64, odom/world <- sensor frame; identity where unknown.
        boxes: Objects in the sensor's frame, `Boxes3D.label` indexing `class_names`, or None
            where the data set has no boxes for this scan.
        semantic: (N,) uint16 class of each point in the data set's own ids, or None.
        instance: (N,) uint32 object of each point, 0 = none, stable over time, or None.
        sequence: Name of the recording.
        index: Position in the recording.
        class_names: Names that `boxes.label` indexes.
        num_points: (M,) int64 LiDAR points in each box, or None where not counted.
        field_of_view: (2,) azimuth limits [rad] inside which `boxes` is complete, or None for a
            full circle (KITTI labels the front camera's view only).
    """

    points: Points
    pose: NDArray[np.float64]
    boxes: Boxes3D | None = None
    semantic: NDArray[np.uint16] | None = None
    instance: NDArray[np.uint32] | None = None
    sequence: str = ''
    index: int = 0
    class_names: tuple[str, ...] = ('car', 'truck', 'pedestrian', 'cyclist')
    num_points: NDArray[np.int64] | None = None
    field_of_view: tuple[float, float] | None = None
