"""Sample efficiency: the C4 panoptic segmenter and its plain twin at equal operations.

Every cell trains one network, detection and panoptic heads together and from nothing, on a part of
the same scenes and scores it on the same unseen test sequences, upright and with each sequence
turned by one random yaw. Range +-25.6 m, one sweep, so that the whole table can be made on two
CPU cores. Results go to bench/results/segmenter_sample_efficiency.json cell by cell; a repeated
command continues.

    .venv/bin/python bench/segmenter_sample_efficiency.py --work runs/segmenter_sample_efficiency
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
import sys
from time import monotonic

import cells
import numpy as np

from eq_eval.datasets.scan import LabeledScan
from eq_eval.held_out import held_out_sequences
from eq_eval.panoptic_evaluation import run_sequence
from eq_eval.panoptic_evaluation import Scores
from eq_eval.rotation import turned
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.export import export_segmenter
from eq_eval.training.recipe import SegmenterRecipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.segmenter import train_segmenter
from eq_perception.detection.config import DetectorConfig
from eq_perception.panoptic.classes import UNLABELED
from eq_perception.panoptic.config import SegmenterConfig
from eq_perception.panoptic.model import plain_twin
from eq_perception.panoptic.segmenter import Segmenter

RANGE = 25.6
CONFIG = SegmenterConfig(DetectorConfig(point_cloud_range=RANGE, max_pillars=8192, max_sweeps=1),
                         max_points=65536)
VARIANTS = {'C4, yaw +-45': (CONFIG, 45.), 'plain, yaw +-45': (plain_twin(CONFIG), 45.),
            'plain, yaw +-180': (plain_twin(CONFIG), 180.)}
ITERATIONS = {.05: 300, .25: 600, 1.: 1000}   # under ten minutes a cell on one core
POINTS_PER_SCAN = 4096
FIGURES = ('LSTQ', 'S_assoc', 'S_cls', 'mIoU', 'PQ', 'PQ_things', 'PQ_stuff', 'class_IoU')
NAME = 'segmenter_sample_efficiency'


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table."""
    parser = cells.parser(__doc__.splitlines()[0], f'runs/{NAME}', 'runs/scenes', 1200, VARIANTS)
    parser.add_argument('--test-sequences', type=int, default=10)
    parser.add_argument('--test-scans', type=int, default=20, help='of each sequence')
    options = parser.parse_args(arguments)
    train = cells.training_scenes(options)
    recording = held_out_sequences(options.test_sequences, options.test_scans)
    test = [[judged_in_range(scan) for scan in group]
            for _, group in groupby(recording.scans(), key=lambda scan: scan.sequence)]
    cells.fill(NAME, options, lambda cell: run_cell(cell, train, test, options),
               {'test_sequences': len(test), 'test_scans': options.test_scans, 'range': RANGE,
                'note': 'the number of iterations is a budget, not convergence'}, 'LSTQ')


def run_cell(cell: cells.Cell, train: ScanStore, test: list[list[LabeledScan]],
             options: argparse.Namespace) -> cells.Row:
    """Trains and scores one network."""
    config, yaw = VARIANTS[cell.variant]
    # As `eq train segmenter`: what the ground is made of shows in its intensity alone.
    recipe = SegmenterRecipe(detector=config.detector,
                             augmentation=Augmentation(yaw, intensity=.2),
                             iterations=ITERATIONS[cell.fraction], fraction=cell.fraction,
                             seed=cell.seed, threads=options.threads, segmenter=config,
                             points_per_scan=POINTS_PER_SCAN)
    run = train_segmenter(recipe, train, cell.folder)
    bundle = cell.folder / 'bundle'
    export_segmenter(run.exported(), bundle, test[0][0].points, NAME, {'seed': cell.seed}, '')
    segmenter = Segmenter.from_bundle(bundle, threads=options.threads)
    angles = np.random.default_rng(7).uniform(0, 360, len(test))
    return cell.row(run, train) | {'upright': score(segmenter, test, np.zeros(len(test))),
                                   'turned': score(segmenter, test, angles)}


def judged_in_range(scan: LabeledScan) -> LabeledScan:
    """Leaves the labels of the disc that is in range however the scan is turned, and no more."""
    if scan.semantic is None or scan.instance is None:
        raise ValueError(f'{scan.sequence} has no labels of points')
    distance = np.hypot(*scan.points.xyz[:, :2].T)
    near = distance < RANGE * 2 ** .5    # what some turn brings onto the square grid
    semantic = np.where(distance < RANGE, scan.semantic, UNLABELED).astype(scan.semantic.dtype)
    return replace(scan, points=scan.points.select(near), semantic=semantic[near],
                   instance=scan.instance[near])


def score(segmenter: Segmenter, sequences: list[list[LabeledScan]], degrees: np.ndarray
          ) -> dict[str, object]:
    """4D panoptic scores over sequences that are each turned by their angle."""
    scores = Scores()
    for sequence, angle in zip(sequences, degrees, strict=True):
        seen = [turned(scan, float(angle)) for scan in sequence]
        answers, _ = run_sequence(segmenter, seen)
        for scan, answer in zip(seen, answers, strict=True):
            scores.add(scan, (answer.semantic, answer.instance))
    result = scores.result()
    return {name: result[name] for name in FIGURES}


if __name__ == '__main__':
    started = monotonic()
    main()
    sys.stderr.write(f'{monotonic() - started:.0f} s\n')
