"""Plays a recording of maps and goals through the live planner and keeps its paths."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import EqError
from eq_core.errors import InputError
from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.map_bag import MapMessage
from eq_eval.replay.map_bag import read_map_bag
from eq_eval.replay.node_process import node_arguments
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.runner import Progress
from eq_ros.balance import Balance
from eq_ros.maps import apply_update
from eq_ros.maps import decode_map

MODULE, NAME = 'eq_navigation.nodes.graph_planner', 'graph_planner'
PATIENCE = 60.      # for the node to become active, and for each answer [s]
DIAGNOSTICS_PERIOD = .1     # [s]


@dataclass(frozen=True, eq=False)
class AskedGoal:
    """A goal of the recording, and what became of it.

    Attributes:
        xy: (2,) its place, as the recording has it [m].
        world: The map at that time, None before the first that can be read.
        path: (L, 2) places of the path [m], empty without one.
        reason: Why there is none; empty with one.
    """

    xy: NDArray[np.float64]
    world: OccupancyMap | None
    path: NDArray[np.float64]
    reason: str

    @property
    def length(self) -> float:
        """Length of the path, 0 without one [m]."""
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum())


@dataclass(frozen=True, eq=False)
class PlanningRun:
    """A recording after it was played.

    Attributes:
        name: Of the recording.
        goals: In order.
        result: The balance, as `eq replay --json` prints it.
        facts: What the node says of its map and costs.
    """

    name: str
    goals: Sequence[AskedGoal]
    result: Mapping[str, Any]
    facts: Mapping[str, str]


def replay_planning(bag: Path, out: Path, progress: Progress = lambda done, total, text: None,
                    parameters: Mapping[str, str] | None = None, domain_id: int | None = None
                    ) -> PlanningRun:
    """Plays a recording; each goal follows when the one before was answered.

    Writes `outputs/` (a rosbag2 recording of all that the node said), `paths.json` and
    `node.log` to `out`.

    Args:
        bag: The recording.
        out: An existing folder.
        progress: Told goals done, goals in all, and what is going on.
        parameters: Parameters of the node, name to text as on the command line.
        domain_id: DDS domain; one that nobody uses if None.

    Raises:
        EqError: The node cannot be started, or ended, or does not answer.
    """
    from eq_ros.planning_client import PATH_TYPE
    from eq_ros.planning_client import PlanningClient
    from eq_ros.recorder import RecordedMessage

    messages = list(read_map_bag(bag))
    total = sum(message.kind == 'goal' for message in messages)
    settings = {'use_sim_time': 'true', 'diagnostics_period': str(DIAGNOSTICS_PERIOD),
                'transform_tolerance': '3600.0', **(parameters or {})}
    arguments = node_arguments(NAME, settings)
    domain = free_domain_id() if domain_id is None else domain_id
    environment = graph_environment(domain, out / 'log')
    paths: list[Any] = []
    now = [0]

    def keep(message: RecordedMessage) -> None:
        output.write(message.topic, message.type_name, now[0], message.data)
        if message.type_name == PATH_TYPE:
            paths.append(message.decode())
    with applied(environment), OutputBag(out / 'outputs') as output, NodeProcess(
            MODULE, arguments, out / 'node.log', environment) as process, PlanningClient(
            NAME, keep, domain) as client:
        progress(0, total, 'starting planner')
        client.wait_until_active(PATIENCE, process.check)
        goals: list[AskedGoal] = []
        world: OccupancyMap | None = None
        for message in messages:
            now[0] = message.stamp
            if message.kind == 'goal':
                client.hear(PATIENCE)  # so that what was told before has come
                position = message.message.pose.position
                goals.append(ask_for_path(
                    client, partial(client.play, 'goal', message.data, message.stamp),
                    np.array([position.x, position.y]), world, paths, process))
                progress(len(goals), total, 'playing to planner')
                continue
            world = _seen(world, message)
            client.play(message.kind, message.data, message.stamp)
        client.hear(PATIENCE)
        balance = client.balance
    write_paths(out / 'paths.json', goals)
    return planning_run(bag.stem, goals, balance, total)


def planning_run(name: str, goals: Sequence[AskedGoal], balance: Balance, total: int
                 ) -> PlanningRun:
    """Makes the balance.

    Args:
        name: Of what was played.
        goals: What became of each goal.
        balance: What the node said last.
        total: Goals that it was asked for.
    """
    answered = sum(not goal.reason for goal in goals)
    result = {'goals': total, 'received': balance.received, 'published': balance.published,
              'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
              'accounted': balance.balanced and balance.received == total
              and answered == balance.published,
              'length_m': sum(goal.length for goal in goals),
              'latency_p50_ms': balance.latency.get('total', {}).get('p50'),
              'latency_p99_ms': balance.latency.get('total', {}).get('p99'),
              'node_latency_ms': balance.latency}
    return PlanningRun(name, goals, result, {
        key: value for key, value in balance.details.items() if key in ('map', 'costs')})


def write_paths(path: Path, goals: Sequence[AskedGoal]) -> None:
    """Writes goals, paths and reasons as JSON."""
    path.write_text(json.dumps([
        {'goal': goal.xy.tolist(), 'reason': goal.reason, 'path': goal.path.round(4).tolist()}
        for goal in goals], indent=1) + '\n')


def _seen(world: OccupancyMap | None, message: MapMessage) -> OccupancyMap | None:
    """The map after a message, as the node reads it."""
    try:
        if message.kind == 'map':
            return decode_map(message.message)
        if message.kind == 'update':
            return None if world is None else apply_update(world, message.message)
    except InputError:
        return None
    return world


def ask_for_path(client: Any, send: Callable[[], None], xy: NDArray[np.float64],
                 world: OccupancyMap | None, paths: list[Any], process: NodeProcess
                 ) -> AskedGoal:
    """Asks for a path and waits for the answer.

    Args:
        client: A `PlanningClient`.
        send: Publishes the goal.
        xy: (2,) its place [m].
        world: The map that the node has.
        paths: The paths that were heard, which `client` adds to.
        process: The node.

    Raises:
        EqError: There is none in time.
    """
    before, seen = client.balance, len(paths)
    send()
    if not client.wait(lambda: client.balance.received > before.received
                       and client.balance.in_flight == 0, PATIENCE):
        process.check()
        raise EqError(f'{NAME} has not answered within {PATIENCE:g} s:\n{process.tail()}')
    after = client.balance
    if after.published > before.published:
        client.wait(lambda: len(paths) > seen, PATIENCE)
        places = [(each.pose.position.x, each.pose.position.y) for each in paths[-1].poses]
        return AskedGoal(xy, world, np.array(places), '')
    reasons = [reason for reason, count in after.dropped.items()
               if count > before.dropped.get(reason, 0)]
    return AskedGoal(xy, world, np.zeros((0, 2)), ', '.join(reasons) or 'unknown')
