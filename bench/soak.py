"""A node under steady load for minutes: `python bench/soak.py [--minutes 10] [--quick] [--json]`.

Plays a recording back and forth to a live node in its own process, by the clock, and watches the
node's memory, threads and open files from outside. At the end every scan is accounted for.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from itertools import chain
from itertools import count
from itertools import islice
import os
from pathlib import Path
import sys
from time import monotonic
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import numpy as np
import psutil
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from eq_eval.datasets.scan import LabeledScan
    from eq_eval.replay.outcome import ScanOutcome
    from eq_eval.replay.playback import Played
    from eq_eval.replay.runner import ReplayOptions
    from eq_ros.balance import Balance

PERIOD_NS = 100_000_000   # 10 Hz
QUICK_SECONDS = 20.
MEGABYTE = 1e6


def main(
    node: Annotated[str, typer.Option(
        help='panoptic_segmenter or lidar_detector.')] = 'panoptic_segmenter',
    model: Annotated[Path | None, typer.Option(
        help='Folder of the bundle; the shipped one if not given.')] = None,
    bag: Annotated[Path | None, typer.Option(
        help='Recording to play; the simulated street of `eq demo` if not given.')] = None,
    minutes: Annotated[float, typer.Option(help='Length of the run.', min=.05)] = 10.,
    scans: Annotated[int, typer.Option(help='First scans of the recording to play.', min=1)] = 30,
    points: Annotated[int, typer.Option(
        help='Thin or fill each scan to so many points; 0 leaves it as it is.', min=0)] = 0,
    threads: Annotated[int, typer.Option(help='Threads of the inference.', min=1)] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the node's log.")] = Path('runs/soak'),
    quick: Annotated[bool, typer.Option('--quick', help='20 s; nothing is stored.')] = False,
    json: Annotated[bool, typer.Option('--json', help='Print JSON on the last line.')] = False,
) -> None:
    """Plays for minutes; a full run stores its result. Exit code 1 if the balance fails."""
    from eq_eval.cli.demo import RUNS
    from eq_eval.cli.demo import SEED
    from eq_eval.cli.demo import simulated_street
    from eq_eval.cli.options import bundle_folder
    from eq_eval.cli.output import emit
    from eq_eval.cli.replay import progress_bar
    from eq_eval.datasets.open import open_recording
    from eq_eval.latency import resize
    from eq_eval.replay.environment import require_ros
    from eq_eval.results import store
    require_ros()
    from eq_eval.replay.nodes import DETECTOR
    from eq_eval.replay.nodes import SEGMENTER
    from eq_eval.replay.runner import ReplayOptions

    nodes = {each.name: each for each in (SEGMENTER, DETECTOR)}
    if node not in nodes:
        raise typer.BadParameter(f'must be one of {", ".join(nodes)}, got {node!r}')
    bundle = bundle_folder(model, node)
    options = ReplayOptions(bundle, rate=1., parameters={'threads': str(threads)},
                            node=nodes[node])
    with progress_bar() as tell:
        path = bag or simulated_street(RUNS / 'recordings', scans, tell)
        played = list(islice(open_recording(path).scans(), scans))
        if points:
            played = [replace(scan, points=resize(scan.points, points, 0)[0]) for scan in played]
        out.mkdir(parents=True, exist_ok=True)
        result = soak(played, options, out, QUICK_SECONDS if quick else 60 * minutes, tell)
    result |= {'model': bundle.name, 'recording': path.name, 'inference_threads': threads}
    if not quick:
        store('soak' if node == SEGMENTER.name else f'soak_{node}', result,
              ['python', 'bench/soak.py', *sys.argv[1:]], None if bag else SEED)
    emit(result, json, f'soak of {node}')
    if not result['accounted']:
        raise typer.Exit(1)


def soak(scans: Sequence[LabeledScan], options: ReplayOptions, out: Path, seconds: float,
         progress: Callable[[int, int, str], None] = lambda done, total, text: None,
         ) -> dict[str, Any]:
    """Plays scans back and forth through a node that is started for it.

    Args:
        scans: A drive, held in memory.
        options: The node, its model and parameters.
        out: An existing folder; takes `node.log`.
        seconds: Length of the run.
        progress: Told scans done, scans in all, and what is going on.

    Returns:
        The figures of `accounts` and `Watch.figures`, and what they depend on.

    Raises:
        EqError: The node cannot be started, or ended.
    """
    from eq_eval.replay.environment import applied
    from eq_eval.replay.environment import free_domain_id
    from eq_eval.replay.environment import graph_environment
    from eq_eval.replay.node_process import NodeProcess
    from eq_eval.replay.playback import Answers
    from eq_eval.replay.playback import Playback
    from eq_ros.replay_client import ReplayClient

    node, domain_id = options.node, free_domain_id()
    environment = graph_environment(domain_id, out / 'log')
    with_poses = node.labels_points and any(
        not np.array_equal(scan.pose, np.eye(4)) for scan in scans)
    answers = Answers(lambda message: None, keeps_content=False)
    total = max(round(seconds * 1e9 / PERIOD_NS), 1)
    with applied(environment), \
            NodeProcess(node.module, options.node_arguments(with_poses), out / 'node.log',
                        environment) as process, \
            ReplayClient(node.name, answers.receive, domain_id, node.labels_points,
                         with_poses) as client:
        answers.parts = client.answer_types
        progress(0, total, f'starting {node.label}')
        client.wait_until_active(options.start_timeout, process.check)
        playback = Playback(client, answers, process.check)
        watch = Watch(process.pid, min(1., seconds / 40))
        for scan in playback.by_the_clock(
                islice(back_and_forth(scans, with_poses), total), rate=1.):
            watch.look(client.balance)
            progress(scan.index + 1, total, f'playing to {node.label}')
        balance = playback.settle()
        outcomes = playback.outcomes(options.class_names, balance)
    return {
        'node': node.name, 'backend': balance.details.get('backend', ''),
        'mode': balance.details.get('mode', ''), 'with_poses': with_poses,
        'minutes': seconds / 60, 'rate_hz': 1e9 / PERIOD_NS, 'scans_in_turn': len(scans),
        'points': float(np.mean([len(scan.points) for scan in scans])),
        'load_average': os.getloadavg()[0],
        **accounts(outcomes, balance, watch.unbalanced), **watch.figures()}


def back_and_forth(scans: Sequence[LabeledScan], with_poses: bool) -> Iterator[Played]:
    """Yields scans forwards, backwards, forwards, ... without end, each as the next in time.

    Nothing jumps at a turning point, neither the sensor nor an object, as it would if the drive
    began anew: they only go back the way they came.
    """
    from eq_eval.replay.playback import Played
    from eq_eval.replay.scan_source import FIRST_STAMP

    turn = [*scans, *scans[-2:0:-1]]
    for index, scan in zip(count(), chain.from_iterable(iter(lambda: turn, None))):
        stamp = FIRST_STAMP + index * PERIOD_NS
        points = replace(scan.points, stamp=stamp, frame_id=scan.points.frame_id or 'lidar')
        yield Played(index, stamp, len(points), points, points.frame_id,
                     scan.pose if with_poses else None)


def accounts(outcomes: Sequence[ScanOutcome], balance: Balance, unbalanced: int,
             ) -> dict[str, Any]:
    """What became of every scan, as the node says and as it was heard.

    Args:
        outcomes: What became of each scan.
        balance: The node's last balance.
        unbalanced: Balances of the node, seen while playing, that did not hold.

    Returns:
        ``sent = received + lost_in_transport`` and
        ``received = published + dropped + in_flight``, of which ``accounted`` tells whether both
        always held and as many answers were heard as published; ``round_trip_ms``, and
        ``node_latency_ms`` by stage over the last 1000 scans.
    """
    trips = [outcome.round_trip_ms for outcome in outcomes if outcome.round_trip_ms is not None]
    percentiles = np.percentile(trips, [50, 90, 99, 100]).tolist() if trips else [None] * 4
    return {
        'sent': len(outcomes), 'received': balance.received, 'published': balance.published,
        'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
        'lost_in_transport': len(outcomes) - balance.received, 'heard': len(trips),
        'accounted': (balance.balanced and not unbalanced and balance.received <= len(outcomes)
                      and len(trips) == balance.published),
        'round_trip_ms': dict(zip(('p50', 'p90', 'p99', 'max'), percentiles, strict=True)),
        'node_latency_ms': balance.latency}


@dataclass
class Watch:
    """Looks at a process from outside, now and then.

    Attributes:
        pid: The process.
        period: Least time between two looks [s].
        rows: Of each look the time [s], resident memory [MB], threads, open files.
        unbalanced: Looks at which the balance of the node did not hold.
    """

    pid: int
    period: float = 1.
    rows: list[tuple[float, float, int, int]] = field(default_factory=list)
    unbalanced: int = 0

    def look(self, balance: Balance) -> None:
        """Takes a sample if it is time for one."""
        now = monotonic()
        if self.rows and now - self.rows[0][0] < len(self.rows) * self.period:
            return
        process = psutil.Process(self.pid)
        self.rows.append((now, process.memory_info().rss / MEGABYTE, process.num_threads(),
                          process.num_fds()))
        self.unbalanced += not balance.balanced

    def figures(self) -> dict[str, Any]:
        """Growth of memory, threads and files, and the number of looks."""
        seconds, memory, threads, files = np.array(self.rows, float).T
        return {'memory_mb': growth(seconds, memory), 'threads': growth(seconds, threads),
                'files': growth(seconds, files), 'samples': len(self.rows)}


def growth(seconds: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """How a quantity changes once a node has warmed up, in the first tenth of the run.

    Args:
        seconds: (N,) times of the samples [s].
        values: (N,) the quantity.

    Returns:
        ``tenths``, the median of each tenth of the run, which tell a slope from a step; ``warm``
        and ``end``, the second and the last of them; ``growth`` from one to the other;
        ``per_minute``, slope of the least-squares line after the first tenth; ``peak``.
    """
    tenths = [float(np.median(part)) for part in np.array_split(values, 10)]
    later = len(values) // 10
    slope = np.polyfit(seconds[later:] - seconds[0], values[later:], 1)[0]
    return {'tenths': tenths, 'warm': tenths[1], 'end': tenths[-1],
            'growth': tenths[-1] - tenths[1], 'per_minute': float(60 * slope),
            'peak': float(values.max())}


if __name__ == '__main__':
    typer.run(main)
