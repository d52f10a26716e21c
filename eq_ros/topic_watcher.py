"""Listens to all that is published in the graph and is of a type that somebody wants."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

from eq_ros.recorder import has_message
from eq_ros.recorder import message_class
from eq_ros.spinning_node import SpinningNode

DEPTH = 5
LOOK = 1.       # between two looks for new topics [s]
SPIN = .2       # [s]

Take = Callable[[str, str, Any], None]


class TopicWatcher:
    """Subscribes to topics as they appear, as their publishers offer them."""

    def __init__(self, node: Node, kinds: Collection[str], take: Take, under: str = '/') -> None:
        """Looks once; `look` has to be called again and again.

        Args:
            node: Node that owns the subscriptions.
            kinds: Types that are wanted, such as ``nav_msgs/msg/Path``; those that are not
                installed are left out.
            take: Called from the executor's thread with topic, type and message.
            under: Namespace of the topics; `/tf`, `/tf_static` and `/diagnostics` are always.
        """
        self._node, self._take = node, take
        self._kinds = {kind for kind in kinds if has_message(kind)}
        self._under = f'/{under.strip("/")}/'.replace('//', '/')
        self._subscriptions: dict[str, Any] = {}
        self.look()

    def topics(self) -> list[str]:
        """Topics that are listened to."""
        return list(self._subscriptions)

    def look(self) -> None:
        """Subscribes to what is new."""
        for topic, kinds in self._node.get_topic_names_and_types():
            wanted = self._kinds & set(kinds)
            if (topic not in self._subscriptions and len(kinds) == 1 and wanted
                    and (topic.startswith(self._under)
                         or topic in ('/tf', '/tf_static', '/diagnostics'))):
                self._listen(topic, wanted.pop())

    def _listen(self, topic: str, kind: str) -> None:
        """Subscribes to one topic, if somebody publishes it."""
        offers = [end.qos_profile for end in self._node.get_publishers_info_by_topic(topic)]
        if not offers:
            return
        # What all of them offer; asking for more would shut some out
        reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
        latched = all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        self._subscriptions[topic] = self._node.create_subscription(
            message_class(kind), topic, lambda message: self._take(topic, kind, message),
            QoSProfile(
                depth=100 if topic.startswith('/tf') else DEPTH,
                reliability=ReliabilityPolicy.RELIABLE if reliable
                else ReliabilityPolicy.BEST_EFFORT,
                durability=DurabilityPolicy.TRANSIENT_LOCAL if latched
                else DurabilityPolicy.VOLATILE))


def watch(kinds: Collection[str], take: Take, going_on: Callable[[], bool],
          under: str = '/', domain_id: int | None = None) -> list[str]:
    """Listens until told to stop.

    Args:
        kinds: Types that are wanted.
        take: Called with topic, type and message.
        going_on: Asked again and again whether to go on.
        under: Namespace of the topics.
        domain_id: DDS domain; that of the environment if None.

    Returns:
        Topics that were listened to.
    """
    end = SpinningNode('eq_view', domain_id)
    watcher, looked = TopicWatcher(end.node, kinds, take, under), time.monotonic()
    try:
        while going_on():
            end.spin_once(SPIN)
            if time.monotonic() - looked > LOOK:
                watcher.look()
                looked = time.monotonic()
        return watcher.topics()
    finally:
        end.close()
