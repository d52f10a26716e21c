"""The robot of a world in Gazebo 11: what its LiDAR sees, where it is, how it is driven."""

from __future__ import annotations

from collections.abc import Callable
import math
from pathlib import Path
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eq_core.errors import BackendError
from eq_core.geometry.points import Points
from eq_eval.gazebo.lidar import directions
from eq_eval.gazebo.shapes import matrix
from eq_eval.gazebo.transport import Gazebo
from eq_eval.gazebo.wire import message
from eq_eval.gazebo.wire import read_poses
from eq_eval.gazebo.wire import read_scan
from eq_eval.gazebo.wire import Scan

NAME = 'eq_robot'
LINK = 'base_link'
SENSOR = 'lidar'

Double = NDArray[np.float64]


def mount(models: Path) -> Double:
    """(4, 4) base_link <- LiDAR."""
    for sensor in ElementTree.parse(models / NAME / 'model.sdf').iter('sensor'):
        if sensor.get('name') == SENSOR:
            return matrix(sensor.findtext('pose', ''))
    raise BackendError(f'{NAME} has no sensor {SENSOR}')


def points_of(scan: Scan) -> Points:
    """The returns of a scan in the LiDAR's frame; Gazebo knows no intensity, so it is 0."""
    hit = np.isfinite(scan.ranges)
    xyz = directions(scan)[hit] * scan.ranges[hit][:, None]
    return Points.from_xyz(xyz, None, SENSOR, scan.stamp)


class Robot:
    """Hears the robot and drives it."""

    def __init__(self, port: int, world: str, patience: float,
                 check: Callable[[], None] = lambda: None) -> None:
        """Waits until the robot is there and is seen.

        Args:
            port: Of Gazebo's master.
            world: Name of the world.
            patience: Longest wait [s].
            check: Raises if waiting is in vain.

        Raises:
            BackendError: It was not there in time.
        """
        self._data, self._scan = b'', Scan(0, np.zeros((0, 0)), (0., 0.), (0., 0.))
        self._scanned = b''     # what `_scan` was read from
        self.poses: list[tuple[int, Double]] = []     # time [ns], (4, 4) world <- base_link
        end = time.monotonic() + patience
        gazebo = self._join(port, end, check)
        self._gazebo, at = gazebo, f'/gazebo/{world}'
        gazebo.subscribe(f'{at}/{NAME}/{LINK}/{SENSOR}/scan', 'gazebo.msgs.LaserScanStamped',
                         self._on_scan)
        gazebo.subscribe(f'{at}/pose/info', 'gazebo.msgs.PosesStamped', self._on_poses)
        self._send = gazebo.advertise(f'{at}/{NAME}/vel_cmd', 'gazebo.msgs.Pose')
        while not (self._data and self.poses):
            check()
            if time.monotonic() > end:
                raise BackendError('the robot neither sees anything nor is anywhere')
            time.sleep(.05)

    @property
    def scan(self) -> Scan:
        """The newest scan, the same one until there is another."""
        data = self._data
        if data is not self._scanned:
            self._scan, self._scanned = read_scan(data), data
        return self._scan

    def drive(self, speed: float, turn_rate: float) -> None:
        """Drives on like this [m/s, rad/s]."""
        half = -turn_rate / 2   # the plugin takes the yaw of a pose for the turn rate to the right
        self._send(message(
            _3=message(_1=float(speed), _2=0., _3=0.),
            _4=message(_2=0., _3=0., _4=math.sin(half), _5=math.cos(half))))

    def place_at(self, stamp: int) -> Double:
        """(4, 4) world <- base_link at a time [ns], the nearest that is known."""
        return min(self.poses, key=lambda each: abs(each[0] - stamp))[1]

    def close(self) -> None:
        """Stops the robot and leaves."""
        self.drive(0., 0.)
        self._gazebo.close()

    @staticmethod
    def _join(port: int, end: float, check: Callable[[], None]) -> Gazebo:
        while True:
            try:
                return Gazebo(port)
            except BackendError:
                check()
                if time.monotonic() > end:
                    raise
            time.sleep(.2)

    def _on_scan(self, data: bytes) -> None:
        self._data = data       # read when asked for, so that no scans pile up in the server

    def _on_poses(self, data: bytes) -> None:
        stamp, poses = read_poses(data)
        if NAME in poses:
            position, turn = poses[NAME]
            pose = np.eye(4)
            pose[:3, :3] = Rotation.from_quat(turn).as_matrix()
            pose[:3, 3] = position
            self.poses.append((stamp, pose))
