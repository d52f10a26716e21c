"""The roads of a street world and the ground they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eq_eval.simulation.config import WorldConfig
from eq_eval.simulation.ground import Ground
from eq_eval.simulation.ground import relief
from eq_eval.simulation.ground import road_raster
from eq_eval.simulation.ground import tones
from eq_eval.simulation.paths import curve
from eq_eval.simulation.paths import Path
from eq_eval.simulation.paths import straight
from eq_eval.simulation.paths import turn
from eq_eval.simulation.zones import CELL

Rng = np.random.Generator
AHEAD = 105.  # how far the world reaches around the sensor [m]
BENDS = (0., .003, .008, .014)  # largest curvature of the main road [1/m]


@dataclass(frozen=True, eq=False)
class Road:
    """A carriageway.

    Attributes:
        axis: Its centre line.
        lanes: Lanes per direction.
        lane_width: Width of a lane [m].
        margin: Width of the strip (cycle lane) between lanes and parking [m].
        parking: Width of the parking strip on the left and right [m]; 0: none, above 4: across.
        side: -1 for right-hand traffic, 1 for left-hand traffic.
    """

    axis: Path
    lanes: int
    lane_width: float
    margin: float
    parking: tuple[float, float]
    side: int

    @property
    def driven(self) -> float:
        """Half width without parking [m]."""
        return self.lanes * self.lane_width + self.margin

    @property
    def half(self) -> float:
        """Half width up to the kerb [m]."""
        return self.driven + max(self.parking)

    def lane(self, number: int, forward: bool, extra: float = 0.) -> Path:
        """Centre of a lane, counted from the middle; `extra` further out [m]."""
        out = (number + .5) * self.lane_width + extra
        path = self.axis.shifted(self.side * out if forward else -self.side * out)
        return path if forward else path.reversed()


def draw_roads(rng: Rng, travel: float) -> list[Road]:
    """The main road, long enough to travel on, and up to two cross roads."""
    bend = float(rng.choice(BENDS)) * rng.choice([-1, 1])
    axis = curve(2 * AHEAD + travel, rng.uniform(-.3, 1., 6) * bend)
    side = -1 if rng.random() < .85 else 1
    roads = [_road(rng, axis, int(rng.choice([1, 2], p=[.7, .3])), side)]
    for low, high, chance in ((AHEAD + 12, AHEAD + 60, .55), (AHEAD - 70, AHEAD - 15, .3)):
        if rng.random() < chance:
            x, y, heading = axis.at(rng.uniform(low, high))
            angle = heading + np.pi / 2 + rng.normal(0, .15)
            way = AHEAD * np.array([np.cos(angle), np.sin(angle)])
            roads.append(_road(rng, straight((x, y) - way, (x, y) + way), 1, side))
    return roads


def _road(rng: Rng, axis: Path, lanes: int, side: int) -> Road:
    parking = [float(rng.choice([0., 2.2, 5.], p=[.3, .58, .12])) for _ in range(2)]
    margin = .2 if rng.random() < .5 else float(rng.uniform(.8, 1.6))
    return Road(axis, lanes, float(rng.uniform(3., 3.7)), margin, (parking[0], parking[1]), side)


def draw_ground(rng: Rng, config: WorldConfig, roads: list[Road]) -> Ground:
    """Sloping ground with the roads' carriageways, kerbs and pavements."""
    points = np.concatenate([road.axis.points for road in roads])
    low, high = points.min(0) - 70, points.max(0) + 70
    edge = road_raster([(r.axis, r.half) for r in roads], low, high)
    slope, waves = relief(rng, config.slope, config.undulation)
    beyond = ('grass', 'grass', 'slabs', 'gravel')[int(rng.integers(4))]
    ground = Ground(slope, waves, low, edge, float(rng.uniform(.08, .16)),
                    float(rng.uniform(1.3, 4.)), beyond=beyond, tone=tones(rng))
    for road in roads:
        for sign, width in ((1, road.parking[0]), (-1, road.parking[1])):
            if width:
                _pave(ground, road, sign, width)
    return ground


def _pave(ground: Ground, road: Road, sign: int, width: float) -> None:
    """Makes a parking strip of its own material, where it lies along the kerb."""
    step = .7 * CELL
    arc, inward = (axis.ravel() for axis in np.meshgrid(
        np.arange(0, road.axis.length, step), np.arange(step / 2, width, step)))
    places = road.axis.beside(arc, sign * (road.half - inward))
    # Where another road comes in, the carriageway's edge is farther away than the kerb.
    edge = ground.edge_distance(places[:, 0], places[:, 1])
    ground.zones.paint('block paving', places[edge > -inward - .4])


def draw_ego(rng: Rng, roads: list[Road], speed: float) -> tuple[Path, float, float]:
    """The sensor's way along a lane of the main road, at times into a cross road."""
    main = roads[0]
    path = main.lane(int(rng.integers(main.lanes)), True, float(rng.normal(0, .15)))
    if len(roads) > 1 and rng.random() < .25:
        into = roads[1].lane(0, bool(rng.random() < .5))
        path = turn(path, into, float(rng.uniform(7, 10))) or path
    return path, path.nearest(*main.axis.at(AHEAD)[:2]), speed


def away_from_others(roads: list[Road], own: Road, places: NDArray[np.float64], reach: float,
                     ) -> NDArray[np.bool_]:
    """Which of (N, 2+) places keep `reach` [m] from all roads but `own`."""
    clear = np.ones(len(places), bool)
    for road in roads:
        if road is not own:
            gap = np.hypot(*(places[:, None, :2] - road.axis.points[::2]).transpose(2, 0, 1))
            clear &= gap.min(1) > road.half + reach
    return clear
