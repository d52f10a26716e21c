"""Classes of RELLIS-3D, an off-road data set, as those of SemanticKITTI.

Jiang et al., RELLIS-3D Dataset: Data, Benchmarks and Analysis, ICRA 2021. What SemanticKITTI has
no word for (water, sky, rubble, loose objects) stays unlabelled and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_perception.panoptic.classes import CLASS_NAMES
from eq_perception.panoptic.classes import RAW_OF_TRAIN

UNLABELED = 'unlabeled'
CLASSES: Mapping[int, str] = {
    0: UNLABELED, 1: 'terrain', 3: 'terrain', 4: 'vegetation', 5: 'pole', 6: UNLABELED,
    7: UNLABELED, 8: 'other-vehicle', 9: UNLABELED, 10: 'road', 12: 'building', 15: 'trunk',
    17: 'person', 18: 'fence', 19: 'vegetation', 23: 'other-ground', 27: 'fence', 31: UNLABELED,
    33: 'terrain', 34: UNLABELED,
}


def semantic_of(label: NDArray[np.integer], source: Path) -> NDArray[np.uint16]:
    """Translates RELLIS ids to raw ids of SemanticKITTI.

    Args:
        label: (N,) RELLIS ids.
        source: The file, for the text of an error.

    Raises:
        InputError: An id is not one of RELLIS; the text names it.
    """
    strange = sorted(set(np.unique(label).tolist()) - set(CLASSES))
    if strange:
        raise InputError(f'{source}: label {strange} is none of RELLIS-3D', 'bad_label')
    table = np.zeros(max(CLASSES) + 1, np.uint16)
    for number, name in CLASSES.items():
        table[number] = RAW_OF_TRAIN[CLASS_NAMES.index(name)]
    return table[label]
