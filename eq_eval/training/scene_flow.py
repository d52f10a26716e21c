"""Where points of one scan are in the next one: from poses, tracked boxes, or registration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from eq_core.errors import ConfigError
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan

SEEN_AGAIN = .3     # a point that moved lies so near to one of the next scan [m]
MARGIN = .1         # on each side of a box, whose points lie on its surface [m]
THINNED = .4        # distance of the points that are registered [m]
REACHES = (3., 1., .4)  # of corresponding points, from rough to fine [m]

Double = NDArray[np.float64]


def scene_flow(xyz: NDArray[np.float32], earlier: LabeledScan, later: LabeledScan) -> Double:
    """Moves points of a scan to where they are in the next one.

    Args:
        xyz: (N, 3) points of the earlier scan, in its sensor's frame [m].
        earlier: Its pose, and tracked boxes if known.
        later: Those of the next scan.

    Returns:
        (N, 3) in the later sensor's frame. What is in a box of a track that both scans have moves
        with the box, all else stands still in the world.
    """
    ego = np.linalg.inv(later.pose) @ earlier.pose
    moved = xyz @ ego[:3, :3].T + ego[:3, 3]
    if earlier.boxes is None or later.boxes is None:
        return moved
    before, after = earlier.boxes, later.boxes
    place = {int(track): row for row, track in enumerate(after.track_id) if track >= 0}
    for row, track in enumerate(before.track_id):
        if int(track) not in place:
            continue
        other = place[int(track)]
        local = (xyz - before.center[row]) @ _turn(before.yaw[row])
        inside = (np.abs(local) <= before.size[row] / 2 + MARGIN).all(1)
        moved[inside] = local[inside] @ _turn(after.yaw[other]).T + after.center[other]
    return moved


def seen_again(moved: Double, points: Points) -> NDArray[np.bool_]:
    """Tells which moved points (N, 3) lie at one of a scan: others are hidden, or moved otherwise.

    Where no boxes are known, what moves by itself is left out this way.
    """
    return np.asarray(KDTree(points.xyz).query(
        moved, distance_upper_bound=SEEN_AGAIN)[0] <= SEEN_AGAIN)


def with_poses(scans: Sequence[LabeledScan]) -> list[LabeledScan]:
    """Gives consecutive scans of unknown poses those of registration, scan to scan.

    Args:
        scans: In their order; where any pose differs from the identity, they are known.

    Raises:
        ConfigError: Open3D is not installed, and poses are not known.
    """
    if len(scans) < 2 or any(not np.allclose(scan.pose, np.eye(4)) for scan in scans):
        return list(scans)
    posed, step = [scans[0]], np.eye(4)
    for before, scan in zip(scans, scans[1:], strict=False):
        step = register(scan.points, before.points, step)
        posed.append(replace(scan, pose=posed[-1].pose @ step))
    return posed


def register(points: Points, onto: Points, start: Double) -> Double:
    """Finds the motion (4, 4) that takes a scan onto another one, by point-to-plane ICP of Open3D.

    Args:
        points: The scan.
        onto: The other one.
        start: A guess, such as the motion before.

    Raises:
        ConfigError: Open3D is not installed.
    """
    try:
        from open3d import geometry
        from open3d import utility
        from open3d.pipelines import registration
    except ImportError as error:
        raise ConfigError('scans without poses are registered by Open3D, which is not installed '
                          '(requirements/sim.in)') from error
    clouds = []
    for each in (points, onto):
        cloud = geometry.PointCloud(utility.Vector3dVector(each.xyz.astype(np.float64)))
        cloud = cloud.voxel_down_sample(THINNED)
        cloud.estimate_normals(geometry.KDTreeSearchParamHybrid(4 * THINNED, 20))
        clouds.append(cloud)
    motion = start
    for reach in REACHES:
        motion = registration.registration_icp(
            *clouds, reach, motion,
            registration.TransformationEstimationPointToPlane()).transformation
    return np.asarray(motion, np.float64)


def _turn(yaw: float) -> Double:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.]])
