"""Everything that fixes a detector besides its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from eq_core.errors import ConfigError
from eq_core.runtime.manifest import known_settings
from eq_perception.detection.grid import Grid
from eq_perception.detection.grid import GRIDS

CLASS_NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
POINT_FEATURES = 8   # z, z_offset, intensity, dt, dx, dy, ex, ey
POINT_SCALARS = 4    # the first four; then two vectors
TORCH_MODEL = 'eq_perception.detection.model:build_from_manifest'


@dataclass(frozen=True)
class DetectorConfig:
    """Grid, network widths and decoding of the BEV detector.

    Attributes:
        class_names: Names of the classes, in the order of the heatmap's channels.
        group: Symmetry group of the network, ``'C4'``; ``'C1'`` is the plain twin.
        grid: ``'cartesian'``, or ``'polar'`` for rings and sectors of as many cells; the latter
            has its symmetry in the grid and wants the group ``'C1'``.
        point_cloud_range: Half edge of the square (radius of the polar) BEV range centred on the
            sensor [m].
        voxel_size: Edge of a Cartesian pillar [m]; it tells the number of cells of either grid.
        z_range: Heights above ground that are kept [m].
        max_pillars: Rows of the network's input; further (outer) pillars are dropped, counted.
        points_per_pillar: Points kept of each pillar, evenly over their order of arrival.
        max_sweeps: Scans that may be stacked.
        channels: Regular fields after the pillars, in the stages of stride 2, 4, 8, and in the
            neck. The dense width is this times the order of the group.
        depth: 3x3 convolutions in the stages of stride 2, 4, 8.
        score_threshold: Least score of a published box.
        max_objects: Most boxes of one answer.
        nms_iou: Overlap (BEV, rotated) above which the lower score of a class is dropped.
    """

    class_names: tuple[str, ...] = CLASS_NAMES
    group: str = 'C4'
    grid: str = 'cartesian'
    point_cloud_range: float = 51.2
    voxel_size: float = 0.4
    z_range: tuple[float, float] = (-1., 5.)
    max_pillars: int = 12288
    points_per_pillar: int = 12
    max_sweeps: int = 3
    channels: tuple[int, int, int, int, int] = (8, 12, 16, 32, 16)
    depth: tuple[int, int, int] = (2, 3, 3)
    score_threshold: float = 0.1
    max_objects: int = 200
    nms_iou: float = 0.2

    def __post_init__(self) -> None:
        """Checks values against each other.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        if self.grid not in GRIDS:
            raise ConfigError(f'grid must be one of {sorted(GRIDS)}, got {self.grid!r}')
        if self.grid == 'polar' and self.group != 'C1':
            raise ConfigError(f"group must be 'C1' on a polar grid, got {self.group!r}")
        if self.grid_size % 16:
            raise ConfigError('2 * point_cloud_range / voxel_size must be a multiple of 16, got '
                              f'2 * {self.point_cloud_range} / {self.voxel_size}')
        if not 0 <= self.score_threshold < 1:
            raise ConfigError(f'score_threshold must be in [0, 1), got {self.score_threshold}')
        if not 0 < self.nms_iou <= 1:
            raise ConfigError(f'nms_iou must be in (0, 1], got {self.nms_iou}')
        for name in ('max_pillars', 'points_per_pillar', 'max_sweeps', 'max_objects'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} must be at least 1, got {getattr(self, name)}')

    @property
    def grid_size(self) -> int:
        """Pillars along one edge."""
        return round(2 * self.point_cloud_range / self.voxel_size)

    @property
    def head_size(self) -> int:
        """Cells of the output maps along one edge."""
        return self.grid_size // 2

    @property
    def head_cell(self) -> float:
        """Edge of a Cartesian output cell [m]."""
        return 2 * self.voxel_size

    @property
    def pillar_grid(self) -> Grid:
        """Where the pillars stand."""
        return GRIDS[self.grid](self.grid_size, self.point_cloud_range)

    @property
    def head_grid(self) -> Grid:
        """Where the cells of the output maps stand."""
        return GRIDS[self.grid](self.head_size, self.point_cloud_range)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the network."""
        return {**asdict(self), 'torch_model': TORCH_MODEL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DetectorConfig:
        """Reads a manifest's configuration.

        Raises:
            ConfigError: A name is unknown.
        """
        return cls(**known_settings(cls, values, 'detector'))
