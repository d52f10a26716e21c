"""The whole demo: play to all nodes at once, score, report."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from eq_eval.datasets.rosbag import DEFAULT_OPTIONS
from eq_eval.replay.panoptic import panoptic_inputs
from eq_eval.replay.reporting import model_facts
from eq_eval.replay.reporting import report_inputs
from eq_eval.replay.rotation_curves import measured_rotation
from eq_eval.replay.rotation_curves import stored_rotation
from eq_eval.replay.runner import Progress
from eq_eval.replay.scoring import score
from eq_eval.replay.source import open_source
from eq_eval.replay.summary import summarize
from eq_eval.replay.whole_graph import ARM
from eq_eval.replay.whole_graph import GraphRun
from eq_eval.replay.whole_graph import Parts
from eq_eval.replay.whole_graph import play_graph
from eq_eval.replay.whole_graph import ROBOT_RADIUS
from eq_eval.replay.workflow import make_room
from eq_eval.report.demo import DemoInputs
from eq_eval.report.demo import write_demo
from eq_eval.report.graph_picture import GraphNode
from eq_eval.report.graph_picture import GraphTopic
from eq_eval.report.pick_place import pick_place_section
from eq_eval.report.planning import planning_section

OURS = {'/eq_replay': 'recording and goals', f'/{ARM}': 'simulated arm'}
UNITS = {'lidar_detector': 'clouds', 'panoptic_segmenter': 'clouds',
         'semantic_costmap': 'labelled clouds', 'graph_planner': 'goals',
         'pick_place_policy': 'questions'}
BALANCE = ('received', 'published', 'dropped', 'in_flight', 'accounted')
PLANNING_NOTE = (f'The planner keeps {ROBOT_RADIUS:g} m away from what is in the way or unknown, '
                 'and from ground that costs more than parking, as a car would.')
# Topics that every node has, or that are there for debugging
ORDINARY = ('/clock', '/diagnostics', '/parameter_events', '/rosout', '/tf', '/tf_static')
ORDINARY_ENDS = ('/debug/markers', '/output/label_info')


@dataclass(frozen=True)
class DemoJob:
    """What the demo plays, and where to.

    Attributes:
        path: The recording.
        out: Folder of the results; made if it is not there.
        command: Command line that repeats it.
        parts: What runs.
        topic: Topic of the clouds in a bag.
        labels: Another recording of the same scans that has labels.
        turn: Whether to measure a short rotation curve where none is stored.
    """

    path: Path
    out: Path
    command: str
    parts: Parts
    topic: str | None = None
    labels: Path | None = None
    turn: bool = False


def run_demo(job: DemoJob, progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Plays a recording to all nodes in one graph, scores the answers and writes the pages.

    Args:
        job: What to do.
        progress: Told scans done, scans in all, and what is going on.

    Returns:
        The figures of `summarize` for the detector, with `scores` and `mAP` where there are
        labels; under `panoptic`, `costmap`, `planning` and `pick_place` those of the other nodes;
        under `nodes` the balance of each by its name, and whether all hold as `all_accounted`;
        `graph`, `pages` and `report`, the first of them. The same is in `result.json`.

    Raises:
        EqError: The recording is damaged, or a node cannot work.
    """
    make_room(job.out)
    source = open_source(job.path, job.out, job.topic, False, DEFAULT_OPTIONS, job.labels)
    run = play_graph(source.recording, job.out, job.parts, progress, source.clouds())
    count = len(run.detection.outcomes)
    progress(count, count, 'scoring')
    detector, segmenter = job.parts.detector, job.parts.segmenter
    result = summarize(run.detection, detector, source.lost)
    result |= {'recording': source.recording.name,
               'damages': [*source.damages, *run.detection.lost]}
    scores = score(source.recording, run.detection, detector)
    if scores is not None:
        result |= {'scores': scores.table, 'mAP': scores.table.get('mAP')}
    figures = summarize(run.panoptic, segmenter, source.lost)
    panoptic = panoptic_inputs(
        source.recording, run.panoptic, segmenter, job.out,
        figures | {'odometry': run.panoptic.with_poses}, model_facts(segmenter))
    result['panoptic'] = panoptic.result
    result |= {name: dict(part.result) for name, part in (
        ('costmap', run.costmap), ('planning', run.planning), ('pick_place', run.pick_place))
        if part is not None}
    result['nodes'] = balances(result)
    result['all_accounted'] = all(each['accounted'] for each in result['nodes'].values())
    topics, left_out = drawn_topics(run)
    result['graph'] = {'nodes': [node.name for node in run.ends], 'topics': [
        {'name': topic.name, 'type': topic.kind, 'messages': topic.count,
         'publishers': list(topic.publishers), 'subscribers': list(topic.subscribers)}
        for topic in topics]}
    progress(count, count, 'writing the report')
    rotation = stored_rotation()
    if rotation is None and job.turn:
        rotation = measured_rotation(source.recording, detector.model, progress)
    inputs = report_inputs(
        source.recording, run.detection, detector, result, job.command, result['damages'],
        scores.text if scores else '', rotation, panoptic,
        planning_section(run.planning, PLANNING_NOTE) if run.planning else None,
        pick_place_section(run.pick_place) if run.pick_place else None)
    pages = write_demo(job.out, DemoInputs(
        inputs, result['nodes'], UNITS, drawn_nodes(result['nodes'], run), topics, left_out))
    result['pages'] = {name: str(path) for name, path in pages.items()}
    result['report'] = result['pages']['overview']
    (job.out / 'result.json').write_text(json.dumps(result, indent=2, default=float) + '\n')
    return result


