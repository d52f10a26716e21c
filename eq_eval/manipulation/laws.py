"""How exactly a planar policy turns with the table, the object and the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import HeightMap
from eq_core.runtime import Bundle
from eq_core.runtime.acceptance import relative_error
from eq_manipulation.planar.correlation import lift
from eq_manipulation.planar.policy import PlanarPolicy
from eq_manipulation.two_networks import PARTS

Float = NDArray[np.float32]


def law_errors(policy: PlanarPolicy, picture: Float, crop: Float) -> tuple[float, float]:
    """Largest errors of both laws at quarter turns, of the networks as they are run.

    Args:
        policy: The policy, its group C4 (of another the errors tell how far it is from it).
        picture: (5, size, size) scene.
        crop: (5, crop, crop) part of it.

    Returns:
        ``pick(g o) = g pick(o)``, and of the scores of all places for a crop turned by g1 and a
        scene turned by g2 ``place = g2 a g1^-1``; relative to the largest value.
    """
    count = policy.config.rotations
    scenes = [_look(policy, np.rot90(picture, -turn, (1, 2))) for turn in range(4)]
    keys = [_key(policy, np.rot90(crop, -turn, (1, 2))) for turn in range(4)]
    pick = max(relative_error(scenes[turn][0], np.rot90(scenes[0][0], -turn, (-2, -1)))
               for turn in range(1, 4))
    upright, place = policy.scores(scenes[0][1], keys[0]), 0.
    for scene, key in ((1, 0), (0, 1), (2, 1), (1, 3), (3, 3)):
        expected = np.roll(np.rot90(upright, -scene, (1, 2)), (scene - key) * count // 4, 0)
        place = max(place, relative_error(policy.scores(scenes[scene][1], keys[key]), expected))
    return pick, place


def between_errors(policy: PlanarPolicy, heightmap: HeightMap, degrees: tuple[float, ...]
                   ) -> dict[str, float]:
    """Largest errors of decisions where the law is not exact.

    Args:
        policy: The policy.
        heightmap: A square table with room around what lies on it; it is turned about its centre.
        degrees: Angles.

    Returns:
        ``cells``, how far a point of the object is moved from where the turn takes its place
        [feature cells], and ``degrees``, likewise of its yaw. Any point of the object may be held,
        so that the picks themselves need not be one another's.
    """
    upright = policy.plan(heightmap, 1)
    held, goal = upright.pick[0, :2, 3], upright.place[0]
    cell = 2 * policy.config.resolution
    middle = heightmap.workspace.middle[:2]
    worst = {'cells': 0., 'degrees': 0.}
    for angle in np.radians(degrees):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        answer = policy.plan(_turned(heightmap, turn), 1)
        motion = answer.place[0] @ np.linalg.inv(answer.pick[0])
        moved = motion[:2, :2] @ (turn @ (held - middle) + middle) + motion[:2, 3]
        off = moved - (turn @ (goal[:2, 3] - middle) + middle)
        # Object and target turn alike, so the motion keeps its angle.
        twist = motion[:2, :2] @ (upright.pick[0] @ np.linalg.inv(goal))[:2, :2]
        worst['cells'] = max(worst['cells'], float(np.hypot(*off)) / cell)
        worst['degrees'] = max(
            worst['degrees'], float(np.degrees(np.abs(np.arctan2(twist[1, 0], twist[0, 0])))))
    return worst


def verify_policy(folder: Path, backend: str, threads: int, precision: str = 'fp32'
                  ) -> dict[str, float]:
    """Measures the laws of a policy on the examples that travel with it.

    Returns:
        ``pick_error`` and ``place_error``, see `law_errors`.
    """
    policy = PlanarPolicy.from_bundle(folder, [backend], threads, precision)
    picture, crop = (next(iter(Bundle.load(folder / part).golden()[0].values()))[0]
                     for part in PARTS)
    pick, place = law_errors(policy, picture, crop)
    policy.close()
    return {'pick_error': pick, 'place_error': place}


def _look(policy: PlanarPolicy, picture: Float) -> tuple[Float, Float]:
    answer = policy.sessions[0].run({'picture': np.ascontiguousarray(picture)[None]})
    return answer['pick'][0, 0], answer['place_features'][0]


def _key(policy: PlanarPolicy, crop: Float) -> Float:
    crop = np.ascontiguousarray(crop)
    turned = lift(crop, policy.config.rotations) if policy.config.turn_before else crop[None]
    key = policy.sessions[1].run({'crop': turned})['crop_features']
    return key if policy.config.turn_before else key[0]


def _turned(heightmap: HeightMap, turn: NDArray[np.float64]) -> HeightMap:
    """Turns what lies on the table about its centre; nearest cells, zeros beyond the edges."""
    rows, columns = heightmap.height.shape
    y, x = np.mgrid[:rows, :columns] + .5
    centred = np.stack([x - columns / 2, y - rows / 2], -1) @ turn      # R^-1 = R^T
    column = np.floor(centred[..., 0] + columns / 2).astype(np.int64)
    row = np.floor(centred[..., 1] + rows / 2).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row, column = row.clip(0, rows - 1), column.clip(0, columns - 1)
    return replace(heightmap, height=np.where(inside, heightmap.height[row, column], 0),
                   color=np.where(inside[..., None], heightmap.color[row, column], .5),
                   seen=inside & heightmap.seen[row, column])
