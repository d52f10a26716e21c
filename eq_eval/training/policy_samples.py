"""Demonstrations of pick and place as batches, turned and moved at random."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from eq_eval.manipulation.demonstrations import Demonstration
from eq_eval.manipulation.face import picked_face
from eq_eval.training.rearrange import find_thing
from eq_eval.training.rearrange import put_copy
from eq_eval.training.rearrange import put_elsewhere
from eq_eval.training.rearrange import Thing
from eq_eval.training.recipe import PolicyRecipe
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.config import STRIDE
from eq_manipulation.planar.preprocess import cut_crop
from eq_manipulation.planar.preprocess import GREY
from eq_manipulation.planar.preprocess import HEIGHT_SCALE
from eq_manipulation.planar.preprocess import scene_picture

HEIGHT = 3      # channel of the heights
TRIES = 50      # of a random motion that keeps pick and place in the picture

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PolicyBatch:
    """Some demonstrations.

    Attributes:
        picture: (B, 5, size, size).
        pick: (B, size / 2, size / 2) probability that a feature cell is picked.
        crop: (B, 5, crop, crop) around a point of the picked face.
        corner: (B, 2) row and column where that point goes, whole at the corners of feature
            cells.
        angle: (B,) how far the object is turned [rad].
        placing: (B,) whether the place is taught; not where a copy lies on it.
    """

    picture: Tensor
    pick: Tensor
    crop: Tensor
    corner: Tensor
    angle: Tensor
    placing: Tensor


@dataclass(frozen=True, eq=False)
class _Shown:
    """One action in the picture.

    Attributes:
        picture: (5, size, size).
        pick: (2,) x, y [cells], 0 at the picture's edge.
        place: Likewise.
        turn: Of the object [rad].
        face: (K, 2) x, y of points that would do as well as the pick.
        weight: (K,) of those.
        thing: What was picked, where it stands on its own.
    """

    picture: NDArray[np.float32]
    pick: Double
    place: Double
    turn: float
    face: Double
    weight: Double
    thing: Thing | None = None


class PolicyStream:
    """Batches of a recipe's demonstrations; each is a pure function of its number."""

    def __init__(self, shown: Sequence[Demonstration], recipe: PolicyRecipe) -> None:
        """Prepares the pictures.

        Args:
            shown: The demonstrations, each of the size that the policy takes.
            recipe: The run.
        """
        self._recipe, self._config = recipe, recipe.policy
        self._shown = [_of(each, self._config) for each in shown]

    def batches(self, first: int, last: int) -> Iterator[PolicyBatch]:
        """Yields batches `first` .. `last` - 1."""
        for number in range(first, last):
            rng = np.random.default_rng([self._recipe.seed, number])
            yield self._batch(rng)

    def _batch(self, rng: np.random.Generator) -> PolicyBatch:
        rows, last = [], self._config.size // STRIDE - 1
        for _ in range(self._recipe.batch_size):
            shown = self._shown[rng.integers(len(self._shown))]
            if done := rng.random() < self._recipe.finished:
                shown = _finished(shown)
            if rng.random() < self._recipe.rearrange:
                shown = _rearranged(shown, rng)
            shown = _moved(shown, self._recipe, rng)
            # The object moves as a whole: any point of the face goes along.
            wanted = shown.face[rng.choice(len(shown.face), p=shown.weight)]
            half = STRIDE / 2
            # Centre of a feature cell; a face may reach beyond the picture.
            near = np.rint((wanted - half) / STRIDE).clip(0, last) * STRIDE + half
            target = shown.place + _turn(shown.turn) @ (near - shown.pick)
            crop = cut_crop(shown.picture, (int(near[1]), int(near[0])), self._config)
            rows.append((shown.picture, _spread(shown, self._config.size // STRIDE), crop,
                         target[::-1] / STRIDE, shown.turn % (2 * np.pi), not done))
        return PolicyBatch(*(torch.from_numpy(np.stack(part).astype(np.float32))
                             for part in zip(*rows, strict=True)))


def _of(shown: Demonstration, config: PlanarConfig) -> _Shown:
    """Puts a demonstration into the picture."""
    margin = np.array(config.margin[::-1])
    pick, place = (shown.heightmap.workspace.cell(pose[:3, 3])[:2] + .5 + margin
                   for pose in (shown.pick, shown.place))
    motion = shown.place[:2, :2] @ shown.pick[:2, :2].T
    face, weight = picked_face(shown.heightmap, shown.pick)
    face += .5 + margin
    picture = scene_picture(shown.heightmap, config)
    column, row = np.floor(weight @ face).astype(int)
    thing = find_thing(picture, picture[3] * HEIGHT_SCALE, picture[4] > 0, (row, column),
                       config.resolution)
    return _Shown(picture, pick, place, float(np.arctan2(motion[1, 0], motion[0, 0])), face,
                  weight, thing)


def _finished(shown: _Shown) -> _Shown:
    """Puts a copy of the object at its place; the object itself is still to be picked."""
    if shown.thing is None:
        return shown
    middle = _turn(shown.turn) @ (shown.thing.middle[::-1] + .5 - shown.pick) + shown.place
    target = np.floor(middle[::-1]).astype(np.int64)
    return replace(shown, picture=put_copy(shown.picture, shown.thing, target, shown.turn, HEIGHT))


def _rearranged(shown: _Shown, rng: np.random.Generator) -> _Shown:
    """Puts the object elsewhere; its place stays."""
    if shown.thing is None or not len(shown.thing.free):
        return shown
    middle, turn = rng.choice(shown.thing.free), rng.uniform(-np.pi, np.pi)
    picture = put_elsewhere(shown.picture, shown.thing, middle, turn)
    before, after = shown.thing.middle[::-1] + .5, middle[::-1] + .5
    pick, face = ((points - before) @ _turn(turn).T + after for points in (shown.pick, shown.face))
    return _Shown(picture, pick, shown.place, shown.turn - turn, face, shown.weight)


def _spread(shown: _Shown, edge: int) -> NDArray[np.float64]:
    """Shares the weights of the face among the feature cells around its points."""
    cell = shown.face[:, ::-1] / STRIDE - .5
    low = np.floor(cell).astype(np.int64)
    rest, shared = cell - low, np.zeros((edge, edge))
    for down, right in np.ndindex(2, 2):
        row, column = (low + [down, right]).clip(0, edge - 1).T
        part = np.abs(1 - down - rest[:, 0]) * np.abs(1 - right - rest[:, 1])
        np.add.at(shared, (row, column), part * shown.weight)
    return shared


def _moved(shown: _Shown, recipe: PolicyRecipe, rng: np.random.Generator) -> _Shown:
    """Turns, shifts and scales the whole picture so that pick and place stay in it."""
    size = shown.picture.shape[-1]
    middle, reach = np.full(2, size / 2), recipe.shift / recipe.policy.resolution
    for _ in range(TRIES):
        turn = np.radians(rng.uniform(-recipe.yaw_degrees, recipe.yaw_degrees))
        offset = rng.uniform(-reach, reach, 2)
        motion = np.exp(recipe.scale * rng.uniform(-1, 1)) * _turn(turn)
        pick, place = (motion @ (point - middle) + middle + offset
                       for point in (shown.pick, shown.place))
        if all((point > STRIDE).all() and (point < size - STRIDE).all()
               for point in (pick, place)):
            break
    else:
        return shown
    axis = np.arange(size) + .5
    x, y = np.meshgrid(axis - middle[0] - offset[0], axis - middle[1] - offset[1])
    inverse = np.linalg.inv(motion)
    column = np.floor(inverse[0, 0] * x + inverse[0, 1] * y + middle[0]).astype(np.int64)
    row = np.floor(inverse[1, 0] * x + inverse[1, 1] * y + middle[1]).astype(np.int64)
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    picture = np.where(inside, shown.picture[:, row.clip(0, size - 1), column.clip(0, size - 1)],
                       0)
    _repaint(picture, recipe, rng)
    face = (shown.face - middle) @ motion.T + middle + offset
    return _Shown(picture, pick, place, shown.turn, face, shown.weight)


def _repaint(picture: NDArray[np.float32], recipe: PolicyRecipe, rng: np.random.Generator) -> None:
    """Changes light and heights, so that one demonstration is not learned by heart."""
    light = np.exp(recipe.brightness * rng.uniform(-1, 1) + recipe.tint * rng.uniform(-1, 1, 3))
    picture[:3] = picture[4] * ((picture[:3] + GREY) * light[:, None, None] - GREY)
    picture[3] *= np.exp(recipe.height_scale * rng.uniform(-1, 1))


def _turn(angle: float) -> Double:
    """Matrix (2, 2) of a turn [rad]."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
