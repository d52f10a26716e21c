"""How fast labelled scans are simulated: `python bench/simulation.py [--quick] [--json]`.

Scans of 64 x 1024 rays, beside the bare ray cast of the same rays in the same scenes, so that the
ratio says what the labels, the sensor model and the moving objects cost on any machine.
"""

from __future__ import annotations

import os
from pathlib import Path
import sys
from time import perf_counter
from typing import Annotated
from typing import Any

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SENSOR = 'os1_64'  # 64 beams, 1024 columns
WORLDS = ('street', 'square')


def main(
    quick: Annotated[bool, typer.Option(help='A few scans of fewer worlds.')] = False,
    json: Annotated[bool, typer.Option(help='Print JSON on the last line.')] = False,
    seed: Annotated[int, typer.Option(help='Number of the first world.')] = 0,
) -> None:
    """Measures scans per second; a full run stores its result."""
    from eq_eval.cli.output import emit
    from eq_eval.results import store
    result = measure(seed, worlds=2 if quick else 8, scans=8 if quick else 20)
    if not quick:
        store('simulation', result, ['python', 'bench/simulation.py', '--seed', str(seed)], seed)
    emit(result, json, 'simulation')


def measure(seed: int, worlds: int, scans: int) -> dict[str, Any]:
    """Simulates `scans` scans of each of `worlds` worlds of each kind.

    Returns:
        ``scans_per_s`` complete with labels, ``ray_casts_per_s`` of the bare rays against what
        stands, ``ratio`` of the two, ``build_ms`` to make a world and ``scene_ms`` to make its
        search tree (medians), the mean numbers of ``objects`` and ``points`` in a scan, and
        ``load_average``: above the number of cores the machine had other work, too.
    """
    from eq_eval.simulation import SequenceSpec
    from eq_eval.simulation import WorldConfig
    from eq_eval.simulation.raycast import cast
    from eq_eval.simulation.scanner import Scanner
    from eq_eval.simulation.sequence import build_world
    from eq_eval.simulation.sequence import labelled

    times: dict[str, list[float]] = {name: [] for name in ('build', 'scene', 'scan', 'cast')}
    objects, points = [], []
    for number in range(-1, worlds * len(WORLDS)):  # the first one only warms up
        world = WorldConfig(kind=WORLDS[number % len(WORLDS)])
        spec = SequenceSpec(world, SENSOR, seed + max(number, 0), 'test', scans)
        clock = [perf_counter()]
        built = build_world(spec)
        clock.append(perf_counter())
        scanner = Scanner(built, spec)
        clock.append(perf_counter())
        for index in range(scans):
            scan = labelled(scanner, spec, index)
            objects.append(len(scan.boxes or ()))
            points.append(len(scan.points))
        clock.append(perf_counter())
        rays = scanner.rays(0.)
        for _ in range(scans):
            cast(scanner.static, rays)
        clock.append(perf_counter())
        if number >= 0:
            spans = np.diff(clock) / (1, 1, scans, scans)
            for name, span in zip(times, spans, strict=True):
                times[name].append(float(span))
    rate = {name: 1 / float(np.mean(values)) for name, values in times.items()}
    return {'scans_per_s': rate['scan'], 'ray_casts_per_s': rate['cast'],
            'ratio': rate['scan'] / rate['cast'], 'sensor': SENSOR,
            'build_ms': 1e3 * float(np.median(times['build'])),
            'scene_ms': 1e3 * float(np.median(times['scene'])),
            'objects': float(np.mean(objects)), 'points': float(np.mean(points)),
            'load_average': os.getloadavg()[0], 'worlds': worlds * len(WORLDS),
            'scans': worlds * len(WORLDS) * scans}


if __name__ == '__main__':
    typer.run(main)
