"""Writes the tables of README and docs from bench/results, so that they say what was measured."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import little_data_tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'bench' / 'results'
BEGIN, END = '<!-- FIGURES: begin. By bench/figures.py. -->\n', '<!-- FIGURES: end -->'
CLASSES = ('car', 'truck', 'pedestrian', 'cyclist')
DETECTOR_RECORDINGS = {
    'kitti_tracking_0000': 'KITTI tracking 0000', 'kitti_object': 'KITTI object',
    'sustech_points': 'SUSTechPOINTS', 'av2': 'Argoverse 2', 'nuscenes_frame': 'nuScenes'}
SEGMENTER_RECORDINGS = {
    'semantickitti_00': 'SemanticKITTI 00', 'rellis_frame': 'RELLIS-3D',
    'kitti_tracking_0000': 'KITTI tracking 0000',
    'semantickitti_00_from_8': 'SemanticKITTI 00, scans 8 to 15',
    'semantickitti_00_from_8_adapted': 'the same, adapted on scans 0 to 7'}

PLANNING = {
    'N1': 'published mazes of 15 x 15 cells, walls learnt from 1000 maps',
    'N2': 'the same planner at 28, 50 and 99 cells', 'N3': 'turned and moved',
    'N4': 'hidden costs of ground, learnt from 10 maps',
    'N5': 'the same on scattered places', 'N6': 'mazes seen only while they are walked',
    'N7': 'mazes known by four camera views of each room, 100 maps',
    'N8': 'real occupancy grids, nothing learnt',
    'driven': 'distance from obstacles learnt from 3 and 10 driven paths, on other maps'}

# Equivariant Transporter Network and Transporter Network as published (Huang et al., RSS 2022,
# table I), after 1 and 10 demonstrations.
POLICIES: dict[str, tuple[tuple[float, float], ...]] = {    # as published
    'insert-l-block': (), 'red-in-green': (), 'kit': (),    # ours
    'block-insertion': ((100, 100), (100, 100)), 'align-box-corner': ((41.0, 99.0), (35.0, 85.0)),
    'place-red-in-green': ((98.5, 100), (84.5, 100)),
    'packing-boxes': ((98.3, 99.4), (56.8, 58.3)),
    'towers-of-hanoi': ((88.1, 95.7), (73.1, 83.9)),
    'assembling-kits': ((63.8, 90.6), (28.4, 78.6)),
    'stack-block-pyramid': ((34.6, 80.0), (13.3, 42.6))}

Record = dict[str, Any]


def main() -> None:
    """Rewrites the pages between their marks."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(with_figures(path.read_text(encoding='utf-8'), page), encoding='utf-8')


