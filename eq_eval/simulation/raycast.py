"""Ray casting: what each ray hits first, and what lies behind glass, foliage and wire."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.materials import TRANSMISSION_OF
from eq_eval.simulation.mesh import Mesh

Floats = NDArray[np.float32]
BEHIND = np.float32(.03)  # a pulse that went through goes on this far behind the surface [m]


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles ready for ray casting, with their properties.

    Attributes:
        scene: Open3D `RaycastingScene`.
        material: (T,) uint8.
        instance: (T,) uint32 track of the object, 0 = none.
        brightness: (T,) float32 factor on the reflectivity.
    """

    scene: Any
    material: NDArray[np.uint8]
    instance: NDArray[np.uint32]
    brightness: Floats


@dataclass(frozen=True, eq=False)
class Returns:
    """What came back of the rays that hit anything; all columns have the same length.

    Attributes:
        ray: int64 number of the ray, ascending.
        distance: float32 [m].
        cosine: float32 cosine of the angle of incidence, not negative.
        material: uint8.
        instance: uint32.
        brightness: float32.
    """

    ray: NDArray[np.int64]
    distance: Floats
    cosine: Floats
    material: NDArray[np.uint8]
    instance: NDArray[np.uint32]
    brightness: Floats

    @classmethod
    def joined(cls, parts: list[Returns]) -> Returns:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts])
                     for name in cls.__dataclass_fields__))


def surface(mesh: Mesh, instance: NDArray[np.uint32], brightness: Floats) -> Surface:
    """Builds the search tree over a mesh."""
    import open3d
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(open3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh.vertices)),
                        open3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh.triangles)))
    return Surface(scene, mesh.material, instance, brightness)


def cast(target: Surface, rays: Floats) -> tuple[Floats, NDArray[np.uint32], Floats]:
    """Distance (inf: none), triangle and normal of the first hit of (R, 6) rays."""
    import open3d
    result = target.scene.cast_rays(open3d.core.Tensor.from_numpy(rays))
    return (result['t_hit'].numpy(), result['primitive_ids'].numpy(),
            result['primitive_normals'].numpy())


def nearest(static: Surface, moving: Surface | None, rays: Floats, max_range: float,
            aimed: NDArray[np.int64] | None = None) -> Returns:
    """First hits within `max_range` [m] among what stands and what moves.

    Args:
        static: What stands.
        moving: What moves.
        rays: (R, 6) float32 origins and directions.
        max_range: Hits beyond do not count [m].
        aimed: Numbers of the rays that can hit `moving`; all if None.
    """
    distance, primitive, normal = cast(static, rays)
    attributes: list[Any] = [static.material, static.instance, static.brightness]
    if moving is not None:
        aimed = np.arange(len(rays)) if aimed is None else aimed
        distance_m, primitive_m, normal_m = cast(moving, rays[aimed])
        own = np.flatnonzero(distance_m < distance[aimed])
        nearer = aimed[own]
        distance, primitive, normal = distance.copy(), primitive.copy(), normal.copy()
        distance[nearer], normal[nearer] = distance_m[own], normal_m[own]
        primitive[nearer] = primitive_m[own] + np.uint32(len(static.material))
        added = (moving.material, moving.instance, moving.brightness)
        attributes = [np.concatenate([a, b]) for a, b in zip(attributes, added, strict=True)]
    ray = np.flatnonzero(distance < max_range)
    at = primitive[ray]
    cosine = np.abs(np.einsum('ni,ni->n', normal[ray], rays[ray, 3:]))
    return Returns(ray, distance[ray], cosine, *(column[at] for column in attributes))


def see_through(static: Surface, moving: Surface | None, rays: Floats, found: Returns,
                max_range: float, rng: np.random.Generator) -> Returns:
    """Replaces hits of pulses that went through by what is behind, or by nothing."""
    passed = np.flatnonzero(rng.random(len(found.ray), np.float32)
                            < TRANSMISSION_OF[found.material])
    if not len(passed):
        return found
    again = rays[found.ray[passed]]
    gone = found.distance[passed] + BEHIND
    again[:, :3] += gone[:, None] * again[:, 3:]
    behind = nearest(static, moving, again, max_range)
    behind = replace(behind, distance=behind.distance + gone[behind.ray],
                     ray=found.ray[passed[behind.ray]])
    kept = np.ones(len(found.ray), bool)
    kept[passed] = False
    kept[np.searchsorted(found.ray, behind.ray)] = True  # both ascend
    rows = np.searchsorted(found.ray[kept], behind.ray)
    columns = []
    for name in Returns.__dataclass_fields__:
        column = getattr(found, name)[kept]
        column[rows] = getattr(behind, name)
        columns.append(column)
    return Returns(*columns)
