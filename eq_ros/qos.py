"""Quality of service in three words: sensors in, results out, things that are said once.

After REP-2003. Every topic may be overridden by the parameters
``qos_overrides.<topic>.<publisher|subscription>.<history|depth|reliability>``.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
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
