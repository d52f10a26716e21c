"""No box with NaN is ever published, and no impossible one."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from eq_core.errors import OutputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_ros.box_checks import check_boxes


def boxes(count: int, seed: int = 0) -> Boxes3D:
    random = np.random.default_rng(seed)
    return Boxes3D(random.normal(size=(count, 3)), random.uniform(1, 5, (count, 3)),
                   random.uniform(-3, 3, count), random.integers(0, 4, count),
                   random.random(count), velocity=random.normal(size=(count, 2)))


@pytest.mark.parametrize('name', ['center', 'size', 'yaw', 'score', 'velocity', 'covariance',
                                  'heading_confidence'])
@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_answer_with_a_number_that_is_not_finite_is_refused(name: str, value: float) -> None:
    good = boxes(3)
    column = getattr(good, name).copy()
    column[1] = value
    with pytest.raises(OutputError, match=f'{name} of box 1'):
        check_boxes(dataclasses.replace(good, **{name: column}), 4, 10, 50.)


@pytest.mark.parametrize('label', [-1, 4])
def test_label_without_a_class_is_refused(label: int) -> None:
    with pytest.raises(OutputError, match='labels'):
        check_boxes(dataclasses.replace(boxes(2), label=[0, label]), 4, 10, 50.)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([-1., 0., 1e-3, 2., 50., 50.1, 1e9]), max_size=12),
       st.integers(1, 6))
def test_impossible_and_surplus_boxes_are_removed_and_counted(
        lengths: list[float], limit: int) -> None:
    given_boxes = boxes(len(lengths))
    size = given_boxes.size.copy()
    size[:, 0] = lengths
    given_boxes = dataclasses.replace(given_boxes, size=size)
    checked = check_boxes(given_boxes, 4, limit, 50.)
    assert len(checked.boxes) + checked.degenerate + checked.surplus == len(lengths)
    assert len(checked.boxes) <= limit
    assert checked.degenerate == sum(not 0 < length <= 50. for length in lengths)
    possible = sorted((score for score, length in zip(given_boxes.score, lengths, strict=True)
                       if 0 < length <= 50.), reverse=True)
    assert sorted(checked.boxes.score, reverse=True) == possible[:limit]


def test_good_boxes_pass_unchanged() -> None:
    good = boxes(5)
    checked = check_boxes(good, 4, 10, 50.)
    assert checked.boxes is good and checked.degenerate == checked.surplus == 0
