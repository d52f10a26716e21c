"""What the network should answer for a set of labelled boxes.

Centre heatmaps follow CenterPoint (Yin et al. 2021, section 4.1) with isotropic Gaussians, so that
turning the scene turns the target exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.detection.config import DetectorConfig

MIN_POINTS = 2              # with fewer the box is neither an object nor background
SIGMA_RANGE = (0.7, 2.0)    # width of the heatmap's peaks [cells]
NEIGHBOURS = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])   # cells that regress a box
NEIGHBOUR_WEIGHT = 0.5

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """Targets of one sample; M regressing cells.

    Attributes:
        heatmap: (classes, h, w) float32 in [0, 1], 1 at the cell of each centre.
        background: (h, w) float32, weight of a cell as background; 0 where nobody can tell.
        cell: (M,) int64, flat cell that regresses.
        weight: (M,) float32.
        label: (M,) int64.
        offset: (M, 2) float32, box centre minus cell centre [m].
        height: (M,) float32, box centre above ground [m].
        log_size: (M, 3) float32, log of length, width, height [m].
        yaw: (M,) float32 [rad].
        velocity: (M, 2) float32 [m/s].
        velocity_weight: (M,) float32, 0 where one sweep cannot tell.
    """

    heatmap: Float
    background: Float
    cell: NDArray[np.int64]
    weight: Float
    label: NDArray[np.int64]
    offset: Float
    height: Float
    log_size: Float
    yaw: Float
    velocity: Float
    velocity_weight: Float


def make_targets(boxes: Boxes3D, num_points: NDArray[np.int64], ground: NDArray[np.float64],
                 config: DetectorConfig, moving: bool) -> Targets:
    """Draws the heatmap and lists what each cell near a centre should regress.

    Args:
        boxes: Labelled boxes in the sensor's frame.
        num_points: (N,) LiDAR points in each box; boxes without any are left out.
        ground: (3,) plane from `pillarize`.
        config: Grid.
        moving: Whether more than one sweep is given, so that velocity can be told.
    """
    size, scale = config.head_size, config.head_cell
    seen = (num_points > 0) & (np.abs(boxes.center[:, :2]) < config.point_cloud_range).all(1)
    boxes, num_points = boxes.select(seen), num_points[seen]
    position = boxes.center[:, :2] / scale + size / 2
    centre = np.clip(position.astype(np.int64), 0, size - 1)       # (N, (ix, iy))
    heatmap = np.zeros((len(config.class_names), size, size), np.float32)
    background = np.ones((size, size), np.float32)
    sigma = np.clip(np.sqrt(boxes.size[:, 0] * boxes.size[:, 1]) / (4 * scale), *SIGMA_RANGE)
    certain = num_points >= MIN_POINTS
    for (ix, iy), width, label, sure in zip(centre, sigma, boxes.label, certain, strict=True):
        _draw(heatmap[label] if sure else background, ix, iy, width, sure)
    boxes, centre = boxes.select(certain), centre[certain]
    return _regression(boxes, centre, heatmap, background, ground, config, moving)


def _draw(plane: Float, ix: int, iy: int, sigma: float, peak: bool) -> None:
    """Raises a Gaussian peak, or (for an uncertain box) clears the background weight around it."""
    reach = int(np.ceil(3 * sigma))
    x = np.arange(max(ix - reach, 0), min(ix + reach + 1, plane.shape[1]))
    y = np.arange(max(iy - reach, 0), min(iy + reach + 1, plane.shape[0]))
    bump = np.exp(-((x - ix) ** 2 + (y[:, None] - iy) ** 2) / (2 * sigma ** 2))
    part = plane[y[0]:y[-1] + 1, x[0]:x[-1] + 1]
    if peak:
        np.maximum(part, bump, out=part, casting='unsafe')
    else:
        np.minimum(part, bump < 0.3, out=part, casting='unsafe')


def _regression(boxes: Boxes3D, centre: NDArray[np.int64], heatmap: Float, background: Float,
                ground: NDArray[np.float64], config: DetectorConfig, moving: bool) -> Targets:
    size, scale = config.head_size, config.head_cell
    cells = (centre[:, None] + NEIGHBOURS).reshape(-1, 2)
    owner = np.repeat(np.arange(len(boxes)), len(NEIGHBOURS))
    first = np.tile(np.arange(len(NEIGHBOURS)) == 0, len(boxes))
    inside = ((cells >= 0) & (cells < size)).all(1)
    cells, owner, first = cells[inside], owner[inside], first[inside]
    target = boxes.select(owner)
    cell_centre = (cells + 0.5 - size / 2) * scale
    x, y, z = target.center.T
    return Targets(
        heatmap, background, cells[:, 1] * size + cells[:, 0],
        np.where(first, 1., NEIGHBOUR_WEIGHT).astype(np.float32), target.label,
        (target.center[:, :2] - cell_centre).astype(np.float32),
        (z - (ground[0] * x + ground[1] * y + ground[2])).astype(np.float32),
        np.log(target.size).astype(np.float32), target.yaw.astype(np.float32),
        target.velocity.astype(np.float32), np.full(len(target), moving, np.float32))
