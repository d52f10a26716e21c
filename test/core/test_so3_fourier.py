"""Transforms on SO(3): roundtrip, Parseval, shifts, and refusal of sets that are too coarse."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.rotation_sets import cube_group
from eq_core.groups.rotation_sets import geodesic_distance
from eq_core.groups.rotation_sets import icosahedron_group
from eq_core.groups.rotation_sets import super_fibonacci
from eq_core.groups.so3_fourier import coefficient_count
from eq_core.groups.so3_fourier import degree_of
from eq_core.groups.so3_fourier import evaluate
from eq_core.groups.so3_fourier import join_blocks
from eq_core.groups.so3_fourier import shift_left
from eq_core.groups.so3_fourier import shift_right
from eq_core.groups.so3_fourier import so3_basis
from eq_core.groups.so3_fourier import SO3Fourier
from eq_core.groups.so3_fourier import split_blocks

# Condition numbers of the sets that policies are built on.
RESOLVED = [(super_fibonacci(192), 4, 20), (super_fibonacci(576), 5, 2),
            (super_fibonacci(576), 6, 15), (super_fibonacci(1024), 6, 1.6),
            (super_fibonacci(2048), 6, 1.2), (cube_group(), 1, 1 + 1e-9),
            (icosahedron_group(), 2, 1 + 1e-9)]


def functions(degree, count=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, coefficient_count(degree)))


def quadrature(degree):
    """Rotations and weights that integrate products of two functions of a degree exactly."""
    cosine, weight = np.polynomial.legendre.leggauss(degree + 1)
    turns = 2 * np.pi * np.arange(2 * degree + 1) / (2 * degree + 1)
    angles = np.stack(np.meshgrid(turns, np.arccos(cosine), turns, indexing='ij'), -1)
    weights = np.broadcast_to(weight[None, :, None], angles.shape[:3]).ravel()
    return (Rotation.from_euler('ZYZ', angles.reshape(-1, 3)).as_matrix(),
            weights / weights.sum())


@pytest.mark.parametrize(('turns', 'degree', 'condition'), RESOLVED)
@pytest.mark.parametrize(('dtype', 'tolerance'), [(np.float64, 1e-12), (np.float32, 2e-4)])
def test_coefficients_survive_the_way_there_and_back(turns, degree, condition, dtype, tolerance):
    transform = SO3Fourier(turns, degree)
    assert transform.condition <= condition
    coefficients = functions(degree).astype(dtype)
    values = transform.inverse(coefficients)
    back = transform.forward(values)
    assert values.dtype == back.dtype == dtype
    np.testing.assert_allclose(back, coefficients, atol=tolerance)
    np.testing.assert_allclose(values, evaluate(coefficients, turns), atol=tolerance)


def test_the_transform_of_other_functions_is_their_least_squares_fit():
    transform = SO3Fourier(super_fibonacci(192), 2)
    values = np.random.default_rng(0).normal(size=192)
    rest = values - transform.inverse(transform.forward(values))
    np.testing.assert_allclose(transform.basis.T @ rest, 0, atol=1e-11)


@pytest.mark.parametrize(('turns', 'degree', 'words'), [
    (icosahedron_group(), 3, 'degree 3 has 84 coefficients, which 60 rotations'),
    (cube_group(), 2, 'degree 2 has 35 coefficients, which 24 rotations'),
    (np.tile(cube_group(), (4, 1, 1)), 2, '96 rotations resolve degree 2 with condition number'),
    (super_fibonacci(192), 5, 'degree 5 has 286 coefficients, which 192 rotations')])
def test_sets_that_do_not_resolve_the_degree_are_refused_with_numbers(turns, degree, words):
    with pytest.raises(ConfigError, match=words):
        SO3Fourier(turns, degree)


def test_the_limit_of_the_condition_number_can_be_set():
    with pytest.raises(ConfigError, match='condition number 14.8, more than 2'):
        SO3Fourier(super_fibonacci(576), 6, largest_condition=2)


@pytest.mark.parametrize('degree', [0, 1, 3, 6])
def test_parseval_and_orthonormality(degree):
    turns, weights = quadrature(degree)
    basis = so3_basis(turns, degree)
    np.testing.assert_allclose((basis.T * weights) @ basis, np.eye(coefficient_count(degree)),
                               atol=1e-12)
    coefficients = functions(degree)
    values = evaluate(coefficients, turns)
    np.testing.assert_allclose(values ** 2 @ weights, (coefficients ** 2).sum(-1))


@pytest.mark.parametrize(('dtype', 'tolerance'), [(np.float64, 1e-11), (np.float32, 2e-4)])
def test_shifts_move_functions(dtype, tolerance):
    shift, turns = (Rotation.random(count, rng=count).as_matrix().astype(dtype)
                    for count in (5, 40))
    coefficients = functions(6).astype(dtype)
    left, right = shift_left(coefficients, shift), shift_right(coefficients, shift)
    assert left.dtype == right.dtype == dtype
    for index, by in enumerate(shift):
        np.testing.assert_allclose(
            evaluate(left[index], turns), evaluate(coefficients[index], by.T @ turns),
            atol=tolerance)
        np.testing.assert_allclose(
            evaluate(right[index], turns), evaluate(coefficients[index], turns @ by),
            atol=tolerance)


def test_shifts_compose_and_keep_the_norm():
    a, b = Rotation.random(2, rng=0).as_matrix()
    coefficients = functions(4)
    for shift in (shift_left, shift_right):
        np.testing.assert_allclose(shift(shift(coefficients, b), a), shift(coefficients, a @ b),
                                   atol=1e-13)
        np.testing.assert_allclose(np.linalg.norm(shift(coefficients, a), axis=-1),
                                   np.linalg.norm(coefficients, axis=-1))


def test_lifted_copies_transform_to_a_function_that_turns_with_what_was_lifted():
    """A kernel's copies at all rotations make a function; turning the kernel shifts it."""
    transform = SO3Fourier(super_fibonacci(576), 5)
    direction, other = np.array([.6, 0, .8]), np.array([0, 1., 0])
    turn = Rotation.random(rng=3).as_matrix()

    def lifted(vector):      # degree 5 in the angle between the turned vector and another one
        return transform.forward((transform.rotations @ vector @ other) ** 5)

    np.testing.assert_allclose(lifted(turn @ direction), shift_right(lifted(direction), turn),
                               atol=1e-12)


