"""Little labelled data: what equivariance, simulation and pre-training each bring on real scans.

Every row is one network, C4 or its plain twin of equal operations, that starts from random
weights, from simulation, or from simulation after pre-training without labels, and is adapted to
a few labelled scans. Recordings are in two folds; what is adapted on one fold is tested on the
other, and scans without labels are of recordings in neither. Range +-25.6 m, so that the table can
be made on two CPU cores. Rows go to WORK/cells one by one; a repeated command continues.

    .venv/bin/python bench/little_data.py --work runs/little_data
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import lru_cache
from itertools import product
import json
from pathlib import Path
from statistics import fmean
import sys
from typing import Any

from eq_core.runtime.bundle import Bundle
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.metrics.judged import Judged
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.results import store
from eq_eval.rotation import turned
from eq_eval.scores import cut
from eq_eval.scores import kitti_of
from eq_eval.training.augmentation import Augmentation
from eq_eval.training.detector import train_detector
from eq_eval.training.export import export_detector
from eq_eval.training.initial import initial_name
from eq_eval.training.labeled_frames import LabeledFrames
from eq_eval.training.pretraining import outcome
from eq_eval.training.pretraining import pretrain
from eq_eval.training.recipe import PretrainingRecipe
from eq_eval.training.recipe import Recipe
from eq_eval.training.scan_store import ScanStore
from eq_eval.training.scenes import make_scenes
from eq_eval.training.unlabeled import UnlabeledScans
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.model import plain_twin
from eq_perception.pretraining.config import Objectives

NAME = 'little_data'
RANGE = 25.6
CONFIG = DetectorConfig(point_cloud_range=RANGE, max_pillars=4096)
NETWORKS = {'C4': CONFIG, 'plain': plain_twin(CONFIG)}
# What is asked before simulation; nothing of the first two.
STARTS: dict[str, Objectives | None] = {
    'scratch': None, 'simulation': None, 'simulation + E-SSL': Objectives(),
    'simulation + occupancy': Objectives(contrastive=0., rotation=0., flow=0., occupancy=1.)}
# Fold -> recordings that are learnt from, and those of the test with the step between its scans.
FOLDS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, int], ...]]] = {
    'tracking': (('kitti_tracking_0000',),
                 (('kitti_object', 1), ('sustech_points', 1), ('av2', 1))),
    'others': (('kitti_object', 'sustech_points', 'av2'), (('kitti_tracking_0000', 4),))}
UNLABELED = ('semantickitti_00', 'rosbag/ouster_os1_128_3scans')
PRETRAINING_STEPS, SIMULATION_STEPS, ADAPTATION_STEPS = 400, 800, 120
SCRATCH_STEPS = 240     # on labelled scans alone; they are learnt by heart long before
PICTURE = Path(__file__).resolve().parents[1] / 'docs/images/little_data.png'
COLOURS = 'tab:gray', 'tab:blue', 'tab:orange', 'tab:green'      # of the starts
ANGLES = tuple(range(0, 360, 30))
CLASS_RANGE = dict.fromkeys(CONFIG.class_names, RANGE - 1)

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Where everything lies.

    Attributes:
        work: Folder of the table.
        data: Folder of the recordings.
        scenes: Simulated scenes.
        fraction: Part of them.
        seed: Of weights and draws.
    """

    work: Path
    data: Path
    scenes: ScanStore
    fraction: float
    seed: int

    @lru_cache      # noqa: B019 (the tables of a run are few)
    def start(self, network: str, name: str) -> tuple[Path | None, Row]:
        """Trains what rows begin with, and tells about it; nothing for random weights."""
        objectives = STARTS[name]
        if name == 'scratch':
            return None, {}
        folder = self.work / f'{network}_{name.replace(" ", "_")}_{self.fraction:g}_{self.seed}'
        initial, told = None, {}
        if objectives is not None:
            recorded = UnlabeledScans.read([open_recording(self.data / each)
                                            for each in UNLABELED])
            recipe = PretrainingRecipe(
                detector=NETWORKS[network], objectives=objectives, iterations=PRETRAINING_STEPS,
                learning_rate=1e-3, seed=self.seed, recorded=str(recorded))
            run = pretrain(recipe, self.scenes, folder / 'pretraining', recorded=recorded)
            initial = self.export(run.exported().online.network, folder / 'pretrained')
            told = {'pretraining': outcome(folder / 'pretraining'),
                    'pretraining_seconds': run.seconds}
        recipe = self.recipe(network, SIMULATION_STEPS, 3e-3, initial)
        run = train_detector(recipe, self.scenes, folder, initial=initial)
        self.export(run.exported(), folder / 'bundle')
        return folder / 'bundle', told | {'simulation_seconds': run.seconds}

    def recipe(self, network: str, steps: int, rate: float, initial: Bundle | None) -> Recipe:
        """Steps of a detector, from random weights or others."""
        return Recipe(detector=NETWORKS[network], augmentation=Augmentation(45., beams=.3),
                      iterations=steps, learning_rate=rate, seed=self.seed,
                      initial=initial_name(initial), fraction=self.fraction)

    def export(self, model: Any, path: Path) -> Bundle:
        """Writes a bundle; a street is enough of a golden scan."""
        scan = self.scenes.load(0, [0])[0]
        return export_detector(model, path, scan.points, NAME, {'seed': self.seed}, '')

    def row(self, network: str, name: str, fold: str, frames: int) -> Row:
        """Trains and scores one row."""
        bundle, told = self.start(network, name)
        learnt, tested = FOLDS[fold]
        if frames:
            initial = None if bundle is None else Bundle.load(bundle)
            labeled = LabeledFrames.read([open_recording(self.data / each) for each in learnt],
                                         NETWORKS[network], frames)
            # From random weights there is nothing that simulated scenes would keep alive.
            scenes = self.scenes if initial is not None else self.scenes.first(0)
            steps = ADAPTATION_STEPS if initial is not None else SCRATCH_STEPS
            folder = self.work / f'{network}_{name}_{fold}_{frames}_{self.seed}'.replace(' ', '_')
            recipe = replace(self.recipe(network, steps, 1e-3 if initial else 3e-3, initial),
                             recorded=str(labeled))
            run = train_detector(recipe, scenes, folder, initial=initial, frames=labeled)
            self.export(run.exported(), folder / 'bundle')
            bundle, told = folder / 'bundle', told | {'adaptation_seconds': run.seconds}
        if bundle is None:
            raise ValueError('random weights and no frames')
        scans = [scan for each, step in tested for scan in
                 list(open_recording(self.data / each).scans())[::step]]
        detector = Detector.from_bundle(bundle, score_threshold=.05)
        told = told | {'network': network, 'start': name, 'fold': fold, 'frames': frames,
                 'seed': self.seed, 'fraction': self.fraction, **score(detector, scans, 0.)}
        if frames in (0, 20):
            told['car_by_angle'] = {
                str(angle): (score(detector, scans, float(angle)) if angle else told)['car_AP_2m']
                for angle in ANGLES}
        return told


