"""How much a detector's answer on real scans depends on how the scene is turned, averaged or not.

Every row is one network that sees each scan in one or several directions (`TurnedDetector`): AP of
cars at 2 m on the test recordings of `little_data`'s first fold, all turned by each angle, within
the range of that table and within 50 m if the network sees as far; and, for the simulated
validation worlds, mAP and headings that point backwards. The angles fill one period of the
detector's own law, after which the answers repeat themselves: 90 degrees for C4, 30 if it sees
three directions. What is left of rounding is told as `after_a_period`. Rows go to WORK one by one;
a repeated command continues.

    .venv/bin/python bench/turns.py --model shipped=models/lidar_detector
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
from math import ceil
from pathlib import Path
import sys
from typing import Any

from little_data import FOLDS
from little_data import RANGE

from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.evaluation import AnyDetector
from eq_eval.evaluation import evaluate_detector
from eq_eval.evaluation import Protocols
from eq_eval.metrics.judged import judge
from eq_eval.metrics.judged import Judged
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.results import store
from eq_eval.rotation import turned
from eq_eval.scores import cut
from eq_eval.scores import spread
from eq_eval.seen_scans import refuse_seen
from eq_eval.simulation import sample_specs
from eq_eval.simulation import simulate
from eq_perception.detection.detector import Detector
from eq_perception.detection.turns import exact_rotations
from eq_perception.detection.turns import over_turns

NAME = 'turns'
NEAR, FAR = RANGE - 1, 50.      # [m]
SCORE_THRESHOLD = .05           # as in `little_data`
SEED = 7                        # of the validation worlds
SPACING = 10                    # turns of the sensor between two scans of a world

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', action='append', default=[], metavar='NAME=FOLDER',
                        help='A bundle and what it is called; may be repeated.')
    parser.add_argument('--turns', type=int, nargs='+', default=[1, 2, 3, 4])
    parser.add_argument('--step', type=float, default=5., help='Between two angles [degrees].')
    parser.add_argument('--worlds', type=int, default=0,
                        help='Simulated validation worlds, in place of recordings.')
    parser.add_argument('--work', type=Path, default=Path(f'runs/{NAME}'))
    parser.add_argument('--data', type=Path, default=Path('../shared/data'))
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in FOLDS['tracking'][1]]
    scans = [] if options.worlds else [
        scan for name in names for scan in open_recording(options.data / name).scans()]
    for name, folder in (each.split('=', 1) for each in options.model):
        for each in names:
            refuse_seen(Path(folder), open_recording(options.data / each).name)
        for turns in options.turns:
            kind = f'{options.worlds}_worlds' if options.worlds else 'recordings'
            path = options.work / f'{name}_{turns}_{kind}.json'.replace(' ', '_')
            if path.exists():
                continue
            detector = Detector.from_bundle(folder, score_threshold=SCORE_THRESHOLD)
            row = {'network': name, 'turns': turns, 'group': detector.config.group,
                   'on': kind.replace('_', ' ')}
            averaged = over_turns(detector, turns)
            period = 360 / (exact_rotations(detector.config) * turns)
            angles = tuple(options.step * count for count in range(ceil(period / options.step)))
            row |= (on_worlds(averaged, options.worlds, angles) if options.worlds else
                    on_recordings(averaged, scans, (*angles, period),
                                  detector.config.point_cloud_range))
            path.write_text(json.dumps(row, indent=1))
    rows = [json.loads(path.read_text()) for path in sorted(options.work.glob('*.json'))]
    store(NAME, {'rows': rows, 'recordings': names, 'score_threshold': SCORE_THRESHOLD},
          ['python', f'bench/{NAME}.py', *sys.argv[1:]], SEED)
    sys.stdout.write(table(rows))


def on_recordings(detector: AnyDetector, scans: Sequence[LabeledScan], angles: Sequence[float],
                  reach: float) -> Row:
    """AP of cars at every angle, near and as far as the network sees.

    Args:
        detector: What is tested.
        scans: On what.
        angles: By which they are turned, the last one being a period of the detector [degrees].
        reach: How far it sees [m].
    """
    limits = {'near': NEAR} | ({'far': FAR} if reach > FAR else {})
    row: Row = {name: {'limit': limit, 'AP_by_angle': {}, 'orientation_error_by_angle': {}}
                for name, limit in limits.items()}
    for angle in angles:
        judged: list[Judged] = []
        for scan in scans:
            seen = turned(scan, angle)
            judged.append(judge(detector.detect(seen.points), seen, tuple(detector.class_names)))
        for name, limit in limits.items():
            part = [cut(each, (0., limit)) for each in judged]
            result = evaluate_nuscenes(
                [each.prediction.select(~each.excused) for each in part],
                [each.truth for each in part], tuple(detector.class_names),
                dict.fromkeys(detector.class_names, limit), [each.num_points for each in part],
                with_velocity=False)
            row[name]['AP_by_angle'][f'{angle:g}'] = result.ap['car'][2.]
            row[name]['orientation_error_by_angle'][f'{angle:g}'] = result.class_errors['car'][
                'orientation']
            row[name]['cars'] = result.num_truths['car']
        sys.stderr.write(f'{angle:g} degrees: {row["near"]["AP_by_angle"][f"{angle:g}"]:.3f}\n')
    for name in limits:
        *values, after = row[name]['AP_by_angle'].values()
        row[name] |= summary(values) | {'after_a_period': after}
    return row


def on_worlds(detector: AnyDetector, count: int, angles: Sequence[float]) -> Row:
    """Scores on validation worlds, one scan of each."""
    scans = (scan for spec in sample_specs('validation', count, SEED, 1, SPACING)
             for scan in simulate(spec))
    result = evaluate_detector(detector, scans, Protocols(tuple(angles)))
    return {'num_scans': result['num_scans'], 'mAP': result['mAP'], 'AP': result['AP'],
            'calibration': {'car': result['calibration']['car']},
            'rotation_curve': result['rotation_curve'],
            **summary(list(result['rotation_curve'].values()))}


def summary(values: Sequence[float]) -> Row:
    """Mean, least, largest and their difference."""
    return {'mean': sum(values) / len(values), 'least': min(values), 'largest': max(values),
            'spread': spread(values), 'angles': len(values)}


def table(rows: Sequence[Row]) -> str:
    """The rows for the documents; of worlds mAP, of recordings AP of cars at 2 m."""
    lines = ['| Network | directions | tested on | upright | mean | least | largest | spread | '
             'car headings reversed |', '| --- ' * 9 + '|']
    for row in sorted(rows, key=lambda row: (row['on'], row['network'], row['turns'])):
        for part in ('near', 'far') if 'near' in row else ('',):
            if part and part not in row:
                continue
            found = row[part] if part else row
            upright = found['AP_by_angle']['0'] if part else found['mAP']
            where = f'{found["cars"]} cars within {found["limit"]:g} m' if part else row['on']
            flips = '-' if part else f'{row["calibration"]["car"]["heading_flip_rate"]:.3f}'
            figures = [upright, *(found[key] for key in ('mean', 'least', 'largest', 'spread'))]
            lines.append(f'| {row["network"]} | {row["turns"]} | {where} | '
                         + ' | '.join(f'{each:.3f}' for each in figures) + f' | {flips} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