def with_figures(text: str, page: str = 'README.md') -> str:
    """Returns a page's text with tables of what is in bench/results now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + '\n'.join(_tables(page)) + END + after


def _tables(page: str) -> Iterator[str]:
    for make in PAGES[page]:
        made = make()
        if made:
            yield made


def simulated_detection() -> str:
    """The detector on the test worlds."""
    found = _record('eval_detector')
    if found is None:
        return ''
    row = ['lidar_detector (C4), nuScenes AP 0.5-4 m', f'**{found["mAP"]:.3f}**',
           *(f'{found["AP"][name]:.3f}' for name in CLASSES),
           f'{found["rotation_spread_90"]:.4f}', f'{found["rotation_spread_any"]:.4f}']
    return _table([f'Held-out simulated worlds, {found["num_scans"]} scans, unseen shapes, five '
                   'sensors', 'mAP', *CLASSES, 'spread over turns by 90°', 'over turns by 15°'],
                  [row])


def recorded_detection() -> str:
    """The detector on real recordings; KITTI-360 labels cars alone, so that there is no AP."""
    rows = []
    for name, title in DETECTOR_RECORDINGS.items():
        found = _record(f'eval_detector_{name}')
        if found is not None:
            rows.append([title, str(found['num_scans']), *(
                f'{found["AP"][each]:.2f} ({found["num_truths"][each]})'
                if found['num_truths'][each] else '-' for each in CLASSES)])
    if not rows:
        return ''
    text = _table(['Real recordings, zero-shot from simulation, nuScenes AP', 'scans', *CLASSES],
                  rows)
    text += ('\nIn brackets the number of labelled objects: most of these sets are a handful of '
             'frames.')
    cars = _record('eval_detector_kitti_360_cars')
    if cars is not None:
        recall = ', '.join(f'{row["recall"]:.2f} at {where}'
                           for where, row in cars['recall_by_range']['car'].items())
        text += f' KITTI-360 ({cars["num_scans"]} frames, boxes of cars only): recall {recall}.'
    return text + '\n'


def simulated_panoptic() -> str:
    """The segmenter on the test sequences."""
    found = _record('eval_segmenter')
    if found is None:
        return ''
    tracks, turns = found['tracking'], found['rotation']
    row = [*(f'**{found[name]:.3f}**' for name in ('LSTQ', 'S_assoc', 'mIoU', 'PQ')),
           f'{found["streaming_LSTQ"]:.3f}', f'{tracks["HOTA"]:.3f}',
           '-' if tracks.get('AMOTA') is None else f'{tracks["AMOTA"]:.3f}',
           f'{turns["90.0"]["semantic"]:.2%}', f'{turns["45.0"]["semantic"]:.2%}']
    return _table([f'panoptic_segmenter (C4), {found["scans"]} scans of unseen worlds: LSTQ',
                   'S_assoc', 'mIoU', 'PQ', 'LSTQ streamed at 10 Hz', 'HOTA', 'AMOTA',
                   'points of another class when turned by 90°', 'by 45°'], [row])


def recorded_panoptic() -> str:
    """The segmenter on real recordings."""
    rows = []
    for name, title in SEGMENTER_RECORDINGS.items():
        found = _record(f'eval_segmenter_{name}')
        if found is not None:
            tracks = found.get('tracking') or {}
            rows.append([title, str(found['scans']), *(
                '-' if value is None else f'{value:.3f}' for value in (
                    *(found.get(key) for key in ('mIoU', 'PQ', 'LSTQ', 'S_assoc')),
                    tracks.get('HOTA'), tracks.get('AMOTA'))),
                str(tracks.get('IDSW', '-'))])
    head = ['Real recordings, zero-shot from simulation if not said otherwise', 'scans', 'mIoU',
            'PQ', 'LSTQ', 'S_assoc', 'HOTA', 'AMOTA', 'id switches']
    return _table(head, rows) if rows else ''


def detector_samples() -> str:
    """Sample efficiency of the detector."""
    return _samples('sample_efficiency', 'mAP', 'Detector')


def segmenter_samples() -> str:
    """Sample efficiency of the segmenter."""
    return _samples('segmenter_sample_efficiency', 'LSTQ', 'Segmenter')


def _samples(name: str, figure: str, what: str) -> str:
    """Variants by fractions, upright / turned, means over seeds."""
    found = _record(name)
    if found is None:
        return ''
    cells = found['cells']
    variants = list(dict.fromkeys(cell['variant'] for cell in cells))
    fractions = sorted({cell['fraction'] for cell in cells})
    rows = []
    for variant in variants:
        row = [variant.replace('+-', '±') + '°',
               f'{next(cell["weights"] for cell in cells if cell["variant"] == variant):,}']
        for fraction in fractions:
            same = [cell for cell in cells
                    if (cell['variant'], cell['fraction']) == (variant, fraction)]
            row.append(' / '.join(f'{sum(cell[pose][figure] for cell in same) / len(same):.3f}'
                                  for pose in ('upright', 'turned')) if same else '-')
        rows.append(row)
    seeds = len({cell['seed'] for cell in cells})
    return _table([f'{what}, equal operations, scenes and steps; {figure} upright / turned at '
                   f'random, {seeds} seed{"s" * (seeds > 1)}', 'learned weights',
                   *(f'{fraction:.0%} of scenes' for fraction in fractions)], rows) + (
        '\nA budget of steps, not convergence (`bench/README.md`): read the rows against each '
        'other.\n')


def planning() -> str:
    """The planner on the tasks that have been run."""
    rows = []
    for task, text in PLANNING.items():
        found = _record(f'bench_planner_{task.lower()}')
        if found is not None:
            beside = ', '.join(f'{name} {_numbers(value)}'
                               for name, value in found['peers'].items() if '_ms' not in name)
            rows.append([f'{task}: {text}', f'**{found["success"]:.1f}**',
                         f'{found["spl"]:.1f}', beside or '-'])
    head = ['Planner, figures of `eq bench planner --task ...`', 'success %', 'SPL %', 'beside']
    return _table(head, rows) if rows else ''


def policies() -> str:
    """Planar policies on the tasks that have been run, ours first, then those of Ravens."""
    rows = []
    for task, published in POLICIES.items():
        names = [f'bench_policy_{task.replace("-", "_")}_{demos}' for demos in (1, 10)]
        found = [_record(name) for name in names]
        if any(found):
            alone = [_record(f'{name}_transporter') for name in names]
            twin = [each and each['peers'].get('transporter')
                    for each in (one or other for one, other in zip(alone, found, strict=True))]
            rows.append([task, ' / '.join(
                f'**{each["success"]:.1f}** ({each["scenes"]})' if each else '-'
                for each in found), ' / '.join(
                f'{each["success"]:.1f}' if each else '-' for each in twin),
                *([' / '.join(f'{value:.1f}' for value in pair) for pair in published]
                  or ['', ''])])
    head = ['Pick and place, reward x 100 after 1 / 10 demonstrations (unseen episodes)',
            'planar policy', 'our Transporter twin, same steps',
            'Equivariant Transporter, published', 'Transporter, published']
    return _table(head, rows) if rows else ''


def spatial() -> str:
    """Spatial policies on the tasks that have been run, the plain twin beside them."""
    rows = []
    for task in ('mug-on-rack', 'peg-in-tilted-hole', 'plate-in-rack', 'block-insertion-sixdof'):
        for tilt in ('any', 'upright'):
            name = f'bench_spatial_{task.replace("-", "_")}_{tilt}_same'
            found = _record(name)
            if found is not None:
                peers = found['peers'] | (_record(f'{name}_peers') or {'peers': {}})['peers']
                rows.append([task, tilt, *(_within(*each) for each in (
                    (found, 'success'), (found, 'place'), (found.get('upright'), 'success'),
                    (peers.get('not_refined'), 'success'), (peers.get('transporter'), 'success'))),
                    f'{found["place_mm"]:.1f} mm, {found["place_deg"]:.1f}°',
                    str(found['scenes'])])
    head = ['Pick and place in space after 10 demonstrations, % within 1 cm and 15° / 5 mm and '
            '7.5°', 'tilt of the demonstrations', 'any tilt: pick and place', 'place alone',
            'upright: pick and place', 'not refined: pick and place',
            'our Transporter twin in space, same steps', 'median place, any tilt',
            'unseen scenes']
    return _table(head, rows) if rows else ''


def _within(row: Record | None, key: str) -> str:
    """Shares within both limits."""
    return '-' if row is None else f'{row[key]:.0f} / {row[f"{key}_strict"]:.0f}'


def _numbers(value: Any) -> str:
    """A figure, or one for each size of map."""
    if isinstance(value, dict):
        return 'SPL ' + _numbers([row['spl'] for row in value.values()])
    return ' / '.join(f'{each:.1f}' for each in (value if isinstance(value, list) else [value]))


def little_data() -> str:
    """Cars found on real scans, by how few labels and by what came before them."""
    found = _record('little_data')
    if found is None:
        return ''
    return little_data_tables.tables(found, _table)


def latencies() -> str:
    """The work of both nodes for one message."""
    rows = []
    for name in ('detector', 'detector_openvino', 'segmenter'):
        found = _record(f'bench_{name}')
        if found is not None:
            node = name.replace('_openvino', ', OpenVINO')
            stages = ', '.join(f'{stage} {value:.1f}' for stage, value in sorted(
                found['stages'].items(), key=lambda item: -item[1]))
            share = found.get('network_share')
            rows.append([node, f'**{found["p50_ms"]:.0f}**', f'{found["p99_ms"]:.0f}', stages,
                         '-' if share is None else f'{share:.0%}'])
    head = ['Whole node path, 120 000 points, 2 threads, fp32, ONNX Runtime if not said [ms]',
            'p50', 'p99', 'stages (p50)', 'in the network']
    return _table(head, rows) if rows else ''


def live_node() -> str:
    """The live detector, over DDS."""
    found = (_record('bench_detector') or {}).get('node')
    if not found:
        return ''
    row = [f'{found["sent"]} clouds at {found["rate_hz"]:.0f} Hz', f'**{found["p50_ms"]:.0f}**',
           f'{found["p99_ms"]:.0f}', f'{found["received"]} / {found["published"]}',
           f'{found["start_s"]:.1f} s', f'{found["rss_mb"]:.0f} MB']
    return _table(['Live `lidar_detector`, from publishing a cloud to hearing the answer [ms]',
                   'p50', 'p99', 'received / answered', 'process start to active', 'memory'],
                  [row])


def whole_stack() -> str:
    """All nodes under load for minutes, and after a kill."""
    found, recovery = _record('bench_soak_stack'), _record('bench_recovery')
    if found is None or recovery is None:
        return ''
    rows = []
    for name, node in found['nodes'].items():
        memory = node['memory_mb']
        rows.append([name, *(str(node[key]) for key in ('sent', 'published')),
                     str(sum(node['dropped'].values())), str(node['lost_in_transport']),
                     str(node['unaccounted']), f'{memory["end"]:.0f} MB',
                     f'{100 * memory["growth"] / memory["warm"]:+.1f}%',
                     f'{node["threads"]["growth"]:+.0f} / {node["fds"]["growth"]:+.0f}',
                     f'**{recovery["recovery_s"][name]:.1f} s**'])
    return _table([f'All nodes for {found["minutes"]:.0f} minutes, clouds of '
                   f'{found["points"]:,.0f} points at {found["rate_hz"]:.0f} Hz', 'sent',
                   'answered', 'dropped, with a reason', 'lost on the way', 'unaccounted',
                   'memory', 'growth after warming up', 'threads / files',
                   'kill -9 to the first new answer'], rows)


def roofline() -> str:
    """What each network costs, and how near it comes to what the machine can do."""
    found = _record('bench_runtime')
    if found is None:
        return ''
    rows = []
    for key, part in found['utilisation'].items():
        network, engine, threads = key.split(', ')
        if not engine.endswith('fp32'):     # whose products are of other numbers
            continue
        rows.append([network, threads.split()[0], f'{found["gmac"][network]:.2f}',
                     f'{found["ms"][key]:.1f}', f'{found["gmac_per_s"][key]:.0f}',
                     f'{part:.0%}'])
    reached = ', '.join(f'{value:.0f} on {threads}' for threads, value in
                        found['roofline'].items())
    return _table(['Network on ONNX Runtime fp32', 'threads', 'GMAC', 'ms', 'GMAC/s',
                   'of a large convolution'], rows) + (
        f'\nThe large convolution reaches, in GMAC/s by threads: {reached}.\n')


def runtime_ratios() -> str:
    """Networks, engines and threads side by side."""
    found = _record('bench_runtime')
    if found is None:
        return ''
    rows = [[label, f'{value:.2f}'] for label, value in found['ratios'].items()]
    left_out = ''.join(f'\n* not measured: {note}' for note in found['notes'])
    return _table(['Time of the first over time of the second', 'ratio'], rows) + (
        left_out + '\n' if left_out else '')


def measured_with() -> str:
    """Which machine the stored figures of speed come from."""
    lines = []
    for name in ('bench_detector', 'bench_segmenter', 'bench_soak_stack', 'bench_recovery',
                 'bench_runtime'):
        path = RESULTS / f'{name}.json'
        if path.exists():
            record = json.loads(path.read_text(encoding='utf-8'))
            machine, load = record['machine'], record['result']['load_average']
            versions = ', '.join(f'{library} {version}' for library, version in
                                 machine['libraries'].items()
                                 if library in ('numpy', 'onnxruntime', 'openvino', 'torch'))
            lines.append(f'* `{record["command"]}`, {record["date"][:10]}: {machine["cpu"]}, '
                         f'{machine["cores"]} cores, Python {machine["python"]}, {versions}, '
                         f'load average {"unknown" if load is None else f"{load:.1f}"}\n')
    return ''.join(lines)


def _record(name: str) -> Record | None:
    """What a stored run measured; None where there is none."""
    path = RESULTS / f'{name}.json'
    if not path.exists():
        return None
    result: Record = json.loads(path.read_text(encoding='utf-8'))['result']
    return result


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines: list[Sequence[str]] = [head, ['---'] * len(head), *rows]
    return ''.join('| ' + ' | '.join(line) + ' |\n' for line in lines)


PAGES: dict[str, tuple[Callable[[], str], ...]] = {
    'README.md': (simulated_detection, detector_samples, recorded_detection, simulated_panoptic,
                  segmenter_samples, recorded_panoptic, planning, policies, spatial, latencies),
    'docs/little_data.md': (little_data,),
    'docs/performance.md': (
        latencies, live_node, whole_stack, roofline, runtime_ratios, measured_with)}

if __name__ == '__main__':
    main()
