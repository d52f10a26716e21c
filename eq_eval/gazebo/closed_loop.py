"""The loop closed against a real Gazebo: the detector sees its cars, the planner drives it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import BackendError
from eq_eval.cli.up import process_arguments
from eq_eval.gazebo.lidar import cast_scan
from eq_eval.gazebo.lidar import compare
from eq_eval.gazebo.occupancy import world_map
from eq_eval.gazebo.robot import mount
from eq_eval.gazebo.robot import points_of
from eq_eval.gazebo.robot import Robot
from eq_eval.gazebo.robot import SENSOR
from eq_eval.gazebo.shapes import Shape
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_eval.simulation.sensors import SENSORS
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import PLANNER
from eq_ros.node_kinds import values_of

LIDAR = SENSORS['hdl64e']
VEHICLES = ('car', 'truck')
NEAR = 30.              # cars nearer than this count [m]
MATCH = 1.5             # a detection within this of a car's middle is of that car [m]
LEAST_SCORE = .3
GOAL_EVERY = 5.         # [s]
ARRIVED = .6            # from the goal [m]
LOOK = .01              # [s]

Double = NDArray[np.float64]


def cross_check(robot: Robot, shapes: Sequence[Shape], models: Path) -> dict[str, Any]:
    """Compares a scan of Gazebo with our ray caster in the same place; the robot must stand."""
    scan = robot.scan
    pose = robot.place_at(scan.stamp) @ mount(models)
    ours = cast_scan(scan, shapes, pose, LIDAR.max_range)
    found = compare(scan.ranges, ours, LIDAR.range_noise)
    return {'rays': found.rays, 'same': found.same, 'within': found.within,
            'mean_mm': found.mean * 1e3, 'deviation_mm': found.deviation * 1e3,
            'noise_mm': LIDAR.range_noise * 1e3}


def drive(robot: Robot, shapes: Sequence[Shape], folder: Path, goal: tuple[float, float],
          out: Path, patience: float, check: Callable[[], None]) -> dict[str, Any]:
    """Lets detector, planner and follower have the robot until it arrives.

    Args:
        robot: It.
        shapes: Of the world, without the robot's.
        folder: With `models` and `config`.
        goal: x, y [m].
        out: Folder for the logs of the nodes.
        patience: Longest drive [s].
        check: Raises if waiting is in vain.

    Raises:
        BackendError: It did not arrive in time.
    """
    from eq_ros.gazebo_adapter import GazeboAdapter
    domain_id = free_domain_id()
    environment = graph_environment(domain_id, out / 'log')
    start = robot.poses[-1][1]
    frames = {('map', 'odom'): start, ('base_link', SENSOR): mount(folder / 'models')}
    first, began = len(robot.poses), time.monotonic()
    with applied(environment), ExitStack() as stack:
        nodes = [stack.enter_context(NodeProcess(
            kind.module, arguments(kind, folder), out / f'{kind.name}.log', environment))
            for kind in (DETECTOR, PLANNER, FOLLOWER)]
        adapter = GazeboAdapter(domain_id, frames, world_map(shapes))
        stack.callback(adapter.close)
        told_scan, told_pose, told_goal, driven = None, 0, -GOAL_EVERY, (0., 0.)
        while np.hypot(*(robot.poses[-1][1][:2, 3] - goal)) > ARRIVED:
            check()
            for node in nodes:
                node.check()
            if time.monotonic() - began > patience:
                place = np.round(robot.poses[-1][1][:2, 3], 2).tolist()
                raise BackendError(f'the robot did not come to {goal} within {patience:g} s, it '
                                   f'is at {place}')
            stamp, pose = robot.poses[-1]
            if stamp != told_pose:
                adapter.tell_place(np.linalg.inv(start) @ pose, stamp)
                told_pose = stamp
            if robot.scan is not told_scan:
                told_scan = robot.scan
                adapter.tell_cloud(points_of(told_scan))
            if time.monotonic() - told_goal > GOAL_EVERY:
                adapter.tell_goal(*goal)
                told_goal = time.monotonic()
            if adapter.command != driven:
                driven = adapter.command
                robot.drive(*driven)
            time.sleep(LOOK)
        robot.drive(0., 0.)
        way = np.array([pose[:2, 3] for _, pose in robot.poses[first:]])
        return {'arrived': True, 'seconds': (robot.poses[-1][0] - robot.poses[first][0]) * 1e-9,
                'way_m': float(np.hypot(*np.diff(way, axis=0).T).sum()),
                'clearance_m': clearance(way, shapes),
                **detections(adapter.objects, robot, shapes, folder / 'models')}


def arguments(kind: NodeKind, folder: Path) -> list[str]:
    """Command line of a node, as `launch/gazebo.launch.py` has it."""
    given = {'use_sim_time': 'true'} | {
        DETECTOR: {'input_pointcloud': '/points', 'output_objects': '/objects'},
        PLANNER: {'input_map': '/map', 'input_goal': '/goal_pose', 'output_path': '/path'},
        FOLLOWER: {'input_path': '/path', 'input_odometry': '/odometry',
                   'output_cmd_vel': '/cmd_vel'}}[kind]
    file = folder / 'config' / f'{kind.name}.param.yaml'
    if file.is_file():
        given['params_file'] = str(file)
    return process_arguments(kind, values_of([kind], kind, given))


def clearance(way: Double, shapes: Sequence[Shape]) -> float:
    """Least distance of the robot's middle from what it must not touch [m]."""
    world = world_map(shapes)
    row, column, _ = world.locate(way)
    return float(world.clearance(world.obstacles())[row, column].min())


def detections(objects: Sequence[tuple[int, list[tuple[str, float, Double]]]], robot: Robot,
               shapes: Sequence[Shape], models: Path) -> dict[str, Any]:
    """How many of the cars that were near were seen, and how many detections were of none."""
    cars = {shape.model: shape.pose[:2, 3] for shape in shapes
            if shape.kind == 'box' and 'car' in shape.model}
    places = np.array(list(cars.values()))
    near = found = claims = false = 0
    ever: set[int] = set()
    for stamp, seen in objects:
        pose = robot.place_at(stamp) @ mount(models)
        inside = np.hypot(*(places - pose[:2, 3]).T) < NEAR
        claimed = np.array([(pose[:3, :3] @ at + pose[:3, 3])[:2] for name, score, at in seen
                            if name in VEHICLES and score > LEAST_SCORE]).reshape(-1, 2)
        gap = np.hypot(*(places[:, None] - claimed[None]).transpose(2, 0, 1))
        met = (gap < MATCH).any(1)
        near, found = near + int(inside.sum()), found + int((met & inside).sum())
        ever |= set(np.flatnonzero(met).tolist())
        claims, false = claims + len(claimed), false + int((gap > MATCH).all(0).sum())
    return {'scans': len(objects), 'cars': len(cars), 'cars_seen': len(ever),
            'recall': found / max(near, 1), 'precision': 1. - false / max(claims, 1)}
