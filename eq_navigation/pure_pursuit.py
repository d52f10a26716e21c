"""Pure pursuit: steers a robot on an arc through a place ahead on the path.

Coulter, Implementation of the Pure Pursuit Path Tracking Algorithm, CMU-RI-TR-92-01, 1992. The
place is found in the robot's own frame, so that turning path and robot together turns nothing in
the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields
import math

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError
from eq_core.errors import InputError

Double = NDArray[np.float64]
Pose = tuple[float, float, float]       # x, y [m], yaw [rad]
STANDSTILL = 1e-6       # [m]; two places nearer than this are one


@dataclass(frozen=True)
class PursuitConfig:
    """How a robot follows.

    Attributes:
        speed: Where nothing slows it down [m/s].
        lookahead: Way along the path to the place that is steered for [m].
        max_turn_rate: [rad/s].
        deceleration: With which it comes to rest at the goal [m/s^2].
        turn_first: A place farther aside than this is turned to on the spot first [rad].
        goal_tolerance: It has arrived when nearer to the last place [m].
        max_deviation: Farther from the path it does not know what lies between [m].
    """

    speed: float = .5
    lookahead: float = .8
    max_turn_rate: float = 1.
    deceleration: float = .3
    turn_first: float = 1.
    goal_tolerance: float = .2
    max_deviation: float = 2.

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ConfigError: A value is not positive; the text names it.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f'{each.name} must be positive, got {value!r}')


@dataclass(frozen=True)
class Command:
    """What the robot is to do.

    Attributes:
        speed: Ahead [m/s], never negative.
        turn_rate: To the left [rad/s].
        arrived: Whether it is at the goal; both others are 0 then.
    """

    speed: float = 0.
    turn_rate: float = 0.
    arrived: bool = False


class PathFollower:
    """Follows one path; remembers how far it has come, so that loops are not cut short."""

    def __init__(self, path: Double, config: PursuitConfig) -> None:
        """Takes a path.

        Args:
            path: (L, 2) places in order [m], L >= 1.
            config: How to follow it.

        Raises:
            InputError: It has no places, or one that is not finite.
        """
        places = np.asarray(path, np.float64)
        if places.ndim != 2 or places.shape[1:] != (2,) or not len(places):
            raise InputError(f'a path must have shape (L, 2), got {places.shape}', 'bad_path')
        if not np.isfinite(places).all():
            raise InputError('a place of the path is not finite', 'bad_path')
        steps = np.hypot(*np.diff(places, axis=0).T)
        self._places = places[np.concatenate([[True], steps > STANDSTILL])]
        self._arc = np.concatenate([[0.], np.cumsum(np.hypot(*np.diff(self._places, axis=0).T))])
        self._config = config
        self._progress: float | None = None     # [m], None until the robot was seen

    @property
    def remaining(self) -> float:
        """Way to the end of the path [m]."""
        return float(self._arc[-1]) - (self._progress or 0.)

    def command(self, pose: Pose) -> Command:
        """What to do at a place.

        Args:
            pose: x, y, yaw of the robot in the frame of the path [m, rad].

        Raises:
            InputError: The pose is not finite, or too far from the path.
        """
        if not all(math.isfinite(value) for value in pose):
            raise InputError(f'the pose is not finite: {pose}', 'bad_pose')
        config, position = self._config, np.array(pose[:2])
        self._advance(position)
        left = float(np.hypot(*(self._places[-1] - position)))
        if left < config.goal_tolerance and self.remaining < config.lookahead:
            return Command(arrived=True)
        ahead, aside = self._in_robot(self._at(self._reached + config.lookahead), pose)
        distance = math.hypot(ahead, aside)
        if distance < STANDSTILL:
            return Command()
        bearing = math.atan2(aside, ahead)
        if abs(bearing) > config.turn_first:
            return Command(turn_rate=math.copysign(config.max_turn_rate, bearing))
        curvature = 2. * aside / distance ** 2      # of the arc that is tangent to the heading
        braking = math.sqrt(2. * config.deceleration * max(self.remaining, left))
        speed = min(config.speed, braking, config.max_turn_rate / max(abs(curvature), 1e-9))
        return Command(speed, speed * curvature)

    @property
    def _reached(self) -> float:
        return self._progress or 0.

    def _advance(self, position: Double) -> None:
        """Moves on to the nearest place of the path, at first of all, later of what lies near."""
        start, end = self._places[:-1], self._places[1:]
        if not len(start):      # a single place
            start = end = self._places
        way = end - start
        share = np.clip(np.einsum('ni,ni->n', position - start, way)
                        / np.maximum(np.einsum('ni,ni->n', way, way), STANDSTILL ** 2), 0., 1.)
        gap = np.hypot(*(start + share[:, None] * way - position).T)
        arc = self._arc[:len(start)] + share * np.hypot(*way.T)
        if self._progress is not None:
            near = np.abs(arc - self._progress) <= 2. * self._config.lookahead
            gap = np.where(near, gap, np.inf)
        nearest = int(np.argmin(gap))
        if gap[nearest] > self._config.max_deviation:
            raise InputError(f'the robot is {gap[nearest]:.2f} m off the path, expected at most '
                             f'{self._config.max_deviation:g} m', 'off_path')
        self._progress = max(self._reached, float(arc[nearest]))

    def _at(self, arc: float) -> Double:
        """The place at a length of way, the last one beyond the end."""
        return np.array([np.interp(arc, self._arc, self._places[:, axis]) for axis in (0, 1)])

    @staticmethod
    def _in_robot(place: Double, pose: Pose) -> tuple[float, float]:
        """How far ahead and to the left of the robot a place is."""
        x, y, yaw = pose
        cos, sin = math.cos(yaw), math.sin(yaw)
        east, north = float(place[0]) - x, float(place[1]) - y
        return cos * east + sin * north, cos * north - sin * east
