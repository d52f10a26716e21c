"""Plays a recording through the live node and records what comes out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from itertools import chain
from itertools import islice
import json
from pathlib import Path

import numpy as np

from eq_core.errors import ConfigError
from eq_core.geometry.points import Points
from eq_core.geometry.points_in_boxes import count_points_in_boxes
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.raw_clouds import RawCloud

NODE_NAME = '/lidar_detector'
CLASS_NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
_FIRST_STAMP = 1_000_000_000  # [ns]; ROS takes time 0 for "no time yet"
_DIAGNOSTICS_PERIOD = 0.2    # [s]; how soon a dropped scan is known

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ReplayOptions:
    """How a recording is played.

    Attributes:
        model: Folder of the model bundle; the shipped one if None.
        rate: Speed relative to the recording; 0 sends each scan when the one before was answered.
        limit: Play this many scans at most; all if None.
        pictures: Scans to keep whole, for pictures.
        start_timeout: Longest wait for the node to become active [s].
        scan_timeout: Longest wait for one answer in lock-step [s].
        parameters: More parameters of the node, name to text as on the command line.
        domain_id: DDS domain; one that nobody uses if None.
        class_names: Classes of the model, in the order of their labels.
        module: Python module that is the node.
    """

    model: Path | None = None
    rate: float = 0.
    limit: int | None = None
    pictures: int = 6
    start_timeout: float = 120.
    scan_timeout: float = 20.
    parameters: Mapping[str, str] = field(default_factory=dict)
    domain_id: int | None = None
    class_names: tuple[str, ...] = CLASS_NAMES
    module: str = 'eq_perception.nodes.lidar_detector'

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: One is out of range.
        """
        if not 0 <= self.rate <= 100:
            raise ConfigError(f'rate must be from 0 (lock-step) to 100, got {self.rate}')
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f'the limit must be at least one scan, got {self.limit}')

    def node_arguments(self) -> list[str]:
        """Command line of the node."""
        settings = {'use_sim_time': 'true', 'diagnostics_period': str(_DIAGNOSTICS_PERIOD),
                    **self.parameters}
        if self.model is not None:
            settings['model_path'] = json.dumps(str(self.model.resolve()))
        arguments = ['--ros-args', '-r', f"__node:={NODE_NAME.strip('/')}"]
        for name, value in settings.items():
            arguments += ['-p', f'{name}:={value}']
        return arguments


@dataclass(frozen=True, eq=False)
class ReplayRun:
    """A recording after it was played.

    Attributes:
        outcomes: What became of each scan, in order.
        scans: The scans with their labels, in the same order; only some keep their points.
        received: Scans that the node says it has received.
        published: Scans that it answered.
        in_flight: Scans that it was still working on.
        dropped: Reason to scans that it refused.
        node_latency: Stage to percentiles [ms], as the node says.
        node_facts: Model, backend and the like, as the node says.
        expected: Scans that were to be played.
        lost: Texts of what could not be read from the recording.
        recorded: Topic to messages in the bag of outputs.
        records_objects: Whether boxes could be recorded (`vision_msgs` is installed).
    """

    outcomes: Sequence[ScanOutcome]
    scans: Sequence[LabeledScan]
    received: int
    published: int
    in_flight: int
    dropped: Mapping[str, int]
    node_latency: Mapping[str, Mapping[str, float]]
    node_facts: Mapping[str, str]
    expected: int
    lost: Sequence[str]
    recorded: Mapping[str, int]
    records_objects: bool


