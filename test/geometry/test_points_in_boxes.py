"""Points inside boxes against a slow obvious twin."""

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_core.geometry.points_in_boxes import points_in_boxes


def test_agrees_with_one_point_at_a_time() -> None:
    rng = np.random.default_rng(3)
    xyz = rng.uniform(-5, 5, (400, 3)).astype(np.float32)
    boxes = Boxes3D(center=rng.uniform(-3, 3, (7, 3)), size=rng.uniform(1, 6, (7, 3)),
                    yaw=rng.uniform(-4, 4, 7), label=np.zeros(7))
    found = points_in_boxes(xyz, boxes)
    for box, index in enumerate(found):
        cos, sin = np.cos(boxes.yaw[box]), np.sin(boxes.yaw[box])
        expected = []
        for position, point in enumerate(xyz.astype(np.float64)):
            dx, dy, dz = point - boxes.center[box]
            own = (dx * cos + dy * sin, dy * cos - dx * sin, dz)
            if all(abs(value) <= side / 2 for value, side in zip(own, boxes.size[box])):
                expected.append(position)
        assert index.tolist() == expected
    assert count_points_in_boxes(xyz, boxes).tolist() == [len(index) for index in found]


def test_faces_belong_and_margin_grows() -> None:
    boxes = Boxes3D(center=[[0, 0, 0]], size=[[4, 2, 2]], yaw=[0.], label=[0])
    xyz = np.array([[2, 1, 1], [2.1, 0, 0], [-2, -1, -1]], np.float32)
    assert count_points_in_boxes(xyz, boxes).tolist() == [2]
    assert count_points_in_boxes(xyz, boxes, margin=0.2).tolist() == [3]


def test_nothing_in_nothing_out() -> None:
    boxes = Boxes3D(center=[[0, 0, 0]], size=[[4, 2, 2]], yaw=[0.], label=[0])
    assert points_in_boxes(np.zeros((5, 3), np.float32), Boxes3D.empty()) == []
    assert count_points_in_boxes(np.zeros((0, 3), np.float32), boxes).tolist() == [0]