def test_finer_sets_turn_narrow_functions_more_exactly():
    """The error of the 60 rotations of the icosahedron and of finer sets, for a bump of 30 deg."""
    by = Rotation.random(50, rng=1).as_matrix()

    def error(turns, degree):
        transform = SO3Fourier(turns, degree)
        bumps = [transform.forward(np.exp((np.cos(geodesic_distance(turns, at)) - 1) / .274))
                 for at in [np.eye(3), *by]]
        apart = np.array(bumps[1:]) - shift_left(bumps[0], by)
        return np.linalg.norm(apart, axis=-1).mean() / np.linalg.norm(bumps[0])

    assert error(icosahedron_group(), 2) > .15
    assert error(super_fibonacci(576), 5) < .015
    assert error(super_fibonacci(2048), 6) < .001


def test_blocks_split_and_join():
    coefficients = functions(3)
    blocks = split_blocks(coefficients)
    assert [block.shape for block in blocks] == [(5, n, n) for n in (1, 3, 5, 7)]
    assert (join_blocks(blocks) == coefficients).all()


def test_a_delta_function_peaks_at_its_rotation():
    turns = super_fibonacci(2048)
    delta = so3_basis(turns[17], 6)
    values = evaluate(delta, turns)
    assert values.argmax() == 17
    assert values[17] == pytest.approx(coefficient_count(6))
    apart = geodesic_distance(turns, turns[17])
    assert values[apart > np.pi / 3].max() < .1 * values[17]


@pytest.mark.parametrize('count', [0, 2, 34, 456])
def test_other_numbers_of_coefficients_are_refused(count):
    with pytest.raises(InputError, match=rf'\(3, {count}\)'):
        degree_of(np.zeros((3, count)))


def test_arrays_that_do_not_fit_the_set_are_refused():
    transform = SO3Fourier(super_fibonacci(64), 1)
    with pytest.raises(InputError, match=r'values must have shape \(..., 64\), got \(2, 63\)'):
        transform.forward(np.zeros((2, 63)))
    with pytest.raises(InputError, match=r'coefficients must have shape \(..., 10\)'):
        transform.inverse(np.zeros(35))
    with pytest.raises(InputError, match=r'\(3, 3\)'):
        SO3Fourier(np.eye(3), 0)
