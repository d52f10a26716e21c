"""The part of tf2 that a node needs, where ``tf2_ros`` is not installed: names as in tf2.

Frames form a forest; each knows its parent and its pose in it, over time or for good. Stamps are
interpolated, never extrapolated, and nothing that is unknown is taken for the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.time import Time

from eq_core.errors import TransformError
from eq_ros.guard import one_line
from eq_ros.guard import ThrottledLog
from eq_ros.messages import header
from eq_ros.messages import TFMessage
from eq_ros.messages import TransformStamped
from eq_ros.poses import ExtrapolationError
from eq_ros.poses import PoseHistory
from eq_ros.poses import StampedPose

Array = NDArray[np.float64]
DEPTH = 100  # of the subscriptions, as in tf2


def transform_message(parent: str, child: str, matrix: NDArray[np.float64], stamp: int
                      ) -> TransformStamped:
    """A transform as a message.

    Args:
        parent: Frame that the transform leads to.
        child: Frame that it leads from.
        matrix: (4, 4) parent <- child.
        stamp: Time of it [ns].
    """
    pose = StampedPose.from_matrix(matrix, stamp)
    message = TransformStamped(header=header(parent, stamp), child_frame_id=child)
    moved, turned = message.transform.translation, message.transform.rotation
    moved.x, moved.y, moved.z = pose.position.tolist()
    turned.x, turned.y, turned.z, turned.w = pose.quaternion.tolist()
    return message


class TransformException(TransformError):
    """Base of what a lookup can raise."""


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Two frames are not in one tree."""


class ExtrapolationException(TransformException):
    """A time lies outside what is known."""


class InvalidArgumentException(TransformException):
    """A name or a transform makes no sense."""


class Buffer:
    """Transforms of the last seconds; safe to use from several threads."""

    def __init__(self, cache_time: Duration | None = None) -> None:
        """Starts empty.

        Args:
            cache_time: For how long transforms are kept, 10 s if None.
        """
        self._duration = Duration(seconds=10) if cache_time is None else cache_time
        self._lock = Lock()
        self._parent: dict[str, str] = {}
        self._fixed: dict[str, Array] = {}
        self._moving: dict[str, PoseHistory] = {}

    def clear(self) -> None:
        """Forgets all but the static transforms."""
        with self._lock:
            for history in self._moving.values():
                history.clear()

    def set_transform(self, transform: Any, authority: str) -> None:
        """Takes a ``geometry_msgs/TransformStamped``.

        Args:
            transform: The message.
            authority: Who says so; not used.

        Raises:
            InvalidArgumentException: A name is empty, a frame would be its own parent, or the
                numbers are no rigid transform.
        """
        child, parent, pose = _read(transform)
        with self._lock:
            self._adopt(child, parent)
            self._fixed.pop(child, None)
            if child not in self._moving:
                self._moving[child] = PoseHistory(self._duration.nanoseconds)
            self._moving[child].add(pose)

    def set_transform_static(self, transform: Any, authority: str) -> None:
        """Takes a ``geometry_msgs/TransformStamped`` that holds for all times.

        Args:
            transform: The message.
            authority: Who says so; not used.

        Raises:
            InvalidArgumentException: See `set_transform`.
        """
        child, parent, pose = _read(transform)
        with self._lock:
            self._adopt(child, parent)
            self._moving.pop(child, None)
            self._fixed[child] = pose.matrix()

    def lookup_transform(self, target_frame: str, source_frame: str, time: Time) -> Any:
        """The transform that takes coordinates from `source_frame` to `target_frame`.

        Args:
            target_frame: Where to.
            source_frame: Where from.
            time: When; 0 for the latest common time.

        Returns:
            ``geometry_msgs/TransformStamped``.

        Raises:
            InvalidArgumentException: A name is empty or begins with a slash.
            LookupException: A frame is unknown.
            ConnectivityException: The frames are not in one tree.
            ExtrapolationException: The time is not covered.
        """
        stamp = time.nanoseconds or self.get_latest_common_time(
            target_frame, source_frame).nanoseconds
        with self._lock:
            to_root, from_root = self._paths(target_frame, source_frame)
            matrix = np.linalg.inv(self._compose(to_root, stamp)) @ self._compose(from_root, stamp)
        return transform_message(target_frame, source_frame, matrix, stamp)

    def can_transform(self, target_frame: str, source_frame: str, time: Time) -> bool:
        """Whether `lookup_transform` would answer."""
        try:
            self.lookup_transform(target_frame, source_frame, time)
        except TransformException:
            return False
        return True

    def get_latest_common_time(self, target_frame: str, source_frame: str) -> Time:
        """The newest time at which all links between two frames are known; 0 if all are static.

        Raises:
            InvalidArgumentException: A name is empty or begins with a slash.
            LookupException: A frame is unknown.
            ConnectivityException: The frames are not in one tree.
            ExtrapolationException: A link is not known at any time.
        """
        with self._lock:
            links = [link for path in self._paths(target_frame, source_frame) for link in path
                     if link in self._moving]
            newest = {link: self._moving[link].newest for link in links}
        for link, stamp in newest.items():
            if stamp is None:
                raise ExtrapolationException(f"no pose of frame '{link}' is known yet")
        return Time(nanoseconds=min((stamp for stamp in newest.values() if stamp), default=0))

    def _adopt(self, child: str, parent: str) -> None:
        """Notes the parent of a frame; what was known below another one means nothing now."""
        if self._parent.get(child) == parent:
            return
        if child in self._line(parent):
            raise InvalidArgumentException(f"frame '{child}' would be its own ancestor")
        self._parent[child] = parent
        self._moving.pop(child, None)

    def _line(self, frame: str) -> list[str]:
        """A frame and its ancestors."""
        line = [frame]
        while line[-1] in self._parent:
            line.append(self._parent[line[-1]])
        return line

    def _paths(self, *frames: str) -> tuple[list[str], list[str]]:
        """Links from each of two frames up to their nearest common ancestor."""
        known = {*self._parent, *self._parent.values()}
        for frame in frames:
            if not frame or frame.startswith('/'):
                raise InvalidArgumentException(
                    f"frame must be a name without a leading slash, got '{frame}'")
            if frame not in known:
                raise LookupException(f"frame '{frame}' does not exist")
        target, source = map(self._line, frames)
        if target[-1] != source[-1]:
            raise ConnectivityException(
                f"frames '{frames[0]}' and '{frames[1]}' are not in one tree")
        while target and source and target[-1] == source[-1]:
            target.pop()
            source.pop()
        return target, source

    def _compose(self, path: list[str], stamp: int) -> Array:
        """(4, 4) transform from the first frame of a path to the parent of the last one."""
        pose: Array = np.eye(4)
        for link in path:
            if link in self._fixed:
                step = self._fixed[link]
            else:
                try:
                    step = self._moving[link].at(stamp).matrix()
                except ExtrapolationError as error:
                    raise ExtrapolationException(f"frame '{link}': {error}") from error
            pose = step @ pose
        return pose


