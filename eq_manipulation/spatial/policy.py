"""Five lines from voxels to poses in space to pick and to place at.

Example::

    policy = SpatialPolicy.from_bundle('models/mug_on_rack')
    answer = policy.plan(voxels)
    if answer.pick_score[0] > .2 and answer.place_score[0] > .2:
        move(answer.pick[0], answer.place[0])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.voxels import VoxelGrid
from eq_core.groups.so3_argmax import argmax
from eq_core.runtime.backend import DEFAULT_OPTIONS
from eq_core.runtime.backend import SessionOptions
from eq_core.runtime.selection import DEFAULT_BACKENDS
from eq_manipulation.outcome import PickPlace
from eq_manipulation.spatial.config import CROP
from eq_manipulation.spatial.config import SCENE
from eq_manipulation.spatial.config import SpatialConfig
from eq_manipulation.spatial.config import STRIDE
from eq_manipulation.spatial.config import TURNS_AT_ONCE
from eq_manipulation.spatial.correlation import copy_kernels
from eq_manipulation.spatial.correlation import correlate
from eq_manipulation.spatial.correlation import fiber_kernels
from eq_manipulation.spatial.correlation import lifting_set
from eq_manipulation.spatial.correlation import turned_pictures
from eq_manipulation.spatial.postprocess import centre_of
from eq_manipulation.spatial.postprocess import peaks
from eq_manipulation.spatial.postprocess import read_between
from eq_manipulation.spatial.postprocess import share_near
from eq_manipulation.spatial.preprocess import cut_crop
from eq_manipulation.spatial.preprocess import pick_corner
from eq_manipulation.spatial.preprocess import scene_picture
from eq_manipulation.spatial.rotations import pick_coefficients
from eq_manipulation.spatial.search import best_coarse
from eq_manipulation.spatial.search import Poses
from eq_manipulation.spatial.search import PoseScore
from eq_manipulation.spatial.search import refined
from eq_manipulation.two_networks import open_parts
from eq_manipulation.two_networks import Runs
from eq_manipulation.two_networks import softmax
from eq_manipulation.two_networks import TwoNetworks

Float = NDArray[np.float32]
Double = NDArray[np.float64]


class SpatialPolicy(TwoNetworks):
    """Looks at a cube and tells where to pick and where to place, tilted as it may be.

    Law: turning the scene turns pick and place with it; turning the object alone turns the motion
    the other way, turning the target alone turns it with it: ``g2 a g1^-1``. Exact at the 24 turns
    of the cube.

    Attributes:
        config: Of the policy.
        sessions: Of the scene and of the crop.
    """

    def __init__(self, config: SpatialConfig, scene: Runs, crop: Runs) -> None:
        """Joins two loaded networks.

        Args:
            config: What both were built with.
            scene: From ``'picture'`` to ``'pick'`` and ``'place_features'``.
            crop: From ``'crop'`` to ``'crop_features'``.
        """
        super().__init__(scene, crop)
        self.config = config
        self._lifting = lifting_set(config.lifting, config.degree)

    @classmethod
    def from_bundle(cls, folder: str | Path, backends: Sequence[str] = DEFAULT_BACKENDS,
                    threads: int = 1, precision: str = 'fp32',
                    options: SessionOptions = DEFAULT_OPTIONS) -> SpatialPolicy:
        """Opens the two bundles of a policy, ``scene`` and ``crop``.

        Args:
            folder: Folder of both.
            backends: Names of inference backends, best first.
            threads: Threads of the inference.
            precision: Of the graphs: ``'fp32'``, or another that both bundles have.
            options: What may be done to open a session: build engines, fall back.

        Raises:
            BundleError: A bundle is incomplete or altered.
            ConfigError: They are not the two parts of one spatial policy.
            BackendError: No backend runs them.
        """
        config, scene, crop = open_parts(folder, (SCENE, CROP), 'spatial', backends, threads,
                                         precision, options)
        return cls(SpatialConfig.from_dict(config), scene, crop)

    def plan(self, voxels: VoxelGrid, count: int = 5) -> PickPlace:
        """Tells where to pick and where to place.

        Args:
            voxels: The cube.
            count: How many poses of either are wanted at most.

        Returns:
            Poses in the frame of the voxels. Heats are probabilities of feature cells for picks,
            and of their corners for where the middle of the crop goes.

        Raises:
            InputError: The voxels are not of the size that the policy takes.
            BackendError: A backend failed.
            OutputError: A network gave something that must not be used.
        """
        picture = scene_picture(voxels, self.config)
        answer = self.sessions[0].run({'picture': picture[None]})
        pick_heat, cells, picks = self._picks(answer['pick'][0], count)
        psi = self.crop_features(cut_crop(picture, pick_corner(cells[0]), self.config))
        place_heat, motions = self.places(answer['place_features'][0], psi)
        motions = motions[:count]
        # The object moves about the middle of the crop, which is the middle of a cell.
        held = np.array(cells[0][::-1]) - (pick_heat.shape[0] - 1) / 2
        pick = [_pose(rotation, place, self._unit, voxels)
                for rotation, place in picks]
        shift = np.eye(4)
        shift[:3, 3] = -self._point(held, voxels)
        place = [_pose(rotation, where, self._unit, voxels) @ shift @ pick[0]
                 for rotation, where in zip(motions.rotations, motions.places, strict=True)]
        radius = self._radius
        return PickPlace(
            np.stack(pick), np.array([share_near(pick_heat, each, radius) for _, each in picks]),
            np.stack(place), np.array([share_near(place_heat, each, radius)
                                       for each in motions.places]),
            pick_heat, place_heat, voxels.frame_id, voxels.stamp)

    def _picks(self, field: Float, count: int
               ) -> tuple[Float, list[tuple[int, int, int]], list[tuple[Double, Double]]]:
        """Heat of the pick, cells, and rotations with places [feature cells from the middle]."""
        heat = softmax(field[0])
        cells = peaks(heat, self._radius, count)
        places = [centre_of(heat, cell) for cell in cells]
        values = np.stack([read_between(field, place) for place in places])
        values[:, 0] = 0        # how likely the cell is tells nothing of rotations
        turns = argmax(pick_coefficients(values)).rotation
        return heat, cells, list(zip(turns, places, strict=True))

    def places(self, phi: Float, psi: Float) -> tuple[Float, Poses]:
        """Compares crop and scene.

        Args:
            phi: (D, n, n, n) features of the scene.
            psi: Features of the crop, from `crop_features`.

        Returns:
            (n + 1, n + 1, n + 1) probability of where the crop's centre goes, and the best poses.
        """
        coefficients = self.coefficients(phi, psi)
        edge, lifting = coefficients.shape[-1], self._lifting
        scores = (lifting.basis.astype(np.float32)
                  @ coefficients.reshape(len(coefficients), -1)).reshape(-1, *(edge,) * 3)
        heat = softmax(scores).sum(0)
        start = best_coarse(scores, np.asarray(lifting.rotations), self.config.candidates)
        if self.config.refine:
            return heat, refined(PoseScore(phi, psi, self.config.features), start)
        corner = np.rint(start.places + (edge - 1) / 2).astype(int)
        peak = argmax(coefficients[:, corner[:, 2], corner[:, 1], corner[:, 0]].T)
        places = np.stack([centre_of(heat, (int(z), int(y), int(x))) for x, y, z in corner])
        return heat, Poses(peak.rotation, places, peak.value)

    def crop_features(self, crop: Float) -> Float:
        """Looks at a crop (4, crop, crop, crop).

        Returns:
            (D, c, c, c); for a policy that turns before, (N, D, c, c, c) of all turned pictures.
        """
        session, name, degree = self.sessions[1], self.config.lifting, self.config.degree
        if not self.config.turn_before:
            return np.asarray(session.run({'crop': crop[None]})['crop_features'][0])
        pictures = turned_pictures(crop, name, degree).reshape(-1, TURNS_AT_ONCE, *crop.shape)
        return np.concatenate([session.run({'crop': part})['crop_features'] for part in pictures])

    def coefficients(self, phi: Float, psi: Float) -> Float:
        """Wigner coefficients, (Q, n + 1, n + 1, n + 1), of the scores at corners of cells."""
        name, degree = self.config.lifting, self.config.degree
        kernels = (copy_kernels(psi, name, degree) if self.config.turn_before else
                   fiber_kernels(psi, self.config.features, name, degree))
        return correlate(phi, kernels)

    @property
    def _unit(self) -> float:
        return STRIDE * self.config.resolution

    @property
    def _radius(self) -> float:
        return self.config.score_radius / self._unit

    def _point(self, place: Double, voxels: VoxelGrid) -> Double:
        return voxels.workspace.middle + place * self._unit


def _pose(rotation: Double, place: Double, unit: float, voxels: VoxelGrid) -> Double:
    """(4, 4) of a rotation and a place from the middle [feature cells]."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, voxels.workspace.middle + place * unit
    return pose
