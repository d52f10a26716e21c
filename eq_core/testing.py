"""Public helpers that measure a symmetry law, for our tests and for yours.

Example:
    >>> from eq_core.groups.group import PlanarGroup
    >>> from eq_core.nn.convolution import GroupConv2d
    >>> assert_equivariant(GroupConv2d(PlanarGroup(4), 3, 5))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.groups.grid import act_on_field
from eq_core.groups.representation import FieldType

TOLERANCE = {'float32': 1e-5, 'float64': 1e-10}

FieldMap = Callable[[NDArray[Any]], NDArray[Any]]


def equivariance_error(function: FieldMap, field: NDArray[Any], in_type: FieldType,
                       out_type: FieldType) -> float:
    """Largest violation of ``f(g x) = g f(x)`` over the group.

    Args:
        function: Maps (B, in channels, H, H) to (B, out channels, h, h).
        field: The input.
        in_type: How the input's channels turn.
        out_type: How the output's channels turn.

    Returns:
        max over g of ``|f(g x) - g f(x)|``, relative to the largest output.
    """
    answer = function(field)
    scale = max(float(np.abs(answer).max()), np.finfo(answer.dtype).tiny)
    return max(
        float(np.abs(function(np.ascontiguousarray(act_on_field(field, in_type, element)))
                     - act_on_field(answer, out_type, element)).max()) / scale
        for element in range(in_type.group.order))


def assert_equivariant(module: Any, size: int = 8, batch: int = 2, dtype: str = 'float64',
                       tolerance: float | None = None, seed: int = 0) -> None:
    """Checks that a torch module obeys the law of its `in_type` and `out_type`.

    Args:
        module: `torch.nn.Module` with attributes `in_type` and `out_type`; put in eval mode.
        size: Edge of the random input field [cells].
        batch: Samples.
        dtype: ``'float32'`` or ``'float64'``.
        tolerance: Accepted relative error; `TOLERANCE` of the dtype if None.
        seed: Seed of the random input.

    Raises:
        AssertionError: The law is violated; the text gives the module and its error.
    """
    import torch  # only those who test torch modules need it

    precision = getattr(torch, dtype)
    module = module.eval().to(precision)

    def function(field: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(field)).numpy())

    shape = (batch, module.in_type.channels, size, size)
    field = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    error = equivariance_error(function, field, module.in_type, module.out_type)
    limit = TOLERANCE[dtype] if tolerance is None else tolerance
    if not error <= limit:
        raise AssertionError(f'{module} violates its law by {error:.2e}, accepted {limit:.0e}')
