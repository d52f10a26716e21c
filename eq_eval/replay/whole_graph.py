"""Plays a recording to all nodes at once: one graph, from the clouds to the paths and the picks.

The segmenter's points feed the costmap, the costmap feeds the planner, and a simulated arm asks
the policy beside them. What runs is what `eq_ros.node_kinds` describes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.geometry.occupancy import OccupancyMap
from eq_eval.cli.up import process_arguments
from eq_eval.datasets.recording import Recording
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.goals import goals_on
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.pick_place import act_out
from eq_eval.replay.pick_place import PickPlaceRun
from eq_eval.replay.pick_place import SEEDS
from eq_eval.replay.pick_place import table_parameters
from eq_eval.replay.pick_place import TASK
from eq_eval.replay.pick_place import write_acts
from eq_eval.replay.planning import ask_for_path
from eq_eval.replay.planning import AskedGoal
from eq_eval.replay.planning import planning_run
from eq_eval.replay.planning import PlanningRun
from eq_eval.replay.planning import write_paths
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.raw_clouds import RawCloud
from eq_eval.replay.runner import DIAGNOSTICS_PERIOD
from eq_eval.replay.runner import primed
from eq_eval.replay.runner import Progress
from eq_eval.replay.runner import replay_run
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.runner import ReplayRun
from eq_eval.replay.runner import write_lines
from eq_eval.replay.scan_source import knows_poses
from eq_eval.replay.scan_source import ScanSource
from eq_ros.balance import Balance
from eq_ros.maps import decode_map
from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import DETECTOR
from eq_ros.node_kinds import NodeKind
from eq_ros.node_kinds import PLANNER
from eq_ros.node_kinds import POLICY
from eq_ros.node_kinds import SEGMENTER
from eq_ros.node_kinds import values_of

POINTS, ODOMETRY = '/points', '/odometry'
ARM = 'eq_arm'          # our end that asks the policy
LABELLED, MAP = f'/{SEGMENTER.name}/output/pointcloud', f'/{COSTMAP.name}/output/map'
PATIENCE = 60.          # for each answer of planner and policy [s]
MAP_PATIENCE = 10.      # for each map [s]
ROBOT_RADIUS = .6       # [m]
BODY = 3.               # around the sensor, in which it may see its own car [m]
OCCUPIED = 15           # least cost of ground that a car does not take: sidewalks, not parking
SECOND = 10**9

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CostmapRun:
    """What the costmap has answered.

    Attributes:
        world: The last map, None where there is none.
        result: The balance, as `eq demo --json` prints it.
    """

    world: OccupancyMap | None
    result: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class GraphRun:
    """A recording after it was played to the whole graph; parts are None where no node was.

    Attributes:
        detection: What the detector answered.
        panoptic: What the segmenter answered.
        costmap: What became of that.
        planning: The paths on it.
        pick_place: What the arm did.
        ends: Nodes of the graph with their topics, as the graph told.
        messages: Topic to messages that were sent to it or heard from it.
    """

    detection: ReplayRun
    panoptic: ReplayRun
    costmap: CostmapRun | None
    planning: PlanningRun | None
    pick_place: PickPlaceRun | None
    ends: Sequence[Any]
    messages: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Parts:
    """What runs.

    Attributes:
        detector: How the recording is played to the detector.
        segmenter: Model and parameters of the segmenter.
        policy: Folder of the policy that acts on a simulated table; None for no arm.
        seeds: Of its episodes.
        domain_id: DDS domain; one that nobody uses if None.
    """

    detector: ReplayOptions
    segmenter: ReplayOptions
    policy: Path | None = None
    seeds: Sequence[int] = SEEDS
    domain_id: int | None = None

    def arguments(self, frame_id: str, with_poses: bool) -> dict[NodeKind, list[str]]:
        """Command line of each node.

        Args:
            frame_id: Frame of the clouds.
            with_poses: Whether it is known where the sensor was; without, no map can be made.
        """
        odometry = {'input_odometry': ODOMETRY, 'odometry_source': 'topic'}
        given: dict[NodeKind, tuple[dict[str, str], Mapping[str, str]]] = {
            DETECTOR: ({'input_pointcloud': POINTS, 'model': _folder(self.detector.model)},
                       self.detector.parameters),
            SEGMENTER: ({'input_pointcloud': POINTS, 'model': _folder(self.segmenter.model),
                         **(odometry if with_poses else {})},
                        {**self.segmenter.parameters, 'odometry_timeout': '1.0'})}
        if with_poses:
            given[COSTMAP] = ({'input_pointcloud': LABELLED, **odometry},
                              {'odometry_timeout': '1.0', 'obstacle_min_range': str(BODY),
                               **_reliable(SEGMENTER, 'pointcloud', 'output')})
            given[PLANNER] = ({'input_map': MAP, 'robot_base_frame': frame_id},
                              {'transform_tolerance': '3600.0', 'allow_unknown': 'false',
                               'robot_radius': str(ROBOT_RADIUS), 'occupied': str(OCCUPIED)})
        if self.policy is not None:
            given[POLICY] = ({'model': _folder(self.policy), 'input': 'points'},
                             {**table_parameters(), **_reliable(POLICY, 'points')})
        # Silence means nothing here: a node waits while another one works.
        common = {'diagnostics_period': str(DIAGNOSTICS_PERIOD), 'input_timeout': '0.0'}
        return {kind: [*process_arguments(kind, values_of([kind], kind, {
            'use_sim_time': 'true', **values})), *(
                word for name, value in {**common, **parameters}.items()
                for word in ('-p', f'{name}:={value}'))]
            for kind, (values, parameters) in given.items()}


def _reliable(kind: NodeKind, name: str, end: str = 'input') -> dict[str, str]:
    """Lets a large message be sent again where a part of it is lost: here each one counts."""
    return {f'qos_overrides./{kind.name}/{end}/{name}.subscription.reliability': 'reliable'}


def _folder(model: Path | None) -> str:
    return '' if model is None else str(model.resolve())


@dataclass(eq=False)
class _Maps:
    """The maps that were heard."""

    count: int = 0
    newest: Any = None

    @property
    def stamp(self) -> int:
        """Of the newest [ns]."""
        if self.newest is None:
            return 0
        return int(self.newest.header.stamp.sec * SECOND + self.newest.header.stamp.nanosec)


class _Graph:
    """The nodes while they run, and our end of the graph."""

    def __init__(self, parts: Parts, out: Path, source: ScanSource, bag: OutputBag,
                 stack: ExitStack, frame_id: str, domain_id: int) -> None:
        from eq_ros.costmap_client import CostmapClient
        from eq_ros.pick_place_client import PickPlaceClient
        from eq_ros.planning_client import PlanningClient
        from eq_ros.replay_client import ReplayClient
        self.source, self.bag, self.out, self.frame_id = source, bag, out, frame_id
        self._lock = Lock()
        self.now, self.maps, self.paths = [source.now], _Maps(), list[Any]()
        environment = graph_environment(domain_id, out / 'log')
        self.processes = {kind: stack.enter_context(NodeProcess(
            kind.module, words, out / f'{kind.name}.log', environment))
            for kind, words in parts.arguments(frame_id, source.with_poses).items()}
        self.answers = {kind: Answers(self._keep) for kind in (DETECTOR, SEGMENTER)}
        first = ReplayClient(DETECTOR.name, self.answers[DETECTOR].receive, domain_id,
                             topics={'pointcloud': POINTS})
        self.clients: dict[NodeKind, Any] = {DETECTOR: stack.enter_context(first)}
        self.clients[SEGMENTER] = ReplayClient(
            SEGMENTER.name, self.answers[SEGMENTER].receive, labels_points=True,
            with_poses=source.with_poses, topics={'pointcloud': POINTS, 'odometry': ODOMETRY},
            peer=first)
        if COSTMAP in self.processes:
            self.clients[COSTMAP] = CostmapClient(COSTMAP.name, self._keep_map, peer=first)
            self.clients[PLANNER] = PlanningClient(PLANNER.name, self._keep_path,
                                                   topics={'map': MAP}, peer=first)
        if POLICY in self.processes:
            # A node of its own, as on a robot: clouds of 10 MB need shared memory of their own.
            self.clients[POLICY] = stack.enter_context(PickPlaceClient(
                POLICY.name, self._keep, domain_id, 'points', ARM))
        for kind, answers in self.answers.items():
            answers.parts = self.clients[kind].answer_types

    def _keep(self, message: Any) -> None:
        """Writes what is heard; of diagnostics each client hears those of all."""
        if message.topic == '/diagnostics':
            return
        with self._lock:    # the arm listens in a thread of its own
            self.bag.write(message.topic, message.type_name, self.now[0], message.data)

    def _keep_map(self, message: Any) -> None:
        self._keep(message)
        if message.topic == MAP:
            self.maps.newest, self.maps.count = message.decode(), self.maps.count + 1

    def _keep_path(self, message: Any) -> None:
        self._keep(message)
        if message.topic.endswith('/output/path'):
            self.paths.append(message.decode())

    def check(self) -> None:
        """Makes sure that all nodes run."""
        for process in self.processes.values():
            process.check()

    def wait_until_active(self, timeout: float) -> None:
        """Waits until all are active and know each other: what is sent before is lost."""
        for client in self.clients.values():
            client.wait_until_active(timeout, self.check)
        segmenter, player = self.clients[SEGMENTER], self.clients[DETECTOR].player
        self.clients[DETECTOR].wait(lambda: player.listeners > 1, timeout)
        if COSTMAP in self.clients:
            segmenter.wait(lambda: segmenter.odometry_listeners > 1 and int(
                segmenter.balance.details.get('listeners', 0)) > 1, timeout)

    def await_map(self, scan: Played, dropped: int) -> None:
        """Waits until the costmap has dealt with what the segmenter made of a scan."""
        if COSTMAP in self.clients and self.answers[SEGMENTER].count(scan.stamp):
            client = self.clients[COSTMAP]
            client.wait(lambda: self.maps.stamp >= scan.stamp
                        or client.balance.num_dropped > dropped, MAP_PATIENCE)
            self.check()

    def tell_place(self, scan: Played) -> None:
        """Tells the planner where the robot is."""
        if PLANNER in self.clients and scan.pose is not None:
            self.clients[PLANNER].tell_place(scan.pose, scan.frame_id, scan.stamp)

    def balance(self, kind: NodeKind) -> Balance:
        """The newest that a node has said of its inputs."""
        found: Balance = self.clients[kind].balance
        return found

    @property
    def messages(self) -> dict[str, int]:
        """Messages by topic."""
        total = Counter(self.bag.counts)
        for client in self.clients.values():
            total.update(client.sent)
        total[POINTS] += self.clients[DETECTOR].player.count
        return dict(total)


def play_graph(recording: Recording, out: Path, parts: Parts,
               progress: Progress = lambda done, total, text: None,
               raw: RawCloud = lambda scan: None) -> GraphRun:
    """Starts all nodes, plays a recording to them, asks for paths and picks, and ends them.

    Writes `outputs/` (a rosbag2 recording of all that the nodes said), `detections.jsonl`,
    `tracks.jsonl`, `paths.json`, `acts.json` and a log of each node to `out`.

    Args:
        recording: What to play.
        out: An existing folder.
        parts: What runs.
        progress: Told scans done, scans in all, and what is going on.
        raw: Gives the serialised cloud of a scan, to be played untouched, or None.

    Raises:
        EqError: A node cannot be started, or ended, or does not answer.
    """
    from eq_ros.graph_view import read_graph
    options = parts.detector
    domain_id = free_domain_id() if parts.domain_id is None else parts.domain_id
    source = ScanSource(recording, options, raw, knows_poses(recording))
    total = min(len(recording), options.limit or len(recording))
    scans = primed(source.scans())      # what cannot be read at all starts no node
    last = first = next(scans)
    with applied(graph_environment(domain_id, out / 'log')), OutputBag(out / 'outputs') as bag, \
            ExitStack() as stack:
        progress(0, total, 'starting all nodes')
        graph = _Graph(parts, out, source, bag, stack, first.frame_id, domain_id)
        graph.wait_until_active(options.start_timeout)
        beside = Playback(graph.clients[SEGMENTER], graph.answers[SEGMENTER], graph.check)
        playback = Playback(graph.clients[DETECTOR], graph.answers[DETECTOR], graph.check,
                            options.scan_timeout, [beside])
        goals: list[AskedGoal] = []
        dropped = 0
        for scan in playback.lock_step(chain([first], scans)):
            last, graph.now[0] = scan, scan.stamp
            graph.await_map(scan, dropped)
            graph.tell_place(scan)
            dropped = graph.balance(COSTMAP).num_dropped if COSTMAP in graph.clients else 0
            progress(scan.index + 1, total, 'playing to all nodes')
            if scan.index == (total - 1) // 2:
                goals += _plan(graph, scan, first, most=1)
        goals += _plan(graph, last, first)
        acted = act_out(graph.clients[POLICY], TASK, parts.seeds, graph.now,
                        graph.processes[POLICY], progress) if POLICY in graph.clients else None
        balances = [playback.settle(), beside.settle()]
        ends, messages = read_graph(graph.clients[DETECTOR].node), graph.messages
        detection, panoptic = (replay_run(
            each.outcomes(node.class_names, balance), balance, source, total, recording.lost,
            bag.counts, graph.clients[DETECTOR].records_objects) for each, node, balance in zip(
                (playback, beside), (options, parts.segmenter), balances, strict=True))
        costmap = _costmap_run(graph, panoptic) if COSTMAP in graph.clients else None
        planning = planning_run('costmap', goals, graph.balance(PLANNER), len(goals)) if (
            PLANNER in graph.clients) else None
    write_lines(out / 'detections.jsonl', detection.outcomes, options.class_names)
    write_lines(out / 'tracks.jsonl', panoptic.outcomes, options.class_names)
    write_paths(out / 'paths.json', goals)
    write_acts(out / 'acts.json', acted.acts if acted else [])
    return GraphRun(detection, panoptic, costmap, planning, acted, ends, messages)


def _plan(graph: _Graph, scan: Played, begin: Played, most: int | None = None) -> list[AskedGoal]:
    """Asks for paths from where the robot is, on the map that was heard last."""
    if PLANNER not in graph.clients or graph.maps.newest is None or scan.pose is None or (
            begin.pose is None):
        return []
    client, world = graph.clients[PLANNER], decode_map(graph.maps.newest)
    client.hear(PATIENCE)       # so that map and place have come
    return [ask_for_path(client, partial(client.ask, xy, world.frame_id, scan.stamp), xy, world,
                         graph.paths, graph.processes[PLANNER])
            for xy in goals_on(world, scan.pose[:2, 3], begin.pose[:2, 3], ROBOT_RADIUS,
                               OCCUPIED)[:most]]


def _costmap_run(graph: _Graph, segmenter: ReplayRun) -> CostmapRun:
    """Waits until the costmap's books cover all that the segmenter has said, and reads them."""
    client, maps = graph.clients[COSTMAP], graph.maps
    client.wait(lambda: client.balance.received >= segmenter.published
                and client.balance.in_flight == 0, MAP_PATIENCE)
    balance = graph.balance(COSTMAP)
    world = None if maps.newest is None else decode_map(maps.newest)
    cells = np.zeros(0) if world is None else world.cells
    return CostmapRun(world, {
        'received': balance.received, 'published': balance.published,
        'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
        'lost_in_transport': segmenter.published - balance.received,
        'accounted': balance.balanced and balance.received <= segmenter.published
        and maps.count == balance.published,
        'cells': int(cells.size), 'known': int((cells >= 0).sum()),
        'lethal': int((cells >= 100).sum()),
        'latency_p50_ms': balance.latency.get('total', {}).get('p50'),
        'latency_p99_ms': balance.latency.get('total', {}).get('p99'),
        'node_latency_ms': balance.latency})
