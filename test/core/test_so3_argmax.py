"""The largest value on SO(3): precise, global, and turning with the function."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.rotation_sets import geodesic_distance
from eq_core.groups.rotation_sets import super_fibonacci
from eq_core.groups.so3_argmax import argmax
from eq_core.groups.so3_argmax import jet
from eq_core.groups.so3_fourier import coefficient_count
from eq_core.groups.so3_fourier import evaluate
from eq_core.groups.so3_fourier import shift_left
from eq_core.groups.so3_fourier import shift_right
from eq_core.groups.so3_fourier import so3_basis
from eq_core.groups.so3_fourier import SO3Fourier


def functions(degree, count=20, seed=0):
    return np.random.default_rng(seed).normal(size=(count, coefficient_count(degree)))


def turns(count, seed=0):
    return Rotation.random(count, rng=seed).as_matrix()


@pytest.mark.parametrize('degree', [1, 2, 4, 6])
@pytest.mark.parametrize(('dtype', 'degrees'), [(np.float64, 1e-5), (np.float32, 1e-3)])
def test_the_peak_of_a_band_limited_delta_is_found(degree, dtype, degrees):
    wanted = turns(40)
    found = argmax(so3_basis(wanted, degree).astype(dtype))
    assert np.degrees(geodesic_distance(found.rotation, wanted)).max() < degrees
    np.testing.assert_allclose(found.value, coefficient_count(degree), rtol=1e-5)


def test_the_peak_of_transformed_samples_is_found_between_them():
    """A narrow bump, seen through 576 samples about 25 degrees apart, to 1 degree."""
    transform, wanted = SO3Fourier(super_fibonacci(576), 5), turns(30)
    apart = geodesic_distance(transform.rotations[None], wanted[:, None])
    found = argmax(transform.forward(np.exp((np.cos(apart) - 1) / .5)))
    assert np.degrees(geodesic_distance(found.rotation, wanted)).max() < 1


@pytest.mark.parametrize('degree', [1, 3, 6])
def test_no_rotation_of_a_dense_set_is_better(degree):
    coefficients = functions(degree)
    found = argmax(coefficients)
    dense = evaluate(coefficients, super_fibonacci(20_000)).max(-1)
    assert (found.value >= dense).all() and (found.value < 1.2 * dense).all()
    at = np.array([evaluate(one, turn[None])[0] for one, turn in
                   zip(coefficients, found.rotation)])
    np.testing.assert_allclose(found.value, at)


@pytest.mark.parametrize('degree', [2, 4, 6])
def test_the_answer_turns_with_the_function(degree):
    coefficients, by = functions(degree, seed=1), turns(20, seed=2)
    found = argmax(coefficients)
    left, right = argmax(shift_left(coefficients, by)), argmax(shift_right(coefficients, by))
    np.testing.assert_allclose(left.value, found.value)
    np.testing.assert_allclose(right.value, found.value)
    # These functions hold no ties, so that the place is the same as well.
    assert geodesic_distance(left.rotation, by @ found.rotation).max() < 1e-6
    assert geodesic_distance(right.rotation, found.rotation @ by.swapaxes(1, 2)).max() < 1e-6


def test_answers_are_rotations():
    found = argmax(functions(6)).rotation
    np.testing.assert_allclose(found @ found.swapaxes(1, 2), np.tile(np.eye(3), (20, 1, 1)),
                               atol=1e-13)


def test_jet_is_the_taylor_series():
    coefficients, at, step = functions(5, 1), turns(1)[0], 1e-4
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing='ij'), -1).reshape(-1, 3) * step
    values = evaluate(coefficients, Rotation.from_rotvec(grid).as_matrix() @ at)[0]
    series = jet(coefficients, at[None])
    expected = (series.value[0] + grid @ series.gradient[0]
                + np.einsum('ni,ij,nj->n', grid, series.hessian[0], grid) / 2)
    scale = np.linalg.norm(coefficients)
    np.testing.assert_allclose(values, expected, atol=1e3 * step ** 3 * scale)
    assert np.ptp(values) > 10 * step      # so that a gradient of zero would not pass


def test_ridges_and_constants_are_no_trouble():
    """A function of R z alone is constant along turns about z."""
    constant = np.zeros(coefficient_count(3))
    constant[0] = 2
    assert argmax(constant).value == pytest.approx(2)
    ridge = np.zeros(coefficient_count(1))
    ridge[1 + 4] = 1                       # D^1_00 = R_zz
    found = argmax(ridge)
    assert found.rotation[2, 2] == pytest.approx(1)
    assert found.value == pytest.approx(np.sqrt(3))


def test_batches_keep_their_shape():
    coefficients = functions(2, 6).reshape(2, 3, -1)
    found = argmax(coefficients)
    assert found.rotation.shape == (2, 3, 3, 3) and found.value.shape == (2, 3)
    assert argmax(coefficients[1, 2]).value == pytest.approx(found.value[1, 2])
    assert argmax(np.zeros((0, 10))).value.shape == (0,)


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(InputError, match='finite'):
        argmax(np.full(10, np.nan))
    with pytest.raises(InputError, match=r'\(11,\)'):
        argmax(np.zeros(11))
    with pytest.raises(ConfigError, match='got 0'):
        argmax(np.zeros(10), starts=0)
