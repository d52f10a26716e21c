"""How each tensor of a model moves when the world turns about z by quarter turns, or is mirrored.

The maths is that of D4 in `eq_core.groups`: grids are indexed [iy, ix], the mirror takes (x, y) to
(x, -y) and comes before the turn, and quarter turns are exact. The law of a tensor is written in
the bundle's manifest, e.g. ``{"kind": "vector_field", "frequency": 1}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from typing import Any
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BundleError
from eq_core.groups.grid import act_on_field
from eq_core.groups.grid import turn_grid
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import vectors
from eq_core.groups.wigner import MAX_DEGREE
from eq_core.groups.wigner import wigner_matrices

Array = NDArray[Any]
D4 = PlanarGroup(4, mirrored=True)


class Representation(Protocol):
    """The law of one tensor under quarter turns and the mirror."""

    def check(self, shape: Sequence[int]) -> None:
        """Raises BundleError if a tensor of `shape` cannot carry this law."""

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Mirrors the world if told so, then turns it by `turns` times +90 degrees."""


@dataclass(frozen=True)
class Invariant:
    """Numbers that do not change, such as the scores of a whole scene."""

    def check(self, shape: Sequence[int]) -> None:
        """Accepts every shape."""

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Returns `array`."""
        return array


@dataclass(frozen=True)
class InvariantField:
    """(..., n, n): the value moves with its cell and stays as it is."""

    def check(self, shape: Sequence[int]) -> None:
        """Needs a square grid."""
        _check_square(shape, 'invariant_field')

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Moves the cells."""
        return turn_grid(array, D4, _element(turns, mirror))


@dataclass(frozen=True)
class VectorField:
    """(..., 2 m, n, n): m fields of 2-vectors that turn `frequency` times as fast as the world."""

    frequency: int = 1

    def __post_init__(self) -> None:
        """Checks the frequency."""
        _check_integer('frequency', self.frequency, 1)

    def check(self, shape: Sequence[int]) -> None:
        """Needs a square grid and pairs of channels."""
        _check_square(shape, 'vector_field')
        if len(shape) < 3 or shape[-3] % 2:
            raise BundleError('a vector_field needs an even number of channels before its grid, '
                              f'got shape {tuple(shape)}')

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Moves the cells and turns the vectors in them."""
        field_type = vectors(D4, array.shape[-3] // 2, self.frequency)
        return act_on_field(array, field_type, _element(turns, mirror))


@dataclass(frozen=True)
class SteerableField:
    """(..., C, n, n, n): fields of degree 0, 1, ..., as many as `counts` tells of each.

    Channels run over degrees, fields, components; those of degree l turn with the Wigner matrix
    D^l of `eq_core.groups.wigner`.
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Brings a list from JSON into a tuple and checks it."""
        object.__setattr__(self, 'counts', tuple(self.counts))
        for count in self.counts:
            _check_integer('counts', count, 0)
        if not 0 < len(self.counts) <= MAX_DEGREE + 1:
            raise BundleError(f'counts must be of degrees 0..{MAX_DEGREE} at most, '
                              f'got {self.counts}')

    def check(self, shape: Sequence[int]) -> None:
        """Needs square layers and the channels of all fields."""
        _check_square(shape, 'steerable_field')
        channels = sum(count * (2 * degree + 1) for degree, count in enumerate(self.counts))
        if len(shape) < 4 or shape[-4] != channels:
            raise BundleError(f'a steerable_field of {self.counts} needs {channels} channels '
                              f'before its three axes, got shape {tuple(shape)}')

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Moves the cells and turns the fields in them about z.

        Raises:
            BundleError: The world is mirrored; whether fields are polar or axial is not told.
        """
        if mirror:
            raise BundleError('a steerable_field has no law for mirrors')
        moved = turn_grid(array, D4, _element(turns, False))
        about = np.eye(3)
        about[:2, :2] = D4.matrices[_element(turns, False)]
        parts, start = [], 0
        for matrix, count in zip(wigner_matrices(about, len(self.counts) - 1), self.counts,
                                 strict=True):
            edge = len(matrix)
            part = moved[..., start:start + count * edge, :, :, :]
            split = part.reshape(*part.shape[:-4], count, edge, *part.shape[-3:])
            parts.append(np.einsum('mk,...nkzyx->...nmzyx', matrix.astype(array.dtype),
                                   split).reshape(part.shape))
            start += count * edge
        return np.concatenate(parts, -4)


