"""`eq train policy`: from a few demonstrations to a policy of pick and place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated
from typing import TYPE_CHECKING

import typer

from eq_eval.cli.options import Json

if TYPE_CHECKING:
    from eq_eval.manipulation.demonstrations import Demonstration


def policy(
    task: Annotated[str, typer.Option(help='Name of a simulated task, see `eq bench policy`.')],
    out: Annotated[Path | None, typer.Option(
        help='Folder of checkpoint, log and bundle; runs/policies/... if not given.')] = None,
    demos: Annotated[int, typer.Option(help='Episodes that are shown.', min=1)] = 10,
    demonstrations: Annotated[Path | None, typer.Option(
        help='Demonstrations to learn from, instead of those of the simulated task: an npz file, '
        'or a recording of ROS 2 with --lower and --upper.')] = None,
    lower: Annotated[str | None, typer.Option(
        help='Least x,y,z of the workspace in the frame of the recording [m].')] = None,
    upper: Annotated[str | None, typer.Option(help='Largest x,y,z [m].')] = None,
    resolution: Annotated[float, typer.Option(
        help='Edge of a cell of the heightmap [m].')] = .003125,
    save_bag: Annotated[Path | None, typer.Option(
        help='Writes what is learned from as a recording of ROS 2, too.')] = None,
    iterations: Annotated[int | None, typer.Option(
        help='Optimiser steps; by the number of actions if not given.', min=1)] = None,
    ordered: Annotated[bool | None, typer.Option(
        help='Whether what lies elsewhere tells what comes next, as when towers are built; by the '
             'task if not given.')] = None,
    initial: Annotated[Path | None, typer.Option(
        '--from', '--initial', help='Folder of a policy to start from, such as one that has '
        'learned from the first demonstration.')] = None,
    learning_rate: Annotated[float, typer.Option(help='Peak of the schedule.')] = 2e-3,
    group: Annotated[str, typer.Option(
        help='Symmetry; C1 is the plain twin, a Transporter Network.')] = 'C4',
    seed: int = 0, threads: int = 1, json: Json = False,
) -> None:
    """Trains a policy of pick and place from demonstrations; writes its bundles to OUT/bundle."""
    from rich.progress import Progress as Bar

    from eq_core.runtime.bundle import Bundle
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.cli.train import history
    from eq_eval.cli.train import model_card
    from eq_eval.cli.train import summary
    from eq_eval.manipulation.demonstration_bags import write_demonstration_bag
    from eq_eval.manipulation.laws import verify_policy
    from eq_eval.manipulation.learning import golden_example
    from eq_eval.manipulation.learning import policy_folder
    from eq_eval.manipulation.learning import policy_recipe
    from eq_eval.manipulation.tasks import demonstrations_of
    from eq_eval.training.export import export_policy
    from eq_eval.training.initial import initial_name
    from eq_eval.training.policy import train_policy
    from eq_manipulation.two_networks import PARTS

    with Bar(console=console) as bar:
        recording = bar.add_task('demonstrations', total=demos)
        shown = (_given(demonstrations, demos, lower, upper, resolution)
                 if demonstrations is not None else demonstrations_of(
                     task, demos, lambda done: bar.update(recording, completed=done)))
        bar.update(recording, completed=demos)
        if save_bag is not None:
            write_demonstration_bag(save_bag, shown)
        recipe = policy_recipe(task, shown, group, iterations, seed, threads, ordered)
        recipe = replace(recipe, learning_rate=learning_rate, initial='' if initial is None else
                         initial_name(Bundle.load(initial / PARTS[0])))
        folder = out or policy_folder(recipe)
        running = bar.add_task('training', total=recipe.iterations)
        run = train_policy(recipe, shown, folder, lambda step, row: bar.update(
            running, completed=step, description=f'loss {row["total"]:.3f}'), initial)
    name = task.replace('-', '_')
    record = history(run, f'{recipe.demos} episodes ({len(shown)} actions) of {task}')
    record['recipe'].pop('policy')
    card = model_card(name, f'Where to pick and where to place on a table: {task}.', record,
                      'knows the objects of its\n  demonstrations only.')
    export_policy(run.exported(), folder / 'bundle', *golden_example(shown, recipe.policy), name,
                  record, card)
    errors = verify_policy(folder / 'bundle', 'onnxruntime', threads)
    emit({**summary(run, folder, max(errors.values())), **errors}, json, name)


def _given(path: Path, episodes: int, lower: str | None, upper: str | None, resolution: float
           ) -> list[Demonstration]:
    """The user's own demonstrations."""
    from eq_core.errors import ConfigError
    from eq_core.errors import InputError
    from eq_core.geometry.heightmap import Workspace
    from eq_eval.manipulation.demonstration_bags import read_demonstration_bag
    from eq_eval.manipulation.demonstrations import load_demonstrations

    if path.suffix == '.npz':
        return load_demonstrations(path, episodes)
    corners = []
    for name, text in (('lower', lower), ('upper', upper)):
        try:
            x, y, z = map(float, (text or '').split(','))
        except ValueError as error:
            raise ConfigError(f'--{name} must be x,y,z for a recording, got {text!r}') from error
        corners.append((x, y, z))
    shown = read_demonstration_bag(path, Workspace(corners[0], corners[1], resolution))
    if shown[-1].episode + 1 < episodes:
        raise InputError(f'{path} holds {shown[-1].episode + 1} episodes, asked for {episodes}')
    return [each for each in shown if each.episode < episodes]
