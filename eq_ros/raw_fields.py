"""Numbers and bytes of messages that may lie about themselves. ROS-free."""

from __future__ import annotations

import operator
from typing import Any

from eq_core.errors import InputError


def whole_number(message: Any, name: str, reason: str = 'bad_layout') -> int:
    """Reads a non-negative integer attribute.

    Args:
        message: What has the attribute.
        name: Name of the attribute.
        reason: Reason of the error.

    Raises:
        InputError: It is missing, negative, or no integer.
    """
    try:
        value = operator.index(getattr(message, name))
    except (AttributeError, TypeError) as error:
        raise InputError(f'{name}: {error}', reason) from error
    if value < 0:
        raise InputError(f'{name} is {value}, expected 0 or more', reason)
    return value


def raw_bytes(data: Any, reason: str = 'bad_layout') -> memoryview:
    """Sees data as read-only bytes without a copy.

    Args:
        data: Anything with a buffer.
        reason: Reason of the error.

    Raises:
        InputError: It has no contiguous buffer.
    """
    try:
        return memoryview(data).toreadonly().cast('B')
    except (TypeError, ValueError) as error:
        raise InputError(
            f'data must be contiguous bytes, got {type(data).__name__}: {error}',
            reason) from error
