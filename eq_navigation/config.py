"""Everything that fixes a planner besides its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from typing import Any

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.runtime.manifest import known_settings

TORCH_MODEL = 'eq_navigation.model:build_from_manifest'


@dataclass(frozen=True)
class PlannerConfig:
    """The network of edge costs.

    Attributes:
        features: Numbers known of each node.
        channels: Width of the network.
    """

    features: int = 1
    channels: int = 32

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        for each in fields(self):
            _check_positive(each.name, getattr(self, each.name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with the name of the function that builds the network."""
        return {**asdict(self), 'torch_model': TORCH_MODEL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlannerConfig:
        """Reads a manifest's configuration.

        Raises:
            ConfigError: A name is unknown.
        """
        return cls(**known_settings(cls, values, 'planner'))


@dataclass(frozen=True)
class ViewPlannerConfig:
    """The network of costs from camera views.

    Attributes:
        height: Of the images [pixels], a multiple of 4.
        width: Of the images [pixels], a multiple of 4.
        features: Numbers found in each view.
        fields: Regular fields of C4 that the views are lifted to.
        equivariant: False for the plain twin, of equal shape and operations.
    """

    height: int = 16
    width: int = 24
    features: int = 32
    fields: int = 16
    equivariant: bool = True

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        for name in ('height', 'width', 'features', 'fields'):
            _check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class MessagePassingConfig:
    """The network of value iteration by message passing.

    Attributes:
        group: Symmetry group of the network, ``'C4'``; ``'C1'`` is the plain twin.
        features: Numbers known of each node, that of being the goal among them.
        hidden: Regular fields of messages, nodes and rewards.
        values: Regular fields of values.
        actions: Channels that each value is the largest of.
        directions: Directions whose scores are given, at the angles 2 pi d / D.
        iterations: Steps that a value travels, if a call does not say otherwise.
    """

    group: str = 'C4'
    features: int = 2
    hidden: int = 8
    values: int = 1
    actions: int = 4
    directions: int = 4
    iterations: int = 30

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is out of range, or the group has no such directions; the text
                names it.
        """
        for each in fields(self):
            if each.name != 'group':
                _check_positive(each.name, getattr(self, each.name))
        # A mirror image would change the order of several fields of directions.
        group = self.symmetry
        if self.directions % group.rotations or (
                group.mirrored and self.directions != group.rotations):
            raise ConfigError(f'directions must be {"" if group.mirrored else "a multiple of "}'
                              f'{group.rotations} for {group}, got {self.directions}')

    @property
    def symmetry(self) -> PlanarGroup:
        """The group that acts."""
        return PlanarGroup.from_name(self.group)

    @property
    def direction_fields(self) -> int:
        """Regular fields that hold the scores of directions."""
        return self.directions // self.symmetry.rotations

    def plain_twin(self) -> MessagePassingConfig:
        """The network without symmetry that takes as many operations per node."""
        order = self.symmetry.order
        return replace(self, group='C1', hidden=order * self.hidden,
                       values=order * self.values)


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f'{name} must be at least 1, got {value}')
