"""Quality of service in three words: sensors in, results out, things that are said once.

After REP-2003. Every topic may be overridden by the parameters
``qos_overrides.<topic>.<publisher|subscription>.<history|depth|reliability>``.
"""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import qos_check_compatible
from rclpy.qos import QoSCompatibility
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions


def sensor(depth: int = 5) -> QoSProfile:
    """For sensor data: best effort, a lost scan is not sent again."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth,
                      reliability=ReliabilityPolicy.BEST_EFFORT,
                      durability=DurabilityPolicy.VOLATILE)


def result(depth: int = 10) -> QoSProfile:
    """For results: reliable, so that any subscriber is compatible."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth,
                      reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.VOLATILE)


def latched() -> QoSProfile:
    """For what is said once and holds: whoever comes later still gets it."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1,
                      reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)


def overridable() -> QoSOverridingOptions:
    """Lets users override history, depth and reliability by parameters."""
    return QoSOverridingOptions.with_default_policies()


def incompatibilities(node: Node, topic: str) -> list[str]:
    """Tells why nothing passes between the ends of a node and others.

    Args:
        node: The node.
        topic: Full name of one of its topics.

    Returns:
        A text with topic, policy and other node for every pair of ends that cannot talk.
    """
    texts = set()
    for publisher in node.get_publishers_info_by_topic(topic):
        for subscription in node.get_subscriptions_info_by_topic(topic):
            verdict, reason = qos_check_compatible(
                publisher.qos_profile, subscription.qos_profile)
            others = [end.node_name for end in (publisher, subscription)
                      if (end.node_namespace, end.node_name) != (
                          node.get_namespace(), node.get_name())]
            if verdict == QoSCompatibility.ERROR and len(others) == 1:
                why = ', '.join(part.removeprefix('ERROR: ') for part in reason.split(';')
                                if part.startswith('ERROR: '))
                texts.add(f'{topic}: nothing passes to or from {others[0]}: {why}')
    return sorted(texts)