def balances(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The balance of each node by its name, in the order of the data."""
    parts = {'lidar_detector': result, 'panoptic_segmenter': result.get('panoptic'),
             'semantic_costmap': result.get('costmap'), 'graph_planner': result.get('planning'),
             'pick_place_policy': result.get('pick_place')}
    return {name: {key: part[key] for key in BALANCE} for name, part in parts.items() if part}


def node_lines(result: Mapping[str, Any]) -> list[str]:
    """The balance of each node in one line for people."""
    lines = []
    for name, each in result['nodes'].items():
        reasons = ', '.join(f'{count} {reason}' for reason, count in each['dropped'].items())
        lines.append(
            f"{name}: {each['received']} {UNITS[name]} = {each['published']} answered + "
            f"{sum(each['dropped'].values())} dropped{f' ({reasons})' if reasons else ''} + "
            f"{each['in_flight']} in flight"
            + ('' if each['accounted'] else '  - THE BALANCE DOES NOT HOLD'))
    return lines


def drawn_nodes(nodes: Mapping[str, Mapping[str, Any]], run: GraphRun) -> list[GraphNode]:
    """The nodes of the graph with their balances; our own ends first."""
    alive = {end.name for end in run.ends}
    return [*(GraphNode(name, text, source=True) for name, text in OURS.items()
              if name in alive), *(
        GraphNode(f'/{name}', f"{each['received']} = {each['published']} + "
                  f"{sum(each['dropped'].values())} + {each['in_flight']}",
                  each['accounted'] and f'/{name}' in alive) for name, each in nodes.items())]


def drawn_topics(run: GraphRun) -> tuple[list[GraphTopic], list[str]]:
    """Topics on which messages went between nodes, and what is not drawn, in words."""
    kinds = {topic: kind for end in run.ends for topic, kind in (
        *end.publishes.items(), *end.subscribes.items())}
    shown = [topic for topic in kinds if run.messages.get(topic) and topic not in ORDINARY
             and not topic.endswith(ORDINARY_ENDS)]
    topics = [GraphTopic(topic, kinds[topic], run.messages[topic],
                         _who(run.ends, topic, 'publishes'), _who(run.ends, topic, 'subscribes'))
              for topic in sorted(shown)]
    return topics, [*(topic for topic in ORDINARY if topic in kinds), 'topics for debugging',
                    'names of classes', 'services', 'actions', 'topics without a message']


def _who(ends: Sequence[Any], topic: str, verb: str) -> tuple[str, ...]:
    return tuple(end.name for end in ends if topic in getattr(end, verb))
