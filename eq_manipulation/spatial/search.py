"""From scores of all coarse poses to few precise ones.

The best coarse poses are refined by a pattern search over the score itself, equation (1) of
`correlation`: the neighbours of a pose are one step along one or two of its six coordinates away,
and where none is better the step is halved. Turns of the cube map the pattern onto itself, so that
what is found turns with scene and crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.groups.rotation_sets import geodesic_distance
from eq_manipulation.spatial.correlation import ball
from eq_manipulation.spatial.rotations import field_matrices

Float = NDArray[np.float32]
Double = NDArray[np.float64]

FIRST_SHIFT, FIRST_TURN = .5, np.radians(12.)   # steps of the search, [feature cells] and [rad]
ROUGH, HALVINGS = .5, 4     # all starts are followed down to the first, the best to the last
FINISHED = 2                # how many are
LEAST_GAIN = 1e-6           # relative; what gains less is noise
MOVES = 40              # of one pose at most
APART, TURNED = 1.5, np.radians(35.)    # candidates differ by more than one, [cells] or [rad]
LOOKED_AT = 400         # coarse poses among which candidates are chosen


@dataclass(frozen=True, eq=False)
class Poses:
    """Ways to carry the crop.

    Attributes:
        rotations: (P, 3, 3).
        places: (P, 3) x, y, z of the crop's centre from the middle of the scene [feature cells].
        scores: (P,) float64.
    """

    rotations: Double
    places: Double
    scores: Double

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> Poses:
        """Some of them."""
        return Poses(self.rotations[rows], self.places[rows], self.scores[rows])


class PoseScore:
    """Equation (1) of `correlation` for one scene and one crop."""

    def __init__(self, phi: Float, psi: Float, counts: tuple[int, ...]) -> None:
        """Prepares both.

        Args:
            phi: (C, n, n, n) scene features.
            psi: (C, c, c, c) crop features.
            counts: Fields of degree 0, 1, ... among them.
        """
        self._counts = counts
        features, edge = phi.shape[0], phi.shape[-1] + 4
        inside, self._offset = ball(psi.shape[-1])
        self._key = np.ascontiguousarray(psi.reshape(features, -1)[:, inside].T)
        # Two rings of zeros: what lies beyond is read between them.
        self._scene = np.pad(phi, ((0, 0), *((2, 2),) * 3)).reshape(features, -1).T.copy()
        self._edge = edge
        weight = (self._key.astype(np.float64) ** 2).sum(1)
        total = weight.sum()
        # What is compared lies about here: turns about it move it least.
        self.centre = weight @ self._offset / total if total > 0 else np.zeros(3)

    def __call__(self, rotations: Double, places: Double) -> Double:
        """Scores (P,) of rotations (P, 3, 3) and places (P, 3)."""
        return np.concatenate([self._part(rotations[start:start + 64], places[start:start + 64])
                               for start in range(0, len(rotations), 64)])

    def _part(self, rotations: Double, places: Double) -> Double:
        edge = self._edge
        at = self._offset @ rotations.swapaxes(1, 2) + places[:, None] + (edge - 1) / 2
        at = np.clip(np.round(at, 9), 0, edge - 1.001).astype(np.float32)
        low = at.astype(np.int32)
        rest = at - low
        number = (low[..., 2] * edge + low[..., 1]) * edge + low[..., 0]
        key = self._key @ field_matrices(rotations, self._counts).astype(np.float32).swapaxes(1, 2)
        total = np.zeros(at.shape[:2], np.float32)
        x, y, z = np.moveaxis(rest, -1, 0)
        for step_z, weight_z in ((0, 1 - z), (edge * edge, z)):
            for step_y, weight_y in ((0, weight_z * (1 - y)), (edge, weight_z * y)):
                for step, weight in ((0, weight_y * (1 - x)), (1, weight_y * x)):
                    value = np.einsum('pkd,pkd->pk',
                                      self._scene[number + (step_y + step_z + step)], key)
                    total += weight * value
        return total.sum(1, dtype=np.float64)


def best_coarse(scores: Float, rotations: Double, count: int) -> Poses:
    """The best coarse poses, each apart from the others.

    Args:
        scores: (N, n + 1, n + 1, n + 1) by rotation and corner of feature cells.
        rotations: (N, 3, 3).
        count: How many are wanted.
    """
    flat = scores.reshape(-1)
    first = np.argpartition(flat, -LOOKED_AT)[-LOOKED_AT:] if len(flat) > LOOKED_AT else (
        np.arange(len(flat)))
    order = first[np.argsort(-flat[first], kind='stable')]
    turn, z, y, x = np.unravel_index(order, scores.shape)
    turns, places = rotations[turn], np.stack([x, y, z], -1) - (scores.shape[-1] - 1) / 2
    open_ = np.ones(len(order), bool)
    chosen: list[int] = []
    while open_.any() and len(chosen) < count:
        best = int(open_.argmax())
        chosen.append(best)
        open_ &= ((np.linalg.norm(places - places[best], axis=-1) > APART)
                  | (geodesic_distance(turns, turns[best]) > TURNED))
        open_[best] = False
    rows = np.array(chosen)
    return Poses(turns[rows], places[rows], flat[order[rows]].astype(np.float64))


@lru_cache
def pattern() -> Double:
    """(73, 6) steps along none, one or two of six coordinates: three shifts, three turns."""
    grid = np.stack(np.meshgrid(*(np.arange(-1, 2),) * 6, indexing='ij'), -1).reshape(-1, 6)
    return grid[np.abs(grid).sum(1) <= 2].astype(np.float64)


def refined(score: PoseScore, start: Poses) -> Poses:
    """Climbs from every start, at first with large steps, and on from the best; best first."""
    rough = _climbed(score, start, 1., ROUGH)
    fine = _climbed(score, rough[slice(FINISHED)], ROUGH / 2, .5 ** HALVINGS)
    rest = rough[slice(FINISHED, None)]
    return Poses(*(np.concatenate([getattr(part, name) for part in (fine, rest)])
                   for name in ('rotations', 'places', 'scores')))


def _climbed(score: PoseScore, start: Poses, first: float, last: float) -> Poses:
    found = [_climb(score, rotation, place, first, last)
             for rotation, place in zip(start.rotations, start.places, strict=True)]
    poses = Poses(*(np.stack(part) for part in zip(*found, strict=True)))
    return poses[np.argsort(-poses.scores, kind='stable')]


def _climb(score: PoseScore, rotation: Double, place: Double, scale: float, last: float
           ) -> tuple[Double, Double, float]:
    """Climbs with steps that are halved from one scale to another."""
    steps, best = pattern(), -np.inf
    stay = len(steps) // 2
    middle = rotation @ score.centre + place
    for _ in range(MOVES):
        turns = Rotation.from_rotvec(scale * FIRST_TURN * steps[:, 3:]).as_matrix() @ rotation
        middles = middle + scale * FIRST_SHIFT * steps[:, :3]
        values = score(turns, middles - turns @ score.centre)
        top = int(values.argmax())
        best = float(values[top])
        if best > values[stay] + LEAST_GAIN * abs(best):
            rotation, middle = turns[top], middles[top]
        elif scale / 2 < last:
            break
        else:
            scale /= 2
    return rotation, middle - rotation @ score.centre, best
