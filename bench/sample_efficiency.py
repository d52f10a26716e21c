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
import json
from pathlib import Path
import sys
from time import monotonic

import numpy as np

from eq_eval.datasets.scan import LabeledScan
from eq_eval.held_out import held_out_worlds
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.results import store
from eq_eval.rotation import turned
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import train_detector
from eq_eval.training.export import export_detector
from eq_eval.training.recipe import Recipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scenes import make_scenes
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
ITERATIONS = {.05: 750, .25: 1500, 1.: 4000}   # every scene is seen 18 times or more
CURVE_DEGREES = tuple(range(0, 360, 15))
CLASS_RANGE = dict.fromkeys(CONFIG.class_names, RANGE - 1)
NAME = 'sample_efficiency'


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work', type=Path, default=Path('runs/sample_efficiency'))
    parser.add_argument('--scenes', type=Path, default=Path('runs/scenes'))
    parser.add_argument('--num-scenes', type=int, default=600)
    parser.add_argument('--test-scans', type=int, default=420)
    parser.add_argument('--fractions', type=float, nargs='+', default=[.05, .25, 1.])
    parser.add_argument('--variants', nargs='+', default=list(VARIANTS))
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args(arguments)
    for _ in make_scenes(options.scenes, options.num_scenes, 0):
        pass
    train = ScanStore.open(options.scenes).first(options.num_scenes)
    test = list(held_out_worlds(options.test_scans).scans())
    for seed in options.seeds:
        for fraction in options.fractions:
            for variant in options.variants:
                run_cell(variant, fraction, seed, train, test, options)


def run_cell(variant: str, fraction: float, seed: int, train: ScanStore,
             test: list[LabeledScan], options: argparse.Namespace) -> None:
    """Trains and scores one network, unless the table has it already."""
    config, yaw = VARIANTS[variant]
    key = f'{variant}, {fraction:.0%} of scenes, seed {seed}'
    table = options.work / 'cells'
    cell = table / (key.replace(' ', '_').replace('%', '').replace(',', '') + '.json')
    if not cell.exists():
        recipe = Recipe(config, Augmentation(yaw), ITERATIONS[fraction], fraction=fraction,
                        seed=seed, threads=options.threads)
        run = train_detector(recipe, train, options.work / cell.stem)
        export_detector(run.exported(), options.work / cell.stem / 'bundle', test[0].points,
                        NAME, {'seed': seed}, '')
        detector = Detector.from_bundle(options.work / cell.stem / 'bundle', score_threshold=.05,
                                        threads=options.threads)
        rng = np.random.default_rng(7)
        row = {'variant': variant, 'fraction': fraction, 'seed': seed,
               'scenes': max(1, round(len(train) * fraction)), 'iterations': run.step,
               'train_seconds': run.seconds,
               'weights': sum(each.numel() for each in run.model.parameters()),
               'first_loss': _loss(options.work / cell.stem, 0),
               'last_loss': _loss(options.work / cell.stem, -1),
               'upright': score(detector, test, np.zeros(len(test))),
               'turned': score(detector, test, rng.uniform(0, 360, len(test)))}
        if fraction == 1 and seed == options.seeds[0]:
            some = test[::7]          # turned to every angle, the whole set would take hours
            row['curve'] = {str(angle): score(detector, some, np.full(len(some), float(angle)))
                            for angle in CURVE_DEGREES}
        table.mkdir(parents=True, exist_ok=True)
        cell.write_text(json.dumps(row, indent=1))
    cells = [json.loads(path.read_text()) for path in sorted(table.glob('*.json'))]
    store(NAME, {'test_scans': len(test), 'range': RANGE, 'cells': cells},
          ['python', 'bench/sample_efficiency.py', *sys.argv[1:]], seed)
    row = json.loads(cell.read_text())
    sys.stderr.write(f'{key}: upright {row["upright"]["mAP"]:.3f}, '
                     f'turned {row["turned"]["mAP"]:.3f}\n')


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


def _loss(folder: Path, place: int) -> float:
    """Training loss of the first or last row of a log: how far a run has converged."""
    return float(json.loads((folder / 'log.jsonl').read_text().splitlines()[place])['total'])


if __name__ == '__main__':
    started = monotonic()
    main()
    sys.stderr.write(f'{monotonic() - started:.0f} s\n')
