"""Nodes under a steady load for minutes: does any hold more and more, is an input ever lost?

One node is played a recording back and forth by the clock. The whole stack is given clouds, goals
on a map and looks at a table. Processes are watched from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from itertools import count
from itertools import islice
import os
from pathlib import Path
import time
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from eq_eval.process_watch import Watch
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.stack_load import StackLoad
from eq_eval.stack_process import eager_policy
from eq_eval.stack_process import PATIENCE
from eq_eval.stack_process import StackProcess
from eq_eval.stack_process import up_stack
from eq_ros.balance import Balance
from eq_ros.node_kinds import STACK

if TYPE_CHECKING:
    from eq_core.geometry.points import Points
    from eq_eval.datasets.scan import LabeledScan
    from eq_eval.replay.outcome import ScanOutcome
    from eq_eval.replay.playback import Played
    from eq_eval.replay.runner import ReplayOptions
    from eq_ros.node_kinds import NodeKind

PERIOD_NS = 100_000_000   # 10 Hz
SETTLE = 10.              # longest wait for the last answers [s]
KILLED = 100_000_000      # a node that is killed is dead by then [ns]

Progress = Callable[[int, int, str], None]


def soak(scans: Sequence[LabeledScan], options: ReplayOptions, out: Path, seconds: float,
         progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Plays scans back and forth through a node that is started for it.

    Args:
        scans: A drive, held in memory.
        options: The node, its model and parameters.
        out: An existing folder; takes `node.log`.
        seconds: Length of the run.
        progress: Told scans done, scans in all, and what is going on.

    Returns:
        The figures of `accounts` and `Watch.figures`, `summary` of them, and what they depend on.

    Raises:
        EqError: The node cannot be started, or ended.
    """
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
    figures = accounts(outcomes, balance, watch.unbalanced) | watch.figures()
    return {
        'node': node.name, 'backend': balance.details.get('backend', ''),
        'mode': balance.details.get('mode', ''), 'with_poses': with_poses,
        'minutes': seconds / 60, 'rate_hz': 1e9 / PERIOD_NS, 'scans_in_turn': len(scans),
        'points': float(np.mean([len(scan.points) for scan in scans])),
        'load_average': os.getloadavg()[0],
        'nodes': {node.name: figures}, **summary({node.name: figures})}


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
        ``received = published + dropped + in_flight``; ``unaccounted`` of the inputs, and looks
        at which that did not hold; ``round_trip_ms``, and
        ``node_latency_ms`` by stage over the last 1000 scans.
    """
    trips = [outcome.round_trip_ms for outcome in outcomes if outcome.round_trip_ms is not None]
    percentiles = np.percentile(trips, [50, 90, 99, 100]).tolist() if trips else [None] * 4
    return {
        'sent': len(outcomes), 'received': balance.received, 'published': balance.published,
        'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
        'lost_in_transport': len(outcomes) - balance.received, 'heard': len(trips),
        'unaccounted': unaccounted(balance, len(outcomes), len(trips)) + unbalanced,
        'round_trip_ms': dict(zip(('p50', 'p90', 'p99', 'max'), percentiles, strict=True)),
        'node_latency_ms': balance.latency}


def unaccounted(balance: Balance, sent: int, heard: int) -> int:
    """Inputs of which nobody knows what became: received or answered too often, or not at all.

    Args:
        balance: What the node says.
        sent: Inputs that were sent to it.
        heard: Answers that came.
    """
    missing = balance.received - balance.published - balance.num_dropped - balance.in_flight
    return abs(missing) + max(balance.received - sent, 0) + abs(balance.published - heard)


def soak_stack(clouds: Sequence[Points], out: Path, seconds: float,
               progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Plays to all nodes of a stack that is started for it.

    Args:
        clouds: A drive, played back and forth at 10 Hz.
        out: An existing folder; takes `stack.log`.
        seconds: Length of the run.
        progress: Told seconds done, seconds in all, and what is going on.

    Returns:
        Of each node its account and `Watch.figures`, and their `summary`.

    Raises:
        EqError: A node cannot be started, or ended.
    """
    from eq_ros.stack_client import StackClient

    domain_id = free_domain_id()
    total = round(seconds)
    progress(0, total, 'starting the stack')
    with applied(graph_environment(domain_id, out / 'ros')), StackProcess(
            up_stack('', eager_policy(out)), out / 'stack.log', domain_id) as stack:
        stack.await_active()
        pids = stack.pids()
        watches = {kind: Watch(pids[kind], min(1., seconds / 40)) for kind in STACK}
        with StackLoad(partial(StackClient, domain_id=domain_id), clouds) as load:
            load.start(PATIENCE)
            start = time.monotonic()
            while (done := time.monotonic() - start) < seconds:
                stack.check()
                for kind, watch in watches.items():
                    watch.look(load.client.balance(kind) or Balance())
                progress(round(done), total, 'playing to the stack')
                time.sleep(.1)
            load.stop()
            accounts_of = {kind.name: account(load, kind) | watches[kind].figures()
                           for kind in STACK}
            restarted = [kind.name for kind in STACK if stack.pids().get(kind) != pids[kind]]
    for kind in STACK:
        accounts_of[kind.name]['unaccounted'] += watches[kind].unbalanced
    return {'minutes': seconds / 60, 'rate_hz': 1e9 / PERIOD_NS, 'clouds_in_turn': len(clouds),
            'points': float(np.mean([len(cloud) for cloud in clouds])),
            'load_average': os.getloadavg()[0], 'restarted': restarted,
            'nodes': accounts_of, **summary(accounts_of)}


