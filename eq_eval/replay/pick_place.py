"""Lets the live policy act on a simulated table: shows it clouds, asks, and moves what it says.

The simulated arm knows only what comes over topics and the action, as a robot would.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import EqError
from eq_core.geometry.heightmap import HeightMap
from eq_core.geometry.heightmap import heightmap_of_points
from eq_core.geometry.rgbd import joined_points
from eq_eval.manipulation.tabletop.tasks import make_task
from eq_eval.manipulation.tabletop.tasks import TabletopTask
from eq_eval.manipulation.tabletop.world import WORKSPACE
from eq_eval.replay.environment import applied
from eq_eval.replay.environment import free_domain_id
from eq_eval.replay.environment import graph_environment
from eq_eval.replay.node_process import node_arguments
from eq_eval.replay.node_process import NodeProcess
from eq_eval.replay.output_bag import OutputBag
from eq_eval.replay.runner import Progress
from eq_manipulation.outcome import ResultCode
from eq_ros.maps import pose_matrix

MODULE, NAME = 'eq_manipulation.nodes.pick_place_policy', 'pick_place_policy'
TASK, SEEDS = 'kit', (1, 3)
PATIENCE = 60.          # for the node to become active, and for each answer [s]
AGAIN = 2.              # a look that may have been lost is shown again after this [s]
DIAGNOSTICS_PERIOD = .1     # [s]
SECOND = 10**9

Double = NDArray[np.float64]
Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Act:
    """One question to the policy, and what came of it.

    Attributes:
        episode: Seed of the episode.
        table: What was seen.
        pick: (4, 4) pose, None where the policy refused.
        place: Likewise.
        scores: Of both.
        reason: Name of the code that it refused with; empty with an answer.
        reward: What it earned.
    """

    episode: int
    table: HeightMap
    pick: Double | None
    place: Double | None
    scores: tuple[float, float]
    reason: str
    reward: float


@dataclass(frozen=True, eq=False)
class PickPlaceRun:
    """Some episodes.

    Attributes:
        task: Its name.
        acts: In order.
        ends: What the table looks like at the end of each episode, by its seed.
        result: The balance, as `eq demo --json` prints it.
    """

    task: str
    acts: Sequence[Act]
    ends: Mapping[int, HeightMap]
    result: Mapping[str, Any]


def play_episodes(model: Path, out: Path, progress: Progress = lambda done, total, text: None,
                  task_name: str = TASK, seeds: Sequence[int] = SEEDS,
                  parameters: Mapping[str, str] | None = None, domain_id: int | None = None
                  ) -> PickPlaceRun:
    """Plays episodes of an embedded task with the node in a process of its own.

    Writes `outputs/` (a rosbag2 recording of all that the node said), `acts.json` and `node.log`
    to `out`.

    Args:
        model: Folder of the policy.
        out: An existing folder.
        progress: Told episodes done, episodes in all, and what is going on.
        task_name: Name of the task.
        seeds: Of the episodes; odd ones were shown to no policy.
        parameters: Parameters of the node, name to text as on the command line.
        domain_id: DDS domain; one that nobody uses if None.

    Raises:
        EqError: The node cannot be started, or ended, or does not answer.
    """
    from eq_ros.pick_place_client import PickPlaceClient
    from eq_ros.recorder import RecordedMessage

    settings = {'use_sim_time': 'true', 'diagnostics_period': str(DIAGNOSTICS_PERIOD),
                'model_path': json.dumps(str(model.resolve())), 'input': 'points',
                **table_parameters(), **(parameters or {})}
    arguments = node_arguments(NAME, settings)
    domain = free_domain_id() if domain_id is None else domain_id
    environment = graph_environment(domain, out / 'log')
    now = [SECOND]

    def keep(message: RecordedMessage) -> None:
        output.write(message.topic, message.type_name, now[0], message.data)
    with applied(environment), OutputBag(out / 'outputs') as output, NodeProcess(
            MODULE, arguments, out / 'node.log', environment) as process, PickPlaceClient(
            f'/{NAME}', keep, domain, 'points') as client:
        progress(0, len(seeds), 'starting policy')
        client.wait_until_active(PATIENCE, process.check)
        run = act_out(client, task_name, seeds, now, process, progress)
    write_acts(out / 'acts.json', run.acts)
    return run


def table_parameters() -> dict[str, str]:
    """Parameters of the node for the simulated table, name to text as on the command line."""
    return {'max_age': '0.0', 'workspace_frame': 'table',
            'workspace_lower': str(list(WORKSPACE.lower)),
            'workspace_upper': str(list(WORKSPACE.upper))}


def act_out(client: Any, task_name: str, seeds: Sequence[int], now: list[int],
            process: NodeProcess, progress: Progress) -> PickPlaceRun:
    """Plays episodes with a node that is active.

    Args:
        client: A `PickPlaceClient`.
        task_name: Name of the task.
        seeds: Of the episodes.
        now: Simulated time [ns], which goes on.
        process: The node.
        progress: Told episodes done, episodes in all, and what is going on.

    Raises:
        EqError: The node ended, or does not answer.
    """
    acts: list[Act] = []
    ends: dict[int, HeightMap] = {}
    task = make_task(task_name)
    for done, seed in enumerate(seeds, start=1):
        task.reset(seed)
        acts += _episode(client, task, seed, now, process)
        ends[seed] = task.look()
        progress(done, len(seeds), 'picking and placing')
    client.hear(PATIENCE)
    balance = client.balance
    answered = sum(act.pick is not None for act in acts)
    return PickPlaceRun(task_name, acts, ends, {
        'task': task_name, 'episodes': len(seeds), 'asked': len(acts),
        'received': balance.received, 'published': balance.published,
        'dropped': dict(balance.dropped), 'in_flight': balance.in_flight,
        'accounted': balance.balanced and balance.received == len(acts)
        and balance.published == answered,
        'success': 100 * sum(act.reward for act in acts) / len(seeds),
        'latency_p50_ms': balance.latency.get('total', {}).get('p50'),
        'node_latency_ms': balance.latency})


def write_acts(path: Path, acts: Sequence[Act]) -> None:
    """Writes poses, scores and rewards as JSON."""
    path.write_text(json.dumps([
        {'episode': act.episode, 'pick': None if act.pick is None else act.pick.tolist(),
         'place': None if act.place is None else act.place.tolist(), 'scores': act.scores,
         'reason': act.reason, 'reward': act.reward} for act in acts], indent=1) + '\n')


def _episode(client: Any, task: TabletopTask, seed: int, now: list[int], process: NodeProcess
             ) -> list[Act]:
    """Looks, asks and moves until the task is done or the policy refuses.

    Raises:
        EqError: There is no answer in time.
    """
    acts: list[Act] = []
    for _ in range(task.max_steps):
        now[0] += SECOND
        views = task.views()
        frame, points = views[0].frame_id, joined_points(views)
        _show(client, points, frame, now[0], process)
        answer = client.ask(PATIENCE, count=1)
        table = heightmap_of_points(*points, WORKSPACE, frame)
        if answer.error_code:
            acts.append(Act(seed, table, None, None, (0., 0.),
                            ResultCode(answer.error_code).name.lower(), 0.))
            break
        pick, place = (pose_matrix(stamped.pose, name) for stamped, name in (
            (answer.pick, 'pick'), (answer.place, 'place')))
        reward, over = task.step(pick, place)
        acts.append(Act(seed, table, pick, place, (float(answer.pick_scores[0]),
                                                   float(answer.place_scores[0])), '', reward))
        if over:
            break
    return acts


def _show(client: Any, points: tuple[Float, Float], frame: str, stamp: int, process: NodeProcess
          ) -> None:
    """Publishes what all cameras see as one cloud, and waits until the node has it.

    Raises:
        EqError: The node does not hear it.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        client.show(*points, frame, stamp)
        if client.wait(lambda: client.has_seen(stamp), AGAIN):
            return
        process.check()
    raise EqError(f'{NAME} has not seen a cloud within {PATIENCE:g} s:\n{process.tail()}')
