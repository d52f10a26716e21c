"""Calibrates the bundle of a detector, written anew."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import open_session
from eq_eval.metrics.calibration import ELLIPSES
from eq_eval.metrics.calibration import Reliability
from eq_eval.quantization.accuracy import TITLE as PRECISIONS
from eq_eval.quantization.precisions import card_of
from eq_eval.quantization.precisions import present
from eq_eval.training.calibration import Calibration
from eq_eval.training.calibration import calibration_in
from eq_eval.training.calibration import fold
from eq_eval.training.calibration import RECORD
from eq_eval.training.calibration import uncalibrated_config
from eq_eval.training.calibration_fit import calibrated_threshold
from eq_eval.training.calibration_fit import fit_calibration
from eq_eval.training.calibration_fit import observe
from eq_eval.training.calibration_fit import Observed
from eq_eval.training.calibration_fit import validation_scans
from eq_eval.training.export import export_changed
from eq_eval.training.initial import take_weights
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import TASK
from eq_perception.detection.model import BevDetector

TITLE = '- Calibrated on '     # the line of the card


def calibrate_bundle(path: Path, scans: int, seed: int, history: Mapping[str, Any],
                     progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Fits on simulated validation worlds, folds into the weights and writes the bundle.

    A calibrated bundle is calibrated further; its manifest tells both as one.

    Args:
        path: Folder of the bundle. Its graphs of lower precision are dropped: they are of the
            weights before.
        scans: Simulated scans of the split validation.
        seed: Number of their draw.
        history: What the manifest tells beside it: command, commit, date.
        progress: Told the number of scans done.

    Returns:
        What was fitted, and errors before and after on the scans of the fit.

    Raises:
        ConfigError: The bundle is of no detector, or there is too little to fit to.
    """
    bundle = Bundle.load(path)
    if bundle.manifest.task != TASK:
        raise ConfigError(f'{path} must be a model of {TASK}, got {bundle.manifest.task!r}')
    config = DetectorConfig.from_dict(bundle.manifest.config)
    dropped = sorted(present(bundle)[0])    # gone once the bundle is written
    with open_session(bundle, ['onnxruntime']) as session:
        observed = observe(session, config, validation_scans(scans, seed), progress)
    found = fit_calibration(observed, config.class_names)
    threshold = calibrated_threshold(observed, found, config.score_threshold)
    model = BevDetector(replace(config, score_threshold=threshold))
    take_weights(model, bundle)
    fold(model, found)
    told = {**found.after(calibration_in(bundle)).to_dict(config.class_names),
            'raw_score_threshold': uncalibrated_config(bundle).score_threshold,
            'data': f'{scans} simulated scans, split validation, seed {seed}',
            'scans': scans, 'seed': seed, **history}
    training = {name: value for name, value in bundle.manifest.training.items()
                if name != 'precisions'}
    export_changed(model.eval(), bundle, {**training, RECORD: told},
                   _card(card_of(bundle), told['data']))
    return {'bundle': str(path), 'scans': scans, 'seed': seed,
            'score_threshold_before': config.score_threshold, 'score_threshold': threshold,
            **found.to_dict(config.class_names),
            **errors(observed, found, config.class_names),
            'dropped': dropped}


def errors(observed: Sequence[Observed], found: Calibration, class_names: Sequence[str]
           ) -> dict[str, Any]:
    """How far scores and ellipses are from what comes, before and after, per class.

    Returns:
        ``score_error``, the expected calibration error, and ``inside_50`` and ``inside_90``; of
        each class a pair.
    """
    table: dict[str, dict[str, list[float | None]]] = {
        name: {} for name in ('score_error', *(f'inside_{percent}' for percent in ELLIPSES))}
    rows = zip(class_names, observed, found.scale, found.shift, strict=True)
    for name, one, scale, shift in rows:
        after = 1 / (1 + np.exp(-scale * one.logit - shift))
        table['score_error'][name] = [Reliability.of(score, one.right).error
                                      for score in (one.score, after)]
        factor = np.exp(found.log_factor + found.width_exponent * one.log_width)
        for percent, limit in ELLIPSES.items():
            table[f'inside_{percent}'][name] = [
                float(np.mean(squared <= limit)) for squared in
                (one.squared, one.squared / factor)]
    return table


def _card(card: str, data: str) -> str:
    """The card without what was told of other weights."""
    kept = card.partition(PRECISIONS)[0].partition(TITLE)[0].rstrip('\n')
    return f'{kept}\n{TITLE}{data}: scores are probabilities of being right.\n'
