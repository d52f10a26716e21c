"""Wigner matrices and spherical harmonics: laws, and agreement with e3nn and scipy."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.groups.wigner import MAX_DEGREE
from eq_core.groups.wigner import spherical_harmonics
from eq_core.groups.wigner import wigner_generators
from eq_core.groups.wigner import wigner_matrices

PRECISIONS = [(np.float64, 2e-14), (np.float32, 1e-5)]
POLE = np.eye(3)[[1, 2, 0]]      # (x, y, z) -> (y, z, x)


def rotations(seed, count=50):
    """Random rotations together with the identity, a tiny turn, half turns and quarter turns."""
    special = [[0, 0, 0], [1e-9, 0, 1e-9], [0, np.pi, 0], [np.pi, 0, 0], [0, 0, np.pi / 2]]
    turns = [Rotation.random(count, rng=seed), Rotation.from_rotvec(special)]
    return Rotation.concatenate(turns).as_matrix()


def directions(count=50):
    vectors = np.random.default_rng(2).normal(size=(count, 3))
    vectors[:3] = np.eye(3)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(('dtype', 'tolerance'), PRECISIONS)
def test_wigner_matrices_are_an_orthogonal_representation(dtype, tolerance):
    a, b = rotations(0).astype(dtype), rotations(1)[::-1].astype(dtype)
    everything = zip(*(wigner_matrices(matrix, MAX_DEGREE) for matrix in
                       (a, b, a @ b, a.swapaxes(1, 2))))
    for degree, (of_a, of_b, of_product, of_inverse) in enumerate(everything):
        assert of_a.dtype == dtype and of_a.shape == (len(a), 2 * degree + 1, 2 * degree + 1)
        np.testing.assert_allclose(of_a @ of_b, of_product, atol=tolerance)
        np.testing.assert_allclose(of_a.swapaxes(1, 2), of_inverse, atol=tolerance)
        unit = np.broadcast_to(np.eye(2 * degree + 1), of_a.shape)
        np.testing.assert_allclose(of_a @ of_a.swapaxes(1, 2), unit, atol=tolerance)


@pytest.mark.parametrize(('dtype', 'tolerance'), PRECISIONS)
def test_harmonics_turn_with_the_sphere(dtype, tolerance):
    turn, place = rotations(0).astype(dtype), directions(55).astype(dtype)
    turned = np.einsum('nij,nj->ni', turn, place)
    for matrix, here, there in zip(wigner_matrices(turn, MAX_DEGREE),
                                   spherical_harmonics(place, MAX_DEGREE),
                                   spherical_harmonics(turned, MAX_DEGREE)):
        assert here.dtype == dtype
        np.testing.assert_allclose(np.einsum('nij,nj->ni', matrix, here), there, atol=tolerance)


def test_identity_and_the_fundamental_degree():
    for degree, matrix in enumerate(wigner_matrices(np.eye(3), MAX_DEGREE)):
        np.testing.assert_allclose(matrix, np.eye(2 * degree + 1), atol=1e-14)
    turn = rotations(3)
    assert (wigner_matrices(turn, 1)[1] == POLE @ turn @ POLE.T).all()


def test_shapes_of_batches_are_kept():
    turn = Rotation.random(6, rng=0).as_matrix().reshape(2, 3, 3, 3)
    together, alone = wigner_matrices(turn, 4)[4], wigner_matrices(turn[1, 2], 4)[4]
    assert together.shape == (2, 3, 9, 9) and alone.shape == (9, 9)
    np.testing.assert_allclose(together[1, 2], alone, atol=1e-15)
    assert wigner_matrices(np.zeros((0, 3, 3)), 3)[3].shape == (0, 7, 7)


def test_traces_are_the_characters():
    angle = np.linspace(.01, np.pi, 40)
    turn = Rotation.from_rotvec(angle[:, None] * directions(40)).as_matrix()
    for degree, matrix in enumerate(wigner_matrices(turn, MAX_DEGREE)):
        character = np.sin((2 * degree + 1) * angle / 2) / np.sin(angle / 2)
        np.testing.assert_allclose(np.trace(matrix, axis1=1, axis2=2), character, atol=1e-12)


def test_generators_exponentiate_to_wigner_matrices():
    vector = np.array([.3, -1.1, .7])
    turn = Rotation.from_rotvec(vector).as_matrix()
    for matrix, generators in zip(wigner_matrices(turn, MAX_DEGREE),
                                  wigner_generators(MAX_DEGREE)):
        np.testing.assert_allclose(expm(np.tensordot(vector, generators, 1)), matrix, atol=1e-13)


def test_harmonics_are_those_of_scipy():
    place = directions()
    polar, azimuth = np.arccos(place[:, 2]), np.arctan2(place[:, 1], place[:, 0])
    for degree, harmonics in enumerate(spherical_harmonics(place, MAX_DEGREE)):
        for m in range(-degree, degree + 1):
            wave = (-1) ** m * sph_harm_y(degree, abs(m), polar, azimuth)
            expected = (np.sqrt(2) * (wave.imag if m < 0 else wave.real) if m else wave.real)
            np.testing.assert_allclose(harmonics[:, m + degree], expected, atol=1e-13)


@pytest.mark.parametrize('degree', range(MAX_DEGREE + 1))
def test_e3nn_agrees_after_a_change_of_axes(degree):
    o3 = pytest.importorskip('e3nn.o3')
    torch = pytest.importorskip('torch')
    turn, place = rotations(0), directions()
    angles = o3.matrix_to_angles(torch.from_numpy(POLE @ turn @ POLE.T))
    np.testing.assert_allclose(wigner_matrices(turn, degree)[degree],
                               o3.wigner_D(degree, *angles).numpy(), atol=1e-5)
    expected = o3.spherical_harmonics(degree, torch.from_numpy(place @ POLE.T), normalize=False,
                                      normalization='integral')
    np.testing.assert_allclose(spherical_harmonics(place, degree)[degree], expected, atol=1e-13)


@pytest.mark.parametrize('degree', [-1, MAX_DEGREE + 1])
def test_degrees_out_of_range_are_refused_by_number(degree):
    for function, first in ((wigner_matrices, [np.eye(3)]), (wigner_generators, []),
                            (spherical_harmonics, [np.eye(3)])):
        with pytest.raises(ConfigError, match=f'got {degree}'):
            function(*first, degree)


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(InputError, match=r'\(4, 3\)'):
        wigner_matrices(np.zeros((4, 3)), 2)
    with pytest.raises(InputError, match=r'\(3, 4\)'):
        spherical_harmonics(np.zeros((3, 4)), 2)