def replay(recording: Recording, out: Path, options: ReplayOptions,
           progress: Progress = lambda done, total, text: None,
           raw: RawCloud = lambda scan: None) -> ReplayRun:
    """Plays a recording through a node that is started for it.

    Writes `outputs/` (a rosbag2 recording of all that the node said), `detections.jsonl` (one
    line per scan) and `node.log` to `out`.

    Args:
        recording: What to play.
        out: An existing folder.
        options: How to play it.
        progress: Told scans done, scans in all, and what is going on.
        raw: Gives the serialised cloud of a scan, to be played untouched, or None.

    Raises:
        EqError: The node cannot be started, or ended.
    """
    from eq_ros.replay_client import MARKERS_TYPE
    from eq_ros.replay_client import ReplayClient

    domain_id = free_domain_id() if options.domain_id is None else options.domain_id
    environment = graph_environment(domain_id, out / 'log')
    total = min(len(recording), options.limit or len(recording))
    source = _Source(recording, options, raw)
    scans = _primed(source.scans())  # what cannot be read at all starts no node
    # This process too: rclpy reads the transport profile when it starts.
    with applied(environment), OutputBag(out / 'outputs') as bag, \
            NodeProcess(options.module, options.node_arguments(), out / 'node.log',
                        environment) as node:
        answers = Answers(lambda message: bag.write(
            message.topic, message.type_name, source.now, message.data))
        with ReplayClient(NODE_NAME, answers.receive, domain_id) as client:
            if not client.records_objects:
                answers.answer_type = MARKERS_TYPE
            progress(0, total, 'starting the node')
            client.wait_until_active(options.start_timeout, node.check)
            playback = Playback(client, answers, node.check, options.scan_timeout)
            for scan in (playback.by_the_clock(scans, options.rate) if options.rate
                         else playback.lock_step(scans)):
                progress(scan.index + 1, total, 'playing')
            balance = playback.settle()
            outcomes = playback.outcomes(options.class_names, balance)
    _write_lines(out / 'detections.jsonl', outcomes, options.class_names)
    return ReplayRun(
        outcomes, source.kept, balance.received, balance.published, balance.in_flight,
        dict(balance.dropped), balance.latency,
        {key: value for key, value in balance.details.items() if 'latency' not in key},
        total, list(recording.lost), dict(bag.counts), client.records_objects)


class _Source:
    """Reads scans, keeps what scoring and pictures need, and forgets the rest.

    Attributes:
        kept: The scans so far, with labels; only those for pictures still have their points.
        now: Simulated time of the scan that was read last [ns].
    """

    def __init__(self, recording: Recording, options: ReplayOptions, raw: RawCloud) -> None:
        """Keeps its parts."""
        self._recording, self._limit, self._raw = recording, options.limit, raw
        self.now = _FIRST_STAMP
        total = min(len(recording), options.limit or len(recording))
        self._pictured = set(np.linspace(0, max(total - 1, 0), options.pictures).round().tolist())
        self.kept: list[LabeledScan] = []

    def scans(self) -> Iterator[Played]:
        """Each scan as it is sent."""
        shift: int | None = None
        for place, scan in enumerate(self._recording.scans()):
            if place == self._limit:
                return
            stamp = scan.points.stamp
            if shift is None:
                shift = 0 if stamp >= _FIRST_STAMP else _FIRST_STAMP - stamp
            points = replace(scan.points, stamp=stamp + shift,
                             frame_id=scan.points.frame_id or 'lidar')
            self.kept.append(scan if place in self._pictured else _without_points(scan))
            self.now = points.stamp
            # Bytes of a bag carry their stamp already, so they can only be played as they are.
            cloud = self._raw(scan) if shift == 0 else None
            yield Played(place, points.stamp, len(points), points if cloud is None else cloud)


def _primed(scans: Iterator[Played]) -> Iterator[Played]:
    """The same scans, the first of them read already."""
    first = list(islice(scans, 1))
    return chain(first, scans)


def _without_points(scan: LabeledScan) -> LabeledScan:
    counts = scan.num_points
    if counts is None and scan.boxes is not None:
        counts = count_points_in_boxes(scan.points.xyz, scan.boxes)
    empty = Points.from_xyz(np.zeros((0, 3)), None, scan.points.frame_id, scan.points.stamp)
    return replace(scan, points=empty, semantic=None, instance=None, num_points=counts)


def _write_lines(path: Path, outcomes: Sequence[ScanOutcome], class_names: tuple[str, ...],
                 ) -> None:
    with path.open('w') as file:
        for outcome in outcomes:
            file.write(json.dumps(outcome.to_json(class_names)) + '\n')
