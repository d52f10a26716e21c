"""Sets of rotations: groups are closed, even sets cover, distances are metric."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.rotation_sets import covering_radius
from eq_core.groups.rotation_sets import cube_double_coset
from eq_core.groups.rotation_sets import cube_group
from eq_core.groups.rotation_sets import geodesic_distance
from eq_core.groups.rotation_sets import icosahedron_group
from eq_core.groups.rotation_sets import refinement_grid
from eq_core.groups.rotation_sets import super_fibonacci
from eq_core.groups.so3_fourier import SO3Fourier


def random_rotations(count, seed=0):
    return Rotation.random(count, rng=seed).as_matrix()


@pytest.mark.parametrize(('group', 'order'), [(cube_group, 24), (icosahedron_group, 60)])
def test_groups_are_closed(group, order):
    elements = group()
    assert elements.shape == (order, 3, 3)
    apart = geodesic_distance(elements[:, None], elements[None])
    assert (apart[~np.eye(order, dtype=bool)] > .5).all()
    products = (elements[:, None] @ elements[None]).reshape(-1, 3, 3)
    nearest = geodesic_distance(products[:, None], elements[None]).min(1)
    assert nearest.max() < 1e-7
    assert geodesic_distance(elements, np.eye(3)).min() < 1e-7


def test_the_double_coset_is_closed_from_both_sides_and_even():
    turns, group = cube_double_coset(), cube_group()
    assert turns.shape == (600, 3, 3)
    assert np.degrees(covering_radius(turns)) < 26
    for turn in group[[1, 8, 17]]:
        for moved in (turn @ turns, turns @ turn):
            apart = geodesic_distance(moved[:, None], turns[None])
            assert apart.min(1).max() < 1e-7
            assert len(set(apart.argmin(1))) == 600
    assert SO3Fourier(turns, 4).condition < 2
    with pytest.raises(ConfigError, match='condition'):
        SO3Fourier(turns[24:], 4)


def test_the_cube_group_is_exact_integers():
    assert set(np.unique(cube_group())) == {-1, 0, 1}


@pytest.mark.parametrize('count', [1, 24, 576])
def test_super_fibonacci_sets_are_rotations(count):
    turns = super_fibonacci(count)
    assert turns.shape == (count, 3, 3)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2),
                               np.broadcast_to(np.eye(3), turns.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-14)


def test_super_fibonacci_sets_are_more_even_than_random_ones():
    radii = [covering_radius(super_fibonacci(count)) for count in (192, 576, 2048)]
    random = [covering_radius(random_rotations(count)) for count in (192, 576, 2048)]
    assert (np.diff(radii) < 0).all()
    assert (np.array(radii) < .8 * np.array(random)).all()


def test_covering_radius_of_the_600_cell_is_known():
    golden = (1 + np.sqrt(5)) / 2
    assert covering_radius(icosahedron_group()) == pytest.approx(
        2 * np.arccos(golden ** 2 / np.sqrt(8)))


@pytest.mark.parametrize('turns', [cube_group(), super_fibonacci(50)])
def test_covering_radius_is_the_supremum_over_probes(turns):
    probes = random_rotations(40_000)
    farthest = np.array([geodesic_distance(probes, turn) for turn in turns]).min(0).max()
    radius = covering_radius(turns)
    assert .9 * radius < farthest <= radius + 1e-9


def test_few_rotations_leave_one_half_a_turn_away():
    assert covering_radius(random_rotations(3)) == pytest.approx(np.pi)


def test_distance_is_a_bi_invariant_metric():
    a, b, c = (random_rotations(100, seed) for seed in range(3))
    distance = geodesic_distance(a, b)
    assert distance.shape == (100,)
    np.testing.assert_allclose(distance, geodesic_distance(b, a), atol=1e-12)
    np.testing.assert_allclose(distance, geodesic_distance(c @ a, c @ b), atol=1e-12)
    np.testing.assert_allclose(distance, geodesic_distance(a @ c, b @ c), atol=1e-12)
    assert (distance <= geodesic_distance(a, c) + geodesic_distance(c, b) + 1e-12).all()


@pytest.mark.parametrize('angle', [0, 1e-7, .3, 3.1415, np.pi])
def test_distance_is_precise_at_both_ends(angle):
    turn = Rotation.from_rotvec([0, angle * .6, angle * .8]).as_matrix()
    start = random_rotations(1)[0]
    assert geodesic_distance(start, turn @ start) == pytest.approx(angle, rel=1e-6, abs=1e-14)


def test_refinement_grid_fills_a_ball_around_its_centre():
    centre, radius = random_rotations(1)[0], np.radians(20)
    grid = refinement_grid(centre, radius, 4)
    distance = geodesic_distance(grid, centre)
    assert distance.min() < 1e-12 and distance.max() == pytest.approx(radius)
    probes = Rotation.from_rotvec(np.random.default_rng(0).uniform(
        -radius / 2, radius / 2, (200, 3))).as_matrix() @ centre
    nearest = geodesic_distance(probes[:, None], grid[None]).min(1)
    assert nearest.max() <= np.sqrt(3) / 2 * radius / 4 * 1.01


@pytest.mark.parametrize(('call', 'word'), [
    (lambda: super_fibonacci(0), 'got 0'),
    (lambda: refinement_grid(np.eye(3), 4., 2), r'got 4\.0'),
    (lambda: refinement_grid(np.eye(3), .1, 0), 'got 0')])
def test_values_out_of_range_are_refused(call, word):
    with pytest.raises(ConfigError, match=word):
        call()


def test_a_covering_radius_wants_a_list_of_rotations():
    with pytest.raises(InputError, match=r'\(3, 3\)'):
        covering_radius(np.eye(3))
