"""A baseline without learning: clouds of one demonstration, found again by registration.

What lay around the shown pick is the template of the object, what lies around the shown place that
of the target. Each is found in a new scene by matching local histograms (FPFH, Rusu et al., ICRA
2009) with RANSAC and refined by ICP; the motion follows from both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_eval.manipulation.spatial.demonstrations import SpatialDemonstration
from eq_manipulation.outcome import PickPlace

THIN = .004             # edge of the cells that clouds are thinned by [m]
NEIGHBOURHOOD = .02     # of normals; of histograms two and a half times that [m]
TRIALS = 100_000        # of RANSAC
ALIKE = .2              # points of one body differ by less in the ratios of their colours

Double = NDArray[np.float64]


class TemplatePolicy:
    """Finds object and target of a demonstration again.

    Bodies are told apart by their colours, which makes this baseline stronger: it need not
    segment.
    """

    def __init__(self, shown: SpatialDemonstration) -> None:
        """Cuts the templates out.

        Args:
            shown: Both bodies must be seen well in it.
        """
        self._shown = shown
        near = np.linalg.norm(shown.xyz - shown.pick[:3, 3], axis=-1)
        self._hue = _hues(shown.color[near.argmin()][None])[0]
        self._object, self._target = self._parts(shown.xyz, shown.color)

    def plan_points(self, xyz: NDArray[np.float32], color: NDArray[np.float32]) -> PickPlace:
        """Registers both templates.

        Args:
            xyz: (N, 3) points of the scene [m].
            color: (N, 3) in [0, 1].
        """
        parts = self._parts(xyz, color)
        (first, fit), (second, fit_target) = (
            _register(template, part)
            for template, part in zip((self._object, self._target), parts, strict=True))
        pick = first @ self._shown.pick
        place = second @ self._shown.place
        heat = np.zeros((1, 1, 1), np.float32)
        return PickPlace(pick[None], np.array([fit]), place[None], np.array([fit_target]), heat,
                         heat)

    def _parts(self, xyz: NDArray[np.float32], color: NDArray[np.float32]) -> tuple[Any, Any]:
        own = np.abs(_hues(color) - self._hue).max(-1) < ALIKE
        return _cloud(xyz[own]), _cloud(xyz[~own])


def _hues(color: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours without their brightness."""
    return np.asarray(color / np.maximum(color.sum(-1, keepdims=True), 1e-6))


def _cloud(xyz: NDArray[np.float32]) -> tuple[Any, Any]:
    """Open3D cloud with normals, and its histograms."""
    import open3d
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(xyz.astype(np.float64)))
    cloud = cloud.voxel_down_sample(THIN)
    search = open3d.geometry.KDTreeSearchParamHybrid
    cloud.estimate_normals(search(NEIGHBOURHOOD, 30))
    cloud.orient_normals_towards_camera_location(cloud.get_center())
    features = open3d.pipelines.registration.compute_fpfh_feature(
        cloud, search(2.5 * NEIGHBOURHOOD, 100))    # type: ignore[call-arg]
    return cloud, features


def _register(template: tuple[Any, Any], scene: tuple[Any, Any]) -> tuple[Double, float]:
    """Pose scene <- template, and the share of the template that fits."""
    import open3d
    registration = open3d.pipelines.registration
    open3d.utility.random.seed(0)
    rough = registration.registration_ransac_based_on_feature_matching(
        template[0], scene[0], template[1], scene[1], True, 3 * THIN,
        registration.TransformationEstimationPointToPoint(False), 3,
        [registration.CorrespondenceCheckerBasedOnEdgeLength(.9),
         registration.CorrespondenceCheckerBasedOnDistance(3 * THIN)],
        registration.RANSACConvergenceCriteria(TRIALS, .999))
    fine = registration.registration_icp(
        template[0], scene[0], 2 * THIN, rough.transformation,
        registration.TransformationEstimationPointToPlane())
    return np.asarray(fine.transformation), float(fine.fitness)
