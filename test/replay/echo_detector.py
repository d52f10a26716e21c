"""A stand-in for the detector node: answers every cloud at once, drops frame 'bad'."""

from __future__ import annotations

import os
import sys

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
import rclpy
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker
from visualization_msgs.msg import MarkerArray

try:
    from vision_msgs.msg import Detection3D
    from vision_msgs.msg import Detection3DArray
    from vision_msgs.msg import ObjectHypothesisWithPose
except ImportError:
    Detection3DArray = None


class EchoDetector(LifecycleNode):
    """Publishes one box per cloud: a car whose x is the number of points."""

    def __init__(self) -> None:
        super().__init__('lidar_detector')
        self.counts = {'received': 0, 'published': 0, 'in_flight': 0}
        self.objects = Detection3DArray and self.create_publisher(
            Detection3DArray, '~/output/objects', 10)
        self.markers = self.create_publisher(MarkerArray, '~/debug/markers', 10)
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_subscription(
            PointCloud2, '~/input/pointcloud', self.answer, qos_profile_sensor_data)
        self.create_timer(0.2, self.report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def answer(self, cloud: PointCloud2) -> None:
        self.counts['received'] += 1
        if cloud.header.frame_id == 'dies':
            sys.stderr.write('the sky falls\n')
            sys.stderr.flush()
            os._exit(3)
        if cloud.header.frame_id == 'bad':
            self.counts['dropped.frame'] = self.counts.get('dropped.frame', 0) + 1
            return
        self.counts['published'] += 1
        if self.objects:
            self.objects.publish(self.detections(cloud))
        else:
            self.markers.publish(MarkerArray(markers=[Marker(header=cloud.header)]))

    def detections(self, cloud: PointCloud2) -> Detection3DArray:
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = 'car', 0.5
        detection = Detection3D(header=cloud.header, results=[result])
        detection.bbox.center.position.x = float(cloud.width)
        detection.bbox.center.orientation.w = 1.
        for axis in 'xyz':
            setattr(detection.bbox.size, axis, 2.)
        return Detection3DArray(header=cloud.header, detections=[detection])

    def report(self) -> None:
        status = DiagnosticStatus(name='lidar_detector: pipeline', message='echo')
        status.values = [KeyValue(key=key, value=str(value))
                         for key, value in (self.counts | {'backend': 'echo'}).items()]
        self.diagnostics.publish(DiagnosticArray(status=[status]))


def main() -> None:
    rclpy.init()
    node = EchoDetector()
    node.trigger_configure()
    node.trigger_activate()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
