"""`Boxes3D` -> ``visualization_msgs/MarkerArray``, which any RViz shows without a plugin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_ros.messages import ColorRGBA
from eq_ros.messages import Duration
from eq_ros.messages import Header
from eq_ros.messages import Marker
from eq_ros.messages import MarkerArray
from eq_ros.messages import Point

# Colour-blind safe palette of Okabe and Ito (2008), one colour a class, again from the start
PALETTE = ((0.337, 0.706, 0.914), (0.902, 0.624, 0.0), (0.0, 0.620, 0.451), (0.941, 0.894, 0.259),
           (0.835, 0.369, 0.0), (0.0, 0.447, 0.698), (0.800, 0.475, 0.655))
LIFETIME = Duration(sec=1)
HEADING_KNOWN = 0.5  # below this confidence only the axis is known and no arrow is drawn
MIN_SPEED = 0.5      # [m/s]; slower velocities are noise to the eye

# Corner pairs of the twelve edges: bottom face, top face, uprights
_EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4],
                   [0, 4], [1, 5], [2, 6], [3, 7]])


def marker_array(boxes: Boxes3D, class_names: Sequence[str], header: Header,
                 with_velocity: bool = True) -> MarkerArray:
    """Draws boxes as wire frames with heading, velocity, class and score.

    A heading is drawn only where it is known: a box without one has no line from its centre.

    Args:
        boxes: Checked boxes.
        class_names: Names that `boxes.label` indexes.
        header: Header of the input.
        with_velocity: Whether velocities mean something; from a single scan they do not.
    """
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    if len(boxes):
        corners = corners3d(boxes)
        colors = [color(label) for label in boxes.label.tolist()]
        known = np.flatnonzero(np.asarray(boxes.heading_confidence) >= HEADING_KNOWN)
        moving = np.flatnonzero(np.linalg.norm(np.asarray(boxes.velocity), axis=1) >= MIN_SPEED)
        moving = moving[:len(moving) if with_velocity else 0]
        edges = corners[:, _EDGES].reshape(-1, 3)
        front = np.stack([boxes.center, corners[:, :2].mean(axis=1)], axis=1)
        front[:, 1, 2] = boxes.center[:, 2]
        arrows = np.stack([boxes.center, boxes.center], axis=1)
        arrows[:, 1, :2] += np.asarray(boxes.velocity)
        markers += [_lines(header, 'boxes', edges, np.repeat(np.arange(len(boxes)), 24), colors,
                           0.06),
                    _lines(header, 'heading', front[known].reshape(-1, 3),
                           np.repeat(known, 2), colors),
                    _lines(header, 'velocity', arrows[moving].reshape(-1, 3),
                           np.repeat(moving, 2), colors)]
        markers += [_text(header, row, boxes, text, colors[row])
                    for row, text in enumerate(_texts(boxes, class_names))]
    return MarkerArray(markers=markers)


def corners3d(boxes: Boxes3D) -> NDArray[np.float64]:
    """Corners of the boxes.

    Returns:
        (N, 8, 3) float64 [m]: front left, front right, rear right, rear left of the bottom face,
        then of the top face.
    """
    footprint = boxes.corners_bev()[:, [0, 3, 2, 1]]
    half = boxes.size[:, 2] / 2
    faces = [np.concatenate([footprint, np.broadcast_to(
        (boxes.center[:, 2] + sign * half)[:, None, None], (*footprint.shape[:2], 1))], axis=2)
        for sign in (-1., 1.)]
    return np.concatenate(faces, axis=1)


def color(label: int) -> ColorRGBA:
    """The colour of a class."""
    red, green, blue = PALETTE[label % len(PALETTE)]
    return ColorRGBA(r=red, g=green, b=blue, a=1.)


def line_list(header: Header, namespace: str, ends: Sequence[Sequence[float]],
              colors: list[ColorRGBA], width: float = 0.12) -> Marker:
    """One marker for many lines.

    Args:
        header: Frame and time of the lines.
        namespace: What they are.
        ends: x, y, z of the ends [m], two a line.
        colors: One for each end.
        width: Of the lines [m].
    """
    marker = Marker(header=header, ns=namespace, type=Marker.LINE_LIST, lifetime=LIFETIME)
    marker.pose.orientation.w = 1.
    marker.scale.x = width
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in ends]
    marker.colors = colors
    return marker


def _lines(header: Header, namespace: str, ends: NDArray[np.float64], rows: NDArray[np.int64],
           colors: list[ColorRGBA], width: float = 0.12) -> Marker:
    """One marker for all lines of a kind: (M, 3) ends, two a line, and the box of each end."""
    return line_list(header, namespace, ends.tolist(), [colors[row] for row in rows.tolist()],
                     width)


def _text(header: Header, row: int, boxes: Boxes3D, text: str, color: ColorRGBA) -> Marker:
    """A line of text above the box."""
    marker = Marker(header=header, ns='labels', id=row, type=Marker.TEXT_VIEW_FACING,
                    lifetime=LIFETIME, color=color, text=text)
    x, y, z = boxes.center[row].tolist()
    marker.pose.position = Point(x=x, y=y, z=z + float(boxes.size[row, 2]) / 2 + 0.4)
    marker.pose.orientation.w = 1.
    marker.scale.z = 0.6
    return marker


def _texts(boxes: Boxes3D, class_names: Sequence[str]) -> list[str]:
    """Class, score and, where there is one, track of each box."""
    rows = zip(boxes.label.tolist(), np.asarray(boxes.score).tolist(),
               np.asarray(boxes.track_id).tolist(), strict=True)
    return [f'{class_names[label]} {score:.2f}' + (f' #{track}' if track >= 0 else '')
            for label, score, track in rows]
