"""When a track is believed, shown, and forgotten."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracks import Tracks


def count_hit(tracks: Tracks, score: NDArray[np.float64], config: TrackerConfig) -> None:
    """Notes that all `tracks` were seen with the scores given."""
    tracks.hits = tracks.hits + 1
    tracks.misses = np.zeros_like(tracks.misses)
    tracks.unseen = np.zeros_like(tracks.unseen)
    tracks.score = tracks.score + config.score_gain * (score - tracks.score)
    tracks.confirmed = tracks.confirmed | (
        (tracks.hits >= config.confirm_hits) & (tracks.score >= config.confirm_score))


def count_miss(tracks: Tracks, config: TrackerConfig) -> None:
    """Notes that all `tracks` were not seen; how long ago they were, the filter has counted."""
    tracks.misses = tracks.misses + 1
    tracks.score = tracks.score * (1 - config.score_gain)


def is_alive(tracks: Tracks, config: TrackerConfig) -> NDArray[np.bool_]:
    """(N,) which tracks may still be found again."""
    return (tracks.unseen <= config.max_lost) & (
        tracks.confirmed | (tracks.misses <= config.max_tentative_misses))


def is_lost(tracks: Tracks, config: TrackerConfig) -> NDArray[np.bool_]:
    """(N,) which confirmed tracks were not seen for so long that they are no longer shown.

    One that was seen in the last scan is not lost, however long ago that was.
    """
    return tracks.confirmed & (tracks.misses > 0) & (tracks.unseen > config.max_coast)


def is_shown(tracks: Tracks, config: TrackerConfig) -> NDArray[np.bool_]:
    """(N,) which tracks belong to the answer: the seen ones, and confirmed ones not yet lost."""
    return (tracks.misses == 0) | (tracks.confirmed & ~is_lost(tracks, config))
