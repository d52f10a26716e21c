"""`eq bench`: how long does a node need for one scan, and how well do planners plan?"""

from __future__ import annotations

from pathlib import Path
import sys
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import typer

from eq_eval.cli.bench_soak import recovery
from eq_eval.cli.bench_soak import soak
from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json
from eq_eval.cli.options import Model
from eq_eval.cli.options import Precision
from eq_eval.cli.options import result_name
from eq_eval.cli.options import Shading
from eq_eval.cli.options import Threads

if TYPE_CHECKING:
    from eq_core.runtime.session import Session
    from eq_eval.latency import Ros
    from eq_eval.latency import Work

EMBEDDED = 'onnxruntime'     # default of the benches, as it is there on every machine
QUICK = (100, 20., 3)   # runs, time limit [s], clouds
FULL = (500, 600., 12)
LIVE_SCANS = (60, 600)       # quick, full
ROUNDS = (5, 30)             # likewise
RUNTIME_BUDGET = (20., 600.)  # [s] likewise

app = typer.Typer(help='Measure speed, and planning.', no_args_is_help=True)
app.command()(soak)
app.command()(recovery)

PointCount = Annotated[int, typer.Option('--points', help='Points of each scan.', min=1)]
Seed = Annotated[int, typer.Option(help='Seed of the simulated scans.')]
Node = Annotated[bool, typer.Option(help='Whether the live node is measured, too.')]
Quick = Annotated[bool, typer.Option(help='Fewer runs; the result is not stored.')]


@app.command()
def detector(
    model: Model = None, points: PointCount = 120_000, threads: Threads = 2,
    backend: Backend = EMBEDDED, precision: Precision = 'fp32', seed: Seed = 0,
    node: Node = True, quick: Quick = False, json: Json = False,
) -> None:
    """Measures decode, preprocess, inference, postprocess and encode of simulated scans.

    Then the live node, in its own process: from publishing a cloud to hearing the answer, time to
    start, memory. A full run is stored in bench/results/bench_detector.json, with backend and
    precision in the name where they are not the usual ones.
    """
    from eq_eval import latency
    from eq_perception.detection.detector import Detector
    from eq_ros.shipped_models import heading_folder

    bundle = bundle_folder(model)
    opened = Detector.from_bundle(bundle, [backend], threads, precision=precision,
                                  heading=heading_folder(''))
    ros = latency.find_ros(opened.class_names)
    result = _measure(latency.detector_work(opened, ros), ros, points, seed, quick)
    result |= {'threads': threads, 'model': bundle.name} | _engine(opened.session)
    opened.session.close()
    result['node'] = _live(bundle, precision, ros, result, points, seed, quick) if node else None
    name = result_name(['bench_detector', *_other(backend)], precision)
    _finish(name, result, seed, quick, json, 'latency of the lidar detector')


@app.command()
def segmenter(
    model: Model = None, points: PointCount = 120_000, threads: Threads = 2,
    backend: Backend = EMBEDDED, precision: Precision = 'fp32', seed: Seed = 0,
    quick: Quick = False, json: Json = False,
) -> None:
    """Measures the same of the panoptic segmenter, and what its heads cost beside each other.

    A full run is stored in bench/results/bench_segmenter.json.
    """
    from eq_eval import latency
    from eq_eval.shared_heads import shared_heads
    from eq_perception.panoptic.segmenter import Segmenter
    from eq_ros.shipped_models import heading_folder

    bundle = bundle_folder(model, 'panoptic_segmenter')
    opened = Segmenter.from_bundle(bundle, [backend], threads, precision=precision,
                                   heading=heading_folder(''))
    ros = latency.find_ros(opened.config.detector.class_names)
    result = _measure(latency.segmenter_work(opened, ros), ros, points, seed, quick)
    result |= {'threads': threads, 'model': bundle.name} | _engine(opened.session)
    result |= shared_heads(bundle, threads, 10 if quick else 50)
    name = result_name(['bench_segmenter', *_other(backend)], precision)
    _finish(name, result, seed, quick, json, 'latency of the panoptic segmenter')


@app.command()
def runtime(
    threads: Annotated[list[int], typer.Option(
        help='Threads of the engines; more than there are cores are left out.', min=1,
    )] = [1, 2],  # noqa: B006
    yardstick: Annotated[bool, typer.Option(
        help='Whether PointPillars of the size of KITTI is measured, too.')] = True,
    rounds: Annotated[int | None, typer.Option(
        help='Rounds; 30 if not given, 5 with --quick.', min=1)] = None,
    quick: Quick = False, json: Json = False,
) -> None:
    """Runs the shipped networks, their peers and every engine side by side, and gives ratios.

    A full run is stored in bench/results/bench_runtime.json.
    """
    from eq_eval.cli.output import console
    from eq_eval.runtime_comparison import compare_runtimes

    bundles = [bundle_folder(None, name) for name in ('lidar_detector', 'panoptic_segmenter')]
    with console.status('runtime') as status:
        result = compare_runtimes(bundles, threads, rounds or ROUNDS[not quick],
                                  RUNTIME_BUDGET[not quick], yardstick, status.update)
    _finish('bench_runtime', result, 0, quick, json, 'networks and engines side by side')