def score(detector: Detector, scans: Sequence[LabeledScan], angle: float) -> Row:
    """Figures of the scans, all turned by an angle [deg], as far as the network sees."""
    judged: list[Judged] = []
    for scan in scans:
        seen = turned(scan, angle)
        judged.append(cut(judge(detector.detect(seen.points), seen, detector.class_names),
                          (0., RANGE - 1)))
    result = evaluate_nuscenes(
        [each.prediction.select(~each.excused) for each in judged],
        [each.truth for each in judged], detector.class_names, CLASS_RANGE,
        [each.num_points for each in judged], with_velocity=False)
    return {'car_AP_2m': result.ap['car'][2.], 'car_AP': result.class_ap('car'),
            'cars': result.num_truths['car'], 'scans': len(judged),
            'car_orientation_error': result.class_errors['car']['orientation'],
            'car_KITTI': {kind: table['car'] for kind, table in kitti_of(
                judged, detector.class_names).items() if kind.startswith('AP')}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work', type=Path, default=Path(f'runs/{NAME}'))
    parser.add_argument('--data', type=Path, default=Path('../shared/data'))
    parser.add_argument('--scenes', type=Path, default=Path('runs/scenes'))
    parser.add_argument('--num-scenes', type=int, default=400)
    parser.add_argument('--fractions', type=float, nargs='+', default=[1.],
                        help='Parts of the simulated scenes.')
    parser.add_argument('--networks', nargs='+', default=list(NETWORKS))
    parser.add_argument('--starts', nargs='+', default=list(STARTS))
    parser.add_argument('--folds', nargs='+', default=list(FOLDS))
    parser.add_argument('--frames', type=int, nargs='+', default=[0, 5, 10, 20])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    options = parser.parse_args(arguments)
    for _ in make_scenes(options.scenes, options.num_scenes, 0):
        pass
    scenes = ScanStore.open(options.scenes).first(options.num_scenes)
    cells = options.work / 'cells'
    cells.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for seed, fraction, frames, name, fold, network in product(
            options.seeds, options.fractions, options.frames, options.starts, options.folds,
            options.networks):
        if (name == 'scratch' and not frames) or (fold == 'others' and frames > 10):
            continue    # nothing is learnt, or there are not as many
        key = f'{network}, {name}, {fold}, {frames} frames, {fraction:g} of scenes, seed {seed}'
        path = cells / f'{key.replace(", ", "_").replace(" ", "_")}.json'
        if not path.exists():
            row = Table(options.work, options.data, scenes, fraction, seed).row(
                network, name, fold, frames)
            path.write_text(json.dumps(row, indent=1))
        rows = [json.loads(each.read_text()) for each in sorted(cells.glob('*.json'))]
        store(NAME, {'range': RANGE, 'scenes': len(scenes), 'steps': {
            'pretraining': PRETRAINING_STEPS, 'simulation': SIMULATION_STEPS,
            'adaptation': ADAPTATION_STEPS, 'scratch': SCRATCH_STEPS}, 'cells': rows},
            ['python', f'bench/{NAME}.py', *sys.argv[1:]], seed)
        sys.stderr.write(f'{key}: car AP at 2 m '
                         f'{json.loads(path.read_text())["car_AP_2m"]:.3f}\n')
    draw(rows, PICTURE)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws AP against the number of labelled scans, mean of seeds, a picture for each fold."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(FOLDS), figsize=(10, 3.6), sharey=True)
    for axis, fold in zip(axes, FOLDS, strict=True):
        for (network, line), (start, colour) in product(
                {'C4': '-', 'plain': '--'}.items(), zip(STARTS, COLOURS, strict=True)):
            seeds: dict[int, list[float]] = defaultdict(list)
            for row in rows:
                if (row['network'], row['start'], row['fold'], row['fraction']) == (
                        network, start, fold, 1.):
                    seeds[row['frames']].append(row['car_AP_2m'])
            if seeds:
                counts = sorted(seeds)
                axis.plot(counts, [fmean(seeds[count]) for count in counts], line, marker='o',
                          markersize=4, color=colour, label=f'{network}, {start}')
        axis.set(title=f'adapted to {" and ".join(FOLDS[fold][0][:1])}'
                 + (' and two more' if len(FOLDS[fold][0]) > 1 else ''),
                 xlabel='labelled scans', ylim=(0, 1))
        axis.grid(alpha=.3)
    axes[0].set_ylabel('AP of cars at 2 m, other recordings')
    axes[-1].legend(fontsize=7, loc='lower right')
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == '__main__':
    main()
