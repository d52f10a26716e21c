"""Transforms between frames as matrices: tf2 where it is installed, else our own small buffer."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.time import Time

from eq_core.errors import TransformError
from eq_ros.guard import one_line
from eq_ros.messages import TFMessage
from eq_ros.poses import StampedPose

try:
    from tf2_ros import Buffer
    from tf2_ros import TransformException
    from tf2_ros import TransformListener
except ImportError:
    from eq_ros.tf_buffer import Buffer
    from eq_ros.tf_buffer import TransformException
    from eq_ros.tf_buffer import TransformListener

Array = NDArray[np.float64]
POLL = .005     # [s]


class Transforms:
    """What a node knows of the frames around it, while it listens."""

    def __init__(self, buffer: Any = None) -> None:
        """Starts without knowledge.

        Args:
            buffer: A buffer with tf2's names; a new one if None.
        """
        self._buffer = Buffer() if buffer is None else buffer
        self._listener: Any = None

    def start(self, node: Any) -> None:
        """Listens to ``/tf`` and ``/tf_static`` from now on, where their message is installed."""
        if self._listener is None and TFMessage is not None:
            self._listener = TransformListener(self._buffer, node)

    def stop(self) -> None:
        """Listens no more and forgets what moves."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None
        self.clear()

    def clear(self) -> None:
        """Forgets all but static transforms, as after a jump of time."""
        self._buffer.clear()

    def newest(self, target: str, source: str) -> int | None:
        """The newest time at which two frames are known [ns]; None where there is none.

        It is 0 where nothing between them moves.
        """
        try:
            return int(self._buffer.get_latest_common_time(target, source).nanoseconds)
        except TransformException:
            return None

    def lookup(self, target: str, source: str, stamp: int) -> Array:
        """The pose of a frame in another.

        Args:
            target: Name of the outer frame.
            source: Name of the inner frame.
            stamp: When [ns].

        Returns:
            (4, 4) float64, target <- source.

        Raises:
            TransformError: A frame is unknown, not connected, or not known at that time; never is
                the identity taken for it.
        """
        if TFMessage is None:
            raise TransformError('tf2_msgs is not installed')
        try:
            message = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
        except TransformException as error:
            raise TransformError(
                f"no transform from '{source}' to '{target}': {one_line(error)}") from error
        return StampedPose.from_message(message.transform.translation,
                                        message.transform.rotation, stamp).matrix()

    def await_lookup(self, target: str, source: str, stamp: int, timeout: float) -> Array:
        """As `lookup`, but waits for what is not known yet, in the thread that needs it.

        Args:
            target: Name of the outer frame.
            source: Name of the inner frame.
            stamp: When [ns].
            timeout: Longest wait [s].

        Raises:
            TransformError: It is still not known then.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                return self.lookup(target, source, stamp)
            except TransformError:
                if time.monotonic() > end:
                    raise
            time.sleep(POLL)
