"""All figures of a detector from its judged scans."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
from typing import Any

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.by_range import in_range
from eq_eval.metrics.by_range import range_of
from eq_eval.metrics.by_range import RANGES
from eq_eval.metrics.calibration import evaluate_calibration
from eq_eval.metrics.judged import Judged
from eq_eval.metrics.kitti import evaluate_kitti
from eq_eval.metrics.kitti import MIN_OVERLAP
from eq_eval.metrics.nuscenes import CLASS_RANGE
from eq_eval.metrics.nuscenes import evaluate_nuscenes
from eq_eval.metrics.nuscenes import NuscenesResult
from eq_eval.metrics.recall import evaluate_recall

VEHICLES = ('car', 'truck')


def full_scores(judged: Sequence[Judged], class_names: tuple[str, ...], with_velocity: bool = True,
                complete: bool = True) -> dict[str, Any]:
    """Scores of all kinds.

    Args:
        judged: One entry per scan.
        class_names: Classes of the detector.
        with_velocity: Whether the truth knows velocities.
        complete: Whether every object is labelled; if not, there is recall only.

    Returns:
        Plain numbers, None where there is nothing to measure: `mAP`, `mAP_car_truck`, `NDS`
        (nuScenes style, see `NuscenesResult.nds`), `AP` per class, `AP_by_distance`,
        `AP_by_range`, `recall_by_range`, `errors`, `kitti`, `calibration`, `num_scans`,
        `num_truths`.
    """
    result: dict[str, Any] = {'num_scans': len(judged),
                              'recall_by_range': recall_by_range(judged, class_names)}
    if not complete:
        return result
    overall = nuscenes_of(judged, class_names, with_velocity)
    result |= overall.as_dict()
    result['mAP_car_truck'] = overall.mean_over(VEHICLES)
    result['AP_by_range'] = ap_by_range(judged, class_names)
    result['kitti'] = kitti_of(judged, class_names)
    result['calibration'] = calibration_of(judged, class_names)
    return result


def curve_scores(judged: Mapping[float, Sequence[Judged]], class_names: tuple[str, ...],
                 ) -> dict[str, Any]:
    """How much the score depends on how the scene is turned.

    Args:
        judged: Angle [degrees] to the judged scans, the same scans for each.
        class_names: Classes of the detector.
    """
    results = {angle: nuscenes_of(scans, class_names, False) for angle, scans in judged.items()}
    curve = {angle: result.mean_ap for angle, result in results.items()}
    quarters = [score for angle, score in curve.items() if angle % 90 == 0]
    return {
        'rotation_curve': {f'{angle:g}': score for angle, score in sorted(curve.items())},
        'rotation_curve_by_class': {
            name: {f'{angle:g}': results[angle].class_ap(name) for angle in sorted(results)}
            for name in next(iter(results.values())).ap},
        'rotation_spread_90': spread(quarters) if len(quarters) > 1 else None,
        'rotation_spread_any': spread(list(curve.values())),
        'rotation_num_scans': len(next(iter(judged.values()))),
    }


def spread(values: Sequence[float]) -> float:
    """Highest minus lowest value."""
    return max(values) - min(values)


def nuscenes_of(judged: Sequence[Judged], class_names: tuple[str, ...], with_velocity: bool,
                ) -> NuscenesResult:
    """nuScenes-style scores; excused detections are left out."""
    # Detectors of other classes are evaluated up to 50 m as well.
    ranges = {name: CLASS_RANGE.get(name, 50.) for name in class_names}
    return evaluate_nuscenes(
        [scan.prediction.select(~scan.excused) for scan in judged],
        [scan.truth for scan in judged], class_names, ranges,
        [scan.num_points for scan in judged], with_velocity)


def ap_by_range(judged: Sequence[Judged], class_names: tuple[str, ...],
                ) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """AP and number of truths per class and range; up to the class's own evaluation range."""
    table: dict[str, dict[str, dict[str, float | int | None]]] = {
        name: {} for name in class_names}
    for limits in RANGES:
        part = [cut(scan, limits) for scan in judged]
        result = nuscenes_of(part, class_names, False)
        for name in class_names:
            table[name][_range_name(limits)] = {'AP': result.class_ap(name),
                                                'num_truths': result.num_truths[name]}
    return table


