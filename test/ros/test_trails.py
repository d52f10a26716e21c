"""Trails follow their objects for as long as they say and end with them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from eq_core.geometry.boxes3d import Boxes3D
from eq_ros import messages
from eq_ros.trails import Trails

SECOND = 10**9
HEADER = messages.header('odom', 7)


def boxes(stamp: float, **places: float) -> Boxes3D:
    """Objects t<id>=x at a time [s]."""
    count = len(places)
    return Boxes3D([[x, 1., 2.] for x in places.values()] or np.zeros((0, 3)),
                   np.ones((count, 3)), np.zeros(count), np.zeros(count, int),
                   track_id=[int(name[1:]) for name in places], frame_id='odom',
                   stamp=round(stamp * SECOND))


def lines(trails: Trails) -> list[tuple[float, float]]:
    """From x to x."""
    ends = [point.x for point in trails.marker(HEADER).points]
    return list(zip(ends[::2], ends[1::2], strict=True))


def test_each_object_has_its_own_line_in_the_given_frame() -> None:
    trails = Trails()
    trails.add(boxes(1., t1=0., t2=50.))
    assert lines(trails) == []
    trails.add(boxes(1.1, t2=51., t1=1.))
    trails.add(boxes(1.2, t1=2.))
    assert lines(trails) == [(0., 1.), (1., 2.), (50., 51.)]
    marker = trails.marker(HEADER)
    assert marker.header == HEADER and len(marker.colors) == len(marker.points) == 6
    assert marker.ns == 'trails' and (marker.points[0].y, marker.points[0].z) == (1., 2.)


def test_what_is_older_than_the_duration_is_forgotten_also_without_objects() -> None:
    trails = Trails(duration=3.)
    for stamp in range(10):
        trails.add(boxes(stamp, t1=float(stamp)))
    assert lines(trails) == [(6., 7.), (7., 8.), (8., 9.)]
    trails.add(boxes(11.5))
    assert lines(trails) == [] and len(trails._places) == 1
    trails.add(boxes(20.))
    assert not trails._places and not trails._labels
    trails.add(boxes(21., t1=1.))
    trails.clear()
    assert not trails._places
