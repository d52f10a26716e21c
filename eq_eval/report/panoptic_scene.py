"""What the pictures of one panoptic answer show."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points

TRAIL = 15  # scans


@dataclass(frozen=True, eq=False)
class PanopticScene:
    """One scan with a class and an object for every point, all in the sensor's frame.

    Attributes:
        title: Such as ``'scan 12'``.
        points: The scan.
        semantic: (N,) train ids, None where there was no answer.
        instance: (N,) object of each point, 0 for none; None where there was no answer.
        objects: Tracked objects; `track_id` are the instances.
        class_names: Names that the labels of `objects` index.
        trails: Object to (K, 2) positions [m], the oldest first and the present one last.
        truth: (N,) train ids of the data set, None where it has none.
        status: What became of the scan.
    """

    title: str
    points: Points
    semantic: NDArray[np.integer] | None
    instance: NDArray[np.integer] | None
    objects: Boxes3D
    class_names: tuple[str, ...]
    trails: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    truth: NDArray[np.integer] | None = None
    status: str = 'published'


def trails(objects: Sequence[Boxes3D | None], poses: Sequence[NDArray[np.float64]], place: int,
           length: int = TRAIL) -> dict[int, NDArray[np.float64]]:
    """Where the objects of one scan have been shortly before.

    Args:
        objects: Tracked objects of each scan in its sensor frame; None where there was no answer.
        poses: (4, 4) odom <- sensor of each scan; identity where unknown, which leaves the trails
            in the frame of the moving sensor.
        place: The scan to end with.
        length: Scans to look back.

    Returns:
        Object to (K, 2) float64 positions in the sensor frame of scan `place`, K at least 2.
    """
    now = objects[place]
    if now is None:
        return {}
    home = np.linalg.inv(poses[place])
    paths: dict[int, list[NDArray[np.float64]]] = {
        key: [] for key in now.track_id.tolist() if key >= 0}
    for index in range(max(0, place - length), place + 1):
        boxes = objects[index]
        if boxes is None:
            continue
        moved = boxes.transformed(home @ poses[index])
        for key, center in zip(boxes.track_id.tolist(), moved.center, strict=True):
            if key in paths:
                paths[key].append(center[:2])
    return {key: np.array(path) for key, path in paths.items() if len(path) > 1}
