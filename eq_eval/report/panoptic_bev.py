"""Scans from above, coloured by the class or by the object of each point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.report.bev import BevPicture
from eq_eval.report.bev import box_marks
from eq_eval.report.bev import fitting_reach
from eq_eval.report.bev import ground_plan
from eq_eval.report.bev import SIZE
from eq_eval.report.bev import to_pixels
from eq_eval.report.bev import Trail
from eq_eval.report.class_colours import class_index
from eq_eval.report.class_colours import class_palette
from eq_eval.report.class_colours import object_colour
from eq_eval.report.class_colours import object_index
from eq_eval.report.class_colours import object_palette
from eq_eval.report.panoptic_scene import PanopticScene
from eq_eval.report.raster import ground_height
from eq_eval.report.tags import place_tags
from eq_eval.report.tags import Tag


def class_plan(scene: PanopticScene, semantic: NDArray[np.integer], reach: float | None = None,
               ) -> BevPicture:
    """A scan from above, its points coloured by class.

    Args:
        scene: What to show.
        semantic: (N,) train ids, found or true.
        reach: Distance from the sensor to each edge [m]; fitted to the scan if None.
    """
    reach = fitting_reach(scene.points) if reach is None else reach
    return ground_plan(scene.points, class_index(semantic), class_palette(), reach)


def object_plan(scene: PanopticScene, reach: float | None = None) -> BevPicture:
    """A scan from above, its points coloured by object, with boxes, ids and trails.

    Args:
        scene: What to show.
        reach: Distance from the sensor to each edge [m]; fitted to the scan if None.
    """
    reach = fitting_reach(scene.points) if reach is None else reach
    instance = scene.instance if scene.instance is not None else np.zeros(len(scene.points), int)
    height = scene.points.xyz[:, 2] - ground_height(scene.points)
    boxes = scene.objects.select(np.abs(scene.objects.center[:, :2]).max(1, initial=0) < reach)
    ids = boxes.track_id.tolist()
    colours = [object_colour(key) for key in ids]
    texts = [f'#{key} {scene.class_names[label]} {score:.2f}'
             for key, label, score in zip(ids, boxes.label, boxes.score, strict=True)]
    # What is followed is shown, however sure the detector was of it in this scan.
    marks = [replace(mark, sure=True) for mark in box_marks(boxes, texts, colours, reach)]
    return replace(
        ground_plan(scene.points, object_index(instance, height), object_palette(), reach),
        predictions=tuple(marks),
        trails=tuple(_trail(scene.trails[key], object_colour(key), reach)
                     for key in ids if key in scene.trails),
        tags=_tags(boxes, reach))


def _trail(path: NDArray[np.float64], colour: str, reach: float) -> Trail:
    return Trail(' '.join(f'{u:.1f},{v:.1f}' for u, v in to_pixels(path, reach)), colour)


def _tags(boxes: Boxes3D, reach: float) -> tuple[Tag, ...]:
    """The id of each box, the most certain ones first."""
    boxes = boxes.select(np.argsort(-boxes.score, kind='stable'))
    corners = to_pixels(boxes.corners_bev(), reach)
    bounds = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    ids = boxes.track_id.tolist()
    return place_tags(bounds, [str(key) for key in ids], [object_colour(key) for key in ids],
                      (SIZE, SIZE))
