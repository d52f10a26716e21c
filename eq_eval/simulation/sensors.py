"""LiDAR models: where the beams point and how far they see."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import ConfigError


@dataclass(frozen=True)
class Sensor:
    """A spinning LiDAR.

    Attributes:
        name: Key in `SENSORS`.
        elevations: Elevation of each beam [deg], highest first.
        columns: Firings per turn.
        max_range: Farthest return [m].
        min_range: Nearest return [m].
        range_noise: Standard deviation of the range [m].
        reach: Range at which a surface of 10 % reflectivity returns half of the pulses [m].
        drop_rate: Share of returns that are lost for no visible reason.
        period: Time of one turn [s].
    """

    name: str
    elevations: tuple[float, ...]
    columns: int
    max_range: float
    min_range: float
    range_noise: float
    reach: float
    drop_rate: float = .03
    period: float = .1

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A value is out of range.
        """
        if self.columns < 16 or not self.elevations:
            raise ConfigError(f'a sensor needs beams and at least 16 columns, got '
                              f'{len(self.elevations)} and {self.columns}')
        if not 0 <= self.min_range < self.max_range:
            raise ConfigError(f'expected 0 <= min_range < max_range, got {self.min_range} and '
                              f'{self.max_range}')

    @property
    def rings(self) -> int:
        """Number of beams."""
        return len(self.elevations)

    def with_columns(self, columns: int | None) -> Sensor:
        """The same sensor at another azimuth resolution; None keeps it."""
        return self if columns is None else dataclasses.replace(self, columns=columns)


# HDL-64E S2 manual: two blocks of 32 beams, 1/3 degree apart above and 1/2 degree below.
_HDL64E = (*np.linspace(2., -8.33, 32), *np.linspace(-8.83, -24.33, 32))
# VLP-32C manual 63-9325, table of elevation angles: dense about the horizon.
_VLP32C = (15., 10.333, 7., 4.667, 3.333, 2.333, 1.667, 1.333, 1., .667, .333, 0., -.333, -.667,
           -1., -1.333, -1.667, -2., -2.333, -2.667, -3., -3.333, -3.667, -4., -4.667, -5.333,
           -6.148, -7.254, -8.843, -11.31, -15.639, -25.)

SENSORS: dict[str, Sensor] = {s.name: s for s in (
    Sensor('hdl64e', tuple(float(e) for e in _HDL64E), 2083, 120., 1.2, .015, 62.),
    Sensor('vlp32c', _VLP32C, 1800, 120., 1.0, .02, 75.),
    Sensor('vlp16', tuple(float(e) for e in np.linspace(15, -15, 16)), 1800, 100., .8, .02, 60.),
    Sensor('os1_64', tuple(float(e) for e in np.linspace(22.5, -22.5, 64)), 1024, 120., .5, .02,
           55.),
    Sensor('os1_128', tuple(float(e) for e in np.linspace(22.5, -22.5, 128)), 1024, 120., .5, .02,
           55.),
)}


def sensor(name: str) -> Sensor:
    """Looks a sensor up; case, dashes and underscores do not matter.

    Raises:
        ConfigError: Unknown name.
    """
    plain = {key.replace('_', ''): value for key, value in SENSORS.items()}
    found = plain.get(name.lower().replace('-', '').replace('_', ''))
    if found is None:
        raise ConfigError(f'unknown sensor {name!r}, expected one of {sorted(SENSORS)}')
    return found


@lru_cache(maxsize=16)
def beam_directions(model: Sensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors of all firings of one turn, in the order of time.

    The head starts at the back and turns clockwise, so that it looks ahead after half a period.

    Returns:
        (columns * rings, 3) float32 directions and (columns,) float32 times from the start [s].
    """
    share = (np.arange(model.columns) + .5) / model.columns
    azimuth = np.pi - 2 * np.pi * share
    up = np.deg2rad(model.elevations)
    directions = np.stack([np.cos(azimuth)[:, None] * np.cos(up),
                           np.sin(azimuth)[:, None] * np.cos(up),
                           np.broadcast_to(np.sin(up), (model.columns, len(up)))], -1)
    return (directions.reshape(-1, 3).astype(np.float32),
            (share * model.period).astype(np.float32))
