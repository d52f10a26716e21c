"""The report of the whole demo: an overview with the graph, and a page for each capability."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import UTC
from pathlib import Path
from typing import Any

from eq_eval.report.builder import environment
from eq_eval.report.builder import page_of
from eq_eval.report.builder import version_text
from eq_eval.report.builder import write_page
from eq_eval.report.graph_picture import graph_picture
from eq_eval.report.graph_picture import GraphNode
from eq_eval.report.graph_picture import GraphTopic
from eq_eval.report.inputs import ReportInputs
from eq_eval.report.sections import accounting
from eq_eval.report.sections import stages
from eq_eval.report.sections import tile
from eq_eval.report.sections import tiles

OVERVIEW = 'report.html'
KIND = 'demo report'
# What a page leaves out unless it is about it
EMPTY: dict[str, Any] = {
    'notes': [], 'tiles': [], 'scenes': [], 'hero': None, 'panoptic': None, 'planning': None,
    'pick_place': None, 'accounting': [], 'latency': [], 'latency_text': '', 'score_tables': [],
    'rotation': None, 'models': []}
MODELS = {'detection': 'lidar_detector', 'panoptic': 'panoptic_segmenter'}


@dataclass(frozen=True, eq=False)
class DemoInputs:
    """What the demo shows.

    Attributes:
        report: The recording through detector and segmenter, the paths and the picks.
        nodes: Balance of each node by its name, in the order of the data.
        units: Node to what its inputs are.
        graph_nodes: What the graph shows.
        graph_topics: The topics between them.
        left_out: Topics that it does not show.
    """

    report: ReportInputs
    nodes: Mapping[str, Mapping[str, Any]]
    units: Mapping[str, str]
    graph_nodes: Sequence[GraphNode]
    graph_topics: Sequence[GraphTopic]
    left_out: Sequence[str] = ()


def write_demo(folder: Path, inputs: DemoInputs) -> dict[str, Path]:
    """Writes all pages; each is one file that needs no network.

    Args:
        folder: An existing folder.
        inputs: What they show.

    Returns:
        The pages by their names, the overview first.
    """
    whole = page_of(inputs.report)
    contents = {name: make(inputs, whole) for name, make in (
        ('overview', _overview), ('detection', _detection), ('panoptic', _panoptic),
        ('planning', _planning), ('pick_place', _pick_place))}
    kept = {name: content for name, content in contents.items() if content is not None}
    files = {name: OVERVIEW if name == 'overview' else f'{name}.html' for name in kept}
    created = datetime.now(UTC).strftime('%d %B %Y, %H:%M UTC')
    written = {}
    for name, content in kept.items():
        template = 'demo_overview.html.j2' if name == 'overview' else 'report.html.j2'
        pages = [{'href': file, 'text': kept[other]['short'], 'here': other == name}
                 for other, file in files.items()]
        written[name] = write_page(folder / files[name], environment().get_template(
            template).render({**content, 'kind': KIND, 'pages': pages}, version=version_text(),
                             created=created))
    return written


def _overview(inputs: DemoInputs, whole: Mapping[str, Any]) -> dict[str, Any]:
    result, nodes = inputs.report.result, inputs.nodes
    sound = all(balance['accounted'] for balance in nodes.values())
    answers = sum(balance['published'] for balance in nodes.values())
    dropped = sum(sum(balance['dropped'].values()) for balance in nodes.values())
    rows = [tile(str(len(nodes)), 'nodes in one graph'),
            tile(str(result['scans_in_bag']), 'scans played'),
            tile(str(answers), 'answers of all nodes'),
            tile(str(dropped), 'inputs without one, each with a reason'),
            tile('yes' if sound else 'no', 'every node accounts for its inputs',
                 tone='good' if sound else 'bad')]
    notes = whole['notes'] + ([] if whole['planning'] else [
        'Without poses there is no map to plan on, so costmap and planner took no part.'])
    return {**whole, 'short': 'Overview', 'tiles': rows, 'notes': notes,
            'lead': f"{result['scans_in_bag']} scans played through {len(nodes)} life-cycle nodes "
                    'that are alive in one ROS 2 graph, each in a process of its own: what one '
                    'says is what the next one hears.',
            'graph': graph_picture(inputs.graph_nodes, inputs.graph_topics),
            'left_out': ', '.join(inputs.left_out), 'cards': _cards(inputs, whole),
            'rows': [_row(name, inputs.units[name], balance) for name, balance in nodes.items()]}


def _row(name: str, unit: str, balance: Mapping[str, Any]) -> dict[str, Any]:
    dropped = ', '.join(f"{count} {reason.replace('_', ' ')}"
                        for reason, count in balance['dropped'].items())
    return {'name': name, 'unit': unit, 'received': balance['received'],
            'published': balance['published'], 'dropped': sum(balance['dropped'].values()),
            'in_flight': balance['in_flight'], 'accounted': balance['accounted'], 'why': dropped}


def _cards(inputs: DemoInputs, whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What leads to the pages, each with a picture and its most important figures."""
    result = inputs.report.result
    cards: list[dict[str, Any]] = [{
        'href': 'detection.html', 'title': 'Detection', 'view': whole['hero'],
        'macro': 'perspective', 'text': _joined(
            f"{result['objects']} boxes in {result['published']} scans",
            _figure('mAP {:.3f}', result.get('mAP')))}]
    if whole['panoptic'] and whole['panoptic']['scenes']:
        figures, scenes = result['panoptic'], whole['panoptic']['scenes']
        cards.append({
            'href': 'panoptic.html', 'title': 'Panoptic segmentation and tracks',
            'view': scenes[whole['panoptic']['first'] - 1]['objects'], 'macro': 'bev',
            'text': _joined(f"{figures['objects_followed']} objects followed",
                            _figure('LSTQ {:.3f}', figures.get('LSTQ')))})
    if whole['planning']:
        figures = result['planning']
        cards.append({
            'href': 'planning.html', 'title': 'Planning on the costmap',
            'view': whole['planning']['maps'][-1] if whole['planning']['maps'] else None,
            'macro': 'map', 'text': f"{figures['published']} paths for {figures['goals']} goals, "
                                    f"{figures['length_m']:.0f} m"})
    if whole['pick_place']:
        figures, episodes = result['pick_place'], whole['pick_place']['episodes']
        cards.append({
            'href': 'pick_place.html', 'title': 'Pick and place',
            'view': episodes[0]['pictures'][0], 'macro': 'table',
            'text': f"{figures['published']} picks and places in {figures['episodes']} episodes, "
                    f"success {figures['success']:.0f} of 100"})
    return cards


