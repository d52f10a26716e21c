"""`eq train detector`: from simulated scenes to a model bundle."""

from __future__ import annotations

from pathlib import Path
import shlex
import sys
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eq_eval.training.loop import Training

app = typer.Typer(help='Train a model; interrupt and repeat the command to continue.',
                  no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `detector` a sub-command although it is the only one yet."""


@app.command()
def detector(
    out: Annotated[Path, typer.Option(help='Folder of checkpoint, log and bundle.')],
    scenes: Annotated[Path, typer.Option(help='Folder of the simulated training scenes.')] =
        Path('runs/scenes'),
    num_scenes: Annotated[int, typer.Option(help='Sequences of three scans to simulate.')] = 600,
    scene_seed: Annotated[int, typer.Option(help='Seed of the scenes.')] = 0,
    iterations: int = 6000,
    batch_size: int = 4,
    group: Annotated[str, typer.Option(help='C4, C8, D4; C1 is the plain twin of C4.')] = 'C4',
    point_cloud_range: Annotated[float, typer.Option(help='Half edge of the square [m].')] = 51.2,
    fraction: Annotated[float, typer.Option(help='Part of the scenes to train on.')] = 1.,
    yaw_degrees: Annotated[float, typer.Option(help='Yaw augmentation either way.')] = 45.,
    seed: int = 0,
    threads: int = 2,
    json: bool = False,
) -> None:
    """Trains the LiDAR detector and writes its bundle to OUT/bundle."""
    from dataclasses import replace

    from rich.progress import Progress

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.training.augmentation import Augmentation
    from eq_eval.training.detector import train_detector
    from eq_eval.training.recipe import Recipe
    from eq_eval.training.scan_store import ScanStore
    from eq_eval.training.scenes import make_scenes
    from eq_perception.detection.config import DetectorConfig
    from eq_perception.detection.model import plain_twin

    config = DetectorConfig(point_cloud_range=point_cloud_range)
    config = plain_twin(config) if group == 'C1' else replace(config, group=group)
    recipe = Recipe(config, Augmentation(yaw_degrees), iterations, batch_size,
                    fraction=fraction, seed=seed, threads=threads)
    with Progress(console=console) as bar:
        making = bar.add_task('scenes', total=num_scenes)
        for done in make_scenes(scenes, num_scenes, scene_seed):
            bar.update(making, completed=done)
        running = bar.add_task('training', total=iterations)
        run = train_detector(
            recipe, ScanStore.open(scenes), out,
            lambda step, row: bar.update(running, completed=step,
                                         description=f'loss {row["total"]:.3f}'))
    emit(_finish(run, out, shlex.join(['eq', *sys.argv[1:]]), num_scenes, scene_seed), json,
         'lidar_detector')


def _finish(run: Training, out: Path, command: str, num_scenes: int,
            scene_seed: int) -> dict[str, object]:
    """Exports the bundle and measures the law of the trained network."""
    from datetime import date

    from eq_eval.results import commit
    from eq_eval.simulation import simulate_sequence
    from eq_eval.training.export import detector_signature
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_detector

    # Sixteen beams keep the golden example small.
    scan = next(iter(simulate_sequence('street', 'vlp16', 0, 1, 'validation')))
    model = run.exported()
    record: dict[str, Any] = {
        'command': command, 'seed': run.recipe.seed, 'iterations': run.step,
        'data': f'{num_scenes} simulated sequences of 3 scans, split train, seed {scene_seed}',
        'wall_time_s': round(run.seconds), 'date': str(date.today()), 'commit': commit(),
        'torch_threads': run.recipe.threads, 'recipe': run.recipe.to_dict()}
    record['recipe'].pop('detector')
    record['point_cloud_range'] = run.recipe.detector.point_cloud_range
    name = 'lidar_detector' if run.recipe.detector.group != 'C1' else 'lidar_detector_plain'
    export_detector(model, out / 'bundle', scan.points, name, record, _card(name, record))
    return {'bundle': str(out / 'bundle'), 'iterations': run.step,
            'seconds': round(run.seconds), 'weights': sum(
                weight.numel() for weight in model.parameters()),
            'equivariance_error': equivariance_error(
                model, detector_signature(model, scan.points), model.config.group)}


def _card(name: str, record: dict[str, Any]) -> str:
    """Writes the model card: what, from what, how, and what it is not."""
    return f"""# {name}

LiDAR 3D detection in bird's eye view: car, truck, pedestrian, cyclist. Range
+-{record['point_cloud_range']:g} m.

- Training data: {record['data']}. No real recording was used.
- Command: `{record['command']}` (seed {record['seed']}, {record['iterations']} iterations,
  {record['wall_time_s']} s on {record['torch_threads']} CPU threads, {record['date']}).
- Licence: Apache-2.0.
- Limits: trained on simulation only; velocity needs two or more sweeps; heading of pedestrians
  is not meaningful.
"""
