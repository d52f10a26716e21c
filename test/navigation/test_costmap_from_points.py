"""A costmap of labelled points: its law, what is free, what is in the way, and what moves on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_navigation.costmap_from_points import Costmap
from eq_navigation.costmap_from_points import CostmapConfig

ROAD, SIDEWALK, CAR, BUILDING, VEGETATION = 40, 48, 10, 50, 70
CONFIG = CostmapConfig(.5, 20., 20.)
SENSOR = np.array([.25, .25, 1.7])

Points = tuple[np.ndarray, np.ndarray]


def plane(name: int = ROAD, half: float = 9.75, spacing: float = .25, slope: float = 0.) -> Points:
    """Ground of one class about the origin."""
    x, y = np.meshgrid(*[np.arange(-half, half, spacing) + .01] * 2)
    xyz = np.stack([x.ravel(), y.ravel(), slope * x.ravel()], -1)
    return xyz, np.full(len(xyz), name)


def pillar(x: float, y: float, name: int = CAR, bottom: float = 0., top: float = 1.5) -> Points:
    """Points above one place."""
    z = np.linspace(bottom, top, 20)
    return np.stack([np.full(20, x), np.full(20, y), z], -1), np.full(20, name)


def joined(*parts: Points) -> Points:
    xyz, semantic = zip(*parts, strict=True)
    return np.concatenate(xyz), np.concatenate(semantic)


def without(points: Points, x: float, y: float, half: float = .5) -> Points:
    """Leaves the ground below something out."""
    xyz, semantic = points
    kept = np.abs(xyz[:, :2] - (x, y)).max(1) > half
    return xyz[kept], semantic[kept]


def seen(*scans: Points, config: CostmapConfig = CONFIG, sensor: np.ndarray = SENSOR
         ) -> OccupancyMap:
    costmap = Costmap(config)
    for xyz, semantic in scans:
        costmap.update(xyz, semantic, sensor)
    return costmap.to_map('odom', 7)


def cost(world: OccupancyMap, x: float, y: float) -> int:
    row, column, inside = world.locate(np.array([x, y]))
    assert inside
    return int(world.cells[row, column])


@pytest.mark.parametrize('seed', range(20))
def test_turning_points_and_sensor_by_90_degrees_turns_the_grid_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    here, there = Costmap(CONFIG), Costmap(CONFIG)
    for _ in range(3):
        centres = rng.uniform((-15, -15, -.5), (15, 15, 3.), (90, 3))
        xyz = (centres[:, None] + rng.normal(0, .3, (90, 4, 3))).reshape(-1, 3)
        semantic = np.repeat(rng.choice([ROAD, SIDEWALK, CAR, BUILDING, 1], 90), 4)
        sensor = np.array([*rng.uniform(-4, 4, 2), 1.7])
        here.update(xyz, semantic, sensor)
        there.update(xyz[:, [1, 0, 2]] * (-1, 1, 1), semantic, sensor[[1, 0, 2]] * (-1, 1, 1))
    first, second = here.to_map('odom', 0), there.to_map('odom', 0)
    # Columns go with x and rows with y: a turn to the left brings column c to row c.
    np.testing.assert_array_equal(second.cells, first.cells.T[:, ::-1])
    assert len(np.unique(first.cells)) > 3
    edge = first.cells.shape[0] * CONFIG.resolution
    np.testing.assert_allclose(second.origin[:2], (-first.origin[1] - edge, first.origin[0]))


def test_ground_costs_what_its_class_costs_and_the_rest_is_unknown() -> None:
    xyz, semantic = plane(half=5.)
    semantic[xyz[:, 1] > 2.] = SIDEWALK
    world = seen((xyz, semantic))
    assert (cost(world, 3., 0.), cost(world, 3., 3.)) == (0, 20)
    assert cost(world, 8., 0.) == -1
    assert (world.frame_id, world.stamp, world.resolution) == ('odom', 7, .5)
    assert world.cells.shape == (41, 41) and world.origin == (-10., -10., 0.)


def test_what_stands_at_the_height_of_the_robot_is_lethal_and_hides_what_is_behind() -> None:
    ground = without(plane(half=5.), 3.1, .1)
    world = seen(joined(ground, pillar(3.1, .1)))
    assert cost(world, 3.1, .1) == 100
    assert cost(world, 2., .1) == 0
    assert cost(seen(joined(ground, pillar(3.1, .1, bottom=2.5, top=4.))), 3.1, .1) < 100
    assert cost(seen(joined(ground, pillar(3.1, .1, top=.1))), 3.1, .1) < 100
    alone = seen(pillar(6.1, .1, BUILDING))     # nobody knows how high that is
    assert cost(alone, 6.1, .1) == 100 and cost(alone, 8.1, .1) == -1


def test_heights_are_measured_from_the_ground_below_even_on_a_slope() -> None:
    slope = .3
    ground = without(plane(slope=slope), 8.1, .1, .3)
    low, high = slope * 8.1 + np.array([.05, .8])
    assert cost(seen(joined(ground, pillar(8.1, .1, VEGETATION, low, low + .05))), 8.1, .1) < 100
    assert cost(seen(joined(ground, pillar(8.1, .1, VEGETATION, low, high))), 8.1, .1) == 100


def test_a_car_that_drives_on_leaves_no_ghost_whether_ground_or_only_rays_are_seen() -> None:
    ground = plane()
    scans = [joined(without(ground, x, 3.1), pillar(x, 3.1)) for x in (-4.1, -1.1, 2.1, 5.1)]
    world = seen(*scans)
    assert [cost(world, x, 3.1) for x in (-4.1, -1.1, 2.1, 5.1)] == [0, 0, 0, 100]
    # Only what is far behind it is hit now, by rays that pass below its top.
    far = pillar(1., 9.1, BUILDING, 0., .3)
    near = joined(without(ground, 1., 3.1, 1.6), pillar(1., 3.1))
    hidden = joined(without(ground, 1., 3.1, 1.6), far)
    assert cost(seen(near), 1., 3.1) == 100
    assert cost(seen(near, hidden), 1., 3.1) < 100


def test_rays_that_pass_above_a_low_wall_do_not_clear_it() -> None:
    ground = without(plane(), 3.1, .1)
    wall = joined(ground, pillar(3.1, .1, BUILDING, 0., .5))
    behind = joined(without(ground, 4.6, .1, 3.), pillar(9.1, .1, BUILDING, 1.4, 1.6))
    assert cost(seen(wall, behind), 3.1, .1) == 100


def test_the_window_follows_the_sensor_and_forgets_what_leaves_it() -> None:
    costmap = Costmap(CONFIG)
    ground, moved = plane(half=5.), SENSOR + (6., -3., 0.)
    costmap.update(*joined(without(ground, 3.1, .1), pillar(3.1, .1)), SENSOR)
    costmap.update(np.zeros((0, 3)), np.zeros(0, int), moved)
    world = costmap.to_map('odom', 1)
    assert world.origin == (-4., -13., 0.)
    assert cost(world, 3.1, .1) == 100 and cost(world, 1.1, 1.1) == 0
    assert cost(world, -3.9, -12.9) == -1
    costmap.update(np.zeros((0, 3)), np.zeros(0, int), SENSOR + (100., 0., 0.))
    assert (costmap.to_map('odom', 1).cells == -1).all()
    costmap.clear()
    with pytest.raises(InputError, match='no scan'):
        costmap.to_map('odom', 1)


def test_single_points_in_the_air_mark_nothing_and_groups_of_them_do() -> None:
    drops = np.array([[3.1, .1, 1.], [3.1, .1, 1.1]]), np.array([CAR, CAR])
    group = np.array([[3.1, .1, 1.], [3.6, .1, 1.1], [4.1, .6, 1.2]]), np.array([CAR] * 3)
    assert (seen(joined(plane(), drops)).cells < 100).all()
    assert (seen(joined(plane(), group)).cells == 100).sum() == 3


def test_the_robot_itself_is_no_obstacle_if_told_how_far_it_reaches() -> None:
    scan = joined(plane(), pillar(1.1, .1), pillar(3.1, .1))
    near, away = CONFIG, replace(CONFIG, obstacle_min_range=2.)
    assert [cost(seen(scan, config=config), 1.1, .1) for config in (near, away)] == [100, 0]
    assert cost(seen(scan, config=away), 3.1, .1) == 100


def test_outliers_say_nothing_and_bad_input_is_named() -> None:
    assert (seen((np.array([[3., 0., 1.]]), np.array([1]))).cells == -1).all()
    for xyz, semantic, text in ((np.zeros((3, 2)), np.zeros(3), 'points must be'),
                                (np.zeros((3, 3)), np.zeros(2), 'points must be'),
                                (np.full((1, 3), np.nan), np.zeros(1), 'not finite')):
        with pytest.raises(InputError, match=text):
            seen((xyz, semantic))
    for changes in ({'resolution': 0.}, {'width': .1}, {'max_obstacle_height': .1},
                    {'minimal_group_size': 0}, {'obstacle_min_range': 50.},
                    {'ground_costs': (0,)}, {'ground_ids': (40,), 'ground_costs': (100,)}):
        with pytest.raises(ConfigError):
            CostmapConfig(**changes)
