"""Tracks of boxes, judged by published code: HOTA, CLEAR MOT by TrackEval, AMOTA by nuScenes.

Luiten et al., HOTA, IJCV 2021; Bernardin and Stiefelhagen, CLEAR MOT, 2008; Weng et al., A
Baseline for 3D Multi-Object Tracking, IROS 2020, in the form of the nuScenes tracking task.
Nothing is computed here that those packages compute; they are imported when asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import redirect_stdout
import dataclasses
from dataclasses import dataclass
from importlib import import_module
import io
from typing import Any
from unittest import SkipTest
import warnings

import numpy as np
from numpy.typing import NDArray

from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_eval.metrics.nuscenes import CLASS_RANGE

Array = NDArray[np.float64]
Similarity = Callable[[Boxes3D, Boxes3D], Array]

ZERO_DISTANCE = 2.  # [m]; Argoverse 2's for HOTA, and where nuScenes stops matching
INSTALL = ('pip install -c requirements/lock.txt -r requirements/dev.in; '
           'pip install -c requirements/lock.txt --no-deps -r requirements/oracle.in')
HOTA_FIGURES = ('HOTA', 'DetA', 'AssA', 'LocA', 'DetRe', 'DetPr', 'AssRe', 'AssPr')
CLEAR_FIGURES = ('MOTA', 'IDSW', 'Frag', 'MT', 'ML', 'CLR_TP', 'CLR_FN', 'CLR_FP')
AMOTA_FIGURES = ('amota', 'amotp', 'recall', 'mota', 'motp', 'mt', 'ml', 'tp', 'fp', 'fn', 'ids',
                 'frag')


@dataclass(frozen=True, eq=False)
class TrackedScan:
    """Boxes with identities at one time.

    Attributes:
        prediction: What the tracker says, `Boxes3D.track_id` set, in the sensor's frame.
        truth: Objects with their `track_id`, in the sensor's frame.
        pose: (4, 4) odom/world <- sensor; tracks are judged in the world.
        stamp: Time [ns].
    """

    prediction: Boxes3D
    truth: Boxes3D
    pose: NDArray[np.float64]
    stamp: int


@dataclass(frozen=True)
class HotaResult:
    """HOTA and its parts, in [0, 1]; means over the 19 localisation thresholds.

    Attributes:
        HOTA: Mean over the classes with truths, None where there are none (as the others).
        DetA: Detection accuracy.
        AssA: Association accuracy.
        LocA: Localisation accuracy.
        class_figures: Class to `HOTA_FIGURES`.
    """

    HOTA: float | None
    DetA: float | None
    AssA: float | None
    LocA: float | None
    class_figures: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return dict(vars(self))


@dataclass(frozen=True)
class ClearResult:
    """CLEAR MOT of the tracks as they are, whatever their scores; matches within 2 m.

    Attributes:
        MOTA: Mean over the classes with truths, at most 1; None where there are none.
        IDSW: Identity switches of all classes with truths.
        Frag: Interruptions of truths that are found again, of all classes with truths; TrackEval
            sees none in scans without any prediction of the class.
        class_figures: Class to `CLEAR_FIGURES`.
    """

    MOTA: float | None
    IDSW: int
    Frag: int
    class_figures: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return dict(vars(self))


@dataclass(frozen=True)
class AmotaResult:
    """The tracking metrics of nuScenes: 2 m centre distance, 40 recall thresholds.

    Attributes:
        AMOTA: Mean over the classes with truths, in [0, 1]; None where there are none.
        AMOTP: Mean distance of matches [m], 2 at recalls that are not reached.
        class_figures: Class to `AMOTA_FIGURES` (all but the first two at the score threshold with
            the highest MOTA); None where nuScenes says NaN.
    """

    AMOTA: float | None
    AMOTP: float | None
    class_figures: dict[str, dict[str, float | None]]

    def as_dict(self) -> dict[str, Any]:
        """Figures as JSON knows them."""
        return dict(vars(self))


def center_similarity(first: Boxes3D, second: Boxes3D) -> Array:
    """(N, M) 1 - d / 2 m for the distance d of centres seen from above, 0 beyond 2 m."""
    apart = np.linalg.norm(first.center[:, None, :2] - second.center[None, :, :2], axis=-1)
    return np.asarray(np.maximum(0., 1 - apart / ZERO_DISTANCE))


def evaluate_hota(sequences: Mapping[str, Sequence[TrackedScan]], class_names: Sequence[str],
                  class_range: Mapping[str, float] | None = None,
                  similarity: Similarity = center_similarity) -> HotaResult:
    """HOTA, class by class.

    Args:
        sequences: Name to scans in their order; identities hold within a sequence.
        class_names: Names that the labels index; boxes of other labels are left out.
        class_range: Class to range [m] as for `evaluate_amota`.
        similarity: (N truths, M predictions) in [0, 1]; also `eq_core.geometry.rotated_iou.iou_3d`
            and `iou_bev`.

    Raises:
        InputError: TrackEval is not installed, or identities are missing or repeated in a scan.
    """
    metric = _trackeval('HOTA')
    scans = _prepared(sequences, class_names, class_range)
    by_class = {}
    for label, name in enumerate(class_names):
        parts = {key: metric.eval_sequence(_trackeval_data(group, label, similarity))
                 for key, group in scans.items()}
        total = metric.combine_sequences(parts)
        if (total['HOTA_TP'] + total['HOTA_FN']).any():
            by_class[name] = total
    figures = {name: {key: float(np.mean(row[key])) for key in HOTA_FIGURES}
               for name, row in by_class.items()}
    if not by_class:
        return HotaResult(None, None, None, None, figures)
    mean = metric.combine_classes_class_averaged(by_class)
    return HotaResult(HOTA=float(np.mean(mean['HOTA'])), DetA=float(np.mean(mean['DetA'])),
                      AssA=float(np.mean(mean['AssA'])), LocA=float(np.mean(mean['LocA'])),
                      class_figures=figures)


def evaluate_clear(sequences: Mapping[str, Sequence[TrackedScan]], class_names: Sequence[str],
                   class_range: Mapping[str, float] | None = None) -> ClearResult:
    """MOTA, identity switches and fragmentations, class by class; arguments as `evaluate_hota`.

    Raises:
        InputError: TrackEval is not installed, or identities are missing or repeated in a scan.
    """
    # A pair matches from the smallest similarity on, that is within 2 m; the threshold is not 0,
    # because TrackEval then carries matches on over any distance.
    metric = _trackeval('CLEAR', {'THRESHOLD': 1e-6, 'PRINT_CONFIG': False})
    scans = _prepared(sequences, class_names, class_range)
    figures = {}
    for label, name in enumerate(class_names):
        total = metric.combine_sequences({
            key: metric.eval_sequence(_trackeval_data(group, label, center_similarity))
            for key, group in scans.items()})
        if total['CLR_TP'] + total['CLR_FN']:
            figures[name] = {key: float(total[key]) for key in CLEAR_FIGURES}
    rows = list(figures.values())
    return ClearResult(MOTA=float(np.mean([row['MOTA'] for row in rows])) if rows else None,
                       IDSW=sum(int(row['IDSW']) for row in rows),
                       Frag=sum(int(row['Frag']) for row in rows), class_figures=figures)


def evaluate_amota(sequences: Mapping[str, Sequence[TrackedScan]], class_names: Sequence[str],
                   class_range: Mapping[str, float] | None = None) -> AmotaResult:
    """AMOTA and AMOTP as nuScenes ranks trackers.

    As there, each predicted track has the mean score of its boxes, and gaps of tracks and of
    truths are filled by straight lines.

    Args:
        sequences: Name to scans in their order; identities hold within a sequence.
        class_names: Names that the labels index; boxes of other labels are left out.
        class_range: Class to the range [m] from the sensor inside which it is evaluated;
            nuScenes' own if None: 50 m for vehicles, 40 m for pedestrians and cyclists.

    Raises:
        InputError: nuscenes-devkit or what it needs is not installed, or identities are missing or
            repeated in a scan.
    """
    scans = _prepared(sequences, class_names, class_range)
    devkit = _devkit(class_names)
    evaluation = devkit.evaluation.__new__(devkit.evaluation)  # its constructor reads a data set
    evaluation.cfg, evaluation.verbose = devkit.config, False
    evaluation.output_dir, evaluation.render_classes = '', []
    evaluation.tracks_gt = {name: devkit.tracks(group, truth=True)
                            for name, group in scans.items()}
    evaluation.tracks_pred = {name: devkit.tracks(group, truth=False)
                              for name, group in scans.items()}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # means of nothing, and pandas about itself
        metrics, _ = evaluation.evaluate()
    rows = {name: {key: _or_none(metrics.label_metrics[key][name]) for key in AMOTA_FIGURES}
            for name in class_names}
    known = {name: row for name, row in rows.items() if row['amota'] is not None}
    amota, amotp = (_or_none(metrics.compute_metric(key)) if known else None
                    for key in ('amota', 'amotp'))
    return AmotaResult(amota, amotp, known)


def _trackeval(name: str, *settings: Mapping[str, Any]) -> Any:
    """One of TrackEval's metrics.

    Raises:
        InputError: It is not installed.
    """
    try:
        with redirect_stdout(io.StringIO()):  # it prints which data sets it cannot read
            module = import_module(f'trackeval.metrics.{name.lower()}')
    except ImportError as error:
        raise InputError(f'{name} needs trackeval ({error}): {INSTALL}',
                         'missing_package') from error
    return getattr(module, name)(*settings)


@dataclass(frozen=True, eq=False)
class _Devkit:
    """The parts of nuscenes-devkit that judge tracks, set up for our classes."""

    config: Any
    evaluation: Any
    box: Any
    interpolate: Any

    def tracks(self, scans: Sequence[TrackedScan], truth: bool) -> Any:
        """Time to boxes, as the devkit's `create_tracks` makes them from its data set."""
        frames = [scan.truth if truth else scan.prediction for scan in scans]
        scores = defaultdict(list)
        for boxes in frames:
            for track, score in zip(boxes.track_id.tolist(), boxes.score.tolist(), strict=True):
                scores[track].append(score)
        mean = {track: float(np.mean(values)) for track, values in scores.items()}
        tracks: Any = defaultdict(list)
        for scan, boxes in zip(scans, frames, strict=True):
            tracks[scan.stamp] = [
                self.box(translation=tuple(center), rotation=(1., 0., 0., 0.),
                         tracking_id=str(track),
                         tracking_name=self.config.tracking_names[label],
                         tracking_score=-1. if truth else mean[track])
                for center, track, label in zip(boxes.center.tolist(), boxes.track_id.tolist(),
                                                boxes.label.tolist(), strict=True)]
        return self.interpolate(tracks)