def calibration_of(judged: Sequence[Judged], class_names: tuple[str, ...]) -> dict[str, Any]:
    """How sure the detector is and may be, by class; see `evaluate_calibration`."""
    predictions = [scan.prediction.select(~scan.excused) for scan in judged]
    truths = [scan.truth.select(scan.num_points > 0) for scan in judged]
    num_points = [scan.num_points[scan.num_points > 0] for scan in judged]
    return {name: evaluate_calibration(predictions, truths, label, num_points)
            for label, name in enumerate(class_names)}


def recall_by_range(judged: Sequence[Judged], class_names: tuple[str, ...],
                    ) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Recall at 2 m, and the errors of what was found, per class and range, at any score."""
    predictions = [scan.prediction for scan in judged]
    truths = [scan.truth.select(scan.num_points > 0) for scan in judged]
    table: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for label, name in enumerate(class_names):
        table[name] = {}
        for limits in RANGES:
            row = evaluate_recall(predictions, truths, label, limits)
            table[name][_range_name(limits)] = {
                'recall': row.recall, 'num_truths': row.num_truths,
                'axis_error_deg': _known(math.degrees(row.axis_error)),
                'center_error_m': _known(row.center_error)}
    return table


def kitti_of(judged: Sequence[Judged], class_names: tuple[str, ...]) -> dict[str, Any]:
    """KITTI AP R40; the official difficulty where all scans have image labels.

    Elsewhere truths beyond the range of their class are ignored, as the image's least height does.
    """
    images = [scan.image for scan in judged if scan.image is not None]
    official = len(images) == len(judged)
    overlap = {name: MIN_OVERLAP.get(name, 0.7) for name in class_names}
    result = evaluate_kitti(
        [scan.prediction for scan in judged],
        [scan.truth if official else _far_ignored(scan.truth, class_names) for scan in judged],
        class_names, [scan.num_points for scan in judged], images if official else None, overlap)
    return result.as_dict()


def _far_ignored(truth: Boxes3D, class_names: tuple[str, ...]) -> Boxes3D:
    """Labels truths beyond the evaluation range of their class as foreign."""
    reach = np.array([*(CLASS_RANGE.get(name, 50.) for name in class_names), 0.])
    far = _distance(truth) >= reach[np.minimum(truth.label, len(class_names))]
    return dataclasses.replace(truth, label=np.where(far, len(class_names), truth.label))


def cut(scan: Judged, limits: tuple[float, float]) -> Judged:
    """Keeps what lies between two distances."""
    kept = in_range(range_of(scan.prediction, scan.truth), limits)
    there = in_range(_distance(scan.truth), limits)
    return dataclasses.replace(
        scan, prediction=scan.prediction.select(kept), truth=scan.truth.select(there),
        num_points=scan.num_points[there], excused=scan.excused[kept], image=None)


def _distance(boxes: Boxes3D) -> np.ndarray:
    """(N,) distance from the origin in x and y [m]."""
    return np.hypot(boxes.center[:, 0], boxes.center[:, 1])


def _range_name(limits: tuple[float, float]) -> str:
    """Such as ``'20-35 m'``."""
    return f'{limits[0]:g}-{limits[1]:g} m'


def _known(value: float) -> float | None:
    """None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that people look at first, as a flat table.

    Args:
        result: Of `evaluation.evaluate_detector`.
    """
    names = ('data', 'num_scans', 'mAP', 'mAP_car_truck', 'NDS', 'rotation_spread_90',
             'rotation_spread_any', 'lost')
    table = {name: result[name] for name in names if result.get(name) is not None}
    truths = result.get('num_truths', {})
    for name, value in result.get('AP', {}).items():
        table[f'AP {name} ({truths.get(name, 0)} truths)'] = value
    for name, rows in result.get('AP_by_range', result['recall_by_range']).items():
        for limits, row in rows.items():
            if row['num_truths']:
                kind = 'AP' if 'AP' in row else 'recall'
                table[f'{kind} {name} {limits} ({row["num_truths"]} truths)'] = row[kind]
    for key in ('translation', 'scale', 'orientation', 'velocity'):
        if key in result.get('errors', {}):
            table[f'{key} error'] = result['errors'][key]
    car = result.get('calibration', {}).get('car', {})
    for key in ('heading_flip_rate', 'heading_flip_rate_sure', 'heading_sure'):
        if car.get(key) is not None:
            table[f'car {key.replace("_", " ")}'] = car[key]
    return table
