"""The tables of `little_data.py`, for `figures.py`: it imports nothing that trains."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]
Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

NETWORKS = 'C4', 'plain'
# Fold -> what it is tested on.
LITTLE_DATA = {
    'tracking': 'KITTI object, SUSTechPOINTS and Argoverse 2, adapted to KITTI tracking',
    'others': 'KITTI tracking, adapted to the others'}


def tables(found: Record, table: Table) -> str:
    """Cars found on real scans, by how few labels and by what came before them.

    Args:
        found: What the stored run measured.
        table: Writes a table of heads and rows.
    """
    whole = [each for each in found['cells'] if each['fraction'] == 1]
    seeds = sorted({each['seed'] for each in whole})
    text = ''
    for fold, title in LITTLE_DATA.items():
        cells = [each for each in whole if each['fold'] == fold]
        counts = sorted({each['frames'] for each in cells})
        rows = []
        for start in dict.fromkeys(each['start'] for each in cells):
            rows.append([start, *(_by_seed(
                [each for each in cells if (each['start'], each['network'], each['frames'])
                 == (start, network, count)], seeds)
                for network in NETWORKS for count in counts)])
        told = f'; seeds {" / ".join(map(str, seeds))}' * (len(seeds) > 1)
        text += table([f'Tested on {title} ({cells[0]["cars"]} cars{told}); '
                       'labelled scans learnt from',
                        *(f'{network}: {count}' for network in NETWORKS
                          for count in counts)], sorted(rows)) + '\n'
    return text + _of_scenes(found, table) + '\n' + _turned(whole, table)


def _of_scenes(found: Record, table: Table) -> str:
    """What the number of simulated scenes does, without any label."""
    cells = [each for each in found['cells']
             if each['start'] == 'simulation' and not each['frames']]
    rows = [[f'{fraction:.0%}', *(
        f'{_mean_of([each["car_AP_2m"] for each in same])} '
        f'({_mean_of([_average(each["car_by_angle"]) for each in same])})'
        for fold in LITTLE_DATA for network in NETWORKS
        if (same := [each for each in cells if (each['fraction'], each['fold'], each['network'])
                     == (fraction, fold, network)]))]
        for fraction in sorted({each['fraction'] for each in cells})]
    return table([f'Of {found["scenes"]} simulated scenes, no label; in brackets turned, mean '
                   'over 12 angles', *(f'{test} test, {network}' for test in ('first', 'second')
                                       for network in NETWORKS)], rows)


def _turned(cells: Sequence[Record], table: Table) -> str:
    """How AP changes when the scene turns."""
    rows = []
    for each in sorted(cells, key=lambda each: (each['network'], each['start'], each['frames'],
                                                each['seed'])):
        if 'car_by_angle' in each and each['fold'] == 'tracking':
            angles = each['car_by_angle']
            least, largest = min(angles.values()), max(angles.values())
            rows.append([f'{each["network"]}, {each["start"]}, {each["frames"]} scans, '
                         f'seed {each["seed"]}',
                         *(f'{value:.3f}' for value in (_average(angles), least, largest,
                                                        largest - least))])
    return table(['The first test turned by multiples of 30°', 'mean AP', 'least', 'largest',
                   'spread'], rows)


def _by_seed(cells: Sequence[Record], seeds: Sequence[int]) -> str:
    """AP of each seed; a single dash where none was run."""
    values = {each['seed']: f'{each["car_AP_2m"]:.3f}' for each in cells}
    return ' / '.join(values.get(seed, '-') for seed in seeds) if values else '-'


def _average(values: dict[str, float]) -> float:
    return sum(values.values()) / len(values)


def _mean_of(values: Sequence[float]) -> str:
    return f'{sum(values) / len(values):.3f}' if values else '-'
