"""Joins the boxes of several answers about the same scene, one box for each object.

Weighted boxes fusion (Solovyev, Wang, Gabruseva, Image and Vision Computing 2021) for upright
oriented boxes. Two answers mean the same object where their boxes are of one class and overlap by
more than what one answer would have suppressed.

Law: the result depends neither on the order of the answers nor on the direction of the axes, for
boxes are taken by score, ties by distance from the origin, and every mean is linear in vectors and
tensors. Only boxes that tie in all of that are taken as they come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.boxes3d import joined
from eq_core.geometry.rotated_iou import overlapping_pairs
from eq_perception.detection.postprocess import heading

Real = NDArray[np.float64]
Index = NDArray[np.intp]
_LEAST_WEIGHT = 1e-9    # boxes of score 0 still have a mean


def fuse(answers: Sequence[Boxes3D], overlap: float) -> tuple[Boxes3D, Index]:
    """Joins boxes that mean the same object.

    Centre, logarithm of the size, velocity and covariance are means weighted by score; the axis is
    that of the mean vector of frequency 2, its direction and the confidence in it come from the
    mean vector of frequency 1 with the confidences as lengths. The covariance is the mean one, not
    that of a mean: answers of one network about one scan err together.

    Args:
        answers: Boxes of each answer, all in one frame; no two of one answer are the same object.
        overlap: Intersection over union (BEV, rotated) above which two boxes are the same object.

    Returns:
        Boxes, best score first, the score being the sum of those that were joined, and (N,) the
        number of these.
    """
    boxes = joined(answers)
    source = np.repeat(np.arange(len(answers)), [len(each) for each in answers])
    order = by_score(boxes)
    boxes, source = boxes.select(order), source[order]
    leader = find_leaders(boxes, source, overlap)
    first, group, count = np.unique(leader, return_inverse=True, return_counts=True)
    fused = _means(boxes, group, boxes.select(first))
    order = by_score(fused)
    return fused.select(order), count[order]


def by_score(boxes: Boxes3D) -> Index:
    """Order of the boxes, best score first, ties by distance from the origin."""
    return np.lexsort((np.hypot(boxes.center[:, 0], boxes.center[:, 1]), -boxes.score))


def find_leaders(boxes: Boxes3D, source: NDArray[np.integer], overlap: float) -> Index:
    """Tells which boxes mean the same object.

    The best box that is left leads; of every other answer it takes the box of its class, among
    those that are left and overlap it, whose centre is nearest. So an object takes one box of an
    answer at most.

    Args:
        boxes: N boxes, best first.
        source: (N,) answer that each comes from.
        overlap: As in `fuse`.

    Returns:
        (N,) position of the box that leads each one, its own for those that lead.
    """
    near: dict[int, list[tuple[float, int]]] = defaultdict(list)
    first, second = overlapping_pairs(boxes, overlap)
    alike = (boxes.label[first] == boxes.label[second]) & (source[first] != source[second])
    first, second = first[alike], second[alike]
    distance = np.linalg.norm(boxes.center[first, :2] - boxes.center[second, :2], axis=1)
    for better, worse, length in zip(first.tolist(), second.tolist(), distance.tolist(),
                                     strict=True):
        near[better].append((length, worse))
    leader = np.full(len(boxes), -1, np.intp)
    for best in range(len(boxes)):
        if leader[best] >= 0:
            continue
        leader[best], heard = best, {source[best]}
        for _, other in sorted(near[best]):
            if leader[other] < 0 and source[other] not in heard:
                leader[other] = best
                heard.add(source[other])
    return leader


def _means(boxes: Boxes3D, group: NDArray[np.integer], like: Boxes3D) -> Boxes3D:
    """Means of groups of boxes, with the labels of `like`, one for each group."""
    score = np.zeros(len(like))
    np.add.at(score, group, boxes.score)
    weight = np.zeros((len(like), len(boxes)))
    weight[group, np.arange(len(boxes))] = np.maximum(boxes.score, _LEAST_WEIGHT)
    weight /= weight.sum(1, keepdims=True)

    def mean(column: Real) -> Real:
        values = column.reshape(len(column), column[:1].size)
        return (weight @ values).reshape(len(like), *column.shape[1:])

    direction = boxes.heading_confidence[:, None] * _vectors(boxes.yaw)
    yaw, confidence = heading(mean(_vectors(2 * boxes.yaw)), mean(direction))
    return replace(
        like, center=mean(boxes.center), size=np.exp(mean(np.log(boxes.size))), yaw=yaw,
        score=score, velocity=mean(boxes.velocity), covariance=mean(boxes.covariance),
        heading_confidence=confidence)


def _vectors(angle: Real) -> Real:
    """(N, 2) unit vectors of (N,) angles [rad]."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)
