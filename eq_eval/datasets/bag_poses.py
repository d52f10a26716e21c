"""Where the sensor was, by the transforms in a bag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.errors import TransformError
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_ros.poses import PoseHistory
from eq_ros.poses import StampedPose

TOPICS = ('/tf', '/tf_static')
TRANSFORMS = 'tf2_msgs/msg/TFMessage'
FOREVER = 2**62         # [ns]
HOLD = 50_000_000       # [ns] for which the first and the last pose hold before and after


class BagPoses:
    """The transforms of a bag, from the child upwards."""

    def __init__(self, path: Path, salvage: bool = False) -> None:
        """Reads all of them.

        Args:
            path: The bag.
            salvage: Whether damaged parts are left out.

        Raises:
            InputError: The bag is damaged, or a transform makes no sense.
        """
        from rosbags.typesys import get_typestore
        from rosbags.typesys import Stores
        stores: dict[bool, Any] = {False: get_typestore(Stores.ROS2_HUMBLE),
                                   True: get_typestore(Stores.ROS1_NOETIC)}
        self._span: dict[str, tuple[int, int]] = {}
        self._parent: dict[str, str] = {}
        self._moving: dict[str, PoseHistory] = {}
        self._fixed: dict[str, StampedPose] = {}
        for message in read_messages(path, TOPICS, salvage, []):
            store = stores[message.is_ros1]
            parse = store.deserialize_ros1 if message.is_ros1 else store.deserialize_cdr
            for transform in parse(message.data, TRANSFORMS).transforms:
                try:
                    self._take(transform, message.topic == TOPICS[1])
                except TransformError as error:
                    raise InputError(f'{path}, {message.topic}: {error}', 'bad_bag') from error

    def pose(self, world: str, frame: str, stamp: int) -> NDArray[np.float64] | None:
        """The transform from a frame to one above it.

        Args:
            world: Frame that it leads to.
            frame: Frame that it leads from.
            stamp: When [ns]; the first and the last pose hold for a moment longer.

        Returns:
            (4, 4) world <- frame, None where it is not known.
        """
        pose: NDArray[np.float64] = np.eye(4)
        for _ in range(len(self._parent) + 1):      # a circle of frames ends nowhere
            if frame == world:
                return pose
            if frame not in self._parent:
                return None
            step = self._fixed.get(frame) or self._at(frame, stamp)
            if step is None:
                return None
            pose = step.matrix() @ pose
            frame = self._parent[frame]
        return None

    def _take(self, message: Any, is_fixed: bool) -> None:
        """Notes a ``geometry_msgs/TransformStamped``."""
        child, parent = (name.lstrip('/') for name in (message.child_frame_id,
                                                       message.header.frame_id))
        stamp = message.header.stamp
        pose = StampedPose.from_message(
            message.transform.translation, message.transform.rotation,
            stamp.sec * 1_000_000_000 + stamp.nanosec)
        self._parent[child] = parent
        if is_fixed:
            self._fixed[child] = pose
        else:
            self._moving.setdefault(child, PoseHistory(FOREVER)).add(pose)
            first, last = self._span.get(child, (pose.stamp, pose.stamp))
            self._span[child] = min(first, pose.stamp), max(last, pose.stamp)

    def _at(self, frame: str, stamp: int) -> StampedPose | None:
        """The pose at a time or a moment before the first or after the last one."""
        first, last = self._span[frame]
        if not first - HOLD <= stamp <= last + HOLD:
            return None
        try:
            return self._moving[frame].at(min(max(stamp, first), last))
        except TransformError:      # time began anew within the bag
            return None


def with_bag_poses(recording: Recording, path: Path, world: str, salvage: bool = False
                   ) -> Recording | None:
    """Gives the scans of a bag the poses that its transforms tell.

    Args:
        recording: Scans of the bag.
        path: The bag.
        world: Frame in which the world stands still.
        salvage: Whether damaged parts are left out.

    Returns:
        None where the transforms do not cover all scans.

    Raises:
        InputError: The bag is damaged, or a transform makes no sense.
    """
    known = BagPoses(path, salvage)

    def pose_of(scan: LabeledScan) -> NDArray[np.float64] | None:
        return known.pose(world, scan.points.frame_id.lstrip('/'), scan.points.stamp)

    def load(lost: list[str]) -> Iterator[LabeledScan]:
        for scan in recording.scans():
            pose = pose_of(scan)
            yield scan if pose is None else replace(scan, pose=pose)
        lost += recording.lost

    if not all(pose_of(scan) is not None for scan in recording.scans()):
        return None
    return replace(recording, load=load, lost=[])
