"""Calibration: probabilities against what came, headings that point backwards, ellipses."""

from __future__ import annotations

import numpy as np
import pytest

from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.calibration import evaluate_calibration
from eq_eval.metrics.calibration import Reliability
from eq_eval.report.sections import reliability


def cars(x: list[float], yaw: list[float], **more: object) -> Boxes3D:
    count = len(x)
    return Boxes3D(np.column_stack([x, np.zeros(count), np.zeros(count)]),
                   np.tile([4., 2., 1.5], (count, 1)), np.array(yaw), np.zeros(count, int),
                   **more)  # type: ignore[arg-type]


def test_reliability_agrees_with_the_definition_and_with_a_calibrated_source() -> None:
    found = Reliability.of(np.array([.12, .18, .95, 1.]), np.array([True, False, True, True]))
    assert found.said == pytest.approx((.15, .975)) and found.came == (.5, 1.)
    assert found.count == (2, 2) and found.error == pytest.approx((.35 + .025) / 2)
    rng = np.random.default_rng(0)
    probability = rng.random(20000)
    honest = Reliability.of(probability, rng.random(20000) < probability)
    boastful = Reliability.of(probability, rng.random(20000) < probability ** 3)
    assert (honest.error or 0) < .02 < .2 < (boastful.error or 0)
    assert Reliability.of(np.zeros(0), np.zeros(0, bool)).error is None


def test_flips_are_counted_near_by_and_by_confidence() -> None:
    truth = cars([10., 20., 30., 45., 70.], [0.] * 5)
    found = cars([10.1, 20., 30., 45., 80.], [0., np.pi, np.pi - .2, np.pi, 0.],
                 score=[.9, .8, .7, .6, .5], heading_confidence=[.9, .9, .1, .9, .9])
    told = evaluate_calibration([found], [truth], 0)
    assert told['headings'] == 3 and told['heading_flip_rate'] == pytest.approx(2 / 3)
    assert told['heading_flip_rate_sure'] == .5 and told['heading_sure'] == pytest.approx(2 / 3)
    assert sum(told['score']['count']) == 5 and told['score']['came'][0] == 0     # at 80 m
    assert evaluate_calibration([found], [truth], 1)['heading_flip_rate'] is None


def test_flips_are_told_by_the_number_of_points() -> None:
    others = cars([0.], [0.])
    truth = cars([10., 20., 30., 39.], [0.] * 4)
    found = cars([39., 30., 20., 10.], [np.pi, 0., np.pi, 0.], score=[.9, .8, .7, .6])
    table = evaluate_calibration([others, found], [others, truth], 0, [
        np.array([5]), np.array([2000, 40, 50, 12])])['heading_flips_by_points']
    assert table['1-9'] == {'headings': 1, 'flip_rate': 0}
    assert table['10-29'] == {'headings': 1, 'flip_rate': 1}       # at 39 m
    assert table['30-99'] == {'headings': 2, 'flip_rate': .5}
    assert table['100-299'] == {'headings': 0, 'flip_rate': None}
    assert table['1000-'] == {'headings': 1, 'flip_rate': 0}


def test_ellipses_hold_what_they_say() -> None:
    rng = np.random.default_rng(1)
    count, covariance = 4000, np.array([[.09, .03], [.03, .04]])
    place = np.arange(count) * 10.
    truth = cars(place.tolist(), [0.] * count)
    center = truth.center.copy()
    center[:, :2] += rng.multivariate_normal([0, 0], covariance, count)
    found = Boxes3D(center, truth.size, truth.yaw, truth.label,
                    covariance=np.tile(covariance, (count, 1, 1)))
    told = evaluate_calibration([found], [truth], 0)
    assert told['inside_50'] == pytest.approx(.5, abs=.03)
    assert told['inside_90'] == pytest.approx(.9, abs=.02)
    told = evaluate_calibration([cars([0.], [0.])], [cars([0.], [0.])], 0)
    assert told['inside_90'] == 0      # no covariance, no ellipse


def test_the_report_draws_both_curves_and_the_diagonal() -> None:
    truth = cars([10., 20.], [0., 0.])
    found = cars([10., 20.], [0., np.pi], heading_confidence=[.9, .2])
    section = reliability({'calibration': {'car': evaluate_calibration([found], [truth], 0)}})
    assert section is not None and '50.0 % of the headings' in section['text']
    assert [curve.name for curve in section['chart'].curves][-1] == 'calibrated'
    assert len(section['chart'].curves) == 3 and len(section['rows']) == 2
    assert reliability({}) is None
