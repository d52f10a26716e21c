"""Simulated training scenes on disk: made once, then read in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.datasets.scan import LabeledScan
from eq_perception.panoptic.classes import RAW_OF_TRAIN
from eq_perception.panoptic.classes import train_ids

BOX_COLUMNS = ('center', 'size', 'yaw', 'label', 'velocity', 'track_id')


@dataclass(frozen=True)
class ScanStore:
    """A folder of short sequences, one file each.

    Attributes:
        folder: Where they lie.
        names: File names in order.
    """

    folder: Path
    names: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> ScanStore:
        """Lists what is there."""
        return cls(folder, tuple(sorted(path.name for path in folder.glob('*.npz'))))

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.names)

    def first(self, count: int) -> ScanStore:
        """Keeps the first sequences; they are independent draws, so any part is a fair sample."""
        return ScanStore(self.folder, self.names[:count])

    def subset(self, fraction: float) -> ScanStore:
        """Keeps the first part, at least one sequence."""
        return self.first(max(1, round(len(self) * fraction)))

    def load(self, number: int, indices: Sequence[int] | None = None) -> list[LabeledScan]:
        """Reads scans of the sequence at a position: those at `indices`, or all in order."""
        with np.load(self.folder / self.names[number], allow_pickle=False) as data:
            wanted = range(int(data['count'])) if indices is None else indices
            return [_read(data, scan) for scan in wanted]


def write_sequence(path: Path, scans: list[LabeledScan]) -> None:
    """Writes one sequence; coordinates to the millimetre, intensity to 1/255."""
    columns: dict[str, NDArray] = {'count': np.asarray(len(scans)),
                                   'class_names': np.asarray(json.dumps(scans[0].class_names))}
    for number, scan in enumerate(scans):
        if scan.boxes is None or scan.num_points is None:
            raise ValueError('training needs boxes and their numbers of points')
        columns[f'{number}/xyz_mm'] = np.rint(scan.points.xyz * 1000).astype(np.int32)
        columns[f'{number}/intensity'] = np.rint(scan.points.intensity * 255).astype(np.uint8)
        columns[f'{number}/pose'] = scan.pose
        columns[f'{number}/stamp'] = np.asarray(scan.points.stamp)
        columns[f'{number}/num_points'] = scan.num_points
        for name in BOX_COLUMNS:
            columns[f'{number}/{name}'] = getattr(scan.boxes, name)
        if scan.semantic is not None and scan.instance is not None:
            columns[f'{number}/train_id'] = train_ids(scan.semantic)
            columns[f'{number}/instance'] = scan.instance.astype(np.uint16)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez(file, **columns)  # type: ignore[arg-type]
    partial.replace(path)


def _read(data: np.lib.npyio.NpzFile, number: int) -> LabeledScan:
    xyz = data[f'{number}/xyz_mm'].astype(np.float32) / np.float32(1000)
    points = Points.from_xyz(xyz, data[f'{number}/intensity'].astype(np.float32) / 255,
                             stamp=int(data[f'{number}/stamp']))
    columns: dict[str, Any] = {name: data[f'{number}/{name}'] for name in BOX_COLUMNS}
    boxes = Boxes3D(**columns)
    semantic = instance = None
    if f'{number}/train_id' in data:
        semantic = RAW_OF_TRAIN[data[f'{number}/train_id']]
        instance = data[f'{number}/instance'].astype(np.uint32)
    return LabeledScan(points, data[f'{number}/pose'], boxes, semantic, instance, index=number,
                       class_names=tuple(json.loads(str(data['class_names']))),
                       num_points=data[f'{number}/num_points'])
