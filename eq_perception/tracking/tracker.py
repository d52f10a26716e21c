"""Identity, velocity and steady boxes from detections, online.

Example::

    tracker = Tracker(TrackerConfig())
    for scan in scans:
        boxes = detector.detect(scan.points)
        tracks = tracker.update(boxes, scan.pose, scan.points.stamp)
        cars = tracks.select(tracker.confirmed & (tracks.label == 0))
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking.association import associate
from eq_perception.tracking.checks import check_boxes
from eq_perception.tracking.checks import check_pose
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.estimation import advance
from eq_perception.tracking.estimation import born
from eq_perception.tracking.estimation import observe
from eq_perception.tracking.estimation import observe_motion
from eq_perception.tracking.estimation import observe_velocity
from eq_perception.tracking.estimation import settle
from eq_perception.tracking.lifecycle import count_hit
from eq_perception.tracking.lifecycle import count_miss
from eq_perception.tracking.lifecycle import is_alive
from eq_perception.tracking.lifecycle import is_shown
from eq_perception.tracking.tracks import Tracks


class Tracker:
    """Online tracker of upright boxes.

    Law: turn all boxes by R and all poses by R^-1 from the right (the sensor turned), or all
    poses by any planar motion from the left (the odometry began elsewhere), and the answer turns
    with the boxes, with the same ids. No id is given out twice in the life of a tracker.

    Attributes:
        config: Noise, beliefs, gates, lifetimes.
        assignment: (M,) int64, track id of each box of the last update; every box has one, be
            its track confirmed or not.
        confirmed: (N,) bool, which of the tracks last returned were seen often enough to be
            believed.
        coasted: (N,) bool, which of them were not seen in that scan but predicted.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        """Starts without tracks."""
        self.config = config or TrackerConfig()
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forgets all tracks and the time, as after a jump back in time; ids go on."""
        self._tracks = Tracks.none(len(self.config.classes))
        self._stamp: int | None = None
        self._frame: str | None = None
        self.assignment = np.zeros(0, np.int64)
        self.confirmed = np.zeros(0, bool)
        self.coasted = np.zeros(0, bool)

    def update(self, boxes: Boxes3D, pose: NDArray[np.floating] | None, stamp: int,
               measured_velocity: bool = False) -> Boxes3D:
        """Takes the detections of one scan.

        Args:
            boxes: Detections in the sensor's gravity-aligned frame.
            pose: (4, 4) odom <- sensor at `stamp`. None without odometry: tracking then goes on
                in the sensor's frame, and velocities are relative to the sensor. When poses come
                or go, all tracks start anew, under new ids.
            stamp: Time of the scan [ns]. The same time again is a second look at one moment.
            measured_velocity: Whether the detector saw several sweeps, so that its velocities
                mean something; zeros are taken as unknown all the same.

        Returns:
            Tracks in the frame of `boxes`, by ascending id: those seen now, and confirmed ones
            that were seen a short while ago. `score` is a running mean in which a miss is 0.

        Raises:
            InputError: A box is not finite or out of range, or time goes back (``stamp_back``);
                the tracker is as before, and `reset` lets time begin anew.
            TransformError: `pose` is not a rotation or not upright.
        """
        check_boxes(boxes, len(self.config.classes))
        if pose is not None:
            check_pose(pose)
        if self._stamp is not None and stamp < self._stamp:
            raise InputError(f'stamp {stamp} lies {(self._stamp - stamp) * 1e-9:.3f} s before the '
                             'one before; reset the tracker to begin anew', 'stamp_back')
        self._enter_frame(boxes.frame_id if pose is None else None)
        self._advance(stamp)
        detections = boxes if pose is None else boxes.transformed(pose)
        found = associate(self._tracks, detections, self.config)
        self._learn(found, detections, measured_velocity, moves=pose is not None)
        self._begin(found, detections, measured_velocity)
        return self._answer(boxes, pose, stamp)

    def _enter_frame(self, frame: str | None) -> None:
        """Drops tracks whose coordinates mean something else; None is the odometry's frame."""
        if self._stamp is not None and frame != self._frame:
            self._tracks = Tracks.none(len(self.config.classes))
        self._frame = frame

    def _advance(self, stamp: int) -> None:
        """Predicts tracks to `stamp`, after those have gone that nothing could find again."""
        dt = 0. if self._stamp is None else (stamp - self._stamp) * 1e-9
        self._stamp = stamp
        self._tracks = self._tracks.select(self._tracks.unseen + dt <= self.config.max_lost)
        advance(self._tracks, dt, self.config)

    def _learn(self, found: NDArray[np.int64], detections: Boxes3D, measured_velocity: bool,
               moves: bool) -> None:
        """Joins tracks with their detections and counts the misses of the others."""
        columns = np.flatnonzero(found >= 0)
        rows = found[columns]
        seen, boxes = self._tracks.select(rows), detections.select(columns)
        observe(seen, boxes, self.config)
        if measured_velocity:
            observe_velocity(seen, boxes, self.config)
        if moves:  # without odometry a motion is also the sensor's own
            observe_motion(seen, self.config)
        settle(seen, self.config)
        count_hit(seen, boxes.score, self.config)
        count_miss(self._tracks, self.config)
        self._tracks.put(rows, seen)

    def _begin(self, found: NDArray[np.int64], detections: Boxes3D, measured_velocity: bool
               ) -> None:
        """Starts a track for each detection that found none, and notes the ids of all."""
        new = found < 0
        boxes = detections.select(new)
        fresh = born(boxes, self._next_id, self.config)
        if measured_velocity:
            observe_velocity(fresh, boxes, self.config)
        count_hit(fresh, fresh.score, self.config)
        self.assignment = np.zeros(len(found), np.int64)
        self.assignment[~new] = self._tracks.track_id[found[~new]]
        self.assignment[new] = fresh.track_id
        self._next_id += len(fresh)
        tracks = self._tracks.with_more(fresh)
        self._tracks = tracks.select(is_alive(tracks, self.config))

    def _answer(self, boxes: Boxes3D, pose: NDArray[np.floating] | None, stamp: int) -> Boxes3D:
        """The tracks to return, in the frame of `boxes`."""
        shown = self._tracks.select(is_shown(self._tracks, self.config))
        self.confirmed, self.coasted = shown.confirmed, shown.misses > 0
        tracks = replace(shown.boxes(), frame_id=boxes.frame_id, stamp=stamp)
        return tracks if pose is None else tracks.transformed(np.linalg.inv(pose))
