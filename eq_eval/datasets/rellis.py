"""Classes of RELLIS-3D, an off-road data set, as those of SemanticKITTI.

Jiang et al., RELLIS-3D Dataset: Data, Benchmarks and Analysis, ICRA 2021. Only classes that mean
the same become one; all others stay unlabelled and do not count: water, sky, rubble and loose
objects, for which SemanticKITTI has no word; asphalt and concrete, which RELLIS names by their
material and SemanticKITTI by their use; vehicles, which may be cars or others; logs, which are no
standing trunks. A tree is vegetation, though RELLIS does not tell its trunk from its crown.
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
# dirt, grass, tree, pole, building, person, fence, bush, barrier, mud
CLASSES: Mapping[int, str] = {
    1: 'terrain', 3: 'terrain', 4: 'vegetation', 5: 'pole', 12: 'building', 17: 'person',
    18: 'fence', 19: 'vegetation', 27: 'fence', 33: 'terrain',
    # void, water, sky, vehicle, object, asphalt, log, concrete, puddle, rubble
    **dict.fromkeys((0, 6, 7, 8, 9, 10, 15, 23, 31, 34), UNLABELED)}


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
