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

from eq_eval.manipulation.spatial.demonstrations import SpatialDemonstration
from eq_eval.training.recipe import SpatialRecipe
from eq_manipulation.spatial.config import STRIDE
from eq_manipulation.spatial.preprocess import cut_crop
from eq_manipulation.spatial.preprocess import pick_corner
from eq_manipulation.spatial.preprocess import scene_picture
from eq_manipulation.spatial.rotations import pick_basis

TRIES = 30              # of a random motion that keeps all of importance in the cube
INSIDE = .9             # part of the points that must stay in it
EDGE_CELLS = 2.         # pick and place stay so far from its faces [feature cells]
PICK_ROTATIONS = 1024   # that the shown one is compared with
WIDEST_TURN, WIDEST_SHIFT = np.radians(40.), 2.     # of poses near the shown one, [cells]
NARROWEST = .05         # part of those at the narrowest

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
        fine: (B, M, 3, 3) rotations of the object, likewise.
        fine_places: (B, M, 3) where the centre of the crop goes.
    """

    picture: Tensor
    pick: Tensor
    basis: Tensor
    crop: Tensor
    coarse: Tensor
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
        self._shown, self._recipe = list(shown), recipe

    def batches(self, first: int, last: int) -> Iterator[SpatialBatch]:
        """Yields batches `first` .. `last` - 1."""
        for number in range(first, last):
            rng = np.random.default_rng([self._recipe.seed, number])
            rows = [self._sample(rng) for _ in range(self._recipe.batch_size)]
            yield SpatialBatch(*(torch.from_numpy(np.stack(part).astype(np.float32))
                                 for part in zip(*rows, strict=True)))

    def _sample(self, rng: np.random.Generator) -> tuple[NDArray[np.floating], ...]:
        recipe, config = self._recipe, self._recipe.policy
        shown = moved(self._shown[rng.integers(len(self._shown))], recipe, rng)
        picture = scene_picture(shown.voxels(), config)
        edge, middle = config.size // STRIDE, _middle(shown)
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
        coarse, fine, places = _poses(motion[:3, :3], target, recipe, rng)
        return picture, pick[::-1], basis, crop, coarse, fine, places


def moved(shown: SpatialDemonstration, recipe: SpatialRecipe, rng: np.random.Generator
          ) -> SpatialDemonstration:
    """Turns and shifts a scene as a whole, drops some points and changes the light.

    Pick and place stay in the cube, as do nearly all points; a scene that cannot is not moved.
    """
    middle, space = _middle(shown), shown.workspace
    room = (np.array(space.upper) - space.lower) / 2 - EDGE_CELLS * STRIDE * space.resolution
    for _ in range(TRIES):
        turn = np.eye(4)
        turn[:3, :3] = Rotation.random(rng=rng).as_matrix()
        turn[:3, 3] = (middle + rng.uniform(-recipe.shift, recipe.shift, 3)
                       - turn[:3, :3] @ middle)
        pick, place = turn @ shown.pick, turn @ shown.place
        xyz = (shown.xyz @ turn[:3, :3].T + turn[:3, 3]).astype(np.float32)
        if (all((np.abs(pose[:3, 3] - middle) < room).all() for pose in (pick, place))
                and space.contains(xyz).mean() > INSIDE):
            break
    else:
        pick, place, xyz = shown.pick, shown.place, shown.xyz
    kept = rng.random(len(xyz)) < rng.uniform(recipe.kept, 1)
    light = np.exp(recipe.brightness * rng.uniform(-1, 1) + recipe.tint * rng.uniform(-1, 1, 3))
    color = np.clip(shown.color[kept] * light, 0, 1).astype(np.float32)
    return replace(shown, xyz=xyz[kept], color=color, pick=pick, place=place)


def _poses(rotation: Double, target: Double, recipe: SpatialRecipe, rng: np.random.Generator
           ) -> tuple[Double, Double, Double]:
    """Rotations of the coarse comparison, rotations and places of the fine one."""
    even = Rotation.random(recipe.coarse - 1, rng=rng).as_matrix()
    width = NARROWEST ** rng.random((recipe.fine, 1))
    width[0] = 0
    vectors = width * WIDEST_TURN * _in_ball(recipe.fine, rng)
    fine = Rotation.from_rotvec(vectors).as_matrix() @ rotation
    places = target + width * WIDEST_SHIFT * _in_ball(recipe.fine, rng)
    return np.concatenate([rotation[None], even]), fine, places


def _in_ball(count: int, rng: np.random.Generator) -> Double:
    """(count, 3) even points in the unit ball."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction * rng.random((count, 1)) ** (1 / 3))


def _middle(shown: SpatialDemonstration) -> Double:
    return (np.array(shown.workspace.lower) + shown.workspace.upper) / 2
