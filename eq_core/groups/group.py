"""Finite subgroups of O(2): the rotations C_N and, with a mirror, the dihedral groups D_N.

An element is an index. Index ``r`` (``r < N``) is the rotation by ``2 pi r / N``; index ``N + r``
is the mirror ``y -> -y`` followed by that rotation. C_1 is the trivial group: a network built on
it is an ordinary one, which is how the plain twin of every equivariant model is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
import re

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError

MAX_ROTATIONS = 64


@dataclass(frozen=True)
class PlanarGroup:
    """C_N or D_N acting on the plane.

    Attributes:
        rotations: N, the number of rotations.
        mirrored: Whether the group also holds the mirror images (D_N).

    Example:
        >>> group = PlanarGroup(4)
        >>> group, group.order
        (C4, 4)
        >>> int(group.compose[1, 3])
        0
    """

    rotations: int
    mirrored: bool = False

    def __post_init__(self) -> None:
        """Checks the order.

        Raises:
            ConfigError: N is not in 1 .. `MAX_ROTATIONS`.
        """
        if not 1 <= self.rotations <= MAX_ROTATIONS:
            raise ConfigError(f'rotations must be in 1..{MAX_ROTATIONS}, got {self.rotations}')

    @classmethod
    def from_name(cls, name: str) -> PlanarGroup:
        """Reads ``'C4'``, ``'D8'``, ``'C1'``.

        Raises:
            ConfigError: The name is not C or D and a number.
        """
        match = re.fullmatch(r'([CD])([1-9]\d?)', name)
        if match is None:
            raise ConfigError(f"group must look like 'C4' or 'D4', got {name!r}")
        return cls(int(match[2]), match[1] == 'D')

    def __repr__(self) -> str:
        """Returns the usual name, such as C4 or D4."""
        return f'{"D" if self.mirrored else "C"}{self.rotations}'

    @property
    def order(self) -> int:
        """Number of elements."""
        return self.rotations * (2 if self.mirrored else 1)

    @property
    def exact_on_grid(self) -> bool:
        """Whether every element maps the square grid onto itself."""
        return 4 % self.rotations == 0

    @cached_property
    def compose(self) -> NDArray[np.int64]:
        """(order, order) int64: index of ``g h``."""
        count = self.rotations
        index = np.arange(self.order)
        turn, mirror = index % count, index // count
        # A mirror turns the following rotation backwards: m r = r^-1 m.
        sign = np.where(mirror[:, None] == 1, -1, 1)
        turns = (turn[:, None] + sign * turn[None, :]) % count
        return np.asarray(turns + count * (mirror[:, None] ^ mirror[None, :]), np.int64)

    @cached_property
    def inverse(self) -> NDArray[np.int64]:
        """(order,) int64: index of ``g^-1``."""
        return np.asarray(np.argmax(self.compose == 0, axis=1), np.int64)

    @cached_property
    def matrices(self) -> NDArray[np.float64]:
        """(order, 2, 2) float64: the action on vectors; exact integers for quarter turns."""
        return self.turn_matrices(1)

    def turn_matrices(self, frequency: int) -> NDArray[np.float64]:
        """Action on a field that turns `frequency` times as fast as the plane.

        Args:
            frequency: k >= 1; 1 is a vector, 2 an axis or the deviatoric part of a tensor.

        Returns:
            (order, 2, 2) float64.

        Raises:
            ConfigError: `frequency` is below 1.
        """
        if frequency < 1:
            raise ConfigError(f'frequency must be at least 1, got {frequency}')
        turns = frequency * np.arange(self.rotations) / self.rotations
        cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
        quarter = (turns * 4) % 1 == 0
        cos, sin = np.where(quarter, np.rint(cos), cos), np.where(quarter, np.rint(sin), sin)
        rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        if not self.mirrored:
            return rotation
        return np.concatenate([rotation, rotation @ np.diag([1., -1.])])
