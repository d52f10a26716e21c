"""KITTI's average precision at 40 recalls, with rotated IoU in the bird's eye view and in 3D.

Geiger et al., Are we ready for autonomous driving?, CVPR 2012; 40 recalls: Simonelli et al.,
Disentangling monocular 3D object detection, ICCV 2019. Where image boxes are known the difficulty
is the official one. A LiDAR alone has none; then it goes by the number of points in the box and
the result must be called "KITTI-style AP R40, difficulty by number of points".
All precisions are in [0, 1], not in per cent. With G < 41 truths there are only G thresholds, so
that even a perfect detector cannot pass (G - 1) / 40; that ceiling is reported beside the AP.
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
from eq_core.geometry.rotated_iou import iou_3d
from eq_core.geometry.rotated_iou import iou_bev
from eq_eval.metrics.overlap_matching import count_at_thresholds
from eq_eval.metrics.overlap_matching import COUNTED
from eq_eval.metrics.overlap_matching import IGNORED
from eq_eval.metrics.overlap_matching import matched_scores
from eq_eval.metrics.overlap_matching import OTHER
from eq_eval.metrics.overlap_matching import OverlapScan

DIFFICULTIES = ('easy', 'moderate', 'hard')
MIN_OVERLAP = {'car': 0.7, 'truck': 0.7, 'pedestrian': 0.5, 'cyclist': 0.5}
MIN_POINTS = (100, 30, 5)
MIN_HEIGHT = (40., 25., 25.)
MAX_OCCLUSION = (0, 1, 2)
MAX_TRUNCATION = (0.15, 0.3, 0.5)
NUM_RECALLS = 40


@dataclass(frozen=True, eq=False)
class ImageDifficulty:
    """What KITTI's official difficulty asks for, of one scan.

    Attributes:
        height: (G,) height of the truths' image boxes [px].
        occlusion: (G,) 0 visible, 1 partly, 2 largely occluded, 3 unknown.
        truncation: (G,) share outside the image, [0, 1].
        prediction_height: (D,) height of the detections' image boxes [px].
    """

    height: NDArray[np.floating]
    occlusion: NDArray[np.integer]
    truncation: NDArray[np.floating]
    prediction_height: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class KittiResult:
    """Average precision of each class.

    Attributes:
        ap_3d: Class to difficulty to AP R40 in [0, 1], None where there is no such truth.
        ap_bev: The same with the footprints' IoU.
        num_truths: Class to difficulty to truths that count.
        difficulty_rule: How the difficulty was decided, in words.
    """

    ap_3d: dict[str, dict[str, float | None]]
    ap_bev: dict[str, dict[str, float | None]]
    num_truths: dict[str, dict[str, int]]
    difficulty_rule: str

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return {'AP_3D_R40': self.ap_3d, 'AP_BEV_R40': self.ap_bev, 'num_truths': self.num_truths,
                'ceiling': {name: {key: max(min(count - 1, NUM_RECALLS), 0) / NUM_RECALLS
                                   for key, count in row.items()}
                            for name, row in self.num_truths.items()},
                'difficulty': self.difficulty_rule}


def evaluate_kitti(predictions: Sequence[Boxes3D], truths: Sequence[Boxes3D],
                   class_names: Sequence[str],
                   num_points: Sequence[NDArray[np.int64]] | None = None,
                   image: Sequence[ImageDifficulty] | None = None,
                   min_overlap: Mapping[str, float] = MIN_OVERLAP) -> KittiResult:
    """Scores detections against truths by overlap.

    Args:
        predictions: One entry per scan, in the frame of `truths`.
        truths: One entry per scan; a label outside `class_names` marks a truth that may be found
            or missed without effect, such as a Van when cars are asked for.
        class_names: Names that the labels of both index.
        num_points: One array per scan with the LiDAR points in each truth, for the difficulty by
            number of points: easy >= 100, moderate >= 30, hard >= 5.
        image: One entry per scan, for the official difficulty; goes before `num_points`.
        min_overlap: Class to the IoU beyond which a detection fits.

    Raises:
        InputError: Lists do not belong together, or neither difficulty is given.
    """
    if num_points is None and image is None:
        raise InputError('the difficulty needs either num_points or image boxes')
    for name, given in (('truths', truths), ('num_points', num_points), ('image', image)):
        if given is not None and len(given) != len(predictions):
            raise InputError(f'{len(predictions)} scans of predictions, {len(given)} of {name}')
    overlaps: dict[str, list[NDArray[np.float64]]] = {'3d': [], 'bev': []}
    for found, truth in zip(predictions, truths, strict=True):
        overlaps['3d'].append(iou_3d(found, truth))
        overlaps['bev'].append(iou_bev(found, truth))
    table: dict[str, dict[str, dict[str, float | None]]] = {'3d': {}, 'bev': {}}
    counts: dict[str, dict[str, int]] = {}
    for label, name in enumerate(class_names):
        counts[name] = {}
        for view in table:
            table[view][name] = {}
        for level, difficulty in enumerate(DIFFICULTIES):
            states = [_states(index, label, level, predictions, truths, len(class_names),
                              num_points, image) for index in range(len(truths))]
            counts[name][difficulty] = sum(int((truth == COUNTED).sum()) for truth, _ in states)
            for view, rows in overlaps.items():
                scans = [OverlapScan(overlap, found.score, *state) for overlap, found, state
                         in zip(rows, predictions, states, strict=True)]
                table[view][name][difficulty] = average_precision_r40(scans, min_overlap[name])
    rule = ('official (image height, occlusion, truncation)' if image is not None else
            'by number of points (easy >= {}, moderate >= {}, hard >= {})'.format(*MIN_POINTS))
    return KittiResult(table['3d'], table['bev'], counts, rule)


def average_precision_r40(scans: Sequence[OverlapScan], min_overlap: float) -> float | None:
    """Mean of the monotone precision at the recalls 1/40 .. 1.

    Args:
        scans: Overlaps, scores and states of all scans.
        min_overlap: IoU beyond which a detection fits.

    Returns:
        AP in [0, 1], None where no truth counts.
    """
    num_truths = sum(int((scan.truth_state == COUNTED).sum()) for scan in scans)
    if num_truths == 0:
        return None
    scores = np.concatenate([matched_scores(scan, min_overlap) for scan in scans])
    thresholds = recall_thresholds(scores, num_truths)
    hits, alarms = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    for scan in scans:
        found, wrong = count_at_thresholds(scan, min_overlap, thresholds)
        hits += found
        alarms += wrong
    precision = np.zeros(NUM_RECALLS + 1)
    answered = hits + alarms
    precision[:len(thresholds)] = np.divide(hits, answered, out=np.zeros_like(hits),
                                            where=answered > 0)
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    return float(monotone[1:].mean())


def recall_thresholds(scores: NDArray[np.float64], num_truths: int) -> NDArray[np.float64]:
    """Picks the scores at which the recall is nearest to 0, 1/40, 2/40, ...

    Args:
        scores: Scores of the detections that took a truth.
        num_truths: Truths that count.

    Returns:
        At most 41 scores, descending.
    """
    descending = np.sort(scores)[::-1]
    wanted, picked = 0., []
    for rank, score in enumerate(descending, start=1):
        here, after = rank / num_truths, (rank + 1) / num_truths
        # The next detection comes closer to the wanted recall: let it have the place.
        if rank < len(descending) and after - wanted < wanted - here:
            continue
        picked.append(score)
        wanted += 1 / NUM_RECALLS
    return np.array(picked[:NUM_RECALLS + 1])


def _states(index: int, label: int, level: int, predictions: Sequence[Boxes3D],
            truths: Sequence[Boxes3D], num_classes: int,
            num_points: Sequence[NDArray[np.int64]] | None,
            image: Sequence[ImageDifficulty] | None
            ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which truths and detections of a scan count, are ignored, or belong to other classes."""
    truth, found = truths[index], predictions[index]
    own = truth.label == label
    neutral = (truth.label < 0) | (truth.label >= num_classes)
    short = np.zeros(len(found), bool)
    if image is not None:
        view = image[index]
        hard = ((np.asarray(view.height) <= MIN_HEIGHT[level])
                | (np.asarray(view.occlusion) > MAX_OCCLUSION[level])
                | (np.asarray(view.truncation) > MAX_TRUNCATION[level]))
        # As in the official code the height goes before the class.
        short = np.asarray(view.prediction_height) < MIN_HEIGHT[level]
    else:
        hard = np.asarray(num_points[index] if num_points is not None else 0) < MIN_POINTS[level]
    truth_state = np.where(own & ~hard, COUNTED, np.where(own | neutral, IGNORED, OTHER))
    found_state = np.where(short, IGNORED, np.where(found.label == label, COUNTED, OTHER))
    return truth_state, found_state
