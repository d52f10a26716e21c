"""A whole replay: open, play, score, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
from typing import Any

from eq_core.errors import InputError
from eq_eval.datasets.rosbag import DEFAULT_OPTIONS
from eq_eval.replay.nodes import DETECTOR
from eq_eval.replay.nodes import SEGMENTER
from eq_eval.replay.panoptic import FOLDER
from eq_eval.replay.panoptic import panoptic_inputs
from eq_eval.replay.reporting import model_facts
from eq_eval.replay.reporting import report_inputs
from eq_eval.replay.rotation_curves import measured_rotation
from eq_eval.replay.rotation_curves import stored_rotation
from eq_eval.replay.runner import Progress
from eq_eval.replay.runner import replay
from eq_eval.replay.runner import ReplayOptions
from eq_eval.replay.scoring import score
from eq_eval.replay.source import open_source
from eq_eval.replay.source import Source
from eq_eval.replay.summary import summarize
from eq_eval.report.builder import write_report
from eq_eval.report.inputs import PanopticInputs
from eq_ros.pointcloud2 import DecodeOptions


@dataclass(frozen=True)
class Job:
    """What is to be replayed, and where to.

    Attributes:
        path: The recording.
        out: Folder of the results; made if it is not there.
        command: Command line that repeats it.
        options: How it is played.
        topic: Topic of the clouds in a bag.
        salvage: Whether to play what can be read of a damaged recording.
        decoding: How clouds are decoded, by the reader and by the node.
        labels: Another recording of the same scans that has labels.
        turn: Whether to measure a short rotation curve where none is stored.
        panoptic: How the recording is played through the segmenter after the detector; not at
            all if None.
    """

    path: Path
    out: Path
    command: str
    options: ReplayOptions
    topic: str | None = None
    salvage: bool = False
    decoding: DecodeOptions = DEFAULT_OPTIONS
    labels: Path | None = None
    turn: bool = False
    panoptic: ReplayOptions | None = None


def run_job(job: Job, progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Plays a recording, scores it where there are labels, and writes `report.html`.

    Args:
        job: What to do.
        progress: Told scans done, scans in all, and what is going on.

    Returns:
        The figures of `summarize`, with `scores` and `mAP` where there are labels, `report` and
        `damages`; under `panoptic` those of the segmenter. The same is in `result.json`.

    Raises:
        EqError: The recording is damaged, or the node cannot work.
    """
    make_room(job.out)
    if job.panoptic is not None:
        make_room(job.out / FOLDER)
    source = open_source(job.path, job.out, job.topic, job.salvage, job.decoding,
                         job.labels)
    run = replay(source.recording, job.out, job.options, progress, source.clouds())
    result = summarize(run, job.options, source.lost)
    result['recording'] = source.recording.name
    result['damages'] = [*source.damages, *run.lost]
    progress(len(run.outcomes), len(run.outcomes), 'scoring')
    scores = score(source.recording, run, job.options)
    if scores is not None:
        result |= {'scores': scores.table, 'mAP': scores.table.get('mAP')}
    panoptic = None
    if job.panoptic is not None:
        panoptic = _segmented(job, job.panoptic, source, progress)
        result['panoptic'] = panoptic.result
    progress(len(run.outcomes), len(run.outcomes), 'writing the report')
    rotation = stored_rotation()
    if rotation is None and job.turn:
        rotation = measured_rotation(source.recording, job.options.model, progress)
    result['report'] = str(write_report(job.out / 'report.html', report_inputs(
        source.recording, run, job.options, result, job.command, result['damages'],
        scores.text if scores else '', rotation, panoptic)))
    (job.out / 'result.json').write_text(json.dumps(result, indent=2, default=float) + '\n')
    return result


def _segmented(job: Job, options: ReplayOptions, source: Source, progress: Progress,
               ) -> PanopticInputs:
    """Plays the same recording through the segmenter.

    One node after the other: side by side they would slow each other down, and on a small machine
    the scans that one drops would tell of the other.
    """
    out = job.out / FOLDER
    run = replay(source.recording, out, options, progress, source.clouds())
    progress(len(run.outcomes), len(run.outcomes), 'scoring')
    result = summarize(run, options, source.lost) | {'odometry': run.with_poses}
    return panoptic_inputs(source.recording, run, options, out, result, model_facts(options))


def is_accounted(result: Mapping[str, Any]) -> bool:
    """Whether the balance of every node holds."""
    return bool(result['accounted'] and result.get('panoptic', result)['accounted'])


def balance_lines(result: Mapping[str, Any]) -> list[str]:
    """The balance of each node in one line for people."""
    if 'panoptic' not in result:
        return [_balance_line(result)]
    return [f'{node.label}: {_balance_line(part)}' for node, part in (
        (DETECTOR, result), (SEGMENTER, result['panoptic']))]


def _balance_line(result: Mapping[str, Any]) -> str:
    dropped = ', '.join(f'{count} {reason}' for reason, count in result['dropped'].items())
    parts = [f"{result['published']} answered", f"{sum(result['dropped'].values())} dropped"
             + (f' ({dropped})' if dropped else ''), f"{result['in_flight']} in flight"]
    parts += [f'{result[key]} {text}' for key, text in (
        ('lost_in_transport', 'not received'), ('lost_in_bag', 'unreadable')) if result[key]]
    verdict = '' if result['accounted'] else '  - THE BALANCE DOES NOT HOLD'
    return f"{result['scans_in_bag']} scans = " + ' + '.join(parts) + verdict


def make_room(out: Path) -> None:
    """Makes the folder, and removes the bags of an earlier replay in it but nothing else.

    Raises:
        InputError: What is in the way is no bag of ours.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in ('outputs', 'salvaged'):
        folder = out / name
        if not folder.exists():
            continue
        strangers = [item.name for item in folder.iterdir()
                     if item.suffix not in ('.mcap', '.bag') and item.name not in
                     ('metadata.yaml', 'ground_truth.jsonl')]
        if strangers:
            raise InputError(f'{folder} holds {strangers[0]}, which no replay has put there')
        shutil.rmtree(folder)
