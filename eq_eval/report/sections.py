"""The tables of the report, from the figures of a replay."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from eq_eval.report.charts import reliability_chart
from eq_eval.report.charts import rotation_chart
from eq_eval.report.inputs import PanopticInputs
from eq_eval.report.inputs import RotationCurve

_REASONS = {
    'busy': 'a newer scan had come in', 'stale': 'older than max_age', 'frame': 'no usable frame',
    'missing_field': 'no x, y or z', 'bad_field': 'a field that cannot be read',
    'bad_layout': 'sizes that contradict each other', 'internal': 'a fault in the node',
    'bad_output': 'the model answered with something that must not be published',
}
_STAGES = ('waiting', 'decode', 'transform', 'odometry', 'preprocess', 'heightmap', 'inference',
           'postprocess', 'tracking', 'costmap', 'planning', 'encode')


def tiles(result: Mapping[str, Any], scores: Mapping[str, Any] | None,
          panoptic: PanopticInputs | None = None) -> list[dict[str, str]]:
    """The figures on top."""
    if panoptic is not None:
        return _tiles_of_both(result, scores, panoptic)
    total, answered = int(result['scans_in_bag']), int(result['published'])
    dropped = sum(result['dropped'].values()) + int(result.get('lost_in_transport', 0))
    rows = [tile(str(total), 'scans recorded'),
            tile(str(answered), 'answered', tone='good' if answered == total else ''),
            tile(str(dropped), 'dropped', tone='warn' if dropped else '')]
    for key, text in (('round_trip_p50_ms', 'round trip, median'),
                      ('round_trip_p99_ms', 'round trip, p99')):
        if result.get(key) is not None:
            rows.append(tile(f'{result[key]:.0f}', text, 'ms'))
    if scores is not None and scores.get('mAP') is not None:
        rows.append(tile(f"{scores['mAP']:.3f}", 'mAP (0.5 to 4 m)'))
    return rows


def _tiles_of_both(result: Mapping[str, Any], scores: Mapping[str, Any] | None,
                   panoptic: PanopticInputs) -> list[dict[str, str]]:
    """Two nodes have been asked: one figure of each kind for each."""
    total = int(result['scans_in_bag'])
    rows = [tile(str(total), 'scans recorded')]
    for name, figures in (('detector', result), ('segmenter', panoptic.result)):
        answered = int(figures['published'])
        rows.append(tile(str(answered), f'answered by the {name}',
                          tone='good' if answered == total else 'warn'))
        if figures.get('round_trip_p50_ms') is not None:
            rows.append(tile(f"{figures['round_trip_p50_ms']:.0f}",
                              f'round trip of the {name}, median', 'ms'))
    wanted = ((scores, 'mAP', 'mAP of the boxes (0.5 to 4 m)'), (panoptic.scores, 'LSTQ', 'LSTQ'),
              (panoptic.scores, 'PQ', 'PQ'), (panoptic.scores, 'mIoU', 'mIoU'))
    rows += [tile(f'{table[key]:.3f}', text) for table, key, text in wanted
             if table is not None and table.get(key) is not None]
    return rows


def tile(value: str, label: str, unit: str = '', tone: str = '') -> dict[str, str]:
    """One figure on top; `tone` is '', 'good', 'warn' or 'bad'."""
    return {'value': value, 'label': label, 'unit': unit, 'tone': tone}


def accounting(result: Mapping[str, Any], name: str = '', unit: str = 'scans',
               whole: str = 'in the recording') -> dict[str, Any]:
    """The balance of a node, one row for each fate of an input.

    Args:
        result: The figures; inputs in all are `scans_in_bag`, `received` where that is missing.
        name: Stands above it.
        unit: What the inputs are.
        whole: What they are in all.
    """
    dropped = dict(result['dropped'])
    rows = [_row('answered', result['published'], 's-published', '')]
    rows += [_row(f'dropped: {reason}', count, 's-dropped', _REASONS.get(reason, ''))
             for reason, count in sorted(dropped.items())]
    for key, fate, style, text in (
            ('in_flight', 'still in work', 's-flight', 'when the recording ended'),
            ('lost_in_transport', 'not received', 's-lost', 'sent, but the node never saw it'),
            ('lost_in_bag', 'unreadable', 's-lost', 'damaged in the recording')):
        if result.get(key):
            rows.append(_row(fate, result[key], style, text))
    total, seen = int(result.get('scans_in_bag', result['received'] + result.get(
        'lost_in_transport', 0))), sum(row['count'] for row in rows)
    balanced = seen == total
    return {
        'name': name, 'rows': rows, 'total': total, 'unit': unit, 'whole': whole,
        'verdict': 'the balance holds' if balanced else f'{total - seen} are not accounted for',
        'sentence': f"received {result['received']} = published {result['published']} + dropped "
                    f"{sum(dropped.values())} + in flight {result['in_flight']}",
    }


def _row(name: str, count: int, style: str, text: str) -> dict[str, Any]:
    return {'name': name, 'count': int(count), 'style': style, 'text': text}


def stages(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Latency inside the node by stage, the whole last; empty where the node does not tell."""
    table = result.get('node_latency_ms') or {}
    names = [name for name in _STAGES if name in table]
    names += [name for name in table if name not in _STAGES and name != 'total']
    rows = [{'name': name, 'p50': _figure(table[name].get('p50')),
             'p99': _figure(table[name].get('p99')), 'total': False} for name in names]
    if 'total' in table:
        rows.append({'name': 'receipt to answer', 'p50': _figure(table['total'].get('p50')),
                     'p99': _figure(table['total'].get('p99')), 'total': True})
    return rows


