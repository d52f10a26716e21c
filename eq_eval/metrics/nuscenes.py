"""The detection metrics of nuScenes on value types.

Caesar et al., nuScenes: A multimodal dataset for autonomous driving, CVPR 2020, section 3 and
supplement. The numbers equal those of nuscenes-devkit (see ``test/metrics``), with two stated
differences: a class without any truth is left out of the means instead of counting as zero, and
there are no attributes, so that NDS is formed as `NuscenesResult` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.center_matching import collect_matches
from eq_eval.metrics.center_matching import ERRORS
from eq_eval.metrics.center_matching import Matches

Array = NDArray[np.float64]

DISTANCES = (0.5, 1., 2., 4.)
TP_DISTANCE = 2.
MIN_RECALL = 0.1
MIN_PRECISION = 0.1
MAX_BOXES = 500
CLASS_RANGE = {'car': 50., 'truck': 50., 'pedestrian': 40., 'cyclist': 40.}
RECALLS = np.linspace(0., 1., 101)


@dataclass(frozen=True, eq=False)
class NuscenesResult:
    """Scores of a detector over many scans.

    Attributes:
        ap: Class to matching distance [m] to average precision in [0, 1]; classes with truths.
        mean_ap: Mean over classes and distances.
        class_errors: Class to true-positive errors at 2 m.
        errors: Mean over classes: translation ATE [m], scale ASE, orientation AOE [rad],
            velocity AVE [m/s] (left out where the truth has no velocity).
        nds: Half mAP, half the mean of 1 - min(1, error) over the errors there are. The official
            NDS is the same with a fifth error, the attribute error, which does not exist here.
        nds_attribute_absent: The official formula with the attribute (and any other missing) error
            counted as 1: (5 mAP + sum of the scores) / 10, a lower bound comparable with
            published figures.
        num_truths: Class to number of truths.
        num_scans: Scans evaluated.
    """

    ap: dict[str, dict[float, float]]
    mean_ap: float
    class_errors: dict[str, dict[str, float]]
    errors: dict[str, float]
    nds: float
    nds_attribute_absent: float
    num_truths: dict[str, int]
    num_scans: int

    def class_ap(self, name: str) -> float | None:
        """Mean over the distances for one class, None where the class had no truth."""
        return float(np.mean(list(self.ap[name].values()))) if name in self.ap else None

    def mean_over(self, names: Sequence[str]) -> float | None:
        """Mean over the distances and those of `names` that had truths."""
        values = [value for value in map(self.class_ap, names) if value is not None]
        return float(np.mean(values)) if values else None

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return {
            'mAP': self.mean_ap, 'NDS': self.nds,
            'NDS_attribute_absent': self.nds_attribute_absent,
            'AP': {name: self.class_ap(name) for name in self.ap},
            'AP_by_distance': {name: {str(key): value for key, value in row.items()}
                               for name, row in self.ap.items()},
            'errors': dict(self.errors), 'class_errors': self.class_errors,
            'num_truths': dict(self.num_truths), 'num_scans': self.num_scans,
        }


def evaluate_nuscenes(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D],
                      class_names: Sequence[str],
                      class_range: Mapping[str, float] | None = None,
                      num_points: Sequence[NDArray[np.int64]] | None = None,
                      with_velocity: bool = True) -> NuscenesResult:
    """Scores detections against truths.

    Args:
        predictions: One entry per scan, in the frame of `truths`; the 500 best of a scan count.
        truths: One entry per scan; labels outside `class_names` are left out.
        class_names: Names that the labels of both index.
        class_range: Class to the range [m] from the origin inside which it is evaluated;
            nuScenes' own if None: 50 m for vehicles, 40 m for pedestrians and cyclists.
        num_points: One array per scan with the LiDAR points in each truth; truths without points
            do not count. All count if None.
        with_velocity: Whether the velocities of the truths mean anything.

    Returns:
        The scores; `mean_ap` is 0 where no class has a truth.

    Raises:
        InputError: The numbers of scans differ or a class has no range.
    """
    ranges = CLASS_RANGE if class_range is None else class_range
    _check(predictions, truths, class_names, ranges, num_points)
    predictions = [_best(boxes) for boxes in predictions]
    if num_points is not None:
        truths = [boxes.select(np.asarray(count) > 0)
                  for boxes, count in zip(truths, num_points, strict=True)]
    names = ERRORS if with_velocity else ERRORS[:-1]
    ap, class_errors, num_truths = {}, {}, {}
    for label, name in enumerate(class_names):
        found = [_of_class(boxes, label, ranges[name]) for boxes in predictions]
        sought = [_of_class(boxes, label, ranges[name]) for boxes in truths]
        num_truths[name] = sum(map(len, sought))
        if num_truths[name] == 0:
            continue
        matches = {limit: collect_matches(found, sought, limit) for limit in DISTANCES}
        ap[name] = {limit: average_precision(table) for limit, table in matches.items()}
        class_errors[name] = {key: true_positive_error(matches[TP_DISTANCE], key) for key in names}
    return _summary(ap, class_errors, names, num_truths, len(truths))


def average_precision(matches: Matches) -> float:
    """Area under the precision-recall curve beyond 10 % recall and precision, scaled to [0, 1]."""
    if not matches.matched.any():
        return 0.
    precision, _ = _curves(matches)
    kept = np.maximum(precision[_first_recall():] - MIN_PRECISION, 0.)
    return float(kept.mean() / (1 - MIN_PRECISION))


def true_positive_error(matches: Matches, name: str) -> float:
    """Mean of a matched pair's error over the recalls from 10 % to the highest reached.

    Returns:
        The error, 1 where 10 % recall is not reached (as nuScenes has it).
    """
    if not matches.matched.any():
        return 1.
    _, confidence = _curves(matches)
    last = int(np.flatnonzero(confidence)[-1]) if confidence.any() else 0
    if last < _first_recall():
        return 1.
    running = _running_mean(matches.errors[name])
    score = matches.score[matches.matched]
    # np.interp wants ascending abscissae, the ranking descends.
    at_recall = np.interp(confidence[::-1], score[::-1], running[::-1])[::-1]
    return float(at_recall[_first_recall():last + 1].mean())


def _curves(matches: Matches) -> tuple[Array, Array]:
    """Precision and score at the 101 recalls; 0 beyond the highest recall."""
    hits = np.cumsum(matches.matched).astype(np.float64)
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / matches.num_truths
    return (np.interp(RECALLS, recall, precision, right=0),
            np.interp(RECALLS, recall, matches.score, right=0))


def _running_mean(values: Array) -> Array:
    """Mean of the known values up to each position; ones where none is known at all."""
    known = ~np.isnan(values)
    if not known.any():
        return np.ones_like(values)
    count = np.cumsum(known)
    mean: Array = np.divide(np.nancumsum(values), count, out=np.zeros_like(values),
                            where=count > 0)
    return mean


def _first_recall() -> int:
    """Index of the first recall beyond `MIN_RECALL`."""
    return round(100 * MIN_RECALL) + 1


def _summary(ap: dict[str, dict[float, float]], class_errors: dict[str, dict[str, float]],
             names: Sequence[str], num_truths: dict[str, int], num_scans: int) -> NuscenesResult:
    """Means over classes and the two forms of NDS."""
    mean_ap = float(np.mean([list(row.values()) for row in ap.values()])) if ap else 0.
    errors = {key: float(np.mean([row[key] for row in class_errors.values()])) if ap else 1.
              for key in names}
    scores = [1 - min(1., error) for error in errors.values()]
    return NuscenesResult(
        ap, mean_ap, class_errors, errors, nds=(mean_ap + float(np.mean(scores))) / 2,
        nds_attribute_absent=(5 * mean_ap + sum(scores)) / 10,
        num_truths=num_truths, num_scans=num_scans)


def _best(boxes: Boxes3D) -> Boxes3D:
    """The highest-scored boxes of a scan, in their order."""
    if len(boxes) <= MAX_BOXES:
        return boxes
    return boxes.select(np.sort(np.argsort(-boxes.score, kind='stable')[:MAX_BOXES]))


def _of_class(boxes: Boxes3D, label: int, reach: float) -> Boxes3D:
    """Boxes of one class nearer than `reach` in x and y."""
    near = np.hypot(boxes.center[:, 0], boxes.center[:, 1]) < reach
    return boxes.select((boxes.label == label) & near)


def _check(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D], class_names: Sequence[str],
           ranges: Mapping[str, float], num_points: Sequence[NDArray[np.int64]] | None) -> None:
    """Refuses lists that do not belong together."""
    if len(predictions) != len(truths):
        raise InputError(f'{len(predictions)} scans of predictions, {len(truths)} of truths')
    missing = [name for name in class_names if name not in ranges]
    if missing:
        raise InputError(f'no evaluation range for classes {missing}, have {sorted(ranges)}')
    if num_points is None:
        return
    for index, (boxes, count) in enumerate(zip(truths, num_points, strict=True)):
        if len(boxes) != len(count):
            raise InputError(f'scan {index}: {len(boxes)} truths, {len(count)} point counts')
