"""Labelled scans of real recordings that a detector learns boxes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.kitti_labels import KittiScan
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.judged import in_dont_care
from eq_eval.rotation import within
from eq_perception.detection.config import DetectorConfig

UNCERTAIN = 1       # points that a box of a foreign class is said to hold
PROBE = (-.9, 1.5)  # height of the middle and edge of a box that stands for a cell [m]


@dataclass(frozen=True, eq=False)
class Frame:
    """One labelled scan.

    Attributes:
        scan: As it was read.
        boxes: Its boxes, labels in the detector's numbering.
        num_points: (M,) LiDAR points in each box; 1 where its class is none of the detector's, so
            that there is neither an object nor background.
        known: (cells,) where the labels tell whether there is something, on the detector's grid.
    """

    scan: LabeledScan
    boxes: Boxes3D
    num_points: NDArray[np.int64]
    known: NDArray[np.bool_]

    def background(self, config: DetectorConfig, linear: NDArray[np.float64]
                   ) -> NDArray[np.float32]:
        """Weights (h, w) of cells as background after the scene was changed.

        Args:
            config: The detector's grid.
            linear: (2, 2) by which x and y were multiplied.
        """
        grid, size = config.head_grid, config.head_size
        before = grid.centre(np.arange(size ** 2)) @ np.linalg.inv(linear).T
        cell, inside = grid.locate(np.column_stack([before, np.zeros(len(before))]))
        known = np.zeros(size ** 2, np.float32)
        known[inside] = self.known[cell[inside]]
        return known.reshape(size, size)


@dataclass(frozen=True, eq=False)
class LabeledFrames:
    """Frames of one or several recordings.

    Attributes:
        frames: In their order.
        drawn: Name of each recording, and the positions of its scans that were taken.
    """

    frames: tuple[Frame, ...]
    drawn: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def read(cls, recordings: Sequence[Recording], config: DetectorConfig,
             count: int | None = None) -> LabeledFrames:
        """Reads scans with boxes, spread evenly over all that there are.

        Args:
            recordings: Where they are.
            config: Classes and grid of the detector.
            count: How many scans, all if None.

        Raises:
            InputError: A recording leaves objects in view unlabelled, or there are fewer scans
                with boxes.
        """
        for recording in recordings:
            if not recording.complete:
                raise InputError(f'{recording.name} has boxes of some objects alone; what has '
                                 'none would be learnt as empty', 'no_labels')
        found = [(recording.name, place, scan) for recording in recordings
                 for place, scan in enumerate(recording.scans()) if scan.boxes is not None]
        wanted = len(found) if count is None else count
        if not 1 <= wanted <= len(found):
            raise InputError(f'{", ".join(each.name for each in recordings)}: {len(found)} scans '
                             f'with boxes, asked for {wanted}', 'no_labels')
        taken = [found[row] for row in np.linspace(0, len(found) - 1, wanted).round().astype(int)]
        names = dict.fromkeys(name for name, _, _ in taken)
        return cls(tuple(_frame(scan, config) for _, _, scan in taken),
                   tuple((name, tuple(place for other, place, _ in taken if other == name))
                         for name in names))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def to_list(self) -> list[dict[str, object]]:
        """What a manifest tells, so that nobody tests on these scans."""
        return [{'name': name, 'scans': list(places)} for name, places in self.drawn]

    def __str__(self) -> str:
        """Such as ``8 scans of kitti_object, 3 scans of sustech_points``."""
        return ', '.join(f'{len(places)} scans of {name}' for name, places in self.drawn)


def _frame(scan: LabeledScan, config: DetectorConfig) -> Frame:
    boxes = scan.boxes if scan.boxes is not None else Boxes3D.empty()
    names = [scan.class_names[label] for label in boxes.label]
    own = np.array([name in config.class_names for name in names], bool)
    counted = count_points_in_boxes(scan.points.xyz, boxes)
    label = [config.class_names.index(name) if name in config.class_names else 0
             for name in names]
    return Frame(scan, replace(boxes, label=np.array(label, np.int64)),
                 np.where(own, counted, UNCERTAIN), _known(scan, config))


def _known(scan: LabeledScan, config: DetectorConfig) -> NDArray[np.bool_]:
    """Cells in which the labels are complete."""
    centre = config.head_grid.centre(np.arange(config.head_size ** 2))
    known = within(np.arctan2(centre[:, 1], centre[:, 0]), scan.field_of_view)
    if isinstance(scan, KittiScan) and scan.image is not None and len(scan.image.dont_care):
        count, (height, edge) = len(centre), PROBE
        probes = Boxes3D(np.column_stack([centre, np.full(count, height)]),
                         np.full((count, 3), edge), np.zeros(count), np.zeros(count, np.int64))
        known &= ~in_dont_care(probes, scan.image)
    return known
