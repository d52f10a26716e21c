"""Labels of the points of one scan, predicted and true, as the point-wise metrics take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import THINGS
from eq_perception.panoptic.classes import UNLABELED

Labels = NDArray[np.integer]
NUM_CLASSES = len(CLASS_NAMES)
IS_THING: NDArray[np.bool_] = np.isin(np.arange(NUM_CLASSES), THINGS)


@dataclass(frozen=True, eq=False)
class PointLabels:
    """Labels of the L points of a scan whose true class is known.

    Attributes:
        semantic: (L,) int64 predicted train id, 0..19.
        instance: (L,) int64 predicted object, 0 = none.
        true_semantic: (L,) int64 true train id, 1..19.
        true_instance: (L,) int64 true object, 0 = none; always 0 for stuff, which has no objects.
    """

    semantic: NDArray[np.int64]
    instance: NDArray[np.int64]
    true_semantic: NDArray[np.int64]
    true_instance: NDArray[np.int64]

    @classmethod
    def of_scan(cls, semantic: Labels, instance: Labels, true_semantic: Labels,
                true_instance: Labels) -> PointLabels:
        """Keeps the points whose true class is known.

        Args:
            semantic: (N,) predicted train ids.
            instance: (N,) predicted objects, 0 = none.
            true_semantic: (N,) true train ids; points of id 0 do not count at all.
            true_instance: (N,) true objects, 0 = none.

        Raises:
            InputError: The lengths differ, or an id is out of range.
        """
        columns = {'semantic': semantic, 'instance': instance, 'true_semantic': true_semantic,
                   'true_instance': true_instance}
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        for name, array in arrays.items():
            if array.shape != (len(arrays['semantic']),):
                raise InputError(f'{name} has shape {array.shape}, semantic has '
                                 f'{arrays["semantic"].shape}; one label a point is needed')
            _check_range(name, array)
        known = arrays['true_semantic'] != UNLABELED
        kept = {name: array[known].astype(np.int64) for name, array in arrays.items()}
        kept['true_instance'] *= IS_THING[kept['true_semantic']]
        return cls(**kept)


def _check_range(name: str, ids: Labels) -> None:
    """Refuses negative ids, floating point, and classes that there are not.

    Raises:
        InputError: An id cannot be used.
    """
    if not np.issubdtype(ids.dtype, np.integer):
        raise InputError(f'{name} must hold integers, got {ids.dtype}')
    if len(ids) == 0:
        return
    if ids.min() < 0:
        raise InputError(f'{name} holds the negative id {ids.min()}')
    largest = NUM_CLASSES - 1 if name.endswith('semantic') else 2 ** 32 - 1
    if ids.max() > largest:
        raise InputError(f'{name} holds the id {ids.max()}, the largest is {largest}')
