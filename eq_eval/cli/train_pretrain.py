"""`eq train pretrain`: from scans without labels to a bundle that a detector starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json

Weight = Annotated[float, typer.Option(help='Weight of the objective; 0 leaves it out.', min=0.)]


def pretrain(
    out: Annotated[Path, typer.Option(help='Folder of checkpoint, log and bundle.')],
    data: Annotated[list[Path] | None, typer.Option(
        help='Recording that every second pair of scans is of; may be repeated. No label is '
             'looked at.')] = None,
    scenes: Annotated[Path, typer.Option(
        help='Folder of the simulated scenes.')] = Path('runs/scenes'),
    num_scenes: Annotated[int, typer.Option(
        help='Simulated sequences that the other pairs are of; 0 for none.')] = 600,
    scene_seed: Annotated[int, typer.Option(help='Seed of the scenes.')] = 0,
    iterations: int = 2000, batch_size: int = 2,
    group: Annotated[str, typer.Option(help='C4, C8, D4; C1 is the plain twin of C4.')] = 'C4',
    point_cloud_range: Annotated[float, typer.Option(help='Half edge of the square [m].')] = 51.2,
    contrastive: Weight = .01, rotation: Weight = 1., flow: Weight = 300.,
    occupancy: Weight = 0.,
    learning_rate: Annotated[float, typer.Option(help='Peak of the schedule.')] = 1e-3,
    seed: int = 0, threads: int = 2, json: Json = False,
) -> None:
    """Pre-trains the network of detector and segmenter on pairs of scans without labels.

    `eq train detector --from OUT/bundle` goes on with it. E-SSL as published by default;
    --contrastive 0 --rotation 0 --flow 0 --occupancy 1 is its generative competitor.
    """
    from eq_eval.cli import train
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.datasets.open import open_recording
    from eq_eval.training.export import detector_signature
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_detector
    from eq_eval.training.pretraining import outcome
    from eq_eval.training.pretraining import pretrain as run_pretraining
    from eq_eval.training.pretraining import TASK
    from eq_eval.training.recipe import PretrainingRecipe
    from eq_eval.training.unlabeled import UnlabeledScans
    from eq_perception.pretraining.config import Objectives

    recorded = UnlabeledScans.read([open_recording(each) for each in data]) if data else None
    config = train.new_detector(group, point_cloud_range)
    recipe = PretrainingRecipe(
        detector=config, iterations=iterations, batch_size=batch_size, seed=seed, threads=threads,
        learning_rate=learning_rate, recorded='' if recorded is None else str(recorded),
        objectives=Objectives(contrastive=contrastive, rotation=rotation, flow=flow,
                              occupancy=occupancy))
    run = train.run_on_scenes(
        scenes, num_scenes, scene_seed, iterations,
        lambda store, progress: run_pretraining(recipe, store, out, progress, recorded))
    record, scan = train.record_of(run, num_scenes, scene_seed), train.golden_scan()
    network, found = run.exported().online.network, outcome(out)
    record['recipe'].pop('detector')
    record |= {'point_cloud_range': config.point_cloud_range, 'outcome': found}
    name = 'lidar_pretrained' if config.group != 'C1' else 'lidar_pretrained_plain'
    name, terms = train.tell_recorded(name, record, None, recorded)
    export_detector(network, out / 'bundle', scan, name, record, train.model_card(
        name, 'The network of detector and segmenter, pre-trained without labels.', record,
        'its heads have learnt nothing: it is there\n  to start from and finds no objects.'),
        terms, TASK)
    error = equivariance_error(network, detector_signature(network, scan), config.group)
    emit(train.summary(run, out, error) | found, json, name)
    if found['collapsed']:
        console.print(f'[red]Collapsed:[/] embeddings have a spread of {found["spread"]:.3f}, so '
                      'they tell nothing apart; a detector gains nothing by it.')