class TransformListener:
    """Fills a buffer from the topics ``/tf`` and ``/tf_static``."""

    def __init__(self, buffer: Buffer, node: Any) -> None:
        """Subscribes.

        Args:
            buffer: Where transforms go.
            node: The node that listens; its executor must spin.
        """
        self._buffer, self._node = buffer, node
        self._log = ThrottledLog(node.get_logger())
        latched = QoSProfile(depth=DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(TFMessage, '/tf', lambda message: self._take(
                message, buffer.set_transform), QoSProfile(depth=DEPTH)),
            node.create_subscription(TFMessage, '/tf_static', lambda message: self._take(
                message, buffer.set_transform_static), latched)]

    def unregister(self) -> None:
        """Unsubscribes."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _take(self, message: Any, take: Callable[[Any, str], None]) -> None:
        """Takes what makes sense and says what does not."""
        for transform in message.transforms:
            try:
                take(transform, 'default_authority')
            except TransformError as error:
                self._log.error('tf', f'transform ignored: {one_line(error)}')


def _read(message: Any) -> tuple[str, str, StampedPose]:
    """Child, parent and pose of a ``geometry_msgs/TransformStamped``."""
    child, parent = message.child_frame_id.lstrip('/'), message.header.frame_id.lstrip('/')
    if not child or not parent:
        raise InvalidArgumentException(f"transform from '{child}' to '{parent}' lacks a name")
    stamp, transform = message.header.stamp, message.transform
    try:
        return child, parent, StampedPose.from_message(
            transform.translation, transform.rotation, stamp.sec * 10**9 + stamp.nanosec)
    except TransformError as error:
        raise InvalidArgumentException(f"transform from '{child}' to '{parent}': "
                                       f'{error}') from error
