"""Keeps what a node says: every message as it was serialised, in order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import importlib
import time
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message

from eq_core.errors import ConfigError
from eq_ros import qos


@dataclass(frozen=True)
class RecordedMessage:
    """One message as it came in.

    Attributes:
        topic: Full name of the topic.
        type_name: Such as ``'vision_msgs/msg/Detection3DArray'``.
        data: CDR bytes.
        received: Steady time of arrival [ns].
    """

    topic: str
    type_name: str
    data: bytes
    received: int

    def decode(self) -> Any:
        """The message as an object."""
        return deserialize_message(self.data, message_class(self.type_name))


class Recorder:
    """Subscribes to topics and hands every message on, serialised, without a copy in between."""

    def __init__(self, node: Node, sink: Callable[[RecordedMessage], None]) -> None:
        """Starts with no topic.

        Args:
            node: Node that owns the subscriptions.
            sink: Called from the executor's thread with each message.
        """
        self._node = node
        self._sink = sink
        self._subscriptions: list[Any] = []

    def listen(self, topic: str, type_name: str, latched: bool = False, depth: int = 50) -> None:
        """Records one topic from now on.

        Args:
            topic: Full name.
            type_name: Such as ``'diagnostic_msgs/msg/DiagnosticArray'``.
            latched: Whether a message from before the subscription is wanted too.
            depth: Length of the queue.

        Raises:
            ConfigError: The message type is not installed.
        """
        def receive(data: bytes) -> None:
            self._sink(RecordedMessage(topic, type_name, data, time.monotonic_ns()))

        self._subscriptions.append(self._node.create_subscription(
            message_class(type_name), topic, receive,
            qos.latched() if latched else qos.result(depth), raw=True))


def serialized(message: Any) -> bytes:
    """CDR bytes of a message, as they go over the wire."""
    return bytes(serialize_message(message))


def has_message(type_name: str) -> bool:
    """Whether a message type is installed and can be used from Python."""
    try:
        message_class(type_name)
    except ConfigError:
        return False
    return True


def message_class(type_name: str) -> Any:
    """Finds the Python class of a message type.

    Raises:
        ConfigError: It is not installed.
    """
    package, _, name = type_name.replace('/msg/', '/').partition('/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'message type {type_name!r} is not installed: {error}') from error
