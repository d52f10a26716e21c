"""`eq eval segmenter`: how good is the panoptic segmenter?"""

from __future__ import annotations

from pathlib import Path
import sys
from typing import Annotated
from typing import Any

import typer

from eq_eval.cli.options import Backend
from eq_eval.cli.options import bundle_folder
from eq_eval.cli.options import Json
from eq_eval.cli.options import Model
from eq_eval.cli.options import Threads

FULL, QUICK = (10, 100), (3, 20)    # sequences, scans of each
FULL_ROTATIONS, QUICK_ROTATIONS = (90., 180., 270., 30., 45.), (90., 45.)
HEADLINE = ('LSTQ', 'S_cls', 'S_assoc', 'mIoU', 'PQ', 'streaming_LSTQ', 'scans')


def segmenter(
    model: Model = None,
    data: Annotated[Path | None, typer.Option(
        help='SemanticKITTI folder; the simulated test sequences if not given.')] = None,
    sequences: Annotated[int | None, typer.Option(help='Test sequences.', min=1)] = None,
    scans: Annotated[int | None, typer.Option(help='Scans of each sequence.', min=1)] = None,
    sweeps: Annotated[int, typer.Option(help='Scans seen at once.', min=1)] = 1,
    odometry: Annotated[bool, typer.Option(help='Whether the poses are told.')] = True,
    turn: Annotated[bool, typer.Option(help='Also compare with turned sequences.')] = True,
    backend: Backend = 'onnxruntime',
    threads: Threads = 2,
    name: Annotated[str | None, typer.Option(
        help='Name of the stored result; eval_segmenter and the data if not given.')] = None,
    quick: Annotated[bool, typer.Option(help='Few scans; the result is not stored.')] = False,
    json: Json = False,
) -> None:
    """Scores the segmenter: LSTQ, PQ, mIoU, streamed at 10 Hz, and turned.

    A full run is stored in bench/results/.
    """
    from itertools import islice

    from rich.progress import Progress

    from eq_eval.cli.output import console
    from eq_eval.cli.output import emit
    from eq_eval.datasets.open import open_recording
    from eq_eval.held_out import held_out_sequences
    from eq_eval.held_out import SEED
    from eq_eval.panoptic_evaluation import evaluate_segmenter
    from eq_eval.panoptic_evaluation import SegmenterProtocols
    from eq_eval.results import store
    from eq_perception.panoptic.segmenter import Segmenter

    bundle = bundle_folder(model, 'panoptic_segmenter')
    opened = Segmenter.from_bundle(bundle, [backend], threads, sweeps)
    number, length = QUICK if quick else FULL
    number, length = sequences or number, scans or length
    recording = (held_out_sequences(number, length) if data is None else open_recording(data))
    count = len(recording) if data is None or scans is None else min(scans, len(recording))
    rotations = (QUICK_ROTATIONS if quick else FULL_ROTATIONS) if turn and data is None else ()
    asked = SegmenterProtocols(with_poses=odometry, rotations=rotations,
                               rotated_scans=length)
    with Progress(console=console) as bar:
        task = bar.add_task(recording.name, total=count)
        result: dict[str, Any] = {
            'data': recording.name, 'kind': recording.kind, 'model': bundle.name,
            'backend': opened.session.backend, 'sweeps': sweeps, 'odometry': odometry,
            'threads': threads, 'group': opened.config.detector.group,
        } | evaluate_segmenter(opened, islice(recording.scans(), count), asked,
                               lambda done: bar.update(task, completed=done))
    if not quick:
        words = [name] if name else ['eval_segmenter', *([] if data is None else [data.name])]
        store('_'.join(words).lower(), result, ['eq', *sys.argv[1:]],
              SEED if data is None else None)
    emit(result if json else {key: result[key] for key in HEADLINE}, json,
         f'panoptic segmenter on {recording.name}')
