"""Overlap of boxes: known cases, laws and an independent count by sampling."""

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.rotated_iou import intersection_bev
from eq_core.geometry.rotated_iou import iou_3d
from eq_core.geometry.rotated_iou import iou_bev


def random_boxes(rng: np.random.Generator, count: int, spread: float = 4.) -> Boxes3D:
    return Boxes3D(center=rng.uniform(-spread, spread, (count, 3)),
                   size=rng.uniform(0.3, 6., (count, 3)),
                   yaw=rng.uniform(-7., 7., count), label=np.zeros(count))


def one(x: float, y: float, z: float, length: float, width: float, height: float,
        yaw: float) -> Boxes3D:
    return Boxes3D(center=[[x, y, z]], size=[[length, width, height]], yaw=[yaw], label=[0])


@pytest.mark.parametrize(('second', 'bev', 'volume'), [
    (one(0, 0, 0, 4, 2, 2, 0), 1., 1.),
    (one(0, 0, 0, 4, 2, 2, np.pi), 1., 1.),
    (one(0, 0, 0, 2, 4, 2, np.pi / 2), 1., 1.),
    (one(2, 0, 0, 4, 2, 2, 0), 1 / 3, 1 / 3),
    (one(0, 0, 1, 4, 2, 2, 0), 1., 1 / 3),
    (one(0, 0, 0, 4, 2, 2, np.pi / 2), 4 / 12, 4 / 12),
    (one(0, 0, 2, 4, 2, 2, 0), 1., 0.),
    (one(4, 0, 0, 4, 2, 2, 0), 0., 0.),
    (one(0, 0, 0, 0, 2, 2, 0), 0., 0.),
    (one(0, 0, 0, 4, 2, 0, 0), 1., 0.),
])
def test_known_cases(second: Boxes3D, bev: float, volume: float) -> None:
    first = one(0, 0, 0, 4, 2, 2, 0)
    assert iou_bev(first, second)[0, 0] == pytest.approx(bev, abs=1e-12)
    assert iou_3d(first, second)[0, 0] == pytest.approx(volume, abs=1e-12)


def test_octagon_of_two_squares() -> None:
    """Two unit squares at 45 degrees share a regular octagon of area 2 (sqrt 2 - 1)."""
    shared = 2 * (np.sqrt(2) - 1)
    value = iou_bev(one(0, 0, 0, 1, 1, 1, 0), one(0, 0, 0, 1, 1, 1, np.pi / 4))[0, 0]
    assert value == pytest.approx(shared / (2 - shared), abs=1e-12)


def test_agrees_with_sampling() -> None:
    """The slow obvious twin: count grid points that lie in both footprints."""
    rng = np.random.default_rng(5)
    first, second = random_boxes(rng, 6, 2.), random_boxes(rng, 6, 2.)
    axis = np.linspace(-7, 7, 701)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)

    def covered(boxes: Boxes3D) -> np.ndarray:
        masks = []
        for center, size, yaw in zip(boxes.center, boxes.size, boxes.yaw, strict=True):
            turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
            own = (grid - center[:2]) @ turn.T
            masks.append((np.abs(own) <= size[:2] / 2).all(1))
        return np.array(masks, float)

    sampled = covered(first) @ covered(second).T * (axis[1] - axis[0]) ** 2
    np.testing.assert_allclose(intersection_bev(first, second), sampled, atol=0.15)


@given(seed=st.integers(0, 2**32 - 1), turn=st.floats(-10, 10),
       shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)))
@settings(max_examples=40, deadline=None)
def test_symmetric_bounded_and_invariant(seed: int, turn: float,
                                         shift: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    first, second = random_boxes(rng, 5), random_boxes(rng, 4)
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    pose[:2, 3] = shift
    for iou in (iou_bev, iou_3d):
        value = iou(first, second)
        assert value.shape == (5, 4)
        assert value.min() >= 0 and value.max() <= 1
        np.testing.assert_allclose(iou(second, first).T, value, atol=1e-9)
        np.testing.assert_allclose(
            iou(first.transformed(pose), second.transformed(pose)), value, atol=1e-9)
        own = iou(first, first)
        np.testing.assert_allclose(np.diag(own), 1., atol=1e-9)
        copy = first.select(np.arange(len(first)))
        np.testing.assert_allclose(own, iou(first, copy), atol=1e-9)


def test_no_boxes() -> None:
    boxes = one(0, 0, 0, 1, 1, 1, 0)
    assert iou_bev(Boxes3D.empty(), boxes).shape == (0, 1)
    assert iou_3d(boxes, Boxes3D.empty()).shape == (1, 0)
