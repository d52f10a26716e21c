"""From four cameras around a robot to fields that turn with its heading.

The views to the front, left, back and right form the regular representation of C4: when the world
makes a quarter turn to the left about the robot, what was seen in front is seen on the left, and
so on around (when the robot turns, the world turns the other way). One encoder for all views
keeps that, and a linear map that commutes with C4 takes it to a field of a larger group, of which
C4 is the part that the cameras realise (Zhao et al. 2024, "E(2)-Equivariant Graph Planning for
Navigation", section IV, lifting layer).
"""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch import Tensor

from eq_core.errors import ConfigError
from eq_core.groups.group import PlanarGroup
from eq_core.groups.representation import FieldType
from eq_core.groups.representation import regular
from eq_core.groups.representation import Representation
from eq_core.groups.representation import scalars
from eq_core.groups.representation import vectors

C4 = PlanarGroup(4)     # what turns the cameras into each other


def restriction(representation: Representation) -> NDArray[np.float64]:
    """The quarter turns of a representation, its restriction to C4.

    Returns:
        (4, dim, dim) float64, one matrix per quarter turn.

    Raises:
        ConfigError: The group has no quarter turns.
    """
    rotations = representation.group.rotations
    if rotations % 4:
        raise ConfigError(f'{representation.group} has no quarter turns')
    return representation.matrices[np.arange(4) * rotations // 4]


def so2_fields(*multiplicity: int) -> tuple[FieldType, ...]:
    """Irreducible fields of SO(2): as many of frequency 0, 1, 2 ... as the arguments say."""
    return tuple(vectors(C4, count, frequency) if frequency else scalars(C4, count)
                 for frequency, count in enumerate(multiplicity) if count)


class LiftingLinear(nn.Module):
    """Linear map from regular fields of C4 to any fields, ``y = sum_g rho(g) A x_g + b``.

    The general solution of ``W rho_in(g) = rho(g) W``, by Frobenius reciprocity: the answer to one
    view is free, and the other three follow.

    Law: group C4; input `in_fields` regular; output rho, the restriction to C4 of `out_types`.
    """

    def __init__(self, in_fields: int, out_types: Sequence[FieldType]) -> None:
        """Builds the layer with He-initialised weights.

        Args:
            in_fields: Regular fields of C4, channels field by field.
            out_types: Fields of any groups that have quarter turns, one after another.

        Raises:
            ConfigError: A group has none.
        """
        super().__init__()
        self.in_type, self.out_types = regular(C4, in_fields), tuple(out_types)
        self.coefficients, self.bias = nn.ParameterList(), nn.ParameterList()
        for number, each in enumerate(self.out_types):
            action = torch.as_tensor(restriction(each.representation),
                                     dtype=torch.get_default_dtype())
            self.register_buffer(f'action_{number}', action, persistent=False)
            shape = (each.multiplicity, each.representation.dim, in_fields)
            self.coefficients.append(torch.randn(shape) * math.sqrt(2 / self.in_type.channels))
            # Of irreducible fields only the invariant ones have constants that do not turn.
            turns = each.representation.name.startswith('frequency')
            self.bias.append(torch.zeros(0 if turns else each.multiplicity))

    def weight(self) -> Tensor:
        """W[m, d, i, g] = sum_e rho(g)[d, e] A[m, e, i], as a dense matrix (out, in channels)."""
        blocks = [torch.einsum('gde,mei->mdig', getattr(self, f'action_{number}'), coefficient)
                  for number, coefficient in enumerate(self.coefficients)]
        return torch.cat([block.flatten(2).flatten(0, 1) for block in blocks])

    def dense_bias(self) -> Tensor:
        """One bias per field that can have one, repeated over its channels; else 0."""
        return torch.cat([
            bias.repeat_interleave(each.representation.dim) if len(bias)
            else bias.new_zeros(each.channels)
            for each, bias in zip(self.out_types, self.bias, strict=True)])

    def forward(self, field: Tensor) -> Tensor:
        """Maps (..., in_type.channels) to (..., sum of the out_types' channels)."""
        return nn.functional.linear(field, self.weight(), self.dense_bias())

    @torch.no_grad()
    def export(self) -> nn.Linear:
        """Returns the same map as a plain linear layer."""
        plain = nn.Linear(self.in_type.channels, len(self.dense_bias())).to(self.weight())
        plain.weight.copy_(self.weight())
        plain.bias.copy_(self.dense_bias())
        return plain

    def extra_repr(self) -> str:
        """Returns the law: input type -> output types."""
        return f'{self.in_type} -> {" + ".join(map(repr, self.out_types))}'


def lifting_linear(in_fields: int, out_types: Sequence[FieldType], equivariant: bool) -> nn.Module:
    """Returns a `LiftingLinear`, or its plain twin: dense, of equal shape and operations."""
    if equivariant:
        return LiftingLinear(in_fields, out_types)
    plain = nn.Linear(4 * in_fields, sum(each.channels for each in out_types))
    nn.init.normal_(plain.weight, std=math.sqrt(2 / (4 * in_fields)))
    nn.init.zeros_(plain.bias)
    return plain


class ViewEncoder(nn.Module):
    """A small convolutional network, the same for every view.

    Law: group C4; four images, regular -> `features` regular.
    """

    def __init__(self, height: int, width: int, features: int) -> None:
        """Builds the network; the size of the images must be a multiple of 4 [pixels]."""
        super().__init__()
        if height % 4 or width % 4:
            raise ConfigError(f'height and width must be multiples of 4, got {height}, {width}')
        self.size, self.features = (height, width), features
        self.image = nn.Sequential(
            nn.Conv2d(3, 12, 4, 2, 1), nn.ReLU(), nn.Conv2d(12, 16, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(16 * (height // 4) * (width // 4), features), nn.ReLU())

    def forward(self, views: Tensor) -> Tensor:
        """Maps (N, 4, 3, H, W) images in 0..1 to (N, features * 4), field by field."""
        seen = self.image(2 * views.reshape(-1, 3, *self.size) - 1)
        return seen.reshape(-1, 4, self.features).transpose(1, 2).reshape(-1, 4 * self.features)


class MultiViewLifting(nn.Module):
    """The lifting layer: four camera views to fields of a group.

    Law: group C4; input four views, regular; output the restriction to C4 of `out_types`. The
    plain twin (`equivariant` False) sees the same features, concatenated in the cameras' order.
    """

    def __init__(self, height: int, width: int, features: int, out_types: Sequence[FieldType],
                 equivariant: bool = True) -> None:
        """Builds the layer.

        Args:
            height: Of the images [pixels].
            width: Of the images [pixels].
            features: Numbers that the encoder finds in each view.
            out_types: Fields of groups that have quarter turns.
            equivariant: False for the plain twin.
        """
        super().__init__()
        self.encoder = ViewEncoder(height, width, features)
        self.linear = lifting_linear(features, out_types, equivariant)

    def forward(self, views: Tensor) -> Tensor:
        """Maps (N, 4, 3, H, W), front, left, back, right, to (N, channels of `out_types`)."""
        return self.linear(self.encoder(views))