def account(load: StackLoad, kind: NodeKind) -> dict[str, Any]:
    """What became of the inputs of one node, once all are answered or dropped."""
    balance = load.client.settled(kind, SETTLE)
    load.client.wait(lambda: len(load.answered(kind)) >= balance.published, SETTLE)
    sent, heard = len(load.sent[kind]), len(load.answered(kind))
    return {'sent': sent, 'received': balance.received, 'published': balance.published,
            'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
            'lost_in_transport': sent - balance.received, 'heard': heard,
            'unaccounted': unaccounted(balance, sent, heard),
            'node_latency_ms': balance.latency}


def summary(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of all nodes together.

    Returns:
        ``rss_growth_pct``, growth of the resident memory after the warm-up in percent;
        ``threads`` and ``fds`` at the end and their growth; ``unaccounted`` inputs.
    """
    def total(figure: str, key: str) -> float:
        return sum(float(each[figure][key]) for each in nodes.values())
    return {'rss_growth_pct': 100 * total('memory_mb', 'growth') / total('memory_mb', 'warm'),
            'threads': round(total('threads', 'end')), 'fds': round(total('fds', 'end')),
            'threads_growth': total('threads', 'growth'), 'fds_growth': total('fds', 'growth'),
            'unaccounted': sum(int(each['unaccounted']) for each in nodes.values())}


def recovery(clouds: Sequence[Points], out: Path,
             progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Kills each node of a stack in turn, under load, and measures how soon it answers again.

    Args:
        clouds: A drive, played back and forth at 10 Hz.
        out: An existing folder; takes `stack.log`.
        progress: Told nodes done, nodes in all, and what is going on.

    Returns:
        ``recovery_s`` of each node, from the kill until the first answer to what was sent
        after it (goals and looks are sent once a second), and ``longest_s``.

    Raises:
        EqError: A node cannot be started, or does not come back.
    """
    from eq_ros.stack_client import StackClient

    domain_id = free_domain_id()
    progress(0, len(STACK), 'starting the stack')
    found = {}
    with applied(graph_environment(domain_id, out / 'ros')), StackProcess(
            up_stack('', eager_policy(out)), out / 'stack.log', domain_id) as stack:
        stack.await_active()
        with StackLoad(partial(StackClient, domain_id=domain_id), clouds) as load:
            load.start(PATIENCE)
            for done, kind in enumerate(STACK, start=1):
                load.client.wait(partial(load.answered, kind, time.time_ns()), PATIENCE)
                back = partial(_answers_since, load, kind, time.time_ns() + KILLED)
                found[kind.name] = round(stack.kill(kind, back=back)[1], 2)
                progress(done, len(STACK), 'killing nodes')
    return {'recovery_s': found, 'longest_s': max(found.values()),
            'load_average': os.getloadavg()[0]}


def _answers_since(load: StackLoad, kind: NodeKind, start: int) -> bool:
    """Whether a node has answered what was sent after a time [ns]."""
    return any(stamp > start for stamp in load.answered(kind, start))
