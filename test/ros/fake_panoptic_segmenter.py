"""The real node and tracker around a model that finds one object in the middle of the points.

What it was given shows in what it answers: the class of all points is car without a pose and
bicycle with one, whose x [m], divided by 100, is the probability.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_perception.nodes.panoptic_segmenter import PanopticSegmenterNode
from eq_perception.nodes.panoptic_segmenter import Parameters
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.segmenter import PanopticScan
from eq_perception.tracking.tracker import Tracker
from eq_ros.process import run

RAISE = 101  # [m], x of the first point
CAR, BICYCLE = 1, 2


class FakeSegmenter:
    """Answers with one tracked box at the mean of the points."""

    def __init__(self) -> None:
        self.config = SegmenterConfig()
        self.tracker = Tracker()
        self.timing = {'preprocess': 1., 'inference': 2., 'postprocess': 3., 'tracking': 4.}

    def reset(self) -> None:
        self.tracker.reset()

    def segment(self, points: Points, pose: NDArray[np.float64] | None) -> PanopticScan:
        if round(float(points.xyz[0, 0])) == RAISE:
            raise ValueError('told to\nraise')
        count = len(points)
        boxes = Boxes3D(points.xyz.mean(axis=0, keepdims=True).astype(float), [[4., 2., 1.5]],
                        [0.5], [0], [0.9], covariance=[np.eye(2) * .01],
                        frame_id=points.frame_id, stamp=points.stamp)
        objects = self.tracker.update(boxes, pose, points.stamp)
        return PanopticScan(
            points, np.full(count, CAR if pose is None else BICYCLE, np.uint8),
            np.full(count, self.tracker.assignment[0], np.uint32),
            np.full(count, 0. if pose is None else pose[0, 3] / 100, np.float32),
            objects.select(self.tracker.confirmed))


def make(parameters: Parameters) -> FakeSegmenter:
    return FakeSegmenter()


if __name__ == '__main__':
    sys.exit(run(lambda: PanopticSegmenterNode(make)))
