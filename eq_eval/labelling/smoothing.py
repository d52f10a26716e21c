"""Steadies proposals over time: what a rigid object cannot do between two scans is taken out.

All scans are known, so each track is seen as a whole. A track is first put into the world's frame;
nothing below prefers a direction there, so proposals turn with the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.boxes3d import joined
from eq_perception.tracking.beliefs import join_axes

Array = NDArray[np.float64]

AXIS_MEMORY = .7    # weight that the axis so far keeps from one scan to the next
FILLED_SCORE = .5   # share of its neighbours' score that a filled box has
MOVED = 1.          # [m]; shorter ways and those below half a length say nothing of the heading


@dataclass(frozen=True)
class Smoothing:
    """What is done to a track; zero or False leaves it out.

    Attributes:
        min_scans: Tracks that were seen in fewer scans are dropped.
        max_gap: Longest gap in a track that is filled [scans].
        same_size: Whether all boxes of a track get the median size; their bottoms stay.
        same_heading: Whether headings that point backwards within a track are turned.
    """

    min_scans: int = 3
    max_gap: int = 2
    same_size: bool = True
    same_heading: bool = True

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A number is negative.
        """
        for name in ('min_scans', 'max_gap'):
            if getattr(self, name) < 0:
                raise ConfigError(f'{name} must not be negative, got {getattr(self, name)}')


def smooth(frames: Sequence[Boxes3D], poses: Sequence[Array], smoothing: Smoothing
           ) -> list[Boxes3D]:
    """Smooths the tracks of one sequence.

    Every track gets the label that its boxes give the highest sum of scores.

    Args:
        frames: Boxes with `track_id`, each in its sensor's frame, by ascending stamps.
        poses: (4, 4) world <- sensor of each frame; all the identity where unknown.
        smoothing: What is done.

    Returns:
        The same number of frames, each by ascending track.
    """
    # What was cut out of a longer recording is too short to say that a track is.
    least = min(smoothing.min_scans, len(frames))
    # Without odometry a motion is also the sensor's own and says nothing of the heading.
    is_placed = any(not np.array_equal(pose, np.eye(4)) for pose in poses)
    world = [boxes.transformed(pose) for boxes, pose in zip(frames, poses, strict=True)]
    kept: list[list[Boxes3D]] = [[] for _ in frames]
    for identity in np.unique(np.concatenate([boxes.track_id for boxes in world]
                                             or [np.zeros(0, np.int64)])):
        rows = [np.flatnonzero(boxes.track_id == identity) for boxes in world]
        places = [place for place, row in enumerate(rows) if len(row)]
        if len(places) < least:
            continue
        track = joined([world[place].select(rows[place][:1]) for place in places])
        track = replace(track, label=np.full(len(track), main_label(track)))
        if smoothing.same_heading:
            track = with_one_heading(track, is_placed)
        if smoothing.same_size:
            track = with_one_size(track)
        stamps = np.array([boxes.stamp for boxes in frames])
        for place, box in filled(track, np.array(places), stamps, smoothing.max_gap):
            kept[place].append(box)
    return [replace(joined(boxes) if boxes else Boxes3D.empty(), frame_id=frame.frame_id,
                    stamp=frame.stamp).transformed(np.linalg.inv(pose))
            for boxes, frame, pose in zip(kept, frames, poses, strict=True)]


def main_label(track: Boxes3D) -> int:
    """The label with the highest sum of scores."""
    return int(np.bincount(track.label, track.score).argmax())


def with_one_size(track: Boxes3D) -> Boxes3D:
    """Gives all boxes the median size and leaves them on the ground they stand on."""
    size = np.tile(np.median(track.size, axis=0), (len(track), 1))
    center = track.center.copy()
    center[:, 2] += (size[:, 2] - track.size[:, 2]) / 2
    return replace(track, center=center, size=size)


def with_one_heading(track: Boxes3D, is_placed: bool = True) -> Boxes3D:
    """Turns the headings that contradict the rest of their track by half a turn.

    Each axis first takes the branch next to the running frequency-2 mean of the axes before it.
    The branch that is left to choose is the one in which the track moves, or else that for which
    the headings speak, each as loudly as it is confident.

    Args:
        track: Boxes of one object in the world's frame, by ascending time.
        is_placed: Whether that frame stands still, so that motion speaks for a heading.
    """
    yaw, mean, weight = track.yaw.copy(), track.yaw[:1].copy(), np.ones(1)
    for place in range(1, len(yaw)):
        if np.cos(yaw[place] - mean[0]) < 0:
            yaw[place] += np.pi
        mean, weight = join_axes(mean, AXIS_MEMORY * weight, yaw[place:place + 1], 1.)
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], 1)
    step = track.center[1:, :2] - track.center[:-1, :2]
    moved = float((step * (ahead[1:] + ahead[:-1])).sum() / 2)
    # The length of the way adds up jitter, what lies between its ends does not.
    far = is_placed and np.linalg.norm(track.center[-1, :2] - track.center[0, :2]) > max(
        MOVED, float(track.size[:, 0].max()) / 2)
    voted = float((track.heading_confidence * np.cos(track.yaw - yaw)).sum())
    if (moved if far else voted) < 0:
        yaw += np.pi
    return replace(track, yaw=(yaw + np.pi) % (2 * np.pi) - np.pi)


def filled(track: Boxes3D, places: NDArray[np.int64], stamps: NDArray[np.int64], max_gap: int
           ) -> list[tuple[int, Boxes3D]]:
    """Fills short gaps with boxes between their neighbours, in proportion to time.

    Args:
        track: K boxes in the world's frame.
        places: (K,) scans in which they were seen, ascending.
        stamps: Time of every scan [ns].
        max_gap: Longest gap that is filled [scans].

    Returns:
        Scan and box, by ascending scan.
    """
    found = []
    for row, place in enumerate(places.tolist()):
        one = track.select(slice(row, row + 1))
        found.append((place, one))
        after = int(places[row + 1]) if row + 1 < len(places) else place
        if not 1 < after - place <= max_gap + 1:
            continue
        other = track.select(slice(row + 1, row + 2))
        for missing in range(place + 1, after):
            part = (stamps[missing] - stamps[place]) / max(stamps[after] - stamps[place], 1)
            found.append((missing, between(one, other, float(part))))
    return found


def between(one: Boxes3D, other: Boxes3D, part: float) -> Boxes3D:
    """The box a part of the way from one box to another; its score tells that nobody saw it."""
    turn = (other.yaw - one.yaw + np.pi) % (2 * np.pi) - np.pi
    return replace(
        one, center=one.center + part * (other.center - one.center),
        size=one.size + part * (other.size - one.size), yaw=one.yaw + part * turn,
        score=FILLED_SCORE * np.minimum(one.score, other.score))
