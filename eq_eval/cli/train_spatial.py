"""`eq train spatial`: from ten demonstrations to a policy of pick and place in space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json
from eq_eval.cli.options import Shading


def spatial(
    task: Annotated[str, typer.Option(help='Name of a task; an unknown one lists all.')],
    out: Annotated[Path | None, typer.Option(
        help='Folder of checkpoint, log and bundle; runs/policies/... if not given.')] = None,
    demos: Annotated[int, typer.Option(help='Episodes that are shown.', min=1)] = 10,
    tilt: Annotated[str, typer.Option(help='Of what is shown, any or upright.')] = 'any',
    shapes: Annotated[str, typer.Option(
        help='Whether objects are the same or varied in size.')] = 'same',
    iterations: Annotated[int | None, typer.Option(help='Optimiser steps.', min=1)] = None,
    shading: Shading = .5, seed: int = 0, threads: int = 1, json: Json = False,
) -> None:
    """Trains a policy of pick and place in space; writes its bundles to OUT/bundle."""
    from rich.progress import Progress as Bar

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.cli.train import history
    from eq_eval.cli.train import model_card
    from eq_eval.cli.train import summary
    from eq_eval.manipulation.spatial.laws import verify_spatial
    from eq_eval.manipulation.spatial.learning import spatial_demonstrations
    from eq_eval.manipulation.spatial.learning import spatial_example
    from eq_eval.manipulation.spatial.learning import spatial_folder
    from eq_eval.manipulation.spatial.learning import spatial_recipe
    from eq_eval.manipulation.spatial.tasks import open_in_space
    from eq_eval.training.export import export_spatial
    from eq_eval.training.spatial import train_spatial

    what = open_in_space(task, tilt, shapes)
    shown = spatial_demonstrations(what, demos)
    recipe = spatial_recipe(task, demos, iterations, seed, threads, shading)
    folder = out or spatial_folder(recipe, what)
    with Bar(console=console) as bar:
        running = bar.add_task('training', total=recipe.iterations)
        run = train_spatial(recipe, shown, folder, lambda step, row: bar.update(
            running, completed=step, description=f'loss {row["total"]:.3f}'))
    name = task.replace('-', '_')
    record = history(run, f'{demos} simulated episodes of {task}, tilt {tilt}, shapes {shapes}')
    record['recipe'].pop('policy')
    card = model_card(name, f'Where to pick and where to place in space: {task}.', record,
                      'knows the objects of its\n  demonstrations only.')
    export_spatial(run.exported(), folder / 'bundle', *spatial_example(shown, recipe.policy), name,
                   record, card)
    errors = verify_spatial(folder / 'bundle', 'onnxruntime', threads)
    emit({**summary(run, folder, max(errors.values())), **errors}, json, name)