def _devkit(class_names: Sequence[str]) -> _Devkit:
    """Configures nuscenes-devkit; everything but the classes is the official configuration.

    Raises:
        InputError: It, or a package that it needs, is not installed.
    """
    try:
        from nuscenes.eval.common.config import config_factory
        from nuscenes.eval.tracking.data_classes import TrackingBox
        from nuscenes.eval.tracking.data_classes import TrackingConfig
        from nuscenes.eval.tracking.evaluate import TrackingEval
        from nuscenes.eval.tracking.loaders import interpolate_tracks
    except (ImportError, SkipTest) as error:  # it raises either
        raise InputError(f'AMOTA needs nuscenes-devkit, motmetrics and what they import ({error}):'
                         f' {INSTALL}', 'missing_package') from error
    official = config_factory('tracking_nips_2019').serialize()
    names = list(class_names)
    config = TrackingConfig.deserialize(official | {
        'tracking_names': names, 'pretty_tracking_names': dict(zip(names, names, strict=True)),
        'tracking_colors': dict.fromkeys(names, 'C0'), 'class_range': dict.fromkeys(names, 0.)})
    return _Devkit(config, TrackingEval, TrackingBox, interpolate_tracks)


def _trackeval_data(scans: Sequence[TrackedScan], label: int, similarity: Similarity
                    ) -> dict[str, Any]:
    """Boxes of one class in the form of TrackEval: identities count from 0."""
    pairs = [(scan.truth.select(scan.truth.label == label),
              scan.prediction.select(scan.prediction.label == label)) for scan in scans]
    data: dict[str, Any] = {
        'similarity_scores': [similarity(truth, prediction) for truth, prediction in pairs],
        'num_timesteps': len(pairs)}
    for side, name in enumerate(('gt', 'tracker')):
        counts = np.cumsum([len(pair[side]) for pair in pairs])
        ids = np.concatenate([pair[side].track_id for pair in pairs]) if pairs else np.zeros(0)
        known, position = np.unique(ids, return_inverse=True)
        data[f'{name}_ids'] = np.split(position, counts[:-1])
        data[f'num_{name}_ids'], data[f'num_{name}_dets'] = len(known), len(ids)
    return data


