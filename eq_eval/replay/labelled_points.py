"""Recorded answers of the segmenter: a class and an object for every point."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_core.geometry.points import Points
from eq_eval.datasets.bag_messages import read_messages
from eq_eval.replay.outcome import PUBLISHED
from eq_eval.replay.outcome import ScanOutcome
from eq_perception.panoptic.classes import train_ids
from eq_ros.detected_boxes import stamp_of
from eq_ros.point_layout import read_layout
from eq_ros.pointcloud2 import decode

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """One answer.

    Attributes:
        points: The scan as the node has used it: without what is not finite or too far away.
        semantic: (N,) uint8 train ids.
        instance: (N,) uint32 objects, 0 for none.
    """

    points: Points
    semantic: NDArray[np.uint8]
    instance: NDArray[np.uint32]


def read_labelled(message: Any) -> LabelledPoints:
    """Reads what `eq_ros.panoptic.encode_panoptic` writes.

    Args:
        message: A PointCloud2, or any object with its attributes.

    Raises:
        InputError: A field is missing, or a class is none of SemanticKITTI's.
    """
    points = decode(message).points
    layout = read_layout(message)
    columns = {}
    for name in ('semantic', 'instance'):
        field = layout.field(name)
        if field is None and len(layout):
            raise InputError(f"the labelled points lack the field '{name}'", 'missing_field')
        columns[name] = np.zeros(0, int) if field is None else layout.column(field)
    return LabelledPoints(points, train_ids(columns['semantic'].astype(np.uint16)),
                          columns['instance'].astype(np.uint32))


def recorded_answers(bag: Path, topic: str, outcomes: Sequence[ScanOutcome],
                     ) -> Iterator[LabelledPoints | None]:
    """The answer to each scan, one after the other from the bag of outputs; None without one.

    Args:
        bag: What `replay` has written.
        topic: Topic of the labelled points.
        outcomes: What became of each scan.

    Raises:
        EqError: The bag holds other answers than were heard.
    """
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    types = get_typestore(Stores.ROS2_KILTED)
    answered = any(outcome.status == PUBLISHED for outcome in outcomes)
    messages = iter(read_messages(bag, [topic]) if answered else ())
    for outcome in outcomes:
        if outcome.status != PUBLISHED:
            yield None
            continue
        record = next(messages, None)
        message: Any = None if record is None else types.deserialize_cdr(record.data, POINT_CLOUD)
        if message is None or stamp_of(message.header) != outcome.stamp:
            raise EqError(f'{bag} does not hold the answer to scan {outcome.index} where it was '
                          'heard')
        yield read_labelled(message)