@dataclass(frozen=True)
class PillarPoints:
    """(P, K, F): features of points, of which some pairs of columns are 2-vectors."""

    vector_columns: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        """Brings lists from JSON into tuples and checks them."""
        pairs = tuple(tuple(pair) for pair in self.vector_columns)
        columns = [column for pair in pairs for column in pair]
        if any(len(pair) != 2 for pair in pairs) or len(set(columns)) != len(columns):
            raise BundleError(f'vector_columns must be pairs of distinct columns, got {pairs}')
        for column in columns:
            _check_integer('vector_columns', column, 0)
        object.__setattr__(self, 'vector_columns', pairs)

    def check(self, shape: Sequence[int]) -> None:
        """Needs every named column."""
        highest = max((column for pair in self.vector_columns for column in pair), default=-1)
        if not shape or highest >= shape[-1]:
            raise BundleError(f'vector_columns name column {highest}, shape is {tuple(shape)}')

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Turns the vectors; which pillar stands where is told by the `PillarIndex`."""
        turned = array.copy()
        matrix = D4.matrices[_element(turns, mirror)].astype(array.dtype)
        for pair in self.vector_columns:
            turned[..., pair] = array[..., pair] @ matrix.T
        return turned


@dataclass(frozen=True)
class PillarIndex:
    """(height * width,): for each cell, row-major [iy, ix], the row of its pillar."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Checks that the grid is square."""
        _check_integer('height', self.height, 1)
        _check_integer('width', self.width, 1)
        _check_square((self.height, self.width), 'pillar_index')

    def check(self, shape: Sequence[int]) -> None:
        """Needs one entry per cell."""
        if tuple(shape) != (self.height * self.width,):
            raise BundleError(f'a pillar_index of a {self.height} x {self.width} grid needs shape '
                              f'({self.height * self.width},), got {tuple(shape)}')

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Moves the cells."""
        grid = array.reshape(self.height, self.width)
        return np.ascontiguousarray(turn_grid(grid, D4, _element(turns, mirror))).reshape(-1)


@dataclass(frozen=True)
class CellIndex:
    """(...): numbers of cells, row-major [iy, ix], of an edge x edge grid."""

    edge: int

    def __post_init__(self) -> None:
        """Checks the edge."""
        _check_integer('edge', self.edge, 1)

    def check(self, shape: Sequence[int]) -> None:
        """Accepts every shape."""

    def rotate(self, array: Array, turns: int, mirror: bool = False) -> Array:
        """Tells where the cells went; who names them stays where it is."""
        cells = np.arange(self.edge ** 2).reshape(self.edge, self.edge)
        went = np.empty(self.edge ** 2, array.dtype)
        went[turn_grid(cells, D4, _element(turns, mirror)).reshape(-1)] = cells.reshape(-1)
        return went[array]


KINDS: dict[str, type[Any]] = {
    'invariant': Invariant, 'invariant_field': InvariantField, 'vector_field': VectorField,
    'steerable_field': SteerableField, 'pillar_points': PillarPoints, 'pillar_index': PillarIndex,
    'cell_index': CellIndex,
}


def representation_from_dict(data: Any) -> Representation:
    """Reads a law as the manifest writes it.

    Raises:
        BundleError: The kind or one of its parameters is unknown, missing or out of range.
    """
    kind = KINDS.get(str(data.get('kind'))) if isinstance(data, Mapping) else None
    if kind is None:
        raise BundleError(f'representation must have a kind out of {sorted(KINDS)}, got {data!r}')
    values = {key: value for key, value in data.items() if key != 'kind'}
    try:
        representation: Representation = kind(**values)
    except TypeError as error:
        raise BundleError(f'representation {data!r} must have the parameters '
                          f'{[field.name for field in fields(kind)]}') from error
    return representation


def representation_to_dict(representation: Representation) -> dict[str, Any]:
    """Writes a law as the manifest has it."""
    kind = next(name for name, cls in KINDS.items() if type(representation) is cls)
    return {'kind': kind, **asdict(representation)}  # type: ignore[call-overload]


def _element(turns: int, mirror: bool) -> int:
    """Index in `D4` of the mirror, if told so, followed by quarter turns."""
    return turns % 4 + 4 * mirror


def _check_square(shape: Sequence[int], kind: str) -> None:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise BundleError(f'{kind} needs a square grid in its last two axes, got {tuple(shape)}')


def _check_integer(name: str, value: object, lowest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise BundleError(f'{name} must be an integer >= {lowest}, got {value!r}')