def _prepared(sequences: Mapping[str, Sequence[TrackedScan]], class_names: Sequence[str],
              class_range: Mapping[str, float] | None) -> dict[str, list[TrackedScan]]:
    """Boxes of the classes within their ranges, in the world.

    Raises:
        InputError: A class has no range, or identities are missing or repeated.
    """
    ranges = CLASS_RANGE if class_range is None else class_range
    missing = [name for name in class_names if name not in ranges]
    if missing:
        raise InputError(f'no evaluation range for classes {missing}, have {sorted(ranges)}')
    limits = np.array([ranges[name] for name in class_names])

    def prepared(boxes: Boxes3D, scan: TrackedScan, where: str) -> Boxes3D:
        boxes = boxes.select((boxes.label >= 0) & (boxes.label < len(limits)))
        boxes = boxes.select(np.hypot(*boxes.center[:, :2].T) < limits[boxes.label])
        _, counts = np.unique(boxes.track_id, return_counts=True)
        if (boxes.track_id < 0).any() or (counts > 1).any():
            raise InputError(f'{where}: every box needs an identity of its own, got '
                             f'{sorted(boxes.track_id.tolist())}', 'bad_label')
        return boxes.transformed(scan.pose)

    result = {}
    for name, scans in sequences.items():
        if (np.diff([scan.stamp for scan in scans]) <= 0).any():
            raise InputError(f'{name}: stamps of scans must ascend', 'bad_stamp')
        result[name] = [dataclasses.replace(
            scan, prediction=prepared(scan.prediction, scan, f'{name}, prediction {index}'),
            truth=prepared(scan.truth, scan, f'{name}, truth {index}'))
            for index, scan in enumerate(scans)]
    return result


def _or_none(value: float) -> float | None:
    """NaN has no place in JSON."""
    return None if np.isnan(value) else float(value)
