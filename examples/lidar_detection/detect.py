"""Five lines from a scan to boxes, without ROS.

`python examples/lidar_detection/detect.py [FILE]`

FILE is anything that `eq replay` plays: a bag, a PCD file, a KITTI folder. Without it a scan is
simulated.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
import sys

from eq_core.geometry.points import Points
from eq_perception.detection.detector import Detector

MODEL = Path(__file__).resolve().parents[2] / 'models' / 'lidar_detector'


def scans(arguments: list[str]) -> Iterable[Points]:
    """The scans of a recording, or one of a simulated street."""
    if arguments:
        from eq_eval.datasets.open import open_recording
        return (scan.points for scan in open_recording(arguments[0]).scans())
    from eq_eval.simulation import simulate_sequence
    return (scan.points for scan in simulate_sequence('street', 'hdl64e', 1, 1, 'test'))


def main() -> None:
    """Prints what is found in each scan."""
    detector = Detector.from_bundle(MODEL)
    for number, points in enumerate(scans(sys.argv[1:])):
        boxes = detector.detect(points)
        print(f'scan {number}: {len(points)} points, {len(boxes)} objects')
        for center, yaw, score, label in zip(
                boxes.center, boxes.yaw, boxes.score, boxes.label, strict=True):
            print(f'  {detector.class_names[label]:<10} {score:.2f}  at x {center[0]:6.1f} '
                  f'y {center[1]:6.1f} z {center[2]:5.1f} m, heading {yaw:+.2f} rad')


if __name__ == '__main__':
    main()
