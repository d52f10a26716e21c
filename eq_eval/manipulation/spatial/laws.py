"""How exactly a spatial policy turns with the scene, the object and the target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.grid import turn_cube
from eq_core.groups.rotation_sets import cube_group
from eq_core.groups.rotation_sets import geodesic_distance
from eq_core.groups.so3_fourier import shift_left
from eq_core.groups.so3_fourier import shift_right
from eq_core.runtime import Bundle
from eq_core.runtime.acceptance import relative_error
from eq_manipulation.spatial.policy import SpatialPolicy
from eq_manipulation.spatial.rotations import pick_coefficients
from eq_manipulation.two_networks import PARTS

Float = NDArray[np.float32]


@dataclass(frozen=True)
class LawErrors:
    """Largest errors of both laws over the turns of the cube.

    Attributes:
        pick: ``pick(g o) = g pick(o)`` of the whole field, relative to its largest value.
        scores: Of the coarse scores of all places for a crop turned by g1 and a scene turned by
            g2, likewise.
        cells: Of the best place, which is to be ``g2 a g1^-1`` [feature cells].
        degrees: Of its rotation.
    """

    pick: float
    scores: float
    cells: float
    degrees: float

    @property
    def place(self) -> float:
        """Largest of those of the place: relative, in cells and in radians."""
        return max(self.scores, self.cells, float(np.radians(self.degrees)))


def law_errors(policy: SpatialPolicy, picture: Float, crop: Float, count: int = 24) -> LawErrors:
    """Measures the laws, of the networks as they are run.

    Args:
        policy: The policy.
        picture: (4, size, size, size) scene.
        crop: (4, crop, crop, crop) part of it.
        count: Turns of the cube that are tried, of 24.
    """
    group = cube_group()
    upright, key = _look(policy, picture), _key(policy, crop)
    before = policy.coefficients(upright[1], key)
    best = policy.places(upright[1], key)[1]
    worst = np.zeros(4)
    for number in range(1, count):
        second, first = group[number], group[number * 7 % 24]
        look = _look(policy, turn_cube(picture, second))
        turned = _key(policy, turn_cube(crop, first))
        expected = np.moveaxis(turn_cube(upright[0], second), 0, -1)
        pick = relative_error(pick_coefficients(np.moveaxis(look[0], 0, -1)),
                              shift_left(pick_coefficients(expected), second))
        after = np.moveaxis(policy.coefficients(look[1], turned), 0, -1)
        moved = np.moveaxis(turn_cube(before, second), 0, -1)
        scores = relative_error(after, shift_right(shift_left(moved.astype(np.float64), second),
                                                   first))
        found = policy.places(look[1], turned)[1]
        cells = float(np.abs(found.places[0] - second @ best.places[0]).max())
        degrees = float(np.degrees(geodesic_distance(
            found.rotations[0], second @ best.rotations[0] @ first.T)))
        worst = np.maximum(worst, [pick, scores, cells, degrees])
    return LawErrors(*(float(each) for each in worst))


def verify_spatial(folder: Path, backend: str, threads: int, precision: str = 'fp32'
                   ) -> dict[str, float]:
    """Measures the laws of a policy on the examples that travel with it, at some turns.

    Returns:
        ``pick_error`` and ``place_error``, see `LawErrors`.
    """
    policy = SpatialPolicy.from_bundle(folder, [backend], threads, precision)
    picture, crop = (next(iter(Bundle.load(folder / part).golden()[0].values()))[0]
                     for part in PARTS)
    found = law_errors(policy, picture, crop, 6)
    policy.close()
    return {'pick_error': found.pick, 'place_error': found.place}


def _look(policy: SpatialPolicy, picture: Float) -> tuple[Float, Float]:
    answer = policy.sessions[0].run({'picture': np.ascontiguousarray(picture)[None]})
    return answer['pick'][0], answer['place_features'][0]


def _key(policy: SpatialPolicy, crop: Float) -> Float:
    return policy.crop_features(np.ascontiguousarray(crop))
