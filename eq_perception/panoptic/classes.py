"""The 19 classes of SemanticKITTI and the raw ids of its label files.

Behley et al., SemanticKITTI, ICCV 2019. A network and a metric know the *train ids* 0..19 (0 is
unlabelled and ignored); files, simulation and messages know the *raw ids* (10 car, 252 moving
car).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

CLASS_NAMES = (
    'unlabeled', 'car', 'bicycle', 'motorcycle', 'truck', 'other-vehicle', 'person', 'bicyclist',
    'motorcyclist', 'road', 'parking', 'sidewalk', 'other-ground', 'building', 'fence',
    'vegetation', 'trunk', 'terrain', 'pole', 'traffic-sign')
THINGS = tuple(range(1, 9))      # classes of countable objects
STUFF = tuple(range(9, 20))
UNLABELED = 0

# Every raw id of a class; the first is the one that is written.
RAW_IDS: tuple[tuple[int, ...], ...] = (
    (0, 1, 52, 99), (10, 252), (11,), (15,), (18, 258), (20, 13, 16, 256, 257, 259), (30, 254),
    (31, 253), (32, 255), (40, 60), (44,), (48,), (49,), (50,), (51,), (70,), (71,), (72,), (80,),
    (81,))

RAW_OF_TRAIN: NDArray[np.uint16] = np.array([ids[0] for ids in RAW_IDS], np.uint16)
_UNKNOWN = 255
_TRAIN_OF_RAW: NDArray[np.uint8] = np.full(260, _UNKNOWN, np.uint8)
for _train, _ids in enumerate(RAW_IDS):
    _TRAIN_OF_RAW[list(_ids)] = _train


def train_ids(raw: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Translates raw ids to train ids.

    Args:
        raw: Any shape, integer raw ids.

    Returns:
        Same shape, 0..19.

    Raises:
        InputError: An id is not one of SemanticKITTI's; the text names it.

    Example:
        >>> train_ids(np.array([0, 10, 252, 81], np.uint16))
        array([ 0,  1,  1, 19], dtype=uint8)
    """
    train = _TRAIN_OF_RAW[np.minimum(raw, len(_TRAIN_OF_RAW) - 1)]
    strange = (train == _UNKNOWN) | (raw >= len(_TRAIN_OF_RAW))
    if strange.any():
        raise InputError(f'{int(np.asarray(raw)[strange].flat[0])} is no raw class id of '
                         'SemanticKITTI', 'bad_label')
    return train
