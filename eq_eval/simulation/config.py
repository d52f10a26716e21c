"""What a simulated sequence is made from."""

from __future__ import annotations

from dataclasses import dataclass
import zlib

import numpy as np

from eq_core.errors import ConfigError
from eq_eval.simulation.sensors import sensor as find_sensor
from eq_eval.simulation.shapes import SPLITS

WORLDS = ('street', 'square', 'hall')
WORLD_SHARES = {'street': .65, 'square': .25, 'hall': .10}
SEEDS_PER_DRAW = 1_000_000


@dataclass(frozen=True)
class WorldConfig:
    """A kind of world and how full it is.

    Attributes:
        kind: 'street', 'square' or 'hall'.
        traffic: Factor on the number of moving vehicles.
        parked: Factor on the number of parked vehicles.
        pedestrians: Factor on the number of people.
        cyclists: Factor on the number of cyclists.
        clutter: Factor on street furniture and goods.
        vegetation: Factor on trees, bushes and hedges.
        slope: Largest grade of the ground.
        undulation: Height of the ground's waves [m].
        mount_height: Lowest and highest sensor height above ground [m]; None draws it from what
            suits the world (cars 1.6-2.1 m, robots 0.5-1.2 m).
        ego_speed: Speed of the sensor [m/s]; None draws it.
        spurious: Largest share of rays that return from rain or dust.
    """

    kind: str = 'street'
    traffic: float = 1.
    parked: float = 1.
    pedestrians: float = 1.
    cyclists: float = 1.
    clutter: float = 1.
    vegetation: float = 1.
    slope: float = .02
    undulation: float = .12
    mount_height: tuple[float, float] | None = None
    ego_speed: float | None = None
    spurious: float = .002

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A value is unknown or out of range.
        """
        if self.kind not in WORLDS:
            raise ConfigError(f'unknown world {self.kind!r}, expected one of {WORLDS}')
        limits = {'traffic': 4, 'parked': 4, 'pedestrians': 4, 'cyclists': 8, 'clutter': 4,
                  'vegetation': 4, 'slope': .1, 'undulation': .5, 'spurious': .2}
        for name, high in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= high:
                raise ConfigError(f'{name} must lie in [0, {high}], got {value}')
        if self.mount_height is not None and not (
                .2 <= self.mount_height[0] <= self.mount_height[1] <= 5):
            raise ConfigError(f'mount_height must be ordered within [0.2, 5] m, got '
                              f'{self.mount_height}')
        if self.ego_speed is not None and not 0 <= self.ego_speed <= 40:
            raise ConfigError(f'ego_speed must lie in [0, 40] m/s, got {self.ego_speed}')


@dataclass(frozen=True)
class SequenceSpec:
    """Everything that determines a sequence, bit by bit.

    Attributes:
        world: The world.
        sensor: Name in `sensors.SENSORS`.
        seed: Number within the split; equal numbers of two splits give unrelated worlds.
        split: 'train', 'validation' or 'test': decides the shapes and the random stream.
        num_scans: Scans that are yielded.
        stride: Sensor turns from one yielded scan to the next.
        columns: Firings per turn, None for the sensor's own.
        motion_distortion: Whether the sensor and the objects move during a turn. Then each point
            carries its time after the stamp and is seen from where the sensor was at that time,
            while pose and boxes are those at the stamp, the start of the turn. Without, a scan is
            a snapshot and all times are zero.
    """

    world: WorldConfig
    sensor: str = 'hdl64e'
    seed: int = 0
    split: str = 'train'
    num_scans: int = 10
    stride: int = 1
    columns: int | None = None
    motion_distortion: bool = False

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: A value is unknown or out of range.
        """
        find_sensor(self.sensor).with_columns(self.columns)
        if self.split not in SPLITS:
            raise ConfigError(f'unknown split {self.split!r}, expected one of {SPLITS}')
        if self.seed < 0:
            raise ConfigError(f'seed must not be negative, got {self.seed}')
        if self.num_scans < 1 or self.stride < 1:
            raise ConfigError(f'num_scans and stride must be at least 1, got {self.num_scans} and '
                              f'{self.stride}')

    @property
    def name(self) -> str:
        """Name of the recording."""
        return f'{self.split}_{self.world.kind}_{self.sensor}_{self.seed:06d}'

    def rng(self, *stream: int) -> np.random.Generator:
        """Independent random numbers for each (split, world, seed, stream)."""
        words = [zlib.crc32(f'{self.split}/{self.world.kind}'.encode()), self.seed, *stream]
        return np.random.default_rng(words)


def sample_specs(split: str, count: int, seed: int = 0, scans_per_sequence: int = 3,
                 stride: int = 4, worlds: tuple[str, ...] = WORLDS,
                 weights: tuple[float, ...] | None = None,
                 sensors: tuple[str, ...] = ('hdl64e', 'vlp32c', 'os1_64', 'os1_128', 'vlp16'),
                 columns: int | None = None) -> list[SequenceSpec]:
    """Draws sequences with random worlds, sensors, densities and sensor heights.

    Args:
        split: 'train', 'validation' or 'test'.
        count: Number of sequences.
        seed: Number of the draw.
        scans_per_sequence: Scans per sequence.
        stride: Sensor turns between the scans of a sequence.
        worlds: Kinds of world to draw from.
        weights: Their relative frequencies; None takes `WORLD_SHARES`.
        sensors: Names of sensors to draw from, evenly.
        columns: Firings per turn for all, None for each sensor's own.

    Returns:
        One spec per sequence; sequence i of a draw does not depend on `count`.
    """
    chosen = weights or tuple(WORLD_SHARES[name] for name in worlds)
    share = np.asarray(chosen, float) / np.sum(chosen)
    specs = []
    for i in range(count):
        rng = np.random.default_rng([zlib.crc32(split.encode()), seed, i])
        traffic, parked, pedestrians, cyclists, clutter, vegetation = rng.uniform(.4, 1.8, 6)
        world = WorldConfig(str(rng.choice(worlds, p=share)), float(traffic), float(parked),
                            float(pedestrians), float(cyclists), float(clutter),
                            float(vegetation))
        specs.append(SequenceSpec(
            world, str(rng.choice(sensors)), seed * SEEDS_PER_DRAW + i, split,
            scans_per_sequence, stride, columns))
    return specs