@app.command()
def planner(
    task: Annotated[str, typer.Option(help='N1 to N8, MP, MP-terrain, or driven.')] = 'N1',
    data: Annotated[Path, typer.Option(
        help='Folder of the published planning problems; own ones stand in where it is absent.',
    )] = Path('../shared/data/planning'),
    quick: Annotated[bool, typer.Option(help='Fewer maps; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Learns to plan from demonstrations and measures success and path lengths.

    A full run is stored in bench/results/bench_planner_TASK.json.
    """
    from eq_eval.cli.output import console
    from eq_eval.planning.extent import Extent
    from eq_eval.planning.extent import QUICK as QUICK_EXTENT
    from eq_eval.planning.tasks import run_task

    result = run_task(task, data, QUICK_EXTENT if quick else Extent(), console.print)
    name = f'bench_planner_{task.lower().replace("-", "_")}'
    _finish(name, result, min(result['seeds']), quick, json, f'planning, task {task}')


@app.command()
def policy(
    task: Annotated[str, typer.Option(help='Name of a task; an unknown one lists all.')],
    demos: Annotated[int, typer.Option(help='Episodes that are learnt from.', min=1)] = 10,
    scenes: Annotated[int | None, typer.Option(
        help='Unseen episodes; 100 if not given, 10 with --quick.', min=1)] = None,
    seeds: Annotated[int, typer.Option(help='Trainings, of seeds 0, 1, ...', min=1)] = 1,
    peers: Annotated[bool, typer.Option(help='Whether the plain twin is trained, too.')] = True,
    ours: Annotated[bool, typer.Option(
        help='Whether ours is measured; the twin alone is stored under its own name.')] = True,
    model: Annotated[Path | None, typer.Option(
        help='Folder of the policy to measure, which has learned from --demos episodes; nothing '
             'is trained for it.')] = None,
    threads: Threads = 1,
    quick: Annotated[bool, typer.Option(
        help='Fewer episodes of the shipped policy, no peers; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Lets a policy of pick and place act in unseen episodes, its plain twin beside it.

    What was not trained before (`eq train policy`) is trained first. A full run is stored in
    bench/results/bench_policy_TASK_DEMOS.json, of the twin alone in ..._transporter.json.
    """
    from eq_eval.cli.output import console
    from eq_eval.manipulation.bench import bench_task

    count = scenes or (10 if quick else 100)
    labels = [label for label, wanted in (('ours', ours), ('transporter', peers and not quick))
              if wanted]
    if not labels:
        raise typer.BadParameter('--no-ours leaves the twin, which needs --peers and no --quick')
    with console.status(task) as status:
        result = bench_task(task, demos, count, list(range(seeds)), labels, threads,
                            status.update, quick, model)
    name = f'bench_policy_{task.replace("-", "_")}_{demos}{"" if ours else "_transporter"}'
    _finish(name, result, 0, quick, json, f'pick and place, {task}, {demos} demonstrations')


@app.command()
def spatial(
    task: Annotated[str, typer.Option(help='Name of a task; an unknown one lists all.')],
    demos: Annotated[int, typer.Option(help='Episodes that are learnt from.', min=1)] = 10,
    scenes: Annotated[int | None, typer.Option(
        help='Unseen episodes; 100 if not given, 10 with --quick.', min=1)] = None,
    tilt: Annotated[str, typer.Option(
        help='Of the demonstrations, any or upright; tests are of any.')] = 'any',
    shapes: Annotated[str, typer.Option(
        help='Whether objects are the same or varied in size.')] = 'same',
    iterations: Annotated[int | None, typer.Option(help='Optimiser steps.', min=1)] = None,
    shading: Shading = .5,
    peers: Annotated[bool, typer.Option(help='Whether others are measured, too.')] = True,
    peer: Annotated[list[str] | None, typer.Option(
        help='Which others: not_refined, icosahedron, icosahedron_refined (the same weights '
             'searched otherwise), template, transporter (the plain twin); all if not given.',
    )] = None,
    ours: Annotated[bool, typer.Option(
        help='Whether ours is measured; others alone are stored under their own name.')] = True,
    model: Annotated[Path | None, typer.Option(
        help='Folder of the policy to measure; nothing is trained for it.')] = None,
    threads: Threads = 1,
    quick: Annotated[bool, typer.Option(
        help='Fewer episodes of the shipped policy, no peers; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Lets a policy of pick and place in space act in unseen episodes.

    What was not trained before is trained first, to runs/policies. A full run is stored in
    bench/results/bench_spatial_TASK_TILT_SHAPES.json, of others alone in ..._peers.json.
    """
    from eq_eval.cli.output import console
    from eq_eval.manipulation.learning import shipped_policy
    from eq_eval.manipulation.spatial.bench import bench_spatial
    from eq_eval.manipulation.spatial.bench import PEERS
    from eq_eval.manipulation.spatial.learning import spatial_recipe
    from eq_eval.manipulation.spatial.tasks import open_in_space

    count = scenes or (10 if quick else 100)
    others = (peer or PEERS) if peers and not quick else ()
    if set(others) - set(PEERS):
        raise typer.BadParameter(f'--peer must be one of {", ".join(PEERS)}')
    if not (ours or others):
        raise typer.BadParameter('--no-ours leaves others, which need --peers and no --quick')
    shown = open_in_space(task, tilt, shapes)
    if quick and model is None and (tilt, shapes) == ('any', 'same'):
        model = shipped_policy(task, demos)
    recipe = spatial_recipe(task, demos, iterations, 0, threads, shading)
    try:
        with console.status(task) as status:
            result = bench_spatial(shown, recipe, count, others, status.update, ours, model)
    finally:
        shown.close()
    name = f'bench_spatial_{task.replace("-", "_")}_{tilt}_{shapes}{"" if ours else "_peers"}'
    _finish(name, result, 0, quick, json, f'spatial pick and place, {task}')


def _live(bundle: Path, precision: str, ros: Ros, result: dict[str, Any], points: int, seed: int,
          quick: bool) -> dict[str, Any] | None:
    """Measures the live node; says in the notes of the result why not, where it cannot."""
    from tempfile import TemporaryDirectory

    from rich.progress import Progress

    from eq_core.errors import ConfigError
    from eq_eval import latency
    from eq_eval.cli.output import console
    from eq_eval.replay.environment import require_ros

    try:
        require_ros()
    except ConfigError as error:
        result['notes'].append(f'the live node is not measured: {error}')
        return None
    from eq_eval.replay.live_latency import LIVE
    from eq_eval.replay.live_latency import live_latency
    from eq_eval.replay.runner import ReplayOptions

    clouds = latency.make_clouds((QUICK if quick else FULL)[2], points, seed, ros)
    options = ReplayOptions(bundle, parameters={
        'threads': str(result['threads']), 'backends': f'[{result["backend"]}]',
        'precision': precision, **LIVE})
    scans = LIVE_SCANS[not quick]
    with TemporaryDirectory() as folder, Progress(console=console) as bar:
        running = bar.add_task('live node', total=scans)
        return live_latency([cloud.message for cloud in clouds], options, scans, Path(folder),
                            lambda done: bar.update(running, completed=done))


def _measure(work: Work, ros: Ros, points: int, seed: int, quick: bool) -> dict[str, Any]:
    """Makes the scans and runs them, with progress shown."""
    from rich.progress import Progress

    from eq_eval import latency
    from eq_eval.cli.output import console
    from eq_ros.memory import keep_freed_memory

    keep_freed_memory()   # as a node does
    runs, budget, count = QUICK if quick else FULL
    with Progress(console=console) as bar:
        making = bar.add_task('scans', total=count)
        clouds = []
        for cloud in latency.make_clouds(count, points, seed, ros):
            clouds.append(cloud)
            bar.update(making, completed=len(clouds))
        running = bar.add_task('runs', total=runs)
        result = latency.measure(work, clouds, runs, budget,
                                 lambda done: bar.update(running, completed=done))
    return result | {'points': points, 'clouds': [cloud.origin for cloud in clouds],
                     'notes': list(ros.notes)}


def _other(backend: str) -> list[str]:
    """What the name of a result says of the backend: nothing of the embedded default."""
    return [backend] * (backend != EMBEDDED)


def _engine(session: Session) -> dict[str, Any]:
    """What ran the network."""
    return {'backend': session.backend, 'library': session.stats()['library'],
            'precision': session.precision}


def _finish(name: str, result: dict[str, Any], seed: int, quick: bool, json: bool, title: str
            ) -> None:
    """Stores a full result and shows it."""
    from eq_eval.cli.output import emit
    from eq_eval.results import store

    if not quick:
        store(name, result, ['eq', *sys.argv[1:]], seed)
    emit(result, json, title)
