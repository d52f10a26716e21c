"""How tracks begin, move on in time, and learn from the detections that were given to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.boxes3d import Boxes3D
from eq_perception.tracking import beliefs
from eq_perception.tracking import filter as kalman
from eq_perception.tracking.config import TrackerConfig
from eq_perception.tracking.tracks import Tracks

Array = NDArray[np.float64]


def position_noise(detections: Boxes3D, config: TrackerConfig) -> Array:
    """(M, 2, 2) covariance of the detections' x and y [m^2]; isotropic where none is given."""
    unknown = np.trace(detections.covariance, axis1=1, axis2=2) <= 0
    given = np.where(unknown[:, None, None], config.position_default**2 * np.eye(2),
                     detections.covariance)
    return given + config.position_floor**2 * np.eye(2)


def born(detections: Boxes3D, first_id: int, config: TrackerConfig) -> Tracks:
    """One new track per detection.

    Args:
        detections: K boxes in the frame of the tracks.
        first_id: Id of the first; the others follow.
        config: Noise and classes.
    """
    count, classes = len(detections), len(config.classes)
    log_odds = beliefs.join_labels(np.zeros((count, classes)), detections.label, detections.score,
                                   beliefs.label_likelihood(classes, config.label_confusion),
                                   config.belief_limit)
    covariance = np.zeros((count, 4, 4))
    covariance[:, :2, :2] = position_noise(detections, config)
    speed = np.array([one.speed for one in config.classes])
    covariance[:, 2:, 2:] = (beliefs.class_probability(log_odds) @ speed**2)[
        :, None, None] * np.eye(2)
    return Tracks(
        track_id=np.arange(first_id, first_id + count),
        mean=np.column_stack([detections.center[:, :2], np.zeros((count, 2))]),
        covariance=covariance, shape=_shape(detections),
        shape_variance=np.tile(_shape_noise(config), (count, 1)),
        yaw=detections.yaw.copy(), yaw_weight=np.full(count, config.yaw_std**-2),
        heading=np.minimum(config.belief_limit, beliefs.heading_evidence(
            detections.yaw, detections.yaw, detections.heading_confidence, config.flip_rate)),
        classes=log_odds, score=detections.score.copy(), hits=np.zeros(count, np.int64),
        misses=np.zeros(count, np.int64), unseen=np.zeros(count),
        confirmed=np.zeros(count, bool))


def advance(tracks: Tracks, dt: float, config: TrackerConfig) -> None:
    """Moves all tracks ahead by `dt` seconds; what is known of them fades accordingly."""
    acceleration = tracks.class_probability() @ [one.acceleration for one in config.classes]
    tracks.mean, tracks.covariance = kalman.predict(tracks.mean, tracks.covariance, dt,
                                                    acceleration)
    drift = np.array([config.height_drift, *3 * [config.size_drift]])
    tracks.shape_variance = tracks.shape_variance + drift**2 * dt
    tracks.yaw_weight = tracks.yaw_weight / (1 + tracks.yaw_weight * config.yaw_drift**2 * dt)
    tracks.unseen = tracks.unseen + dt


def observe(tracks: Tracks, detections: Boxes3D, config: TrackerConfig) -> None:
    """Joins each track with its detection, row by row, all but velocity.

    Args:
        tracks: K tracks at the time of the detections.
        detections: K boxes in the frame of the tracks.
        config: Noise and classes.
    """
    tracks.mean, tracks.covariance = kalman.correct(
        tracks.mean, tracks.covariance, kalman.POSITION, detections.center[:, :2],
        position_noise(detections, config))
    tracks.shape, tracks.shape_variance = kalman.correct_scalar(
        tracks.shape, tracks.shape_variance, _shape(detections), _shape_noise(config))
    tracks.yaw, tracks.yaw_weight = beliefs.join_axes(
        tracks.yaw, tracks.yaw_weight, detections.yaw, config.yaw_std**-2)
    tracks.heading = tracks.heading + beliefs.heading_evidence(
        tracks.yaw, detections.yaw, detections.heading_confidence, config.flip_rate)
    tracks.classes = beliefs.join_labels(
        tracks.classes, detections.label, detections.score,
        beliefs.label_likelihood(len(config.classes), config.label_confusion),
        config.belief_limit)


def observe_velocity(tracks: Tracks, detections: Boxes3D, config: TrackerConfig) -> None:
    """Joins each track with its detection's velocity; zeros are unknown and are left out."""
    known = np.flatnonzero(np.any(detections.velocity != 0, axis=1))
    noise = np.tile(config.velocity_std**2 * np.eye(2), (len(known), 1, 1))
    tracks.mean[known], tracks.covariance[known] = kalman.correct(
        tracks.mean[known], tracks.covariance[known], kalman.VELOCITY, detections.velocity[known],
        noise)


def observe_motion(tracks: Tracks, config: TrackerConfig) -> None:
    """Lets the direction in which tracks move over ground speak for their heading."""
    tracks.heading = tracks.heading + beliefs.motion_evidence(
        tracks.yaw, tracks.mean[:, 2:], tracks.covariance[:, 2:, 2:], config.least_speed,
        config.motion_evidence)


def settle(tracks: Tracks, config: TrackerConfig) -> None:
    """Turns the tracks whose heading more probably points backwards."""
    tracks.yaw, tracks.heading = beliefs.settle_heading(tracks.yaw, tracks.heading,
                                                        config.belief_limit)


def _shape(detections: Boxes3D) -> Array:
    """(M, 4) z and log size, as in `Tracks.shape`."""
    return np.column_stack([detections.center[:, 2], np.log(detections.size)])


def _shape_noise(config: TrackerConfig) -> Array:
    """(4,) variance of `_shape`."""
    return np.array([config.height_std, *3 * [config.size_std]])**2
