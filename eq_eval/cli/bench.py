"""`eq bench detector`: how long does the node need for one scan?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads

QUICK = (100, 20., 3)   # runs, time limit [s], clouds
FULL = (500, 600., 12)

app = typer.Typer(help='Measure speed.', no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `detector` a sub-command although it is the only one yet."""


@app.command()
def detector(
    model: Model = None,
    points: Annotated[int, typer.Option(help='Points of each scan.', min=1)] = 120_000,
    threads: Threads = 2,
    backend: Backend = 'onnxruntime',
    seed: Annotated[int, typer.Option(help='Seed of the simulated scans.')] = 0,
    quick: Annotated[bool, typer.Option(help='Fewer runs; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Measures decode, preprocess, inference, postprocess and encode of simulated scans.

    A full run is stored in bench/results/bench_detector.json.
    """
    from rich.progress import Progress

    from eq_eval import latency
    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.results import store
    from eq_perception.detection.detector import Detector

    bundle = bundle_folder(model)
    opened = Detector.from_bundle(bundle, [backend], threads)
    ros = latency.find_ros(opened.class_names)
    runs, budget, count = QUICK if quick else FULL
    with Progress(console=console) as bar:
        making = bar.add_task('scans', total=count)
        clouds = []
        for cloud in latency.make_clouds(count, points, seed, ros):
            clouds.append(cloud)
            bar.update(making, completed=len(clouds))
        running = bar.add_task('runs', total=runs)
        result = latency.measure(opened, clouds, ros, runs, budget,
                                 lambda done: bar.update(running, completed=done))
    result |= {'points': points, 'threads': threads, 'backend': opened.session.backend,
               'model': bundle.name, 'library': opened.session.stats()['library'],
               'clouds': [cloud.origin for cloud in clouds], 'notes': list(ros.notes)}
    if not quick:
        store('bench_detector', result, ['eq', *sys.argv[1:]], seed)
    emit(result, json, 'latency of the lidar detector')
