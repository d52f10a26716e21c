"""How a detector's answer on real scans depends on how the scene is turned, averaged or not.

Every row is one network that sees each scan in so many directions (`TurnedDetector`): AP of cars
at 2 m on the test recordings of `little_data`'s first fold, within the range of that table and
within 50 m if the network sees as far, or mAP on simulated validation worlds; with the share of
headings that point backwards; for the scene turned by every multiple of `--step`. The network runs
once for each of these within the step of its own group, beyond which it repeats itself exactly;
what is averaged is chosen from these answers, as the law allows (`test/detection/test_turns.py`).
The whole repeats itself after 90 degrees (360 for the plain twin) over the number of directions.
The rows are kept in WORK; a repeated command goes on with the networks that are not done.

    .venv/bin/python bench/turns.py --model shipped=models/lidar_detector
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
import json
from math import comb
from pathlib import Path
from statistics import fmean
from statistics import pstdev
import sys
from typing import Any

from little_data import FOLDS
from little_data import RANGE

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.open import open_recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import judge
from eq_eval.metrics.judged import Judged
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.results import store
from eq_eval.rotation import turned
from eq_eval.rotation import yaw_pose
from eq_eval.scores import calibration_of
from eq_eval.scores import cut
from eq_eval.scores import nuscenes_of
from eq_eval.scores import spread
from eq_eval.seen_scans import refuse_seen
from eq_eval.simulation import sample_specs
from eq_eval.simulation import simulate
from eq_perception.detection.detector import Detector
from eq_perception.detection.turns import exact_rotations
from eq_perception.detection.turns import TurnedDetector

NAME = 'turns'
NEAR, FAR = RANGE - 1, 50.      # [m]
SCORE_THRESHOLD = .05           # as in `little_data`
SEED = 7                        # of the validation worlds

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the table and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', action='append', default=[], metavar='NAME=FOLDER',
                        help='A bundle and what it is called; may be repeated.')
    parser.add_argument('--turns', type=int, nargs='+', default=[1, 2, 3, 4, 6, 12])
    parser.add_argument('--step', type=float, default=2.5,
                        help='Between two angles; it divides the step of every turn [degrees].')
    parser.add_argument('--worlds', type=int, default=0,
                        help='Simulated validation worlds, in place of recordings.')
    parser.add_argument('--work', type=Path, default=Path(f'runs/{NAME}'))
    parser.add_argument('--data', type=Path, default=Path('../shared/data'))
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in FOLDS['tracking'][1]]
    kind = f'{options.worlds} worlds' if options.worlds else 'recordings'
    for name, folder in (each.split('=', 1) for each in options.model):
        for each in names:
            refuse_seen(Path(folder), open_recording(options.data / each).name)
        paths = {turns: options.work / f'{name}, {turns}, {kind}.json'.replace(' ', '_')
                 for turns in options.turns}
        if all(path.exists() for path in paths.values()):
            continue
        scans = [counted(scan) for scan in (
            _worlds(options.worlds) if options.worlds else
            [scan for each in names for scan in open_recording(options.data / each).scans()])]
        detector = Detector.from_bundle(
            folder, score_threshold=SCORE_THRESHOLD / max(options.turns))
        answers = in_all_directions(detector, scans, options.step)
        for turns, path in paths.items():
            row = {'network': name, 'turns': turns, 'group': detector.config.group, 'on': kind,
                   'scans': len(scans), 'step': options.step,
                   **measure(detector, answers, scans, turns, options.step)}
            path.write_text(json.dumps(row, indent=1))
    rows = [json.loads(path.read_text()) for path in sorted(options.work.glob('*.json'))]
    store(NAME, {'rows': rows, 'recordings': names, 'score_threshold': SCORE_THRESHOLD},
          ['python', f'bench/{NAME}.py', *sys.argv[1:]], SEED)
    sys.stdout.write(table(rows))


def _worlds(count: int) -> list[LabeledScan]:
    """One scan of each validation world."""
    return [scan for spec in sample_specs('validation', count, SEED, 1) for scan in simulate(spec)]


def counted(scan: LabeledScan) -> LabeledScan:
    """The scan with the points in its boxes counted, once for all angles."""
    return replace(scan, num_points=judge(Boxes3D.empty(), scan, scan.class_names).num_points)


def in_all_directions(detector: Detector, scans: Sequence[LabeledScan], step: float
                      ) -> list[list[Boxes3D]]:
    """What the network answers for scenes turned by multiples of `step`, turned back.

    Returns:
        One list per angle within the step of the network's own group, one entry per scan.
    """
    count = _whole(360 / exact_rotations(detector.config) / step)
    answers = []
    for number in range(count):
        back = yaw_pose(number * step).T
        answers.append([detector.detect(turned(scan, number * step).points).transformed(back)
                        for scan in scans])
        sys.stderr.write(f'{number + 1} of {count} directions\n')
    return answers


def measure(detector: Detector, answers: Sequence[Sequence[Boxes3D]],
            scans: Sequence[LabeledScan], turns: int, step: float) -> Row:
    """Scores one number of directions at every angle of its period.

    Args:
        detector: Whose answers they are.
        answers: Of `in_all_directions`.
        scans: The scans.
        turns: Directions that are averaged.
        step: Between the angles [degrees].
    """
    apart = _whole(len(answers) / turns)
    averaged = TurnedDetector(detector, turns)
    averaged.config = replace(detector.config, score_threshold=SCORE_THRESHOLD)
    names = tuple(detector.class_names)
    reach = [NEAR] + [FAR] * (detector.config.point_cloud_range > FAR)
    found: dict[str, list[float]] = {}
    cars: dict[str, int] = {}
    for first in range(apart):
        pose = yaw_pose(first * step)
        judged = []
        for number, scan in enumerate(scans):
            seen = [answers[first + apart * turn][number] for turn in range(turns)]
            boxes = averaged.join([
                each.select(each.score >= SCORE_THRESHOLD / turns).transformed(pose)
                for each in seen])
            judged.append(judge(boxes.transformed(pose.T), scan, names))
        figures = {'mAP': nuscenes_of(judged, names, False).mean_ap,
                   'flips': calibration_of(judged, names)['car']['heading_flip_rate']}
        for limit in reach:
            key = f'cars within {limit:g} m'
            figures[key], cars[key] = car_ap(judged, names, limit)
        for key, value in figures.items():
            found.setdefault(key, []).append(value)
    return {'period': apart * step, 'cars': cars,
            'figures': {key: summary(values) for key, values in found.items()}}


def car_ap(judged: Sequence[Judged], names: tuple[str, ...], limit: float) -> tuple[float, int]:
    """AP of cars at 2 m up to a distance, and their number."""
    part = [cut(each, (0., limit)) for each in judged]
    result = evaluate_nuscenes(
        [each.prediction.select(~each.excused) for each in part], [each.truth for each in part],
        names, dict.fromkeys(names, limit), [each.num_points for each in part],
        with_velocity=False)
    return result.ap['car'][2.], result.num_truths['car']


def summary(values: Sequence[float]) -> Row:
    """The values of one period, and what they come to."""
    return {'values': list(values), 'mean': fmean(values), 'least': min(values),
            'largest': max(values), 'spread': spread(values), 'deviation': pstdev(values)}


def table(rows: Sequence[Row]) -> str:
    """The rows for the documents, one for each network and number of directions."""
    single = {(row['on'], row['network']): row['figures'] for row in rows if row['turns'] == 1}
    lines = []
    for row in sorted(rows, key=lambda row: (row['on'], row['network'], row['turns'])):
        figures, one = row['figures'], single.get((row['on'], row['network']), {})
        keys = [f'cars within {limit:g} m' for limit in (NEAR, FAR)]
        keys.append('mAP' if 'worlds' in row['on'] else '')     # labels of recordings are few
        lines.append((row['on'], row['network'], str(row['turns']),
                      *(_cell(figures.get(key), one.get(key)) for key in keys),
                      f'{figures["flips"]["mean"]:.2f}'))
    head = ('Tested on', 'network', 'directions', *(
        f'AP of cars within {limit:g} m: mean, least to largest, spread (of one direction)'
        for limit in (NEAR, FAR)), 'mAP', 'car headings reversed')
    return ''.join(f'| {" | ".join(line)} |\n' for line in (head, ('---',) * len(head), *lines))


def _cell(found: Row | None, single: Row | None) -> str:
    """Such as ``0.600, 0.500 to 0.700, **0.200** (0.300)``."""
    if found is None:
        return '-'
    count = len(found['values'])
    text = (f'{found["mean"]:.3f}, {found["least"]:.3f} to {found["largest"]:.3f}, '
            f'**{found["spread"]:.3f}**')
    if single is None or count >= len(single['values']):
        return text
    return text + f' ({expected_spread(single["values"], count):.3f})'


def expected_spread(values: Sequence[float], count: int) -> float:
    """Mean of largest minus least over all choices of `count` of the values.

    The fewer angles there are, the fewer chances of an extreme.

    >>> expected_spread([0., 1., 3.], 2)
    2.0
    """
    ordered = sorted(values)
    ways = [comb(place, count - 1) for place in range(len(ordered))]    # that a value is largest
    return sum(way * (high - low) for way, high, low in zip(
        ways, ordered, reversed(ordered), strict=True)) / comb(len(ordered), count)


def _whole(value: float) -> int:
    """A number that must be whole."""
    if abs(value - round(value)) > 1e-6:
        raise ValueError(f'the step between angles must divide that of the turns, got {value:g}')
    return round(value)


if __name__ == '__main__':
    main()
