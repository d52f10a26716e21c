"""Draws what the detector finds in a simulated street: `draw.py FILE.png [MODEL]`."""

from __future__ import annotations

from pathlib import Path
import sys

from eq_eval.report.picture import write_picture
from eq_eval.report.scene import Scene
from eq_eval.simulation import simulate_sequence
from eq_perception.detection.detector import Detector

MODEL = Path(__file__).resolve().parents[2] / 'models' / 'lidar_detector'
SEED = 4  # the street of `eq demo`


def main() -> None:
    """Simulates one scan, detects, draws."""
    detector = Detector.from_bundle(sys.argv[2] if len(sys.argv) > 2 else MODEL)
    scan = next(iter(simulate_sequence('street', 'hdl64e', SEED, 1, 'test')))
    boxes = detector.detect(scan.points)
    write_picture(Path(sys.argv[1]),
                  Scene('scan', scan.points, boxes, None, detector.class_names))


if __name__ == '__main__':
    main()
