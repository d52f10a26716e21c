"""The real node around a model that does what the first point of a cloud tells it to."""

from __future__ import annotations

import os
from pathlib import Path
import sys
import time

import numpy as np

if 'EQ_TEST_WITHOUT_VISION_MSGS' in os.environ:
    sys.modules['vision_msgs'] = None  # type: ignore[assignment]  # as where it is not installed

from eq_core.errors import BackendError
from eq_core.errors import BundleError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_perception.nodes.lidar_detector import LidarDetectorNode
from eq_perception.nodes.lidar_detector import Parameters
from eq_ros.process import run

RAISE, NAN_BOX, BACKEND, SLOW, IMPOSSIBLE, GATED = 101, 102, 103, 104, 105, 106  # [m], first x
SLOW_SECONDS = 0.5
GATE = 'EQ_TEST_GATE'  # variable that names the file for which a gated cloud waits


class FakeDetector:
    """Answers with one box at the mean of the points."""

    class_names = ('car', 'truck', 'pedestrian', 'cyclist')

    def __init__(self) -> None:
        self.timing = {'preprocess': 1., 'inference': 2., 'postprocess': 3.}

    def detect(self, points: Points) -> Boxes3D:
        order = round(float(points.xyz[0, 0]))
        if order == RAISE:
            raise ValueError('told to\nraise')
        if order == BACKEND:
            raise BackendError('told to fail')
        if order == SLOW:
            time.sleep(SLOW_SECONDS)
        while order == GATED and not Path(os.environ[GATE]).exists():
            time.sleep(0.01)
        center = points.xyz.mean(axis=0, keepdims=True).astype(float)
        if order == NAN_BOX:
            center[0, 1] = np.nan
        size = [[0. if order == IMPOSSIBLE else 4., 2., 1.5]]
        return Boxes3D(center, size, [0.5], [0], [0.9], frame_id=points.frame_id,
                       stamp=points.stamp)


def make(parameters: Parameters) -> FakeDetector:
    """Refuses one path, takes all others."""
    if parameters.model_path == 'broken':
        raise BundleError('told to\nrefuse')
    return FakeDetector()


if __name__ == '__main__':
    sys.exit(run(lambda: LidarDetectorNode(make)))
