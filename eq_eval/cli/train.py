"""`eq train`: from simulated scenes to a model bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import shlex
import sys
from typing import Annotated
from typing import Any
from typing import TYPE_CHECKING

import typer

from eq_eval.cli.options import Json
from eq_eval.cli.train_heading import heading
from eq_eval.cli.train_policy import policy
from eq_eval.cli.train_pretrain import pretrain
from eq_eval.cli.train_spatial import spatial

if TYPE_CHECKING:
    from typing import Protocol

    from eq_core.geometry.points import Points
    from eq_core.runtime.bundle import Bundle
    from eq_eval.training.loop import Progress
    from eq_eval.training.loop import Training
    from eq_eval.training.scan_store import ScanStore
    from eq_perception.detection.config import DetectorConfig
    from eq_perception.panoptic.config import SegmenterConfig

    class Recorded(Protocol):
        """Real scans that are learnt from; their text says which."""

        def to_list(self) -> list[dict[str, object]]:
            """Names of recordings and positions of scans."""

app = typer.Typer(help='Train a model; interrupt and repeat the command to continue.',
                  no_args_is_help=True)
app.command()(heading)
app.command()(policy)
app.command()(pretrain)
app.command()(spatial)

Out = Annotated[Path, typer.Option(help='Folder of checkpoint, log and bundle.')]
Scenes = Annotated[Path, typer.Option(help='Folder of the simulated training scenes.')]
NumScenes = Annotated[int, typer.Option(help='Sequences of three scans to simulate.')]
SceneSeed = Annotated[int, typer.Option(help='Seed of the scenes.')]
Group = Annotated[str, typer.Option(help='C4, C8, D4; C1 is the plain twin of C4.')]
Range = Annotated[float, typer.Option(help='Half edge of the square [m].')]
Fraction = Annotated[float, typer.Option(help='Part of the scenes to train on.')]
Yaw = Annotated[float, typer.Option(help='Yaw augmentation either way.')]


@app.command()
def detector(
    out: Out, scenes: Scenes = Path('runs/scenes'), num_scenes: NumScenes = 600,
    scene_seed: SceneSeed = 0, iterations: int = 6000, batch_size: int = 4, group: Group = 'C4',
    point_cloud_range: Range = 51.2, fraction: Fraction = 1., yaw_degrees: Yaw = 45.,
    learning_rate: Annotated[float, typer.Option(help='Peak of the schedule.')] = 3e-3,
    initial: Annotated[Path | None, typer.Option(
        '--from', '--initial', help='Bundle of a detector to start from.')] = None,
    data: Annotated[list[Path] | None, typer.Option(
        help='Recording with boxes that every second sample is drawn from; may be repeated.',
    )] = None,
    frames: Annotated[int | None, typer.Option(
        help='Labelled scans of them, evenly spread; all if not given.', min=1)] = None,
    pasted: Annotated[int, typer.Option(
        help='Most objects of labelled scans set down in another one.', min=0)] = 10,
    beams: Annotated[float, typer.Option(
        help='Chance that every other beam is lost.', min=0., max=1.)] = 0.,
    frozen: Annotated[str, typer.Option(
        help='What keeps its weights: nothing, encoder, backbone, "all but heads".')] = 'nothing',
    seed: int = 0, threads: int = 2, json: Json = False,
) -> None:
    """Trains the LiDAR detector and writes its bundle to OUT/bundle.

    With --data it is adapted to labelled scans of recordings, besides the scenes (--num-scenes 0:
    without).
    """
    from eq_core.runtime.bundle import Bundle
    from eq_eval.cli.output import emit
    from eq_eval.datasets.open import open_recording
    from eq_eval.training.augmentation import Augmentation
    from eq_eval.training.calibration import uncalibrated_config
    from eq_eval.training.detector import train_detector
    from eq_eval.training.export import detector_signature
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_detector
    from eq_eval.training.initial import initial_name
    from eq_eval.training.labeled_frames import LabeledFrames
    from eq_eval.training.recipe import Recipe

    if frames is not None and not data:
        raise typer.BadParameter('--frames are of recordings and need --data')
    trained = Bundle.load(initial) if initial is not None else None
    if trained is not None:
        config = uncalibrated_config(trained)
    else:
        config = new_detector(group, point_cloud_range)
    labeled = LabeledFrames.read([open_recording(each) for each in data], config, frames
                                 ) if data else None
    recipe = Recipe(detector=config, augmentation=Augmentation(yaw_degrees, beams=beams),
                    iterations=iterations, batch_size=batch_size, learning_rate=learning_rate,
                    fraction=fraction, seed=seed, threads=threads, initial=initial_name(trained),
                    recorded='' if labeled is None else str(labeled), pasted=pasted, frozen=frozen)
    run = run_on_scenes(
        scenes, num_scenes, scene_seed, iterations, lambda store, progress: train_detector(
            recipe, store, out, progress, trained, labeled))
    record, scan, model = record_of(run, num_scenes, scene_seed), golden_scan(), run.exported()
    record['recipe'].pop('detector')
    record['point_cloud_range'] = config.point_cloud_range
    name = 'lidar_detector' if config.group != 'C1' else 'lidar_detector_plain'
    name, terms = tell_recorded(name, record, trained, labeled)
    export_detector(model, out / 'bundle', scan, name, record, _detector_card(name, record), terms)
    error = equivariance_error(model, detector_signature(model, scan), config.group)
    emit(summary(run, out, error), json, name)


@app.command()
def segmenter(
    out: Out, scenes: Scenes = Path('runs/scenes'), num_scenes: NumScenes = 1200,
    scene_seed: SceneSeed = 0, iterations: int = 6000, batch_size: int = 4, group: Group = 'C4',
    point_cloud_range: Range = 51.2, fraction: Fraction = 1., yaw_degrees: Yaw = 45.,
    learning_rate: Annotated[float, typer.Option(help='Peak of the schedule.')] = 3e-3,
    initial: Annotated[Path | None, typer.Option(
        help='Bundle to start from: a segmenter, whose network is kept, or a detector, for the '
             'shared part.')] = None,
    data: Annotated[Path | None, typer.Option(
        help='Recording with classes of points that every second sample is drawn from.')] = None,
    first: Annotated[int, typer.Option(help='First scan of it that is used.', min=0)] = 0,
    scans: Annotated[int | None, typer.Option(
        help='Scans of it; all that follow if not given.', min=1)] = None,
    semantic_weight: Annotated[float, typer.Option(
        help="Of the losses of the points' classes beside the others.", min=0.)] = 1.,
    seed: int = 0, threads: int = 2, json: Json = False,
) -> None:
    """Trains the panoptic segmenter, detection heads included; writes its bundle to OUT/bundle.

    OUT/detector gets the detection heads alone, without those of the points.
    With --data it is adapted to part of a recording, besides the scenes (--num-scenes 0: without).
    """
    from eq_core.runtime.bundle import Bundle
    from eq_eval.cli.output import emit
    from eq_eval.datasets.open import open_recording
    from eq_eval.training.augmentation import Augmentation
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_detector
    from eq_eval.training.export import export_segmenter
    from eq_eval.training.export import segmenter_signature
    from eq_eval.training.initial import initial_name
    from eq_eval.training.recipe import SegmenterRecipe
    from eq_eval.training.recorded import RecordedScans
    from eq_eval.training.segmenter import train_segmenter

    if data is None and (first or scans is not None):
        raise typer.BadParameter('--first and --scans are of a recording and need --data')
    trained = Bundle.load(initial) if initial is not None else None
    recorded = None if data is None else RecordedScans.read(open_recording(data), first, scans)
    config = _segmenter_config(trained, group, point_cloud_range)
    # What the ground is made of shows in its intensity alone, so that varies less.
    recipe = SegmenterRecipe(
        detector=config.detector, augmentation=Augmentation(yaw_degrees, intensity=.2),
        iterations=iterations, batch_size=batch_size, learning_rate=learning_rate,
        fraction=fraction, seed=seed, threads=threads, segmenter=config,
        semantic_weight=semantic_weight,
        initial=initial_name(trained),
        recorded='' if recorded is None else str(recorded))
    run = run_on_scenes(
        scenes, num_scenes, scene_seed, iterations, lambda store, progress: train_segmenter(
            recipe, store, out, trained, progress, recorded))
    # A small part of a scan is enough to see all layers, and keeps the golden example small.
    scan, model = golden_scan(), run.exported()
    scan = scan.select(slice(None, None, 4))
    record = record_of(run, num_scenes, scene_seed)
    for key in ('detector', 'segmenter'):
        record['recipe'].pop(key)
    record['point_cloud_range'] = config.detector.point_cloud_range
    name = 'panoptic_segmenter' if config.detector.group != 'C1' else 'panoptic_segmenter_plain'
    part = name.replace('panoptic_segmenter', 'lidar_detector')
    name, terms = tell_recorded(name, record, trained, recorded)
    export_segmenter(model, out / 'bundle', scan, name, record, model_card(
        name, 'A class for every LiDAR point (the 19 of SemanticKITTI), and objects as boxes and '
        'offsets.', record,
        'motorcyclists do not occur in the training\n  scenes and are never found.'), terms)
    if 'recorded' not in record:    # a recording does not train the boxes
        export_detector(model.bev, out / 'detector', golden_scan(), part, record,
                        _detector_card(part, record))
    error = equivariance_error(model, segmenter_signature(model, scan), config.detector.group)
    emit(summary(run, out, error), json, name)


@app.command()
def planner(
    out: Out, task: Annotated[str, typer.Option(
        help='mazes, terrain or exploration.')] = 'terrain',
    maps: Annotated[int, typer.Option(help='Maps with demonstrations.', min=1)] = 100,
    map_file: Annotated[Path | None, typer.Option(
        '--map', help='Map (YAML of map_server) that --paths were driven on, instead of a task.',
    )] = None,
    paths: Annotated[Path | None, typer.Option(
        help='JSON list of {"path": [[x, y], ...]} in the frame of the map.')] = None,
    seed: int = 0, threads: int = 2, json: Json = False,
) -> None:
    """Trains the costs of a planner from shown moves; writes its bundle to OUT/bundle.

    With --map and --paths from what was driven: `graph_planner` takes such a bundle.
    """
    from rich.progress import Progress as Bar

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.planning.lessons import driven_lesson
    from eq_eval.planning.lessons import LESSONS
    from eq_eval.training.export import equivariance_error
    from eq_eval.training.export import export_planner
    from eq_eval.training.export import planner_signature
    from eq_eval.training.planner import DemonstrationStream
    from eq_eval.training.planner import train_planner

    if (map_file is None) != (paths is None):
        raise typer.BadParameter('--map and --paths belong together')
    if task not in LESSONS:
        raise typer.BadParameter(f'--task must be one of {sorted(LESSONS)}, got {task!r}')
    lesson = LESSONS[task]
    if map_file is not None and paths is not None:
        lesson, maps = driven_lesson(map_file, paths)
    recipe = replace(lesson.recipe(maps, seed), threads=threads)
    stream = DemonstrationStream(lesson.show(maps, seed), recipe, recipe.sharpness)
    with Bar(console=console) as bar:
        running = bar.add_task('training', total=recipe.iterations)
        run = train_planner(recipe, stream, out, lambda step, row: bar.update(
            running, completed=step, description=f'loss {row["total"]:.3f}'))
    record = history(run, f'{maps} {lesson.maps}, seed {seed}')
    model, signature = run.exported(), planner_signature(recipe.planner)
    export_planner(model, recipe.planner, out / 'bundle', lesson.name, record,
                   model_card(lesson.name, lesson.purpose, record, lesson.limits))
    emit(summary(run, out, equivariance_error(model, signature, 'C4')), json, lesson.name)


def _segmenter_config(initial: Bundle | None, group: str, point_cloud_range: float
                      ) -> SegmenterConfig:
    """The network of the segmenter to start from, or else a new one."""
    from eq_eval.training.segmenter import SEGMENTATION
    from eq_perception.detection.config import DetectorConfig
    from eq_perception.panoptic.config import SegmenterConfig
    from eq_perception.panoptic.model import plain_twin

    if initial is not None and initial.manifest.task == SEGMENTATION:
        return SegmenterConfig.from_dict(initial.manifest.config)
    config = SegmenterConfig(DetectorConfig(point_cloud_range=point_cloud_range))
    return plain_twin(config) if group == 'C1' else replace(
        config, detector=replace(config.detector, group=group))


def new_detector(group: str, point_cloud_range: float) -> DetectorConfig:
    """The network of a detector that begins with random weights."""
    from eq_perception.detection.config import DetectorConfig
    from eq_perception.detection.model import plain_twin

    config = DetectorConfig(point_cloud_range=point_cloud_range)
    return plain_twin(config) if group == 'C1' else replace(config, group=group)


def run_on_scenes(scenes: Path, num_scenes: int, scene_seed: int, iterations: int,
                  train: Callable[[ScanStore, Progress], Training]) -> Training:
    """Makes the scenes and trains, with progress shown."""
    from rich.progress import Progress as Bar

    from eq_eval.cli.output import console
    from eq_eval.training.scan_store import ScanStore
    from eq_eval.training.scenes import make_scenes

    with Bar(console=console) as bar:
        making = bar.add_task('scenes', total=num_scenes)
        for done in make_scenes(scenes, num_scenes, scene_seed):
            bar.update(making, completed=done)
        running = bar.add_task('training', total=iterations)
        return train(ScanStore.open(scenes).first(num_scenes),
                     lambda step, row: bar.update(running, completed=step,
                                                  description=f'loss {row["total"]:.3f}'))


def golden_scan() -> Points:
    """The scan whose right answer travels with a model; sixteen beams keep it small."""
    from eq_eval.simulation import simulate_sequence
    return next(iter(simulate_sequence('street', 'vlp16', 0, 1, 'validation'))).points


def record_of(run: Training, num_scenes: int, scene_seed: int) -> dict[str, Any]:
    """How weights came to be that were trained on simulated scenes."""
    return history(
        run, f'{num_scenes} simulated sequences of 3 scans, split train, seed {scene_seed}')


def history(run: Training, data: str) -> dict[str, Any]:
    """How weights came to be."""
    from datetime import date

    from eq_eval.results import commit
    return {
        'command': shlex.join(['eq', *sys.argv[1:]]), 'seed': run.recipe.seed,
        'iterations': run.step, 'data': data,
        'wall_time_s': round(run.seconds), 'date': str(date.today()), 'commit': commit(),
        'torch_threads': run.recipe.threads, 'recipe': run.recipe.to_dict()}


def tell_recorded(name: str, record: dict[str, Any], initial: Bundle | None,
                  own: Recorded | None) -> tuple[str, str]:
    """Notes the real scans that weights come from.

    Args:
        name: Of the model, were it from simulation alone.
        record: How the weights came to be; is told the scans.
        initial: What they started from.
        own: What was learnt from in this run.

    Returns:
        Name and SPDX terms of the model.
    """
    from eq_eval.training.export import LICENSE
    from eq_eval.training.initial import scans_seen

    seen = scans_seen(initial)
    if own is not None:
        record['data'] = f'{record["data"]}; {own}'
        seen += own.to_list()
    if initial is not None:
        record['data'] = f'{record["data"]}; from {initial.manifest.name}'
    if not seen:
        return name, LICENSE
    record['recorded'] = seen
    return f'{name}_adapted', f'{LICENSE} AND LicenseRef-recording'


def summary(run: Training, out: Path, error: float) -> dict[str, Any]:
    """What the command prints."""
    return {'bundle': str(out / 'bundle'), 'iterations': run.step, 'seconds': round(run.seconds),
            'weights': sum(weight.numel() for weight in run.model.parameters()),
            'equivariance_error': error}


def _detector_card(name: str, record: dict[str, Any]) -> str:
    """Model card of a detector, however it was trained."""
    return model_card(
        name, "LiDAR 3D detection in bird's eye view: car, truck, pedestrian, cyclist.", record,
        'velocity needs two or more sweeps; heading of pedestrians\n  is not meaningful.')


def model_card(name: str, purpose: str, record: dict[str, Any], limits: str) -> str:
    """Writes the model card: what, from what, how, and what it is not."""
    adapted = 'recorded' in record
    real = 'Real scans were learnt from.' if adapted else 'No real recording was used.'
    where = (f" Range\n+-{record['point_cloud_range']:g} m." if 'point_cloud_range' in record
             else '')
    terms = 'Apache-2.0' + ", and the terms of the recording's own licence" * adapted
    return f"""# {name}

{purpose}{where}

- Training data: {record['data']}. {real}
- Command: `{record['command']}` (seed {record['seed']}, {record['iterations']} iterations,
  {record['wall_time_s']} s on {record['torch_threads']} CPU threads, {record['date']}).
- Licence: {terms}.
- Limits: trained on simulation {'and very few real scans' if adapted else 'only'}; {limits}
"""
