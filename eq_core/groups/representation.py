"""Representations of planar groups, and field types: how the channels of a feature map turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.group import PlanarGroup


@dataclass(frozen=True)
class Representation:
    """A named linear action of a group on R^dim.

    Attributes:
        group: The group.
        name: ``'trivial'``, ``'regular'`` or ``'frequency_<k>'``.
    """

    group: PlanarGroup
    name: str

    @classmethod
    def trivial(cls, group: PlanarGroup) -> Representation:
        """Invariant scalars: dim 1."""
        return cls(group, 'trivial')

    @classmethod
    def regular(cls, group: PlanarGroup) -> Representation:
        """One number per group element, permuted by the group: dim = order."""
        return cls(group, 'regular')

    @classmethod
    def frequency(cls, group: PlanarGroup, frequency: int) -> Representation:
        """A 2-vector that turns by ``k`` times the angle: dim 2."""
        return cls(group, f'frequency_{frequency}')

    def __repr__(self) -> str:
        """Returns for example regular(C4)."""
        return f'{self.name}({self.group})'

    @property
    def matrices(self) -> NDArray[np.float64]:
        """(order, dim, dim) float64, one matrix per group element."""
        group = self.group
        if self.name == 'trivial':
            return np.ones((group.order, 1, 1))
        if self.name == 'regular':
            return np.asarray(np.eye(group.order)[group.compose].transpose(0, 2, 1))
        return group.turn_matrices(int(self.name.removeprefix('frequency_')))

    @property
    def dim(self) -> int:
        """Size of the vectors acted on."""
        return {'trivial': 1, 'regular': self.group.order}.get(self.name, 2)


@dataclass(frozen=True)
class FieldType:
    """Channels of a feature map: `multiplicity` copies of one representation, field by field.

    Example:
        >>> FieldType(Representation.regular(PlanarGroup(4)), 8)
        8 x regular(C4)
    """

    representation: Representation
    multiplicity: int

    def __repr__(self) -> str:
        """Returns multiplicity and representation."""
        return f'{self.multiplicity} x {self.representation}'

    @property
    def group(self) -> PlanarGroup:
        """The group that acts."""
        return self.representation.group

    @property
    def channels(self) -> int:
        """Number of channels, multiplicity times dim."""
        return self.multiplicity * self.representation.dim


def regular(group: PlanarGroup, multiplicity: int) -> FieldType:
    """`multiplicity` regular fields of `group`."""
    return FieldType(Representation.regular(group), multiplicity)


def scalars(group: PlanarGroup, multiplicity: int) -> FieldType:
    """`multiplicity` invariant fields of `group`."""
    return FieldType(Representation.trivial(group), multiplicity)


def vectors(group: PlanarGroup, multiplicity: int, frequency: int = 1) -> FieldType:
    """`multiplicity` frequency-k vector fields of `group`."""
    return FieldType(Representation.frequency(group, frequency), multiplicity)
