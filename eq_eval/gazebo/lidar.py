"""What our LiDAR simulator's ray caster sees in a world of Gazebo, beside what its sensor saw.

Both are independent code on the same shapes: where they agree, poses, angles and distances mean
the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_eval.gazebo.shapes import Shape
from eq_eval.gazebo.wire import Scan
from eq_eval.simulation.mesh import box
from eq_eval.simulation.mesh import lathe
from eq_eval.simulation.mesh import merge
from eq_eval.simulation.mesh import Mesh
from eq_eval.simulation.mesh import tube
from eq_eval.simulation.raycast import cast
from eq_eval.simulation.raycast import surface

SIDES = 96              # of what is round; chords are 1 mm off the largest sphere at most
GROUND = 400.           # edge of the plane that the world stands on [m]
MATERIAL = 'metal'      # any: only distances are compared
SIGMAS = 4.             # within which noise lies

Double = NDArray[np.float64]


def mesh_of(shapes: Sequence[Shape]) -> Mesh:
    """Triangles of all shapes and of the ground, in the world."""
    meshes = [box((GROUND, GROUND, 1.), (0., 0., -.5), MATERIAL)]
    for shape in shapes:
        own = _own(shape)
        vertices = own.vertices @ shape.pose[:3, :3].T + shape.pose[:3, 3]
        meshes.append(Mesh(vertices.astype(np.float32), own.triangles, own.material))
    return merge(meshes)


def _own(shape: Shape) -> Mesh:
    """Triangles of a shape in its own frame."""
    if shape.kind == 'box':
        return box(shape.size, (0., 0., 0.), MATERIAL)
    radius, half = shape.size[0] / 2, shape.size[2] / 2
    if shape.kind == 'cylinder':
        return tube((0., 0., -half), (0., 0., half), radius, MATERIAL, SIDES)
    if shape.kind == 'sphere':
        angle = np.linspace(-.4999 * np.pi, .4999 * np.pi, SIDES // 2)
        return lathe(radius * np.stack([np.cos(angle), np.sin(angle)], -1), MATERIAL, sides=SIDES)
    raise InputError(f'there is no mesh of a {shape.kind}')


def directions(scan: Scan) -> Double:
    """(rows, columns, 3) unit vectors of the rays of a scan, in the sensor's frame."""
    rows, columns = scan.ranges.shape
    up, around = np.meshgrid(np.linspace(*scan.elevation, rows),
                             np.linspace(*scan.azimuth, columns), indexing='ij')
    return np.stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)], -1)


def cast_scan(scan: Scan, shapes: Sequence[Shape], pose: Double, max_range: float) -> Double:
    """(rows, columns) distances that our ray caster gives for the rays of a scan [m].

    Args:
        scan: Tells the directions.
        shapes: Of the world, without the robot's.
        pose: (4, 4) world <- sensor.
        max_range: What is farther is infinite [m].
    """
    mesh = mesh_of(shapes)
    count = len(mesh.triangles)
    target = surface(mesh, np.zeros(count, np.uint32), np.ones(count, np.float32))
    aim = directions(scan).reshape(-1, 3) @ pose[:3, :3].T
    rays = np.concatenate([np.broadcast_to(pose[:3, 3], aim.shape), aim], -1).astype(np.float32)
    distance = cast(target, rays)[0].reshape(scan.ranges.shape).astype(float)
    return np.where(distance < max_range, distance, np.inf)


@dataclass(frozen=True)
class Agreement:
    """How far two scans agree.

    Attributes:
        rays: Rays of the scan.
        same: Share of them in which both see something, or nothing.
        within: Share of those where both do whose distances differ by noise only.
        mean: Mean of Gazebo's distance minus ours, of those within [m].
        deviation: Standard deviation of it [m].
    """

    rays: int
    same: float
    within: float
    mean: float
    deviation: float


def compare(seen: Double, ours: Double, noise: float) -> Agreement:
    """Compares the distances of a scan.

    Args:
        seen: (rows, columns) of Gazebo [m], infinite where nothing is.
        ours: (rows, columns) likewise.
        noise: Standard deviation of the sensor [m].

    Raises:
        InputError: No ray agrees.
    """
    both = np.isfinite(seen) & np.isfinite(ours)
    gap = seen[both] - ours[both]
    close = gap[np.abs(gap) < SIGMAS * noise]
    if not len(close):
        raise InputError('no ray of the scans agrees')
    return Agreement(seen.size, float((np.isfinite(seen) == np.isfinite(ours)).mean()),
                     len(close) / len(gap), float(close.mean()), float(close.std()))
