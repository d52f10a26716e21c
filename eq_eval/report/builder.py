"""Builds `report.html`: one file, no network, everything embedded."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from datetime import UTC
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import os
from pathlib import Path
from typing import Any

from eq_eval.report.bev import bev_picture
from eq_eval.report.bev import SURE
from eq_eval.report.charts import histogram
from eq_eval.report.inputs import ReportInputs
from eq_eval.report.palette import class_colour
from eq_eval.report.palette import height_gradient
from eq_eval.report.palette import HEIGHT_RANGE
from eq_eval.report.panoptic_sections import panoptic_page
from eq_eval.report.perspective import perspective_picture
from eq_eval.report.scene import Scene
from eq_eval.report.score_tables import score_tables
from eq_eval.report.sections import accounting
from eq_eval.report.sections import reliability
from eq_eval.report.sections import rotation
from eq_eval.report.sections import stages
from eq_eval.report.sections import tiles

IGNORE = 'ignore'
_DETECTOR, _SEGMENTER = 'detector', 'panoptic segmenter'


def build_report(inputs: ReportInputs, now: datetime | None = None) -> str:
    """Renders a report.

    Args:
        inputs: What it shows.
        now: Date of the report; the present if None.

    Returns:
        HTML that asks for nothing from outside.
    """
    created = (now or datetime.now(UTC)).strftime('%d %B %Y, %H:%M UTC')
    return environment().get_template('report.html.j2').render(
        **page_of(inputs), version=version_text(), created=created)


def environment() -> Any:
    """The templates of this folder."""
    from jinja2 import Environment
    from jinja2 import FileSystemLoader
    from jinja2 import StrictUndefined

    return Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                       undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def write_report(path: Path, inputs: ReportInputs) -> Path:
    """Writes a report; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_page(path, build_report(inputs))


def write_page(path: Path, text: str) -> Path:
    """Writes a page; a reader never sees half of it."""
    draft = path.with_suffix('.part')
    draft.write_text(text, encoding='utf-8')
    os.replace(draft, path)
    return path


def page_of(inputs: ReportInputs) -> dict[str, Any]:
    """What the template `report.html.j2` takes, but for version and date."""
    result, panoptic = inputs.result, inputs.panoptic
    hero = _hero(inputs)
    return {
        'kind': 'replay report', 'pages': [], 'accounting_title': 'Every scan is accounted for',
        'title': inputs.title, 'lead': inputs.lead, 'command': inputs.command,
        'notes': list(inputs.notes), 'tiles': tiles(result, inputs.scores, panoptic),
        'accounting': _balances(inputs),
        **_pictures(inputs),
        'panoptic': panoptic_page(panoptic) if panoptic else None, 'planning': inputs.planning,
        'pick_place': inputs.pick_place,
        'most_scenes': max(len(inputs.scenes), len(panoptic.scenes) if panoptic else 0),
        'hero': perspective_picture(hero) if hero else None,
        'hero_text': f'{hero.title.capitalize()} from a camera that follows the sensor.'
                     if hero else '',
        'latency': _latencies(inputs), 'latency_text': _latency_text(result),
        'score_tables': score_tables(inputs.scores) if inputs.scores else [],
        'scores_text': inputs.scores_text,
        'reliability': reliability(inputs.scores) if inputs.scores else None,
        'rotation': rotation(inputs.rotation) if inputs.rotation else None,
        'models': [list(facts.items()) for facts in (
            inputs.model, panoptic.model if panoptic else {}) if facts],
        'versions': list(inputs.versions.items()),
    }


def _balances(inputs: ReportInputs) -> list[dict[str, Any]]:
    """The balance of each node; a single one needs no name."""
    if inputs.panoptic is None:
        return [accounting(inputs.result)]
    return [accounting(inputs.result, _DETECTOR), accounting(inputs.panoptic.result, _SEGMENTER)]


def _latencies(inputs: ReportInputs) -> list[dict[str, Any]]:
    """Round trips and stages of each node that has answered."""
    parts = [(_DETECTOR, inputs.round_trips, inputs.result)]
    if inputs.panoptic is not None:
        parts.append((_SEGMENTER, inputs.panoptic.round_trips, inputs.panoptic.result))
    return [{'name': name, 'chart': histogram(times, 'round trip [ms]'), 'stages': stages(result)}
            for name, times, result in parts if times]


def _pictures(inputs: ReportInputs) -> dict[str, Any]:
    scenes = [{'bev': bev_picture(scene), 'title': scene.title,
               'number': scene.title.rsplit(' ', 1)[-1], 'caption': _caption(scene)}
              for scene in inputs.scenes]
    found: Counter[str] = Counter()
    labelled = 0
    for scene in inputs.scenes:
        for boxes, counts in ((scene.predictions, True), (scene.truth, False)):
            if boxes is None:
                continue
            shown = boxes.label[boxes.score >= SURE] if counts else boxes.label
            names = [scene.class_names[label] for label in shown]
            if counts:
                found.update(names)
            else:
                labelled += sum(name != IGNORE for name in names)
    names = list(dict.fromkeys(name for scene in inputs.scenes for name in scene.class_names
                               if name != IGNORE))
    return {
        'scenes': scenes,
        'legend': [{'name': name, 'colour': class_colour(name), 'count': found[name]}
                   for name in names],
        'num_truth': labelled,
        'has_truth': any(scene.truth is not None for scene in inputs.scenes),
        'has_blind': any(scene.field_of_view is not None for scene in inputs.scenes),
        'sure': SURE, 'ramp': height_gradient(), 'ramp_range': HEIGHT_RANGE,
    }


def _caption(scene: Scene) -> str:
    if scene.predictions is None:
        return scene.status.rpartition(':')[2]
    return f'{int((scene.predictions.score >= SURE).sum())} found'


def _hero(inputs: ReportInputs) -> Scene | None:
    """The scan with the most to see."""
    answered = [scene for scene in inputs.scenes if scene.predictions is not None]
    return max(answered, key=lambda scene: int((scene.predictions.score >= SURE).sum())
               if scene.predictions else 0, default=None)


def _latency_text(result: Any) -> str:
    pacing = result.get('rate') or 0.
    how = (f'Played at {pacing:g} times the recorded speed.' if pacing
           else 'Played in lock-step: each scan follows when the one before was answered.')
    return (f'{how} The round trip runs from publishing the cloud to hearing the answer in '
            'another process, with serialisation and transport both ways.')


def version_text() -> str:
    """The version of the package, or that there is none."""
    try:
        return version('eq_stack')
    except PackageNotFoundError:
        return '(source tree)'
