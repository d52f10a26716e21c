"""`Report` -> ``diagnostic_msgs/DiagnosticArray``."""

from __future__ import annotations

from eq_ros.health import Report
from eq_ros.messages import DiagnosticArray
from eq_ros.messages import DiagnosticStatus
from eq_ros.messages import header
from eq_ros.messages import KeyValue


def diagnostic_array(name: str, report: Report, stamp: int,
                     hardware_id: str = '') -> DiagnosticArray:
    """Makes the message of one report.

    Args:
        name: Name of the status, such as ``lidar_detector: pipeline``.
        report: What to say.
        stamp: Time [ns].
        hardware_id: What the status is about, such as the model.
    """
    status = DiagnosticStatus(
        level=bytes([report.level]), name=name, message=report.message, hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in report.values.items()])
    return DiagnosticArray(header=header('', stamp), status=[status])
