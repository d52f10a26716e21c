"""Plays a recording through the live node and records what comes out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from itertools import chain
from itertools import islice
import json
from pathlib import Path

from eq_core.errors import ConfigError
from eq_eval.datasets.recording import Recording
from eq_eval.datasets.scan import LabeledScan
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import node_arguments
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import PlayedNode
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.raw_clouds import RawCloud
from eq_eval.replay.scan_source import knows_poses
from eq_eval.replay.scan_source import ScanSource
from eq_ros.balance import Balance

CLASS_NAMES = ('car', 'truck', 'pedestrian', 'cyclist')
DIAGNOSTICS_PERIOD = 0.2    # [s]; how soon a dropped scan is known
# Every pose is sent, so it is worth waiting for, however busy the machine is.
_ODOMETRY = {'odometry_source': 'topic', 'odometry_timeout': '1.0'}

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
        class_names: Classes of the model's boxes, in the order of their labels.
        node: What it is played through.
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
    node: PlayedNode = DETECTOR

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: One is out of range.
        """
        if not 0 <= self.rate <= 100:
            raise ConfigError(f'rate must be from 0 (lock-step) to 100, got {self.rate}')
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f'the limit must be at least one scan, got {self.limit}')

    def node_arguments(self, with_poses: bool = False) -> list[str]:
        """Command line of the node, which may be told poses."""
        settings = {'use_sim_time': 'true', 'diagnostics_period': str(DIAGNOSTICS_PERIOD),
                    **(_ODOMETRY if with_poses else {}), **self.parameters}
        if self.model is not None:
            settings['model_path'] = json.dumps(str(self.model.resolve()))
        return node_arguments(self.node.name, settings)


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
        with_poses: Whether the node was told where the sensor was.
        has_point_labels: Whether a scan had classes of points.
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
    with_poses: bool = False
    has_point_labels: bool = False


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
    from eq_ros.replay_client import ReplayClient

    domain_id = free_domain_id() if options.domain_id is None else options.domain_id
    environment = graph_environment(domain_id, out / 'log')
    total = min(len(recording), options.limit or len(recording))
    node = options.node
    source = ScanSource(recording, options, raw, node.labels_points and knows_poses(recording))
    scans = primed(source.scans())  # what cannot be read at all starts no node
    # This process too: rclpy reads the transport profile when it starts.
    with applied(environment), OutputBag(out / 'outputs') as bag, \
            NodeProcess(node.module, options.node_arguments(source.with_poses), out / 'node.log',
                        environment) as process:
        answers = Answers(lambda message: bag.write(
            message.topic, message.type_name, source.now, message.data))
        with ReplayClient(node.name, answers.receive, domain_id, node.labels_points,
                          source.with_poses) as client:
            answers.parts = client.answer_types
            progress(0, total, f'starting {node.label}')
            client.wait_until_active(options.start_timeout, process.check)
            playback = Playback(client, answers, process.check, options.scan_timeout)
            for scan in (playback.by_the_clock(scans, options.rate) if options.rate
                         else playback.lock_step(scans)):
                progress(scan.index + 1, total, f'playing to {node.label}')
            balance = playback.settle()
            outcomes = playback.outcomes(options.class_names, balance)
    write_lines(out / 'detections.jsonl', outcomes, options.class_names)
    return replay_run(outcomes, balance, source, total, recording.lost, bag.counts,
                      client.records_objects)


def replay_run(outcomes: Sequence[ScanOutcome], balance: Balance, source: ScanSource, total: int,
               lost: Sequence[str], recorded: Mapping[str, int], records_objects: bool
               ) -> ReplayRun:
    """Gathers what came of a recording; see `ReplayRun` for the arguments."""
    return ReplayRun(
        outcomes, source.kept, balance.received, balance.published, balance.in_flight,
        dict(balance.dropped), balance.latency,
        {key: value for key, value in balance.details.items() if 'latency' not in key},
        total, list(lost), dict(recorded), records_objects,
        source.with_poses, source.has_point_labels)


def primed(scans: Iterator[Played]) -> Iterator[Played]:
    """The same scans, the first of them read already."""
    first = list(islice(scans, 1))
    return chain(first, scans)


def write_lines(path: Path, outcomes: Sequence[ScanOutcome], class_names: tuple[str, ...]
                ) -> None:
    """Writes one line of JSON per scan."""
    with path.open('w') as file:
        for outcome in outcomes:
            file.write(json.dumps(outcome.to_json(class_names)) + '\n')