def _figure(value: float | None, digits: int = 1) -> str:
    return '' if value is None else f'{value:.{digits}f}'


def rotation(curve: RotationCurve) -> dict[str, Any]:
    """The rotation curve with the spread of each network."""
    rows = [{'name': name, 'style': 'ours' if place == 0 else f'other-{place}',
             'text': _spread(values)} for place, (name, values) in enumerate(curve.series.items())]
    return {
        'chart': rotation_chart(curve.angles, curve.series), 'rows': rows,
        'text': 'The whole scene is turned about the sensor, boxes and points alike. An '
                f'equivariant network gives the same answer, turned. {curve.source}'.strip(),
    }


def _spread(values: Sequence[float]) -> str:
    return f'{min(values):.3f} to {max(values):.3f}, spread {max(values) - min(values):.3f}'


def reliability(scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """Whether the detector knows how sure it is of cars; None where no car was found."""
    car = (scores.get('calibration') or {}).get('car')
    if car is None or car['score']['error'] is None:
        return None
    told = {'score, being within 2 m of a car': car['score']}
    if car['heading']['count']:
        told['heading within 40 m, pointing forwards'] = car['heading']
    rows = [{'name': name, 'style': style,
             'text': f'{sum(curve["count"])} cases, expected calibration error '
                     f'{curve["error"]:.3f}'}
            for style, (name, curve) in zip(('ours', 'other-1'), told.items(), strict=False)]
    text = 'What is said with probability p should come true in a share p of the cases. '
    if car['inside_90'] is not None:
        text += (f'The ellipses of position that should hold 50 and 90 % of the cars hold '
                 f'{100 * car["inside_50"]:.0f} and {100 * car["inside_90"]:.0f} %. ')
    if car['heading_flip_rate'] is not None:
        text += (f'{100 * car["heading_flip_rate"]:.1f} % of the headings within 40 m point '
                 'backwards')
        text += ('.' if car['heading_flip_rate_sure'] is None else
                 f', {100 * car["heading_flip_rate_sure"]:.1f} % of those of confidence 0.8 or '
                 f'more, which {100 * car["heading_sure"]:.0f} % are.')
    return {'chart': reliability_chart({name: (curve['said'], curve['came'])
                                        for name, curve in told.items()}),
            'rows': rows, 'text': text}
