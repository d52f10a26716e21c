"""The group action on tensors is the one that real points show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eq_core.errors import BundleError
from eq_core.groups.wigner import wigner_matrices
from eq_core.runtime.representations import CellIndex
from eq_core.runtime.representations import InvariantField
from eq_core.runtime.representations import KINDS
from eq_core.runtime.representations import PillarIndex
from eq_core.runtime.representations import PillarPoints
from eq_core.runtime.representations import representation_from_dict
from eq_core.runtime.representations import representation_to_dict
from eq_core.runtime.representations import SteerableField
from eq_core.runtime.representations import VectorField

SIZE = 6
TURNS = range(-4, 8)


def cells_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells (iy, ix) of a grid of unit cells centred on the origin."""
    ix, iy = np.floor(points + SIZE / 2).astype(int).T
    return iy, ix


def turned(points: np.ndarray, turns: int, mirror: bool = False) -> np.ndarray:
    """Moves (N, 2) points: perhaps (x, y) -> (x, -y), then repeatedly (x, y) -> (-y, x)."""
    points = points * [1, -1] if mirror else points
    for _ in range(turns % 4):
        points = np.stack([-points[:, 1], points[:, 0]], 1)
    return points


@pytest.fixture
def points() -> np.ndarray:
    """One point somewhere in each of 12 different cells."""
    random = np.random.default_rng(3)
    cells = random.choice(SIZE * SIZE, 12, replace=False)
    corner = np.stack([cells % SIZE, cells // SIZE], 1) - SIZE / 2
    return corner + random.uniform(0.01, 0.99, (12, 2))


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', TURNS)
def test_a_value_moves_with_its_point(points: np.ndarray, turns: int, mirror: bool) -> None:
    field, expected = np.zeros((2, 1, 3, SIZE, SIZE))
    value = np.arange(1., 1. + len(points))
    field[..., *cells_of(points)] = value
    expected[..., *cells_of(turned(points, turns, mirror))] = value
    np.testing.assert_array_equal(InvariantField().rotate(field, turns, mirror), expected)


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', TURNS)
def test_a_named_cell_is_where_its_point_went(
        points: np.ndarray, turns: int, mirror: bool) -> None:
    def named(position: np.ndarray) -> np.ndarray:
        iy, ix = cells_of(position)
        return (iy * SIZE + ix).reshape(3, 4)
    np.testing.assert_array_equal(CellIndex(SIZE).rotate(named(points), turns, mirror),
                                  named(turned(points, turns, mirror)))


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', TURNS)
@pytest.mark.parametrize('frequency', [1, 2, 3, 4, 5])
def test_a_vector_moves_and_turns(
        points: np.ndarray, turns: int, mirror: bool, frequency: int) -> None:
    angle = np.random.default_rng(4).uniform(0, 6, len(points))
    field, expected = np.zeros((2, 1, 2, SIZE, SIZE))
    moved_angle = (-angle if mirror else angle) + turns * np.pi / 2
    for canvas, where, direction in ((field, points, angle),
                                     (expected, turned(points, turns, mirror), moved_angle)):
        canvas[0, 0][cells_of(where)] = np.cos(frequency * direction)
        canvas[0, 1][cells_of(where)] = np.sin(frequency * direction)
    np.testing.assert_allclose(VectorField(frequency).rotate(field, turns, mirror), expected,
                               atol=1e-12)


def test_several_vector_fields_do_not_mix() -> None:
    field = np.random.default_rng(5).normal(size=(1, 4, SIZE, SIZE))
    law = VectorField(1)
    both = law.rotate(field, 1)
    np.testing.assert_array_equal(both[:, :2], law.rotate(field[:, :2], 1))
    np.testing.assert_array_equal(both[:, 2:], law.rotate(field[:, 2:], 1))


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('turns', TURNS)
def test_pillars_of_turned_points_are_the_turned_pillars(
        points: np.ndarray, turns: int, mirror: bool) -> None:
    def pillars(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        iy, ix = cells_of(xy)
        centre = np.stack([ix, iy], 1) - SIZE / 2 + 0.5
        features = np.concatenate([np.ones((len(xy), 1)), xy - centre], 1)[:, None]
        index = np.full(SIZE * SIZE, len(xy))
        index[iy * SIZE + ix] = np.arange(len(xy))
        return features, index
    features, index = pillars(points)
    expected_features, expected_index = pillars(turned(points, turns, mirror))
    np.testing.assert_array_equal(PillarIndex(SIZE, SIZE).rotate(index, turns, mirror),
                                  expected_index)
    np.testing.assert_allclose(PillarPoints(((1, 2),)).rotate(features, turns, mirror),
                               expected_features, atol=1e-12)


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('law', [VectorField(1), VectorField(3), PillarPoints(((0, 2), (5, 3)))])
def test_turning_changes_no_bit_and_not_the_argument(
        law: VectorField | PillarPoints, mirror: bool) -> None:
    values = np.random.default_rng(6).normal(size=(2, SIZE, SIZE)).astype(np.float32)
    before = values.copy()
    there = law.rotate(values, 1, mirror)
    back = law.rotate(there, 1 if mirror else 3, mirror)
    assert there.dtype == back.dtype == np.float32
    np.testing.assert_array_equal(back, before)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(np.sort(np.abs(there), None), np.sort(np.abs(before), None))


@pytest.mark.parametrize('turns', TURNS)
def test_the_peak_of_a_function_of_rotations_turns_with_the_world(turns: int) -> None:
    rng = np.random.default_rng(7)
    peak = Rotation.random(rng=rng).as_matrix()
    columns = [np.sqrt(2 * degree + 1) * matrix.T for degree, matrix in enumerate(
        wigner_matrices(peak, 2))]          # columns of c^l = D^l(peak), one after another
    field = np.zeros((35, SIZE, SIZE, SIZE))
    field[:, 2, 1, 4] = np.concatenate([part.reshape(-1) for part in columns])
    found = SteerableField((1, 3, 5)).rotate(field, turns)
    at = np.argwhere(np.abs(found).sum(0) > 0)[0]
    x, y = turned(np.array([[4.5, 1.5]]) - SIZE / 2, turns)[0] + SIZE / 2
    assert at.tolist() == [2, int(y), int(x)]
    about = Rotation.from_euler('z', 90 * turns, degrees=True).as_matrix()
    expected = np.concatenate([np.sqrt(2 * degree + 1) * matrix.T.reshape(-1)
                               for degree, matrix in enumerate(wigner_matrices(about @ peak, 2))])
    np.testing.assert_allclose(found[:, *at], expected, atol=1e-9)
    with pytest.raises(BundleError, match='mirror'):
        SteerableField((1, 3, 5)).rotate(field, turns, True)


def _tuples(value: object) -> object:
    """Lists of any depth as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


LAWS = [{'kind': 'invariant'}, {'kind': 'invariant_field'},
        {'kind': 'vector_field', 'frequency': 2},
        {'kind': 'pillar_points', 'vector_columns': [[4, 5]]},
        {'kind': 'pillar_index', 'height': 4, 'width': 4}, {'kind': 'cell_index', 'edge': 4},
        {'kind': 'steerable_field', 'counts': [1, 3, 5]}]


@pytest.mark.parametrize('law', LAWS)
def test_the_manifest_form_is_kept(law: dict) -> None:
    assert representation_to_dict(representation_from_dict(law)) | {} == {
        key: _tuples(value)
        for key, value in law.items()}


def test_every_kind_is_tried() -> None:
    assert {law['kind'] for law in LAWS} == set(KINDS)


@pytest.mark.parametrize('law', [
    None, 'invariant', {}, {'kind': 'other'}, {'kind': 'invariant', 'extra': 1},
    {'kind': 'vector_field', 'frequency': 0}, {'kind': 'vector_field', 'frequency': 1.5},
    {'kind': 'vector_field', 'frequency': True}, {'kind': 'pillar_index', 'height': 4},
    {'kind': 'pillar_index', 'height': 4, 'width': 5}, {'kind': 'cell_index', 'edge': 0},
    {'kind': 'pillar_points', 'vector_columns': [[1, 1]]},
    {'kind': 'pillar_points', 'vector_columns': [[1, 2, 3]]},
    {'kind': 'pillar_points', 'vector_columns': [[-1, 2]]},
    {'kind': 'pillar_points', 'vector_columns': 5},
    {'kind': 'steerable_field', 'counts': [1, -1]}, {'kind': 'steerable_field', 'counts': []},
    {'kind': ['invariant']},
])
def test_a_law_that_is_none_is_refused(law: object) -> None:
    with pytest.raises(BundleError):
        representation_from_dict(law)


@pytest.mark.parametrize(('law', 'shape'), [
    (InvariantField(), (1, 1, 4, 5)), (InvariantField(), (4,)), (VectorField(), (1, 3, 4, 4)),
    (VectorField(), (4, 4)), (PillarIndex(4, 4), (4, 4)), (PillarPoints(((6, 8),)), (9, 2, 8)),
    (SteerableField((1, 3, 5)), (34, 4, 4, 4)),
    (SteerableField((1, 3, 5)), (35, 4, 4, 5)),
])
def test_a_law_that_the_shape_cannot_carry_is_refused(law: InvariantField, shape: tuple) -> None:
    with pytest.raises(BundleError):
        law.check(shape)
