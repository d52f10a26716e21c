"""Sample efficiency: the C4 detector, its plain twin and a polar one at equal operations.

Every cell trains one network on a part of the same scenes and scores it on the same unseen test
worlds, upright and turned by a random yaw per scan. Range +-25.6 m, one sweep, so that the whole
table can be made on two CPU cores. Results go to bench/results/sample_efficiency.json cell by
cell; a repeated command continues.

    .venv/bin/python bench/sample_efficiency.py --work runs/sample_efficiency
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
import sys
from time import monotonic

import cells
import numpy as np

from eq_eval.datasets.scan import LabeledScan
from eq_eval.held_out import held_out_worlds
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.rotation import turned
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import train_detector
from eq_eval.training.export import export_detector
from eq_eval.training.recipe import Recipe
from eq_eval.training.scan_store import ScanStore
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.model import plain_twin

RANGE = 25.6
CONFIG = DetectorConfig(point_cloud_range=RANGE, max_pillars=4096)
# Near the sensor polar cells are small and more of them hold points; with that many rows about as
# many scans as on the Cartesian grid lose outer pillars, from about the same range on.
POLAR = replace(plain_twin(CONFIG), grid='polar', max_pillars=5376)
VARIANTS = {'C4, yaw +-45': (CONFIG, 45.), 'plain, yaw +-45': (plain_twin(CONFIG), 45.),
            'plain, yaw +-180': (plain_twin(CONFIG), 180.), 'polar, yaw +-45': (POLAR, 45.)}
ITERATIONS = {.05: 750, .25: 1500, 1.: 3000}   # every scene is seen 13 times or more
CURVE_DEGREES = tuple(range(0, 360, 15))
CLASS_RANGE = dict.fromkeys(CONFIG.class_names, RANGE - 1)
NAME = 'sample_efficiency'


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table."""
    parser = cells.parser(__doc__.splitlines()[0], f'runs/{NAME}', 'runs/scenes', 900, VARIANTS)
    parser.add_argument('--test-scans', type=int, default=420)
    options = parser.parse_args(arguments)
    train = cells.training_scenes(options)
    test = list(held_out_worlds(options.test_scans).scans())
    cells.fill(NAME, options, lambda cell: run_cell(cell, train, test, options),
               {'test_scans': len(test), 'range': RANGE}, 'mAP')


def run_cell(cell: cells.Cell, train: ScanStore, test: list[LabeledScan],
             options: argparse.Namespace) -> cells.Row:
    """Trains and scores one network."""
    config, yaw = VARIANTS[cell.variant]
    recipe = Recipe(detector=config, augmentation=Augmentation(yaw),
                    iterations=ITERATIONS[cell.fraction], fraction=cell.fraction, seed=cell.seed,
                    threads=options.threads)
    run = train_detector(recipe, train, cell.folder)
    bundle = cell.folder / 'bundle'
    export_detector(run.exported(), bundle, test[0].points, NAME, {'seed': cell.seed}, '')
    detector = Detector.from_bundle(bundle, score_threshold=.05, threads=options.threads)
    angles = np.random.default_rng(7).uniform(0, 360, len(test))
    row = cell.row(run, train) | {'upright': score(detector, test, np.zeros(len(test))),
                                  'turned': score(detector, test, angles)}
    if cell.fraction == 1 and cell.seed == options.seeds[0]:
        some = test[::7]          # turned to every angle, the whole set would take hours
        row['curve'] = {str(angle): score(detector, some, np.full(len(some), float(angle)))
                        for angle in CURVE_DEGREES}
    return row


def score(detector: Detector, scans: list[LabeledScan], degrees: np.ndarray
          ) -> dict[str, object]:
    """NuScenes AP over scans that are each turned by their angle."""
    found, wanted = [], []
    for scan, angle in zip(scans, degrees, strict=True):
        near = np.abs(scan.points.xyz[:, :2]).max(1) < 1.5 * RANGE
        seen = turned(replace(scan, points=scan.points.select(near)), float(angle))
        found.append(detector.detect(seen.points))
        wanted.append(seen.boxes)
    result = evaluate_nuscenes(found, wanted, detector.class_names, CLASS_RANGE,
                               [scan.num_points for scan in scans], with_velocity=False)
    return {'mAP': result.mean_ap, 'mAP_car_truck': result.mean_over(('car', 'truck')),
            'AP': {name: result.class_ap(name) for name in result.ap},
            'car_orientation_error': result.class_errors['car']['orientation']}


if __name__ == '__main__':
    started = monotonic()
    main()
    sys.stderr.write(f'{monotonic() - started:.0f} s\n')
