"""`eq calibrate PATH`: scores of a detector that mean what they say."""

from __future__ import annotations

from pathlib import Path
import shlex
import sys
from typing import Annotated

import typer

from eq_eval.cli.options import Json


def calibrate(
    path: Annotated[Path, typer.Argument(help='Folder of the bundle, which is written anew.')],
    scans: Annotated[int, typer.Option(
        help='Simulated scans of the split validation that it is fitted to.', min=1)] = 300,
    seed: Annotated[int, typer.Option(help='Seed of their worlds.')] = 0,
    json: Json = False,
) -> None:
    """Calibrates scores and covariances of a detector on simulated validation worlds.

    The bundle is written anew, with another threshold and without graphs of lower precision,
    which eq quantize makes again.
    """
    from datetime import date

    from rich.progress import Progress

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.results import commit
    from eq_eval.training.calibrated_bundle import calibrate_bundle

    history = {'command': shlex.join(['eq', *sys.argv[1:]]), 'commit': commit(),
               'date': str(date.today())}
    with Progress(console=console) as bar:
        task = bar.add_task('validation worlds', total=scans)
        result = calibrate_bundle(path, scans, seed, history,
                                  lambda done: bar.update(task, completed=done))
    emit(result, json, f'calibrate {path}')
    if result['dropped']:
        console.print(f'{" and ".join(result["dropped"])} were of the weights before and are '
                      f'dropped: eq quantize {path} makes them again')
