"""What became of each scan that was played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eq_core.geometry.boxes3d import Boxes3D

PUBLISHED = 'published'
UNANSWERED = 'unanswered'


@dataclass(frozen=True, eq=False)
class ScanOutcome:
    """One scan on its way through the node.

    Attributes:
        index: Position in the recording.
        stamp: Header stamp [ns].
        num_points: Points played.
        status: ``'published'``, ``'dropped'`` with the reason after a colon, or
            ``'unanswered'``.
        round_trip_ms: Time from publishing the cloud to hearing the answer, None if there was
            none [ms].
        boxes: The answer as it was recorded; None if there was none.
    """

    index: int
    stamp: int
    num_points: int
    status: str
    round_trip_ms: float | None = None
    boxes: Boxes3D | None = None

    def to_json(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """The outcome as plain numbers and strings, one line of `detections.jsonl`."""
        boxes = self.boxes or Boxes3D.empty()
        return {
            'index': self.index, 'stamp': self.stamp, 'frame_id': boxes.frame_id,
            'num_points': self.num_points, 'status': self.status,
            'round_trip_ms': self.round_trip_ms,
            'objects': [{
                **({'id': int(boxes.track_id[row])} if boxes.track_id[row] >= 0 else {}),
                'class': class_names[boxes.label[row]], 'score': float(boxes.score[row]),
                'center': boxes.center[row].tolist(), 'size': boxes.size[row].tolist(),
                'yaw': float(boxes.yaw[row]), 'covariance': boxes.covariance[row].tolist(),
            } for row in range(len(boxes))]}


def percentiles(outcomes: list[ScanOutcome]) -> tuple[float | None, float | None]:
    """Median and 99th percentile of the round trip [ms], None without an answer."""
    values = [outcome.round_trip_ms for outcome in outcomes if outcome.round_trip_ms is not None]
    if not values:
        return None, None
    median, high = np.percentile(values, [50, 99])
    return float(median), float(high)
