"""Latency of a live node: clouds go out by the clock, answers come back over DDS."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import os
from pathlib import Path
import time
from typing import Any

import numpy as np

from eq_core.errors import EqError
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.outcome import ScanOutcome
from eq_eval.replay.playback import Answers
from eq_eval.replay.playback import Playback
from eq_eval.replay.playback import Played
from eq_eval.replay.raw_clouds import with_stamp
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.scan_source import FIRST_STAMP

PERIOD_NS = 100_000_000   # 10 Hz
WARM_UP = 5               # scans that are not counted
LIVE = {'use_sim_time': 'false'}   # as on a robot


def live_latency(clouds: Sequence[Any], options: ReplayOptions, scans: int, out: Path,
                 progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Starts a node in its own process and plays clouds to it at 10 Hz, answered or not.

    Args:
        clouds: Messages of type ``sensor_msgs/PointCloud2``; they go out in turn, each with the
            stamp of its time.
        options: The node, its model and parameters.
        scans: Clouds to play.
        out: An existing folder; takes `node.log`.
        progress: Told the number of clouds played.

    Returns:
        ``p50_ms, p99_ms`` from publishing a cloud to hearing its answer, without the first ones;
        ``sent, received, published, dropped, heard`` as the node and as we count; ``stages``, the
        node's own percentiles; ``start_s`` from the start of the process to the active node,
        and ``start_cpu_s``, the time of processors in it, which other processes lengthen less;
        ``rss_mb`` of the process after the run; ``torch``, whether it has that library loaded.

    Raises:
        EqError: The node cannot be started, or ended.
    """
    from eq_ros.recorder import serialized
    from eq_ros.replay_client import ReplayClient

    node, domain_id = options.node, free_domain_id()
    environment = graph_environment(domain_id, out / 'log')
    data = [serialized(cloud) for cloud in clouds]
    answers = Answers(lambda message: None, keeps_content=False)
    # We are there first, so that nothing of the node's start is spent on finding us.
    with applied(environment), ReplayClient(node.name, answers.receive, domain_id,
                                            with_markers=False) as client:
        answers.parts = client.answer_types
        begin = time.monotonic_ns()
        with NodeProcess(node.module, options.node_arguments(), out / 'node.log', environment,
                         ) as process:
            start_s = _await_active(client, process, begin, options.start_timeout)
            start_cpu_s = _processor_s(process.pid)
            client.wait_until_active(options.start_timeout, process.check)
            playback = Playback(client, answers, process.check)
            for scan in playback.by_the_clock(_in_turn(data, scans), rate=1.):
                progress(scan.index + 1)
            balance = playback.settle()
            outcomes = playback.outcomes(options.class_names, balance)
            memory, libraries = _resident_mb(process.pid), _libraries(process.pid)
    return {**_round_trips(outcomes[WARM_UP:]), 'rate_hz': 1e9 / PERIOD_NS, 'sent': len(outcomes),
            'received': balance.received, 'published': balance.published,
            'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
            'heard': sum(outcome.round_trip_ms is not None for outcome in outcomes),
            'stages': balance.latency, 'start_s': start_s,
            'start_cpu_s': start_cpu_s, 'rss_mb': memory,
            'torch': None if libraries is None else 'libtorch' in libraries,
            'load_average': os.getloadavg()[0]}


def _await_active(client: Any, process: NodeProcess, begin: int, timeout: float) -> float:
    """Time [s] until the node first says that it is active."""
    deadline = time.monotonic() + timeout
    while not client.wait(lambda: client.balance.details.get('state') == 'active', .5):
        process.check()
        if client.balance.fault or time.monotonic() > deadline:
            raise EqError(f'{client.node_name} did not become active: '
                          f'{client.balance.fault or f"{timeout:g} s are over"}')
    return float((client.balance_time - begin) / 1e9)


def _in_turn(data: Sequence[bytes], count: int) -> Iterator[Played]:
    """Clouds again and again, as scans of one drive."""
    for index in range(count):
        stamp = FIRST_STAMP + index * PERIOD_NS
        yield Played(index, stamp, 0, with_stamp(data[index % len(data)], stamp))


def _round_trips(outcomes: Sequence[ScanOutcome]) -> dict[str, float | None]:
    trips = [outcome.round_trip_ms for outcome in outcomes if outcome.round_trip_ms is not None]
    if not trips:
        return {'p50_ms': None, 'p99_ms': None}
    median, high = np.percentile(trips, [50, 99]).tolist()
    return {'p50_ms': median, 'p99_ms': high}


def _resident_mb(pid: int) -> float | None:
    """Memory of a process [MB], None where the system does not tell."""
    try:
        pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def _processor_s(pid: int) -> float | None:
    """Time of processors that a process has used [s], None where the system does not tell."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return None
    user, system = text.rpartition(')')[2].split()[11:13]     # proc(5), fields 14 and 15
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def _libraries(pid: int) -> str | None:
    """Files that a process has mapped, None where the system does not tell."""
    try:
        return Path(f'/proc/{pid}/maps').read_text()
    except OSError:
        return None
