"""From fields to a panoptic scan: shifted points find the centre of the object they belong to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_perception.panoptic.classes import THINGS
from eq_perception.panoptic.config import SegmenterConfig

# Train id of each class of the detector: car, truck, pedestrian, cyclist.
CLASS_OF_BOX = np.array([1, 4, 6, 7], np.uint8)
NEAREST = 5     # boxes looked at around a vote and around a cell; more never share a spot


def evidence_of(log_probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Makes what `classify` judges by of one scan, in place.

    Args:
        log_probability: (N, 20); the first class, unlabelled, is no answer.

    Returns:
        (N, 20) sums of log-probabilities; in place of the first class the number of scans.
    """
    log_probability[:, 0] = 1
    return log_probability


def classify(evidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Returns each point's most probable labelled train id (N,), see `evidence_of`."""
    return (evidence[:, 1:].argmax(1) + 1).astype(np.uint8)


def probability_of(label: NDArray[np.uint8], evidence: NDArray[np.float32]
                   ) -> NDArray[np.float32]:
    """Returns the probability of each point's class (N,), by the mean over its scans."""
    top = evidence[np.arange(len(label)), label]
    apart = (evidence[:, 1:] - top[:, None]) / evidence[:, :1]
    return (1 / np.exp(apart, out=apart).sum(1)).astype(np.float32)


def assign(points: Points, semantic: NDArray[np.uint8], cell: NDArray[np.int64],
           offset_field: NDArray[np.float32], boxes: Boxes3D, config: SegmenterConfig
           ) -> NDArray[np.int64]:
    """Gives thing points to objects.

    A point votes for where the field says that its object's centre is. It goes to the object whose
    centre the vote is nearest to, in units of the object's half diagonal, among those that it may
    belong to: the vote falls near the centre, or the point lies in the box. Distances only, so
    that the answer does not depend on the axes.

    Args:
        points: The scan.
        semantic: (N,) train ids.
        cell: (N,) output cell of each point, -1 outside the grid.
        offset_field: (1, 2, h, w) [m], from the centre of a cell.
        boxes: Detected objects.
        config: Grid and thresholds.

    Returns:
        (N,) row of `boxes`, -1 for none.
    """
    owner = np.full(len(points), -1)
    things = np.flatnonzero((semantic >= THINGS[0]) & (semantic <= THINGS[-1]) & (cell >= 0))
    if not len(things) or not len(boxes):
        return owner
    # All points of a cell have one vote, so that most of the work is done once for each cell.
    cells, member = np.unique(cell[things], return_inverse=True)
    where = config.detector.head_grid.centre(cells)
    vote = where + offset_field[0].reshape(2, -1).T[cells]
    tree = cKDTree(boxes.center[:, :2])
    count = range(1, min(NEAREST, len(boxes)) + 1)
    voted, around = (np.asarray(tree.query(place, count)[1]) for place in (vote, where))
    half_diagonal = np.hypot(boxes.size[:, 0], boxes.size[:, 1]) / 2
    apart = [np.linalg.norm(vote[:, None] - boxes.center[near, :2], axis=-1) / half_diagonal[near]
             for near in (voted, around)]
    apart[0][apart[0] >= config.instance_distance] = np.inf
    inside = _in_footprint(points.xyz[things, :2].astype(np.float64), boxes, around[member],
                           config.instance_margin)
    # By vote first: ties, of a box found both ways, do not matter.
    distance = np.concatenate([apart[0][member], np.where(inside, apart[1][member], np.inf)], 1)
    rows, best = np.arange(len(things)), distance.argmin(1)
    found = np.isfinite(distance[rows, best])
    candidates = np.concatenate([voted, around], axis=1)
    owner[things[found]] = candidates[member, best][found]
    number = np.bincount(owner[owner >= 0], minlength=len(boxes))
    return np.where((owner >= 0) & (number[owner] < config.min_instance_points), -1, owner)


def _in_footprint(xy: NDArray[np.float64], boxes: Boxes3D, candidates: NDArray[np.int64],
                  margin: float) -> NDArray[np.bool_]:
    """(M, K) whether a point lies in a candidate seen from above, grown by `margin`."""
    relative = xy[:, None] - boxes.center[candidates, :2]
    cos, sin = np.cos(boxes.yaw)[candidates], np.sin(boxes.yaw)[candidates]
    along = relative[..., 0] * cos + relative[..., 1] * sin
    across = relative[..., 1] * cos - relative[..., 0] * sin
    half = boxes.size[candidates, :2] / 2 + margin
    return (np.abs(along) < half[..., 0]) & (np.abs(across) < half[..., 1])


def settle(semantic: NDArray[np.uint8], probability: NDArray[np.float32],
           owner: NDArray[np.int64], boxes: Boxes3D) -> NDArray[np.uint8]:
    """Gives every object one class: what its points and its box say together.

    Args:
        semantic: (N,) train ids.
        probability: (N,) of them.
        owner: (N,) row of `boxes` or -1.
        boxes: Objects, `label` of the detector.

    Returns:
        (M,) train ids of the boxes, 0 for those that own no point.
    """
    owned = owner >= 0
    votes = np.zeros((len(boxes), 20))
    np.add.at(votes, (owner[owned], semantic[owned]), probability[owned])
    total = votes.sum(1)
    votes /= np.maximum(total[:, None], 1e-9)
    votes[np.arange(len(boxes)), CLASS_OF_BOX[boxes.label]] += boxes.score
    return np.where(total > 0, votes[:, THINGS].argmax(1) + THINGS[0], 0).astype(np.uint8)
