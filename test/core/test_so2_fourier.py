"""Transforms on the circle: roundtrip, Parseval, shifts, and the largest value."""

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.so2_fourier import argmax
from eq_core.groups.so2_fourier import circle_angles
from eq_core.groups.so2_fourier import circular_harmonics
from eq_core.groups.so2_fourier import evaluate
from eq_core.groups.so2_fourier import forward
from eq_core.groups.so2_fourier import shift

PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-4)]


def functions(frequencies, count=50):
    return np.random.default_rng(frequencies).normal(size=(count, 2 * frequencies + 1))


@pytest.mark.parametrize(('dtype', 'tolerance'), PRECISIONS)
@pytest.mark.parametrize(('count', 'frequencies'), [(1, 0), (3, 1), (36, 17), (72, 17)])
def test_coefficients_survive_the_way_there_and_back(count, frequencies, dtype, tolerance):
    coefficients = functions(frequencies).astype(dtype)
    values = evaluate(coefficients, circle_angles(count))
    back = forward(values, frequencies)
    assert values.dtype == back.dtype == dtype
    np.testing.assert_allclose(back, coefficients, atol=tolerance)
    np.testing.assert_allclose((values ** 2).mean(-1), (coefficients ** 2).sum(-1),
                               rtol=10 * tolerance)


@pytest.mark.parametrize(('dtype', 'tolerance'), PRECISIONS)
def test_shifts_move_functions(dtype, tolerance):
    coefficients, by = functions(6).astype(dtype), np.linspace(-4, 4, 50)
    shifted = shift(coefficients, by)
    assert shifted.dtype == dtype
    angles = circle_angles(20)
    for one, other, angle in zip(coefficients, shifted, by):
        np.testing.assert_allclose(evaluate(other, angles), evaluate(one, angles - angle),
                                   atol=10 * tolerance)
    np.testing.assert_allclose(shift(shifted, -by), coefficients, atol=tolerance)


@pytest.mark.parametrize('frequency', [1, 2, 3])
def test_a_pair_turns_as_a_field_of_the_planar_group_does(frequency):
    pair, group = np.array([.3, -.7]), PlanarGroup(12)
    coefficients = np.zeros(7)
    coefficients[2 * frequency - 1:2 * frequency + 1] = pair
    turned = shift(coefficients, circle_angles(12))[:, 2 * frequency - 1:2 * frequency + 1]
    np.testing.assert_allclose(turned, group.turn_matrices(frequency) @ pair, atol=1e-14)


@pytest.mark.parametrize('frequencies', [0, 1, 2, 5, 17])
def test_no_angle_of_a_dense_set_is_better(frequencies):
    coefficients = functions(frequencies, 300)
    found = argmax(coefficients)
    dense = evaluate(coefficients, circle_angles(20_000)).max(-1)
    assert (found.value >= dense - 1e-12).all()
    np.testing.assert_allclose(found.value, dense, rtol=1e-4)
    at = (coefficients * circular_harmonics(found.angle, frequencies)).sum(-1)
    np.testing.assert_allclose(found.value, at)


@pytest.mark.parametrize('frequencies', [1, 4, 17])
def test_the_answer_turns_with_the_function(frequencies):
    coefficients, by = functions(frequencies), np.linspace(-4, 4, 50)
    found, turned = argmax(coefficients), argmax(shift(coefficients, by))
    apart = np.angle(np.exp(1j * (turned.angle - found.angle - by)))
    assert np.abs(apart).max() < 1e-7
    np.testing.assert_allclose(turned.value, found.value)


def test_the_peak_of_a_band_limited_delta_is_found():
    wanted = np.linspace(0, 6.2, 100)
    found = argmax(circular_harmonics(wanted, 17).astype(np.float32))
    assert np.abs(found.angle - wanted).max() < 1e-5


def test_constants_and_batches_are_no_trouble():
    assert argmax(np.array([3., 0, 0, 0, 0])).value == 3
    found = argmax(functions(3, 6).reshape(2, 3, 7))
    assert found.angle.shape == found.value.shape == (2, 3)
    assert argmax(np.zeros((0, 5))).value.shape == (0,)
    assert (shift(np.array([[3.]]), np.arange(4)) == np.full((4, 1), 3)).all()


def test_what_is_out_of_range_is_refused_by_number():
    with pytest.raises(ConfigError, match='36 samples resolve frequencies up to 17, not 18'):
        forward(np.zeros(36), 18)
    with pytest.raises(ConfigError, match='not -1'):
        forward(np.zeros(36), -1)
    with pytest.raises(InputError, match=r'\(5, 4\)'):
        argmax(np.zeros((5, 4)))
    with pytest.raises(InputError, match='finite'):
        argmax(np.full(3, np.inf))
