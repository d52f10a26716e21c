"""Everything that fixes a tracker."""

from __future__ import annotations

from dataclasses import dataclass
import math

from eq_core.errors import ConfigError


def _require(name: str, value: float, low: float, high: float) -> None:
    """Raises ConfigError unless a value is a number within its range."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f'{name} must lie in [{low}, {high}], got {value}')


@dataclass(frozen=True)
class ObjectClass:
    """What the tracker knows of a class before it sees an object.

    Attributes:
        name: For messages only.
        kind: Classes of one kind may be mistaken for each other, those of two kinds never.
        acceleration: Square root of the spectral density of the acceleration noise [m/s^1.5];
            alike in all directions, so that turning the world turns the covariance.
        speed: Standard deviation of each component of a velocity that nothing is known of [m/s].
    """

    name: str
    kind: str
    acceleration: float
    speed: float

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A value is not a positive number.
        """
        for name in ('acceleration', 'speed'):
            _require(name, getattr(self, name), 1e-3, 1e3)


CLASSES = (ObjectClass('car', 'vehicle', 1.5, 6.), ObjectClass('truck', 'vehicle', 1., 6.),
           ObjectClass('pedestrian', 'person', .8, 1.5), ObjectClass('cyclist', 'person', 1., 4.))

# Attribute -> lowest and highest value.
_RANGES: dict[str, tuple[float, float]] = {
    'position_floor': (1e-3, 10), 'position_default': (1e-3, 10), 'velocity_std': (1e-2, 100),
    'height_std': (1e-3, 10), 'height_drift': (0, 10), 'size_std': (1e-3, 10),
    'size_drift': (0, 10), 'yaw_std': (1e-3, 3), 'yaw_drift': (0, 10), 'flip_rate': (1e-3, .5),
    'motion_evidence': (0, 10), 'least_speed': (0, 100), 'label_confusion': (1e-6, .5),
    'belief_limit': (.1, 50), 'score_gain': (1e-3, 1), 'gate': (.5, 1 - 1e-9),
    'size_gate': (1e-2, 10), 'clutter': (1e-9, 1),
    'high_score': (0, 1), 'confirm_score': (0, 1), 'max_coast': (0, 60), 'max_lost': (0, 60),
    'reid_distance': (0, 100)}


@dataclass(frozen=True)
class TrackerConfig:
    """Noise, beliefs, gates and lifetimes of a tracker.

    Attributes:
        classes: One entry per label of the detector.
        position_floor: Noise that is added to the detector's own covariance [m].
        position_default: Noise where the detector gives no covariance [m].
        velocity_std: Noise of the detector's velocity [m/s].
        height_std: Noise of a centre's z [m].
        height_drift: Random walk of z [m/s^0.5].
        size_std: Relative noise of each side.
        size_drift: Relative random walk of each side [1/s^0.5].
        yaw_std: Noise of the axis [rad].
        yaw_drift: Random walk of the axis [rad/s^0.5].
        flip_rate: How often a heading of full confidence points backwards.
        motion_evidence: Log odds that one look at a significant motion adds to the heading.
        least_speed: Speed below which motion says nothing of the heading [m/s].
        label_confusion: How often a label is wrong.
        belief_limit: Largest log odds of a belief; the lower, the sooner it is revised.
        score_gain: Weight of the newest score in a track's score; a miss counts as 0.
        gate: Share of the true pairs that the Mahalanobis gate lets pass.
        size_gate: Spread of the sides' log ratio between detections of one object.
        clutter: Detections of nothing or of new objects [1/m^2]; a pair less likely than that is
            refused.
        high_score: Detections from here on choose first (ByteTrack's two stages).
        confirm_hits: Looks after which a track may be confirmed.
        confirm_score: Running mean of their scores that this takes.
        max_tentative_misses: Scans in a row that an unconfirmed track may miss.
        max_coast: Time for which an unseen confirmed track is returned [s].
        max_lost: Time after which an unseen confirmed track is forgotten [s].
        reid_distance: How far from its prediction a track that is no longer returned may be found
            again [m].
    """

    classes: tuple[ObjectClass, ...] = CLASSES
    position_floor: float = .15
    position_default: float = .3
    velocity_std: float = 1.
    height_std: float = .15
    height_drift: float = .15
    size_std: float = .1
    size_drift: float = .03
    yaw_std: float = .1
    yaw_drift: float = .3
    flip_rate: float = .2
    motion_evidence: float = 1.
    least_speed: float = .7
    label_confusion: float = .1
    belief_limit: float = 5.
    score_gain: float = .3
    gate: float = .998
    size_gate: float = .4
    clutter: float = 1e-3
    high_score: float = .4
    confirm_hits: int = 3
    confirm_score: float = .35
    max_tentative_misses: int = 2
    max_coast: float = .5
    max_lost: float = 2.5
    reid_distance: float = 3.

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A value is out of range; the text names it.
        """
        if not self.classes:
            raise ConfigError('classes must not be empty')
        for name, (low, high) in _RANGES.items():
            _require(name, getattr(self, name), low, high)
        for name, least in (('confirm_hits', 1), ('max_tentative_misses', 0)):
            if getattr(self, name) < least:
                raise ConfigError(f'{name} must be at least {least}, got {getattr(self, name)}')
        if self.max_lost < self.max_coast:
            raise ConfigError(f'max_lost must not be less than max_coast, got {self.max_lost} and '
                              f'{self.max_coast}')
