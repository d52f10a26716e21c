"""Five lines from a heightmap to poses to pick and to place at.

Example::

    policy = PlanarPolicy.from_bundle('models/insert_l_block')
    answer = policy.plan(heightmap)
    if answer.pick_score[0] > .2 and answer.place_score[0] > .2:
        move(answer.pick[0], answer.place[0])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.heightmap import HeightMap
from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_manipulation.outcome import PickPlace
from eq_manipulation.planar.config import CROP
from eq_manipulation.planar.config import PlanarConfig
from eq_manipulation.planar.config import SCENE
from eq_manipulation.planar.config import STRIDE
from eq_manipulation.planar.correlation import correlate
from eq_manipulation.planar.correlation import fiber_kernels
from eq_manipulation.planar.correlation import lift
from eq_manipulation.planar.postprocess import peaks
from eq_manipulation.planar.preprocess import cut_crop
from eq_manipulation.planar.preprocess import pick_corner
from eq_manipulation.planar.preprocess import scene_picture
from eq_manipulation.two_networks import open_parts
from eq_manipulation.two_networks import Runs
from eq_manipulation.two_networks import softmax
from eq_manipulation.two_networks import TwoNetworks

Float = NDArray[np.float32]
Double = NDArray[np.float64]


class PlanarPolicy(TwoNetworks):
    """Looks at a table from above and tells where to pick and where to place.

    Law: turning the table turns pick and place with it; turning the object alone turns the place
    the other way, turning the target alone turns the place with it. Exact at quarter turns.

    Attributes:
        config: Of the policy.
        sessions: Of the scene and of the crop.
    """

    def __init__(self, config: PlanarConfig, scene: Runs, crop: Runs) -> None:
        """Joins two loaded networks.

        Args:
            config: What both were built with.
            scene: From ``'picture'`` to ``'pick'`` and ``'place_features'``.
            crop: From ``'crop'`` to ``'crop_features'``.
        """
        super().__init__(scene, crop)
        self.config = config
        angle = circle_angles(config.rotations)
        self._basis = circular_harmonics(angle, config.frequencies).astype(np.float32)

    @classmethod
    def from_bundle(cls, folder: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, precision: str = 'fp32',
                    options: SessionOptions = DEFAULT_OPTIONS) -> PlanarPolicy:
        """Opens the two bundles of a policy, ``scene`` and ``crop``.

        Args:
            folder: Folder of both.
            backends: Names of inference backends, best first.
            threads: Threads of the inference.
            precision: Of the graphs: ``'fp32'``, or another that both bundles have.
            options: What may be done to open a session: build engines, fall back.

        Raises:
            BundleError: A bundle is incomplete or altered.
            ConfigError: They are not the two parts of one planar policy.
            BackendError: No backend runs them.
        """
        config, scene, crop = open_parts(folder, (SCENE, CROP), 'planar', backends, threads,
                                         precision, options)
        return cls(PlanarConfig.from_dict(config), scene, crop)

    def plan(self, heightmap: HeightMap, count: int = 5) -> PickPlace:
        """Tells where to pick and where to place.

        Args:
            heightmap: The table.
            count: How many poses of either are wanted at most.

        Returns:
            Poses in the frame of the heightmap; those of the pick have yaw 0, as what turns is
            the object: its turn is that from ``pick[0]`` to a place.

        Raises:
            InputError: The heightmap is not of the size that the policy takes.
            BackendError: A backend failed.
            OutputError: A network gave something that must not be used.
        """
        config = self.config
        picture = scene_picture(heightmap, config)
        scene, crop = self.sessions
        answer = scene.run({'picture': picture[None]})
        # Cells of the pick: their centres are corners of heightmap cells.
        logits = _within(answer['pick'][:, 0], config, 0)
        pick_heat = softmax(logits)
        picks = peaks(pick_heat, self._radius, count)
        held = round(picks[0].row), round(picks[0].column)
        cut = cut_crop(picture, pick_corner(*held), config)[None]
        if config.turn_before:
            cut = lift(cut[0], config.rotations)
        psi = crop.run({'crop': cut})['crop_features']
        scores = self.scores(answer['place_features'][0], psi if config.turn_before else psi[0])
        place_heat = softmax(_within(scores, config, 1))
        places = peaks(place_heat, self._radius, count)
        # The first pick is where the crop was cut out, so that the place belongs to it.
        picks[0] = replace(picks[0], row=float(held[0]), column=float(held[1]))
        return PickPlace(
            np.stack([_pose(each.row + .5, each.column + .5, 0., heightmap, config)
                      for each in picks]), np.array([each.score for each in picks]),
            np.stack([_pose(each.row, each.column, each.angle, heightmap, config)
                      for each in places]), np.array([each.score for each in places]),
            pick_heat.sum(0), place_heat.sum(0), heightmap.frame_id, heightmap.stamp)

    def scores(self, phi: Float, psi: Float) -> Float:
        """Scores of all places, equation (1) of `correlation`.

        Args:
            phi: (D, H, W) features of the scene.
            psi: (D, c, c) features of the crop; for a policy that turns before, (N, D, c, c).

        Returns:
            (N, H + 1, W + 1) by angle and corner of feature cells.
        """
        if self.config.turn_before:
            return correlate(phi, psi)
        kernels = fiber_kernels(psi, self.config.rotations, self.config.frequencies)
        return np.asarray(np.tensordot(self._basis, correlate(phi, kernels), 1), np.float32)

    @property
    def _radius(self) -> float:
        return self.config.score_radius / (STRIDE * self.config.resolution)


def _within(score: Float, config: PlanarConfig, more: int) -> Float:
    """Leaves out what is not of the workspace; `more` cells beyond the last one are."""
    top, left = (edge // STRIDE for edge in config.margin)
    limited = np.full_like(score, -np.inf)
    part = np.s_[:, top:top + config.rows // STRIDE + more,
                 left:left + config.columns // STRIDE + more]
    limited[part] = score[part]
    return limited


def _pose(row: float, column: float, yaw: float, heightmap: HeightMap, config: PlanarConfig
          ) -> Double:
    """Pose on the surface; row and column are whole at the corners of feature cells."""
    top, left = config.margin
    y, x = STRIDE * row - top, STRIDE * column - left       # whole at corners of heightmap cells
    space = heightmap.workspace
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    cell = np.array([np.clip(int(x), 0, config.columns - 1), np.clip(int(y), 0, config.rows - 1)])
    pose[:2, 3] = space.place(np.array([x - .5, y - .5, 0.]))[:2]
    pose[2, 3] = heightmap.surface(cell)[2]
    return pose
