"""A scan as from a camera that follows the vehicle: raster points below vector boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.report.bev import line_opacity
from eq_eval.report.bev import SURE
from eq_eval.report.palette import class_colour
from eq_eval.report.raster import ground_height
from eq_eval.report.raster import png_uri
from eq_eval.report.raster import point_colours
from eq_eval.report.raster import splat
from eq_eval.report.scene import Scene

WIDTH, HEIGHT = 1280, 620  # [px]
_EYE = np.array([-17., 0., 11.])    # behind and above the sensor, above ground [m]
_TARGET = np.array([12., 0., 0.])
_FOCAL = 0.82 * WIDTH               # [px]
_NEAR = 1.                          # [m]
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4),
         (0, 4), (1, 5), (2, 6), (3, 7))
FRONT = (0, 3, 7, 4)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WireBox:
    """One box as the template draws it.

    Attributes:
        edges: SVG path of the twelve edges.
        front: SVG path of the face that looks ahead.
        colour: CSS colour.
        text: What the box is, for a tooltip.
        opacity: Of the lines; what is less certain is fainter.
    """

    edges: str
    front: str
    colour: str
    text: str
    opacity: float


@dataclass(frozen=True)
class PerspectivePicture:
    """A view from behind.

    Attributes:
        width: [px].
        height: [px].
        points_uri: PNG of the points as a `data:` address.
        predictions: Boxes of the detector with a score of `SURE` or more, far ones first.
        truth: Boxes of the data set, far ones first.
    """

    width: int
    height: int
    points_uri: str
    predictions: tuple[WireBox, ...]
    truth: tuple[WireBox, ...]


def perspective_picture(scene: Scene) -> PerspectivePicture:
    """Lays a scan out as seen by a following camera."""
    ground = ground_height(scene.points)
    return PerspectivePicture(
        WIDTH, HEIGHT, png_uri(point_image(scene, ground)),
        _wires(scene.predictions, scene.class_names, ground),
        _wires(scene.truth, scene.class_names, ground))


def project(xyz: NDArray[np.floating], ground: float) -> Array:
    """Pinhole projection.

    Args:
        xyz: (..., 3) in the sensor's frame [m].
        ground: Height of the ground in that frame [m].

    Returns:
        (..., 3) float64: right, down [px] and depth [m]; only depths beyond 1 m mean anything.
    """
    forward = (_TARGET - _EYE) / np.linalg.norm(_TARGET - _EYE)
    right = np.cross(forward, [0., 0., 1.])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    offset = np.asarray(xyz, np.float64) - [0., 0., ground] - _EYE
    depth = offset @ forward
    safe = np.maximum(depth, 1e-6)
    return np.stack([WIDTH / 2 + _FOCAL * (offset @ right) / safe,
                     HEIGHT / 2 + _FOCAL * (offset @ down) / safe, depth], -1)


def point_image(scene: Scene, ground: float) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH) palette image of the points."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels = project(scene.points.xyz, ground)
    seen = np.flatnonzero(pixels[:, 2] > _NEAR)
    seen = seen[np.argsort(-pixels[seen, 2], kind='stable')]
    colour = point_colours(scene.points)
    for near, far, radius in ((45., np.inf, 0), (0., 45., 1)):
        part = seen[(pixels[seen, 2] >= near) & (pixels[seen, 2] < far)]
        splat(image, pixels[part, 0], pixels[part, 1], colour[part], radius)
    return image


def box_corners(boxes: Boxes3D, ground: float) -> Array:
    """The corners of boxes on the picture.

    Returns:
        (N, 8, 3) float64 as `project` gives them, bottom then top, each from front left on.
    """
    footprint = boxes.corners_bev()
    half = boxes.size[:, 2] / 2
    corners = np.concatenate([
        np.concatenate([footprint, np.broadcast_to(
            (boxes.center[:, 2] + side * half)[:, None, None], (*footprint.shape[:2], 1))], -1)
        for side in (-1, 1)], axis=1)
    return project(corners, ground)


def visible_boxes(pixels: Array) -> list[int]:
    """Rows of `box_corners` that can be seen, far ones first."""
    seen = (pixels[..., 2] > _NEAR).all(1) & _on_screen(pixels)
    return [int(row) for row in np.argsort(-pixels[..., 2].mean(1)) if seen[row]]


def _wires(boxes: Boxes3D | None, names: tuple[str, ...], ground: float) -> tuple[WireBox, ...]:
    if boxes is None or len(boxes) == 0:
        return ()
    boxes = boxes.select(boxes.score >= SURE)
    pixels = box_corners(boxes, ground)
    return tuple(
        WireBox(_edges(pixels[row]), _face(pixels[row, list(FRONT)]),
                class_colour(names[boxes.label[row]]),
                f'{names[boxes.label[row]]} {boxes.score[row]:.2f}',
                line_opacity(float(boxes.score[row])))
        for row in visible_boxes(pixels))


def _on_screen(pixels: Array) -> NDArray[np.bool_]:
    middle = pixels[..., :2].mean(1)
    return ((middle > [-100, -100]) & (middle < [WIDTH + 100, HEIGHT + 100])).all(1)


def _edges(corners: Array) -> str:
    return ' '.join(f'M{corners[a, 0]:.1f},{corners[a, 1]:.1f}L{corners[b, 0]:.1f},'
                    f'{corners[b, 1]:.1f}' for a, b in EDGES)


def _face(corners: Array) -> str:
    return 'M' + 'L'.join(f'{u:.1f},{v:.1f}' for u, v in corners[:, :2]) + 'Z'
