"""The promise, seen: turn a scan by 90 degrees, and the boxes turn with it, to the last digits.

`python examples/lidar_detection/turn_the_world.py`
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eq_eval.rotation import yaw_pose
from eq_eval.simulation import simulate_sequence
from eq_perception.detection.detector import Detector

MODEL = Path(__file__).resolve().parents[2] / 'models' / 'lidar_detector'


def main() -> None:
    """Compares the boxes of a turned scan with the turned boxes of the scan."""
    detector = Detector.from_bundle(MODEL)
    scan = next(iter(simulate_sequence('street', 'hdl64e', 1, 1, 'test')))
    boxes = detector.detect(scan.points)
    print(f'{len(boxes)} objects')
    for degrees in (90, 180, 270, 30):
        turned = detector.detect(scan.points.transformed(yaw_pose(degrees)))
        expected = boxes.transformed(yaw_pose(degrees))
        distance = np.linalg.norm(turned.center[:, None] - expected.center[None], axis=-1)
        nearest = distance.min(axis=0, initial=np.inf)
        print(f'turned by {degrees:3d}: {len(turned)} objects, furthest from where it should be: '
              f'{nearest.max(initial=0.):.6f} m')


if __name__ == '__main__':
    main()
