"""A scan from above: raster points below vector boxes, rings and scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.report.palette import class_colour
from eq_eval.report.palette import point_palette
from eq_eval.report.raster import png_uri
from eq_eval.report.raster import point_colours
from eq_eval.report.raster import splat
from eq_eval.report.scene import Scene
from eq_eval.report.tags import Tag

SIZE = 1000  # [px]
SURE = 0.3   # score from which on a box is shown without being asked for
_REACHES = (15., 20., 30., 40., 52.)
_SPARSE = 18.  # [m]; points beyond are drawn larger, because there are few of them


@dataclass(frozen=True)
class BoxMark:
    """One box as the template draws it.

    Attributes:
        polygon: Corners ``'x,y x,y ...'`` [px].
        heading: ``(x1, y1, x2, y2)`` from the centre to beyond the front [px].
        colour: CSS colour.
        text: What the box is, for a tooltip.
        opacity: Of the lines; what is less certain is fainter.
        filling: Opacity of the inside.
        sure: Whether the score is high enough to be shown without being asked for.
    """

    polygon: str
    heading: tuple[float, float, float, float]
    colour: str
    text: str
    opacity: float
    filling: float
    sure: bool


@dataclass(frozen=True)
class Trail:
    """The way that an object has come: SVG points and a CSS colour."""

    points: str
    colour: str


@dataclass(frozen=True)
class BevPicture:
    """A view from above; x (forward) points up, y (left) points left.

    Attributes:
        size: Width and height [px].
        reach: Distance from the sensor to each edge [m].
        points_uri: PNG of the points as a `data:` address.
        rings: (radius [px], text) of the range rings.
        scale_bar: (length [px], text).
        predictions: Boxes of the detector.
        truth: Boxes of the data set.
        blind: SVG path of the sector without labels, empty if there is none.
        trails: Ways that objects have come.
        tags: Names of objects.
    """

    size: int
    reach: float
    points_uri: str
    rings: tuple[tuple[float, str], ...]
    scale_bar: tuple[float, str]
    predictions: tuple[BoxMark, ...] = ()
    truth: tuple[BoxMark, ...] = ()
    blind: str = ''
    trails: tuple[Trail, ...] = ()
    tags: tuple[Tag, ...] = ()


def bev_picture(scene: Scene, reach: float | None = None) -> BevPicture:
    """Lays a scan out as seen from above.

    Args:
        scene: What to show.
        reach: Distance from the sensor to each edge [m]; fitted to the scan if None.
    """
    reach = fitting_reach(scene.points) if reach is None else reach
    return replace(
        ground_plan(scene.points, point_colours(scene.points), point_palette(), reach),
        predictions=_marks(scene.predictions, scene.class_names, reach, scored=True),
        truth=_marks(scene.truth, scene.class_names, reach, scored=False),
        blind=_blind_sector(scene.field_of_view))


def ground_plan(points: Points, colour: NDArray[np.uint8], palette: NDArray[np.uint8],
                reach: float) -> BevPicture:
    """Points, rings and scale, without a box.

    Args:
        points: The scan.
        colour: (N,) entry of each point in `palette`.
        palette: (C, 3) uint8 colours; entry 0 is the ground.
        reach: Distance from the sensor to each edge [m].
    """
    step = 10. if reach > 20 else 5.
    scale = SIZE / (2 * reach)
    rings = tuple((radius * scale, f'{radius:g} m') for radius in np.arange(step, reach, step))
    return BevPicture(SIZE, reach, png_uri(_image(points, colour, reach), palette), rings,
                      (step * scale, f'{step:g} m'))


def fitting_reach(points: Points) -> float:
    """The smallest of a few ranges that holds nearly all points [m]."""
    if len(points) == 0:
        return _REACHES[-1]
    extent = np.percentile(np.abs(points.xyz[:, :2]).max(1), 97)
    return next((reach for reach in _REACHES if reach >= extent), _REACHES[-1])


def to_pixels(xy: NDArray[np.floating], reach: float) -> NDArray[np.float64]:
    """Positions on the picture.

    Args:
        xy: (..., 2) x forward, y left [m].
        reach: Distance from the sensor to each edge [m].

    Returns:
        (..., 2) float64 right, down [px].
    """
    scale = SIZE / (2 * reach)
    return np.stack([SIZE / 2 - xy[..., 1] * scale, SIZE / 2 - xy[..., 0] * scale], -1)


def _image(points: Points, colour: NDArray[np.uint8], reach: float) -> NDArray[np.uint8]:
    """(SIZE, SIZE) palette image; higher points cover lower ones."""
    image = np.zeros((SIZE, SIZE), np.uint8)
    xyz = points.xyz
    kept = np.flatnonzero(np.abs(xyz[:, :2]).max(1, initial=0) < reach)
    kept = kept[np.argsort(xyz[kept, 2], kind='stable')]
    pixels = to_pixels(xyz[kept, :2], reach)
    colour = colour[kept]
    far = np.hypot(xyz[kept, 0], xyz[kept, 1]) > _SPARSE
    splat(image, pixels[far, 0], pixels[far, 1], colour[far], radius=1)
    splat(image, pixels[~far, 0], pixels[~far, 1], colour[~far])
    return image


def _marks(boxes: Boxes3D | None, names: tuple[str, ...], reach: float, scored: bool,
           ) -> tuple[BoxMark, ...]:
    if boxes is None or len(boxes) == 0:
        return ()
    boxes = boxes.select(np.abs(boxes.center[:, :2]).max(1) < reach)
    chosen = [names[label] for label in boxes.label]
    texts = [f'{name} {score:.2f}' if scored else f'{name} (label)'
             for name, score in zip(chosen, boxes.score, strict=True)]
    return box_marks(boxes, texts, [class_colour(name) for name in chosen], reach)


def box_marks(boxes: Boxes3D, texts: Sequence[str], colours: Sequence[str], reach: float,
              ) -> tuple[BoxMark, ...]:
    """Boxes as they are drawn.

    Args:
        boxes: N boxes.
        texts: N names for the tooltips.
        colours: N CSS colours.
        reach: Distance from the sensor to each edge [m].
    """
    corners = to_pixels(boxes.corners_bev(), reach)
    forward = np.stack([np.cos(boxes.yaw), np.sin(boxes.yaw)], -1)
    tips = boxes.center[:, :2] + forward * (boxes.size[:, :1] / 2 + 0.7)
    starts = to_pixels(boxes.center[:, :2] + forward * boxes.size[:, :1] / 2, reach)
    ends = to_pixels(tips, reach)
    marks = []
    for row, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        size, score = boxes.size[row], float(boxes.score[row])
        marks.append(BoxMark(
            ' '.join(f'{u:.1f},{v:.1f}' for u, v in corners[row]),
            (*starts[row].round(1).tolist(), *ends[row].round(1).tolist()),
            colour, f'{text}, {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m',
            line_opacity(score), round(0.35 * score, 2), score >= SURE))
    return tuple(marks)


def line_opacity(score: float) -> float:
    """Opacity of the lines of a box: full from a score of 0.6 on."""
    return round(min(1., 0.2 + 1.34 * score), 2)


def _blind_sector(field_of_view: tuple[float, float] | None) -> str:
    """The sector outside the field of view, drawn as a fan far beyond the picture's edge."""
    if field_of_view is None:
        return ''
    low, high = field_of_view
    angles = np.linspace(high, low + 2 * np.pi, 48)
    far = SIZE * np.stack([np.cos(angles), np.sin(angles)], -1)
    fan = np.stack([SIZE / 2 - far[:, 1], SIZE / 2 - far[:, 0]], -1)
    return f'M{SIZE / 2:g},{SIZE / 2:g} ' + ' '.join(f'L{u:.1f},{v:.1f}' for u, v in fan) + ' Z'
