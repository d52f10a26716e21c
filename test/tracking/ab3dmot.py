"""AB3DMOT (Weng et al., IROS 2020) behind the interface of ours, as an oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pure_ab_3d_mot.dist_metrics import MetricKind
from pure_ab_3d_mot.tracker import Ab3DMot

from eq_core.geometry.boxes3d import Boxes3D

# Per label: metric, threshold, min_hits, max_age, as its authors set them for KITTI.
SETTINGS = ((MetricKind.GIOU_3D, -.2, 3, 2), (MetricKind.GIOU_3D, -.2, 3, 2),
            (MetricKind.GIOU_3D, -.4, 1, 4), (MetricKind.DIST_3D, -2., 3, 4))


class Ab3dMotTracker:
    """One AB3DMOT per class, in the odometry's frame."""

    def __init__(self) -> None:
        self.trackers = []
        for metric, threshold, min_hits, max_age in SETTINGS:
            tracker = Ab3DMot()
            tracker.metric, tracker.threshold = metric, threshold
            tracker.min_hits, tracker.max_age = min_hits, max_age
            self.trackers.append(tracker)

    def update(self, boxes: Boxes3D, pose: np.ndarray) -> Boxes3D:
        world = boxes.transformed(pose)
        parts = [self._track(label, world.select(world.label == label))
                 for label in range(len(SETTINGS))]
        columns = {name: np.concatenate([getattr(part, name) for part in parts])
                   for name in ('center', 'size', 'yaw', 'label', 'track_id', 'score')}
        return replace(Boxes3D(**columns), stamp=boxes.stamp).transformed(np.linalg.inv(pose))

    def _track(self, label: int, boxes: Boxes3D) -> Boxes3D:
        # KITTI's camera axes: x right, y down, z forward; boxes stand on their lower face.
        length, width, height = boxes.size.T
        x, y, z = boxes.center.T
        rows = np.column_stack([height, width, length, -y, height / 2 - z, x,
                                -boxes.yaw - np.pi / 2])
        info = np.column_stack([boxes.score, *[np.zeros(len(boxes))] * 6])
        [answer] = self.trackers[label].track({'dets': rows.tolist(), 'info': info})
        h, w, l, right, down, forward, angle, number, score = answer[:, :9].T
        return Boxes3D(center=np.column_stack([forward, -right, h / 2 - down]),
                       size=np.column_stack([l, w, h]), yaw=-angle - np.pi / 2,
                       label=np.full(len(answer), label), score=score,
                       track_id=number.astype(np.int64) * len(SETTINGS) + label)
