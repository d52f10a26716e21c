"""Demonstrations of spatial pick and place as batches, turned and moved at random."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
import torch
from torch import Tensor

from eq_core.groups.rotation_sets import cube_group
from eq_eval.manipulation.spatial.demonstrations import SpatialDemonstration
from eq_eval.training.recipe import SpatialRecipe
from eq_eval.training.relighting import body_normals
from eq_eval.training.relighting import relit
from eq_manipulation.spatial.config import STRIDE
from eq_manipulation.spatial.preprocess import cut_crop
from eq_manipulation.spatial.preprocess import pick_corner
from eq_manipulation.spatial.preprocess import scene_picture
from eq_manipulation.spatial.rotations import pick_basis

TRIES = 200             # of random motions
NEARLY_ALL = .98        # part of the points that a sphere about a body holds
APART = .9              # bodies stay so far from each other, of the radii of their spheres
PICK_ROTATIONS = 1024   # that the shown one is compared with
NARROWEST = .1          # part of the widest turn and shift that is drawn at least
WIDEST_TURN = np.radians(80.)   # of rotations near the shown one
WIDEST_SHIFT = 2.               # of places near the shown one [feature cells]

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpatialBatch:
    """Some demonstrations; places are x, y, z from the middle [feature cells].

    Attributes:
        picture: (B, 4, size, size, size).
        pick: (B, 3) iz, iy, ix of the pick in feature cells.
        basis: (B, 1 + N, 35) values of the Wigner basis at the shown rotation of the tool and at
            even ones.
        crop: (B, 4, crop, crop, crop) around a point near the pick.
        coarse: (B, K, 3, 3) rotations of the object, the shown one first.
        turns: (B, T, 3, 3) rotations of the object, likewise.
        fine: (B, M, 3, 3) rotations of the object, likewise.
        fine_places: (B, M, 3) where the centre of the crop goes.
    """

    picture: Tensor
    pick: Tensor
    basis: Tensor
    crop: Tensor
    coarse: Tensor
    turns: Tensor
    fine: Tensor
    fine_places: Tensor


class SpatialStream:
    """Batches of a recipe's demonstrations; each is a pure function of its number."""

    def __init__(self, shown: Sequence[SpatialDemonstration], recipe: SpatialRecipe) -> None:
        """Keeps the demonstrations.

        Args:
            shown: Each of the cube that the policy takes.
            recipe: The run.
        """
        self._shown = [(each, body_normals(each.xyz, each.carried)) for each in shown]
        self._recipe = recipe

    def batches(self, first: int, last: int) -> Iterator[SpatialBatch]:
        """Yields batches `first` .. `last` - 1."""
        for number in range(first, last):
            rng = np.random.default_rng([self._recipe.seed, number])
            rows = [self._sample(rng) for _ in range(self._recipe.batch_size)]
            yield SpatialBatch(*(torch.from_numpy(np.stack(part).astype(np.float32))
                                 for part in zip(*rows, strict=True)))

    def _sample(self, rng: np.random.Generator) -> tuple[NDArray[np.floating], ...]:
        recipe, config = self._recipe, self._recipe.policy
        shown = moved(*self._shown[rng.integers(len(self._shown))], recipe, rng)
        picture = scene_picture(shown.voxels(), config)
        edge, middle = config.size // STRIDE, shown.workspace.middle
        unit = STRIDE * config.resolution
        pick = (shown.pick[:3, 3] - middle) / unit + (edge - 1) / 2         # x, y, z [cells]
        # The object moves as a whole: any point near the pick goes along.
        near = pick + rng.uniform(-1, 1, 3) * recipe.aside / unit
        near = np.rint(near).astype(np.int64).clip(0, edge - 1)
        crop = cut_crop(picture, pick_corner((int(near[2]), int(near[1]), int(near[0]))), config)
        motion = shown.place @ np.linalg.inv(shown.pick)
        centre = (near - (edge - 1) / 2) * unit + middle
        target = (motion[:3, :3] @ centre + motion[:3, 3] - middle) / unit
        even = Rotation.random(PICK_ROTATIONS, rng=rng).as_matrix()
        basis = pick_basis(np.concatenate([shown.pick[None, :3, :3], even]))
        coarse, turns, fine, places = _poses(motion[:3, :3], shown.pick[:3, :3], target, recipe,
                                             rng)
        return picture, pick[::-1], basis, crop, coarse, turns, fine, places


