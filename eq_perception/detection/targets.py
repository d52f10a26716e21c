"""What the network should answer for a set of labelled boxes.

Centre heatmaps follow CenterPoint (Yin et al. 2021, section 4.1) with isotropic Gaussians, so that
turning the scene turns the target exactly. Vectors and yaw are told along the own axes of the cell
that regresses them, see `grid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.grid import turn

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
    grid, size = config.head_grid, config.head_size
    cell, inside = grid.locate(boxes.center)
    seen = (num_points > 0) & inside
    boxes, num_points, cell = boxes.select(seen), num_points[seen], cell[seen]
    heatmap = np.zeros((len(config.class_names), size, size), np.float32)
    background = np.ones((size, size), np.float32)
    extent = np.sqrt(boxes.size[:, 0] * boxes.size[:, 1])
    sigma = np.clip(extent[:, None] / (4 * grid.spacing(cell)), *SIGMA_RANGE)
    certain = num_points >= MIN_POINTS
    for place, width, label, sure in zip(cell, sigma, boxes.label, certain, strict=True):
        _draw(heatmap[label] if sure else background, place, width, sure, grid.circular)
    return _regression(boxes.select(certain), cell[certain], heatmap, background, ground, config,
                       moving)


def _draw(plane: Float, cell: int, sigma: NDArray[np.float64], peak: bool, circular: bool) -> None:
    """Raises a Gaussian peak, or (for an uncertain box) clears the background weight around it.

    Args:
        plane: (h, w) float32, drawn into.
        cell: Flat cell of the centre.
        sigma: (2,) width along ix and iy [cells].
        peak: Whether to raise a peak.
        circular: Whether the last row borders on the first.
    """
    height, width = plane.shape
    iy, ix = divmod(int(cell), width)
    x, y = (np.arange(-reach, reach + 1) for reach in np.ceil(3 * sigma).astype(int))
    bump = np.exp(-(x / sigma[0]) ** 2 / 2 - (y[:, None] / sigma[1]) ** 2 / 2)
    column, row = x + ix, (y + iy) % height if circular else y + iy
    rows, columns = (row >= 0) & (row < height), (column >= 0) & (column < width)
    at, bump = np.ix_(row[rows], column[columns]), bump[np.ix_(rows, columns)]
    plane[at] = np.maximum(plane[at], bump) if peak else np.minimum(plane[at], bump < 0.3)


def _regression(boxes: Boxes3D, centre: NDArray[np.int32], heatmap: Float, background: Float,
                ground: NDArray[np.float64], config: DetectorConfig, moving: bool) -> Targets:
    grid, size = config.head_grid, config.head_size
    place = np.stack([centre % size, centre // size], -1)
    place = (place[:, None] + NEIGHBOURS).reshape(-1, 2)           # (M, (ix, iy))
    if grid.circular:
        place[:, 1] %= size
    owner = np.repeat(np.arange(len(boxes)), len(NEIGHBOURS))
    first = np.tile(np.arange(len(NEIGHBOURS)) == 0, len(boxes))
    inside = ((place >= 0) & (place < size)).all(1)
    cell, owner, first = (place @ [1, size])[inside], owner[inside], first[inside]
    target, azimuth = boxes.select(owner), grid.azimuth(cell)
    x, y, z = target.center.T
    return Targets(
        heatmap, background, cell,
        np.where(first, 1., NEIGHBOUR_WEIGHT).astype(np.float32), target.label,
        turn(target.center[:, :2] - grid.centre(cell), -azimuth).astype(np.float32),
        (z - (ground[0] * x + ground[1] * y + ground[2])).astype(np.float32),
        np.log(target.size).astype(np.float32), (target.yaw - azimuth).astype(np.float32),
        turn(target.velocity, -azimuth).astype(np.float32),
        np.full(len(target), moving, np.float32))
