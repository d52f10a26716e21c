"""Objects of labelled frames, set down in others (SECOND, Yan et al. 2018, section 3.4).

An object keeps its distance from the sensor and is only turned about it, so that it is seen from
the same side and with the same density of points; it stands on the ground of the other frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import points_in_boxes
from eq_eval.rotation import yaw_pose
from eq_eval.training.labeled_frames import Frame
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.preprocess import fit_ground

FEWEST_POINTS = 5
MARGIN = .1     # of a box, whose points are taken along or make room [m]
GAP = .3        # between the circles around two objects [m]
TRIES = 10      # of turns until an object stands free


@dataclass(frozen=True, eq=False)
class Cut:
    """An object that was cut out.

    Attributes:
        points: Its points; heights are above the ground.
        box: Its box, likewise.
    """

    points: Points
    box: Boxes3D


class ObjectBank:
    """Objects to paste, drawn evenly by class."""

    def __init__(self, frames: Sequence[Frame], config: DetectorConfig) -> None:
        """Cuts out what is seen well enough.

        Args:
            frames: Where objects are taken from.
            config: The detector's range.
        """
        self._config = config
        self._cuts: dict[int, list[Cut]] = {}
        for frame in frames:
            points, boxes = frame.scan.points, frame.boxes
            ground = self._ground(points)
            for row, index in enumerate(points_in_boxes(points.xyz, boxes, MARGIN)):
                if min(frame.num_points[row], len(index)) >= FEWEST_POINTS:
                    box = boxes.select(np.array([row]))
                    down = _lift(-_height(ground, box.center[0]))
                    self._cuts.setdefault(int(box.label[0]), []).append(
                        Cut(points.select(index).transformed(down), box.transformed(down)))

    def paste(self, frame: Frame, count: int, rng: np.random.Generator
              ) -> tuple[Points, Boxes3D, NDArray[np.int64]]:
        """Sets objects down where the frame is labelled and free.

        Args:
            frame: What it is pasted into.
            count: Objects that are tried.
            rng: Draws objects and places.

        Returns:
            Points, boxes and their numbers of points, of the frame and what came.
        """
        points, boxes, numbers = frame.scan.points, frame.boxes, frame.num_points
        if not self._cuts:
            return points, boxes, numbers
        ground = self._ground(points)
        for _ in range(count):
            kind = sorted(self._cuts)[rng.integers(len(self._cuts))]
            cut = self._cuts[kind][rng.integers(len(self._cuts[kind]))]
            for _ in range(TRIES):
                motion = yaw_pose(float(rng.uniform(0, 360)))
                place = cut.box.transformed(motion).center[0]
                motion[2, 3] = _height(ground, place)
                box = cut.box.transformed(motion)
                if not self._free(box, boxes, frame):
                    continue
                covered, = points_in_boxes(points.xyz, box, MARGIN)
                points = _joined(points.select(np.delete(np.arange(len(points)), covered)),
                                 cut.points.transformed(motion))
                boxes = _boxes_joined(boxes, box)
                numbers = np.append(numbers, len(cut.points))
                break
        return points, boxes, numbers

    def _ground(self, points: Points) -> NDArray[np.float64]:
        return fit_ground(points.xyz, self._config.point_cloud_range, self._config.grid)

    def _free(self, box: Boxes3D, boxes: Boxes3D, frame: Frame) -> bool:
        """Whether a box stands in the labelled part and away from all others."""
        cell, inside = self._config.head_grid.locate(box.center)
        if not (inside[0] and frame.known[cell[0]]):
            return False
        reach = np.hypot(boxes.size[:, 0], boxes.size[:, 1]) / 2
        own = np.hypot(*box.size[0, :2]) / 2
        away = np.linalg.norm(boxes.center[:, :2] - box.center[0, :2], axis=1)
        return bool((away > reach + own + GAP).all())


def _height(ground: NDArray[np.float64], place: NDArray[np.float64]) -> float:
    return float(ground[0] * place[0] + ground[1] * place[1] + ground[2])


def _lift(height: float) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[2, 3] = height
    return pose


def _joined(points: Points, more: Points) -> Points:
    return replace(points, xyz=np.concatenate([points.xyz, more.xyz]),
                   intensity=np.concatenate([points.intensity, more.intensity]),
                   time_offset=np.concatenate([points.time_offset, more.time_offset]))


def _boxes_joined(boxes: Boxes3D, more: Boxes3D) -> Boxes3D:
    center, size, yaw, label = (
        np.concatenate([getattr(boxes, name), getattr(more, name)])
        for name in ('center', 'size', 'yaw', 'label'))
    return Boxes3D(center, size, yaw, label)    # one scan tells no velocity
