"""Looks at a table as they come by topics: images with their camera, or coloured clouds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.heightmap import fuse_views
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import heightmap_of_points
from eq_core.geometry.heightmap import Workspace
from eq_ros import qos
from eq_ros.colored_points import decode_colored
from eq_ros.images import decode_view
from eq_ros.messages import CameraInfo
from eq_ros.messages import Image
from eq_ros.messages import PointCloud2
from eq_ros.stamped_sets import StampedSets

RGBD, POINTS = 'rgbd', 'points'
INPUTS = (RGBD, POINTS)


@dataclass(frozen=True)
class TableView:
    """One look that nobody has read yet.

    Attributes:
        messages: Depth, colour and camera, or one cloud.
        rectified: Whether images are rectified.
    """

    messages: tuple[Any, ...]
    rectified: bool = False

    @property
    def frame_id(self) -> str:
        """Frame of the camera.

        Raises:
            InputError: There is none (`frame`).
        """
        if not self.messages[0].header.frame_id:
            raise InputError('the image or cloud has no frame_id', 'frame')
        return str(self.messages[0].header.frame_id)

    @property
    def stamp(self) -> int:
        """Time [ns]."""
        stamp = self.messages[0].header.stamp
        return int(stamp.sec) * 10**9 + int(stamp.nanosec)

    def heightmap(self, pose: NDArray[np.float64], workspace: Workspace, frame_id: str
                  ) -> HeightMap:
        """Reads the messages and looks at the table from above.

        Args:
            pose: (4, 4) frame <- camera.
            workspace: What to cover.
            frame_id: Frame of the workspace.

        Raises:
            InputError: A message is not what it says, or nothing of the workspace is seen.
        """
        if len(self.messages) == 1:
            xyz, color = decode_colored(self.messages[0])
            placed = xyz.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
            table = heightmap_of_points(placed, color, workspace, frame_id, self.stamp)
        else:
            depth, color, info = self.messages
            view = decode_view(depth, color, info, self.rectified)
            table = fuse_views([replace(view, pose=pose, frame_id=frame_id)], workspace)
        if not table.seen.any():
            raise InputError(f'nothing of the workspace {workspace.lower} to {workspace.upper} m '
                             f"in '{frame_id}' is seen", 'invalid_depth')
        return table


class TableViews:
    """Listens to the topics of one input."""

    def __init__(self, source: str, slop: float, rectified: bool,
                 on_view: Callable[[TableView], None], on_alone: Callable[[int], None]) -> None:
        """Prepares to listen.

        Args:
            source: One of `INPUTS`.
            slop: Largest difference of the stamps of a view [s].
            rectified: Whether images are rectified.
            on_view: Called with every view.
            on_alone: Called with the number of depth images that have found no partners.
        """
        self._source, self._rectified = source, rectified
        self._on_view, self._on_alone = on_view, on_alone
        self._sets = StampedSets(('depth', 'color', 'camera_info'), round(slop * 1e9))
        self._subscriptions: list[Any] = []

    def start(self, node: Any) -> None:
        """Listens from now on."""
        topics = [(PointCloud2, '~/input/points', lambda message: self._on_view(
            TableView((message,))))] if self._source == POINTS else [
            (Image, '~/input/depth', lambda message: self._add('depth', message)),
            (Image, '~/input/color', lambda message: self._add('color', message)),
            (CameraInfo, '~/input/camera_info', lambda message: self._add('camera_info',
                                                                          message))]
        self._subscriptions = [node.create_subscription(
            kind, topic, callback, qos.sensor(), qos_overriding_options=qos.overridable())
            for kind, topic, callback in topics]

    def stop(self, node: Any) -> None:
        """Listens no more."""
        for subscription in self._subscriptions:
            node.destroy_subscription(subscription)
        self._subscriptions = []
        self.clear()

    def clear(self) -> None:
        """Forgets what waits for partners."""
        self._sets.clear()

    def topics(self) -> list[str]:
        """Full names of the topics."""
        return [subscription.topic_name for subscription in self._subscriptions]

    def _add(self, kind: str, message: Any) -> None:
        """Takes a part of a view."""
        stamp = message.header.stamp
        whole, alone = self._sets.add(kind, stamp.sec * 10**9 + stamp.nanosec, message)
        if alone:
            self._on_alone(alone)
        if whole is not None:
            self._on_view(TableView(whole, self._rectified))
