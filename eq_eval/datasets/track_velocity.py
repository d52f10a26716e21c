"""Velocities from the positions of tracked boxes over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
import dataclasses

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D


def with_track_velocities(frames: Sequence[Boxes3D], poses: Sequence[NDArray[np.float64]],
                          window: float = 0.35) -> list[Boxes3D]:
    """Fills in the velocity over ground of every tracked box.

    A straight line is fitted by least squares to the positions of the track within the window,
    which averages out the jitter of hand-made labels.

    Args:
        frames: Boxes with `track_id` and `stamp`, each in its sensor's frame.
        poses: (4, 4) world <- sensor of each frame.
        window: Time before and after a frame that counts [s].

    Returns:
        The boxes with `velocity` in their sensor's axes; zero where a track has one position only.
    """
    track: dict[int, list[tuple[float, NDArray[np.float64], int, int]]] = defaultdict(list)
    for frame, (boxes, pose) in enumerate(zip(frames, poses, strict=True)):
        world = boxes.transformed(pose).center
        for row, identity in enumerate(boxes.track_id.tolist()):
            if identity >= 0:
                track[identity].append((boxes.stamp * 1e-9, world[row], frame, row))
    velocities = [np.zeros((len(boxes), 2)) for boxes in frames]
    for seen in track.values():
        times = np.array([entry[0] for entry in seen])
        places = np.array([entry[1] for entry in seen])
        for time, _, frame, row in seen:
            near = np.abs(times - time) <= window
            if near.sum() > 1:
                speed = _slope(times[near] - time, places[near])
                velocities[frame][row] = (poses[frame][:3, :3].T @ speed)[:2]
    return [dataclasses.replace(boxes, velocity=velocity)
            for boxes, velocity in zip(frames, velocities, strict=True)]


def _slope(times: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) least-squares rate of change [m/s] of (N, 3) positions."""
    centered = times - times.mean()
    rate: NDArray[np.float64] = centered @ (places - places.mean(0)) / (centered @ centered)
    return rate
