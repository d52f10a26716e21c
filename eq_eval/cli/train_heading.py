"""`eq train heading`: from what a detector finds to the second look that tells directions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json


def heading(
    out: Annotated[Path, typer.Option(help='Folder of objects, checkpoint, log and bundle.')],
    initial: Annotated[Path | None, typer.Option(
        '--from', help='Bundle of the detector whose boxes are looked at; the shipped one if not '
                       'given.')] = None,
    scenes: Annotated[Path, typer.Option(
        help='Folder of the simulated scenes.')] = Path('runs/heading_scenes'),
    num_scenes: Annotated[int, typer.Option(
        help='Simulated sequences of three scans.', min=1)] = 700,
    scene_seed: Annotated[int, typer.Option(
        help='Seed of the scenes; another one than that of the detector.')] = 1,
    iterations: int = 12000, batch_size: int = 128,
    learning_rate: Annotated[float, typer.Option(help='Peak of the schedule.')] = 2e-3,
    seed: int = 0, threads: int = 2, json: Json = False,
) -> None:
    """Trains the network that tells which end of a vehicle is the front.

    It learns from the boxes of a detector in scenes that this one has not seen.
    """
    from eq_core.runtime.bundle import Bundle
    from eq_eval.cli import train
    from eq_eval.cli.output import emit
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_heading
    from eq_eval.training.export import heading_signature
    from eq_eval.training.heading import train_heading
    from eq_eval.training.initial import initial_name
    from eq_eval.training.recipe import HeadingRecipe
    from eq_perception.detection.detector import Detector

    folder = bundle_folder(initial)
    recipe = HeadingRecipe(
        detector=initial_name(Bundle.load(folder)), iterations=iterations, batch_size=batch_size,
        learning_rate=learning_rate, seed=seed, threads=threads)
    detector = Detector.from_bundle(folder, threads=threads)
    run = train.run_on_scenes(
        scenes, num_scenes, scene_seed, iterations, lambda store, progress: train_heading(
            recipe, detector, store, out, progress))
    record: dict[str, Any] = train.record_of(run, num_scenes, scene_seed)
    record['recipe'].pop('heading')
    model = run.exported()
    export_heading(model, out / 'bundle', 'heading_estimator', record, train.model_card(
        'heading_estimator', 'Which end of a car, truck or cyclist is its front, from the LiDAR '
        'points in its box.', record,
        f'boxes were those of {recipe.detector.split()[0]}; of few points\n  no end is told '
        'surely, see the confidence.'))
    error = equivariance_error(model, heading_signature(model.config), 'C2')
    emit(train.summary(run, out, error), json, 'heading_estimator')
