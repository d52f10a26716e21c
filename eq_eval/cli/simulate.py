"""`eq simulate`: labelled LiDAR recordings of procedural worlds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json

FORMATS = ('mcap', 'kitti', 'semantic_kitti')


def simulate(
    out: Annotated[Path, typer.Option(help='New folder for the recording.')],
    world: Annotated[str, typer.Option(help='street, square or hall.')] = 'street',
    sensor: Annotated[str, typer.Option(
        help='hdl64e, vlp32c, vlp16, os1_64 or os1_128.')] = 'hdl64e',
    scans: Annotated[int, typer.Option(help='Number of scans, 10 per second.')] = 50,
    seed: Annotated[int, typer.Option(help='Number of the world within the split.')] = 0,
    split: Annotated[str, typer.Option(help='train, validation or test.')] = 'test',
    file_format: Annotated[str, typer.Option(
        '--format', help='mcap, kitti or semantic_kitti.')] = 'mcap',
    columns: Annotated[int | None, typer.Option(
        help="Firings per turn instead of the sensor's own.")] = None,
    distortion: Annotated[bool, typer.Option(
        help='Let sensor and objects move during a turn.')] = False,
    json: Json = False,
) -> None:
    """Simulates a labelled recording and writes it; equal arguments give equal scans."""
    from time import perf_counter

    from rich.progress import track

    from eq_core.errors import ConfigError
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.datasets.write_kitti import write_kitti
    from eq_eval.datasets.write_rosbag import write_rosbag
    from eq_eval.datasets.write_semantic_kitti import write_semantic_kitti
    from eq_eval.simulation import simulate_sequence

    writers: dict[str, Callable[..., int]] = {
        'mcap': write_rosbag, 'kitti': write_kitti, 'semantic_kitti': write_semantic_kitti}
    if file_format not in writers:
        raise ConfigError(f'unknown format {file_format!r}, expected one of {FORMATS}')
    began = perf_counter()
    sequence = simulate_sequence(world, sensor, seed, scans, split, columns=columns,
                                 motion_distortion=distortion)
    written = writers[file_format](
        track(sequence, f'simulating {world}', scans, console=console), out)
    emit({'path': str(out), 'format': file_format, 'scans': written, 'world': world,
          'sensor': sensor, 'seed': seed, 'split': split,
          'wall_s': round(perf_counter() - began, 2)}, json, f'simulated {world}')
