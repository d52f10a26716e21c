"""`eq train policy`: from a few demonstrations to a policy of pick and place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eq_eval.cli.options import Json


def policy(
    task: Annotated[str, typer.Option(help='Name of a simulated task, see `eq bench policy`.')],
    out: Annotated[Path | None, typer.Option(
        help='Folder of checkpoint, log and bundle; runs/policies/... if not given.')] = None,
    demos: Annotated[int, typer.Option(help='Episodes that are shown.', min=1)] = 10,
    demonstrations: Annotated[Path | None, typer.Option(
        help='File of demonstrations to learn from, instead of those of the simulated task.',
    )] = None,
    iterations: Annotated[int | None, typer.Option(
        help='Optimiser steps; by the number of actions if not given.', min=1)] = None,
    group: Annotated[str, typer.Option(
        help='Symmetry; C1 is the plain twin, a Transporter Network.')] = 'C4',
    seed: int = 0, threads: int = 1, json: Json = False,
) -> None:
    """Trains a policy of pick and place from demonstrations; writes its bundles to OUT/bundle."""
    from rich.progress import Progress as Bar

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.cli.train import history
    from eq_eval.cli.train import model_card
    from eq_eval.cli.train import summary
    from eq_eval.manipulation.demonstrations import load_demonstrations
    from eq_eval.manipulation.laws import verify_policy
    from eq_eval.manipulation.learning import golden_example
    from eq_eval.manipulation.learning import policy_folder
    from eq_eval.manipulation.learning import policy_recipe
    from eq_eval.manipulation.tasks import demonstrations_of
    from eq_eval.training.export import export_policy
    from eq_eval.training.policy import train_policy

    with Bar(console=console) as bar:
        recording = bar.add_task('demonstrations', total=demos)
        shown = (load_demonstrations(demonstrations, demos) if demonstrations is not None else
                 demonstrations_of(task, demos,
                                   lambda done: bar.update(recording, completed=done)))
        bar.update(recording, completed=demos)
        recipe = policy_recipe(task, shown, group, iterations, seed, threads)
        folder = out or policy_folder(recipe)
        running = bar.add_task('training', total=recipe.iterations)
        run = train_policy(recipe, shown, folder, lambda step, row: bar.update(
            running, completed=step, description=f'loss {row["total"]:.3f}'))
    name = task.replace('-', '_')
    record = history(run, f'{recipe.demos} episodes ({len(shown)} actions) of {task}')
    record['recipe'].pop('policy')
    card = model_card(name, f'Where to pick and where to place on a table: {task}.', record,
                      'knows the objects of its\n  demonstrations only.')
    export_policy(run.exported(), folder / 'bundle', *golden_example(shown, recipe.policy), name,
                  record, card)
    errors = verify_policy(folder / 'bundle', 'onnxruntime', threads)
    emit({**summary(run, folder, max(errors.values())), **errors}, json, name)