def moved(shown: SpatialDemonstration, normals: Double, recipe: SpatialRecipe,
          rng: np.random.Generator) -> SpatialDemonstration:
    """Turns and moves object and target, each on its own, drops points and changes the light.

    That the place follows is the law of the policy. It is only a law of the two networks, though,
    as long as that of the scene does not look at the object: with few demonstrations it would
    learn by heart how the target was turned from where the object lay beside it.

    Light comes from elsewhere, too. Faces that lie level in every demonstration are lit alike,
    and the brightest side would be taken for the top of whatever is tilted later.

    Args:
        shown: A demonstration.
        normals: (N, 3) of the surface at its points, from `body_normals`.
        recipe: The run.
        rng: Draws all of it.
    """
    first, second = _turns(shown, rng)
    xyz = np.where(shown.carried[:, None], _at(first, shown.xyz), _at(second, shown.xyz))
    kept = rng.random(len(xyz)) < rng.uniform(recipe.kept, 1)
    color = np.empty_like(shown.color)
    for body in (shown.carried, ~shown.carried):
        color[body] = relit(shown.color[body], normals[body], recipe.shading, rng)
    light = np.exp(recipe.brightness * rng.uniform(-1, 1) + recipe.tint * rng.uniform(-1, 1, 3))
    color = np.clip(color[kept] * light, 0, 1).astype(np.float32)
    return replace(shown, xyz=xyz[kept].astype(np.float32), color=color,
                   carried=shown.carried[kept], pick=first @ shown.pick,
                   place=second @ shown.place)


def _turns(shown: SpatialDemonstration, rng: np.random.Generator) -> tuple[Double, Double]:
    """Motions (4, 4) of object and target that keep them in the cube and apart."""
    space, parts = shown.workspace, (shown.xyz[shown.carried], shown.xyz[~shown.carried])
    if not all(len(part) for part in parts):
        return np.eye(4), np.eye(4)
    middles = [part.mean(0) for part in parts]
    radii = [float(np.quantile(np.linalg.norm(part - middle, axis=-1), NEARLY_ALL))
             for part, middle in zip(parts, middles, strict=True)]
    carried = shown.place @ np.linalg.inv(shown.pick)
    goal = _at(carried, middles[0])
    half = (np.array(space.upper) - space.lower) / 2
    turns = [np.eye(4), np.eye(4)]
    for _ in range(TRIES):
        for number, (middle, radius) in enumerate(zip(middles, radii, strict=True)):
            turn = np.eye(4)
            turn[:3, :3] = Rotation.random(rng=rng).as_matrix()
            where = shown.workspace.middle + rng.uniform(-1, 1, 3) * np.maximum(half - radius, 0)
            turn[:3, 3] = where - turn[:3, :3] @ middle
            turns[number] = turn
        object_at, target_at, goal_at = (_at(turn, point) for turn, point in zip(
            (turns[0], turns[1], turns[1]), (*middles, goal), strict=True))
        if (np.linalg.norm(object_at - target_at) > APART * sum(radii)
                and np.linalg.norm(object_at - goal_at) > 2 * APART * radii[0]
                and (np.abs(goal_at - shown.workspace.middle) < half - radii[0] / 2).all()):
            return turns[0], turns[1]
    return np.eye(4), np.eye(4)


def _at(pose: Double, xyz: NDArray[np.floating]) -> Double:
    return np.asarray(xyz @ pose[:3, :3].T + pose[:3, 3])


def _poses(rotation: Double, pick: Double, target: Double, recipe: SpatialRecipe,
           rng: np.random.Generator) -> tuple[Double, Double, Double, Double]:
    """Rotations of the first two comparisons, rotations and places of the third.

    Quarter and half turns of the object about the axes of the tool are among those of the second:
    tools are held along axes of objects, and a rod looks much like another one across it.
    """
    even = Rotation.random(recipe.coarse - 1, rng=rng).as_matrix()
    turns = Rotation.random(recipe.turns, rng=rng).as_matrix()
    turns[0] = rotation
    half, group = recipe.turns // 2, cube_group()
    crossed = group[np.trace(group, axis1=1, axis2=2) < 3]     # all but the identity
    turns[1:half] = _around(rotation, NARROWEST ** rng.random((half - 1, 1)), rng)
    few = recipe.turns - half
    if few < len(crossed):
        crossed = rng.permutation(crossed)[:few // 2]
    turns[half:half + len(crossed)] = rotation @ pick @ crossed @ pick.T
    width = NARROWEST ** rng.random((recipe.fine, 1))
    width[0] = 0
    places = target + width * WIDEST_SHIFT * _in_ball(recipe.fine, rng)
    return (np.concatenate([rotation[None], even]), turns, _around(rotation, width, rng), places)


def _around(rotation: Double, width: Double, rng: np.random.Generator) -> Double:
    """Rotations at most `width` times the widest turn from one."""
    vectors = WIDEST_TURN * width * _in_ball(len(width), rng)
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix() @ rotation)


def _in_ball(count: int, rng: np.random.Generator) -> Double:
    """(count, 3) even points in the unit ball."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction * rng.random((count, 1)) ** (1 / 3))
