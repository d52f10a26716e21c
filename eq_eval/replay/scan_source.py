"""Scans of a recording as they are sent, and what has to be kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Protocol

import numpy as np

from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.playback import Played
from eq_eval.replay.raw_clouds import RawCloud

FIRST_STAMP = 1_000_000_000  # [ns]; ROS takes time 0 for "no time yet"


class Limits(Protocol):
    """The part of `ReplayOptions` that chooses scans."""

    @property
    def limit(self) -> int | None:
        """Scans at most."""

    @property
    def pictures(self) -> int:
        """Scans to keep whole."""


class ScanSource:
    """Reads scans, keeps what scoring and pictures need, and forgets the rest.

    Attributes:
        kept: The scans so far, with labels; only those for pictures still have their points.
        now: Simulated time of the scan that was read last [ns].
        with_poses: Whether scans are sent with the pose of the sensor.
        has_point_labels: Whether a scan so far had classes of points.
    """

    def __init__(self, recording: Recording, options: Limits, raw: RawCloud,
                 with_poses: bool = False) -> None:
        """Keeps its parts."""
        self._recording, self._limit, self._raw = recording, options.limit, raw
        self.now = FIRST_STAMP
        self.with_poses, self.has_point_labels = with_poses, False
        total = min(len(recording), options.limit or len(recording))
        self._pictured = pictured(total, options.pictures)
        self.kept: list[LabeledScan] = []

    def scans(self) -> Iterator[Played]:
        """Each scan as it is sent."""
        shift: int | None = None
        for place, scan in enumerate(self._recording.scans()):
            if place == self._limit:
                return
            stamp = scan.points.stamp
            if shift is None:
                shift = 0 if stamp >= FIRST_STAMP else FIRST_STAMP - stamp
            points = replace(scan.points, stamp=stamp + shift,
                             frame_id=scan.points.frame_id or 'lidar')
            self.kept.append(scan if place in self._pictured else _without_points(scan))
            self.has_point_labels |= scan.semantic is not None
            self.now = points.stamp
            # Bytes of a bag carry their stamp already, so they can only be played as they are.
            cloud = self._raw(scan) if shift == 0 else None
            yield Played(place, points.stamp, len(points), points if cloud is None else cloud,
                         points.frame_id, scan.pose if self.with_poses else None)


def pictured(total: int, pictures: int) -> set[int]:
    """Places of the scans to show, evenly spread."""
    return set(np.linspace(0, max(total - 1, 0), pictures).round().astype(int).tolist())


def knows_poses(recording: Recording) -> bool:
    """Whether a recording tells where the sensor was: what is not known is the identity."""
    return any(not np.array_equal(scan.pose, np.eye(4)) for scan in islice(recording.scans(), 2))


def _without_points(scan: LabeledScan) -> LabeledScan:
    counts = scan.num_points
    if counts is None and scan.boxes is not None:
        counts = count_points_in_boxes(scan.points.xyz, scan.boxes)
    empty = Points.from_xyz(np.zeros((0, 3)), None, scan.points.frame_id, scan.points.stamp)
    return replace(scan, points=empty, semantic=None, instance=None, num_points=counts)