def _joined(*parts: str) -> str:
    return ', '.join(filter(None, parts))


def _figure(text: str, value: float | None) -> str:
    return '' if value is None else text.format(value)


def _detection(inputs: DemoInputs, whole: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: whole[key] for key in ('notes', 'scenes', 'hero', 'latency_text',
                                         'score_tables', 'rotation')}
    return {**whole, **EMPTY, **parts, 'short': 'Detection', 'title': 'Detection',
            'lead': f'What lidar_detector found in {inputs.report.title}.',
            'tiles': tiles(inputs.report.result, inputs.report.scores),
            'accounting': [accounting(inputs.report.result)],
            'latency': [part for part in whole['latency'] if part['name'] == 'detector'],
            'models': _models(whole, 'detection')}


def _panoptic(inputs: DemoInputs, whole: Mapping[str, Any]) -> dict[str, Any] | None:
    panoptic = inputs.report.panoptic
    if panoptic is None:
        return None
    return {**whole, **EMPTY, 'short': 'Panoptic', 'title': 'Panoptic segmentation and tracks',
            'lead': f'What panoptic_segmenter made of {inputs.report.title}: a class and an '
                    'object for every point, with numbers that last.',
            'latency_text': whole['latency_text'], 'panoptic': whole['panoptic'],
            'tiles': [tile(str(panoptic.result['objects_followed']), 'objects followed'),
                      *tiles(panoptic.result, panoptic.scores),
                      *(tile(f'{panoptic.scores[key]:.3f}', key) for key in (
                          'LSTQ', 'PQ', 'mIoU') if panoptic.scores)],
            'accounting': [accounting(panoptic.result)],
            'latency': [part for part in whole['latency'] if part['name'] != 'detector'],
            'models': _models(whole, 'panoptic')}


def _planning(inputs: DemoInputs, whole: Mapping[str, Any]) -> dict[str, Any] | None:
    if whole['planning'] is None:
        return None
    figures, costmap = inputs.report.result['planning'], inputs.report.result['costmap']
    rows = [tile(str(figures['goals']), 'goals'),
            tile(str(figures['published']), 'paths', tone='good'),
            tile(f"{figures['length_m']:.0f}", 'length of all paths', 'm'),
            tile(f"{100 * costmap['known'] / max(costmap['cells'], 1):.0f}", 'of the map is known',
                 '%')]
    rows += [tile(f"{part['latency_p50_ms']:.0f}", text, 'ms') for part, text in (
        (figures, 'goal to path, median'), (costmap, 'points to map, median'))
        if part['latency_p50_ms'] is not None]
    return {**whole, **EMPTY, 'short': 'Planning', 'title': 'Planning on the costmap',
            'lead': 'semantic_costmap makes a map of the points that panoptic_segmenter has '
                    'labelled; graph_planner plans on it from where the sensor is.',
            'planning': whole['planning'], 'tiles': rows,
            'accounting_title': 'Every cloud and every goal is accounted for',
            'accounting': [accounting(costmap, 'semantic_costmap', 'clouds', 'received'),
                           accounting(figures, 'graph_planner', 'goals', 'asked for')],
            'latency': [{'name': name, 'chart': None, 'stages': stages(part)} for name, part in (
                ('semantic_costmap', costmap), ('graph_planner', figures)) if stages(part)],
            'latency_text': 'As the nodes measure it, while all of them run on this machine.'}


def _pick_place(inputs: DemoInputs, whole: Mapping[str, Any]) -> dict[str, Any] | None:
    if whole['pick_place'] is None:
        return None
    figures = inputs.report.result['pick_place']
    rows = [tile(str(figures['episodes']), 'episodes'),
            tile(str(figures['asked']), 'questions'),
            tile(str(figures['published']), 'answered', tone='good'),
            tile(f"{figures['success']:.0f}", 'success', 'of 100')]
    if figures['latency_p50_ms'] is not None:
        rows.append(tile(f"{figures['latency_p50_ms']:.0f}", 'question to answer, median', 'ms'))
    return {**whole, **EMPTY, 'short': 'Pick and place', 'title': 'Pick and place',
            'lead': 'pick_place_policy says where to pick and where to place, beside the other '
                    'nodes; a simulated arm does what it is told.',
            'pick_place': whole['pick_place'], 'tiles': rows,
            'accounting_title': 'Every question is accounted for',
            'accounting': [accounting(figures, '', 'questions', 'asked')],
            'latency': [{'name': 'pick_place_policy', 'chart': None, 'stages': stages(figures)}],
            'latency_text': 'As the node measures it.'}


def _models(whole: Mapping[str, Any], capability: str) -> list[Any]:
    return [facts for facts in whole['models'] if dict(facts)['name'] == MODELS[capability]]
