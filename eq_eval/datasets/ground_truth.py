"""The truth beside a simulated bag: ``ground_truth.jsonl``, one JSON object per scan."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.datasets.files import read_text

FILE_NAME = 'ground_truth.jsonl'
_COLUMNS = ('center', 'size', 'yaw', 'label', 'velocity', 'track_id')


@dataclass(frozen=True, eq=False)
class ScanTruth:
    """What is known of one scan.

    Attributes:
        pose: (4, 4) odom <- sensor.
        boxes: In the sensor's frame, None where they are not known.
        class_names: Names that the labels index.
        num_points: (M,) LiDAR points in each box, None where not counted.
    """

    pose: NDArray[np.float64]
    boxes: Boxes3D | None
    class_names: tuple[str, ...]
    num_points: NDArray[np.int64] | None


def truth_file(bag: Path) -> Path:
    """Where the truth of a bag lies, whether the bag is a folder or a single file."""
    return (bag if bag.is_dir() else bag.parent) / FILE_NAME


def read_truth(path: Path) -> dict[int, ScanTruth]:
    """Reads the truth of all scans.

    Args:
        path: The file; each line holds `stamp` [ns], `pose` (4x4 or its 16 numbers),
            `class_names` and `boxes` (columns center, size, yaw, label, velocity, track_id,
            num_points, -1 where not counted), empty where not known.

    Returns:
        Stamp to truth.

    Raises:
        InputError: A line is damaged.
    """
    truths = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            truths[int(row['stamp'])] = _truth(row)
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise InputError(f'{path}, line {number}: {error!r}', 'bad_file') from error
    return truths


def _truth(row: dict[str, Any]) -> ScanTruth:
    """One line."""
    columns = row['boxes']
    pose = np.array(row['pose'], np.float64).reshape(4, 4)
    if not columns:
        return ScanTruth(pose, None, tuple(row['class_names']), None)
    count = len(columns['yaw'])
    shapes = {'center': (count, 3), 'size': (count, 3), 'velocity': (count, 2)}
    values = {name: np.array(columns[name], np.float64).reshape(shapes.get(name, (count,)))
              for name in _COLUMNS}
    boxes = Boxes3D(center=values['center'], size=values['size'], yaw=values['yaw'],
                    label=values['label'].astype(np.int64), velocity=values['velocity'],
                    track_id=values['track_id'].astype(np.int64), stamp=int(row['stamp']))
    num_points = np.array(columns['num_points'], np.int64).reshape(count)
    return ScanTruth(pose, boxes, tuple(row['class_names']),
                     num_points if (num_points >= 0).all() else None)
