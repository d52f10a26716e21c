"""How the classes of public data sets become the four classes of the detector.

A class becomes one of ours, or `IGNORE` where a detection is neither right nor wrong (a van for a
car detector, a parked bicycle for a cyclist detector), or None where it is no traffic participant
at all, so that a detection there is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError

CLASS_NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
IGNORE = 'ignore'
LABEL_NAMES = (*CLASS_NAMES, IGNORE)

ClassMap = Mapping[str, str | None]

KITTI: ClassMap = {
    'Car': 'car', 'Truck': 'truck', 'Pedestrian': 'pedestrian', 'Cyclist': 'cyclist',
    'Van': IGNORE, 'Tram': IGNORE, 'Misc': IGNORE, 'Person_sitting': IGNORE, 'Person': IGNORE,
}

NUSCENES: ClassMap = {
    'car': 'car', 'truck': 'truck', 'bus': 'truck', 'pedestrian': 'pedestrian',
    # A bicycle or motorcycle counts with and without a rider there; a cyclist is ours only with.
    'bicycle': IGNORE, 'motorcycle': IGNORE, 'construction_vehicle': IGNORE, 'trailer': IGNORE,
    'ignore': IGNORE, 'barrier': None, 'traffic_cone': None,
}

ARGOVERSE2: ClassMap = {
    'REGULAR_VEHICLE': 'car',
    'BUS': 'truck', 'TRUCK': 'truck', 'BOX_TRUCK': 'truck', 'LARGE_VEHICLE': 'truck',
    'SCHOOL_BUS': 'truck', 'TRUCK_CAB': 'truck', 'ARTICULATED_BUS': 'truck',
    'PEDESTRIAN': 'pedestrian', 'OFFICIAL_SIGNALER': 'pedestrian',
    'BICYCLIST': 'cyclist', 'MOTORCYCLIST': 'cyclist',
    'BICYCLE': IGNORE, 'MOTORCYCLE': IGNORE, 'WHEELED_DEVICE': IGNORE, 'WHEELED_RIDER': IGNORE,
    'WHEELCHAIR': IGNORE, 'STROLLER': IGNORE, 'DOG': IGNORE, 'ANIMAL': IGNORE,
    'VEHICULAR_TRAILER': IGNORE, 'RAILED_VEHICLE': IGNORE, 'TRAFFIC_LIGHT_TRAILER': IGNORE,
    'MESSAGE_BOARD_TRAILER': IGNORE,
    'BOLLARD': None, 'SIGN': None, 'STOP_SIGN': None, 'CONSTRUCTION_BARREL': None,
    'CONSTRUCTION_CONE': None, 'MOBILE_PEDESTRIAN_CROSSING_SIGN': None,
}

SUSTECH: ClassMap = {
    'Car': 'car', 'Truck': 'truck', 'Bus': 'truck', 'Pedestrian': 'pedestrian',
    'Rider': 'cyclist', 'Van': IGNORE, 'Motor': IGNORE, 'Bicycle': IGNORE, 'Unknown': IGNORE,
}


def map_classes(categories: Sequence[str], classes: ClassMap, source: str,
                ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Translates class names.

    Args:
        categories: N names of a data set.
        classes: Its table above.
        source: File that is read, for the text of an error.

    Returns:
        (N,) labels that index `LABEL_NAMES` (0 where dropped), and the (N,) mask of what to keep.

    Raises:
        InputError: A name is not in the table.
    """
    unknown = sorted(set(categories) - set(classes))
    if unknown:
        raise InputError(f'{source}: unknown classes {unknown}, known are {sorted(classes)}')
    names = [classes[category] for category in categories]
    labels = [0 if name is None else LABEL_NAMES.index(name) for name in names]
    return np.array(labels, np.int64), np.array([name is not None for name in names], bool)
