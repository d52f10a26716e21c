"""Fits a calibration of a detector to what it finds in simulated validation worlds."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from eq_core.errors import ConfigError
from eq_core.runtime import Session
from eq_eval.datasets.scan import LabeledScan
from eq_eval.metrics.calibration import compare
from eq_eval.metrics.calibration import ELLIPSES
from eq_eval.metrics.calibration import mahalanobis
from eq_eval.metrics.judged import judge
from eq_eval.simulation import sample_specs
from eq_eval.simulation import simulate
from eq_eval.training.calibration import Calibration
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector

SCANS_PER_WORLD, STRIDE = 3, 10     # a second apart, as in the test worlds
LEAST = 10          # right and wrong detections of a class without which nothing is fitted
MARGIN = 2          # how far below the threshold, and beyond the number of boxes, is looked

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observed:
    """Detections of one class, of all scans.

    Attributes:
        score: (N,) as the detector says it.
        right: (N,) bool, within 2 m of a truth that no better one took.
        squared: (M,) squared Mahalanobis distance of the right ones' centres from the truth.
        log_width: (M,) logarithm of their width [m].
    """

    score: Float
    right: NDArray[np.bool_]
    squared: Float
    log_width: Float

    @property
    def logit(self) -> Float:
        """(N,) logits of the scores."""
        return np.asarray(np.log(self.score / (1 - self.score)))


def validation_scans(count: int, seed: int) -> Iterator[LabeledScan]:
    """Scans of simulated worlds that serve neither training nor tests."""
    specs = sample_specs('validation', -(-count // SCANS_PER_WORLD), seed, SCANS_PER_WORLD, STRIDE)
    scans = (scan for spec in specs for scan in simulate(spec))
    return (scan for scan, _ in zip(scans, range(count), strict=False))


def observe(session: Session, config: DetectorConfig, scans: Iterable[LabeledScan],
            progress: Callable[[int], None] = lambda done: None) -> list[Observed]:
    """Detects, also somewhat below the threshold, and compares with the truth.

    Args:
        session: The detector's network.
        config: Its configuration.
        scans: Scans with boxes.
        progress: Told the number of scans done.

    Returns:
        One entry per class.
    """
    detector = Detector(session, replace(config, score_threshold=config.score_threshold / MARGIN,
                                         max_objects=config.max_objects * MARGIN))
    rows: list[list[Observed]] = [[] for _ in config.class_names]
    for done, scan in enumerate(scans, 1):
        judged = judge(detector.detect(scan.points), scan, config.class_names)
        found = judged.prediction.select(~judged.excused)
        truth = judged.truth.select(judged.num_points > 0)
        for label, row in enumerate(rows):
            one = compare(found, truth, label)
            row.append(Observed(one.score, one.right, mahalanobis(one.found, one.sought),
                                np.log(one.found.size[:, 1])))
        progress(done)
    return [Observed(*(np.concatenate([getattr(one, name) for one in row])
                       for name in ('score', 'right', 'squared', 'log_width'))) for row in rows]


def fit_calibration(observed: Sequence[Observed], class_names: Sequence[str]) -> Calibration:
    """Fits scores and covariances.

    Raises:
        ConfigError: A class has too few right or wrong detections, or scores that are no evidence.
    """
    scale, shift = [], []
    for one, name in zip(observed, class_names, strict=True):
        right = int(one.right.sum())
        if min(right, len(one.right) - right) < LEAST:
            raise ConfigError(f'at least {LEAST} right and {LEAST} wrong detections of {name!r} '
                              f'are needed, got {right} and {len(one.right) - right}: look at '
                              'more scans, or train the detector further')
        a, b = fit_logits(one.logit, one.right)
        if a <= 0:
            raise ConfigError(f'scores of {name!r} are no evidence: higher ones are less often '
                              f'right (scale {a:.3g})')
        scale.append(a)
        shift.append(b)
    factor, exponent = fit_ellipses(np.concatenate([one.squared for one in observed]),
                                    np.concatenate([one.log_width for one in observed]))
    return Calibration(tuple(scale), tuple(shift), factor, exponent)


def fit_logits(logit: Float, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression by maximum likelihood.

    With the targets of Platt (1999, section 2.2), (R + 1) / (R + 2) and 1 / (W + 2) for R right
    and W wrong cases instead of 1 and 0, it is finite also where both are perfectly told apart.

    Args:
        logit: (N,) of the scores.
        right: (N,) what came.
    """
    hits = int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))

    def loss(line: Float) -> tuple[float, Float]:
        told = line[0] * logit + line[1]
        miss = .5 * (1 + np.tanh(told / 2)) - target
        return (float(np.mean(np.logaddexp(0, told) - target * told)),
                np.array([np.mean(miss * logit), np.mean(miss)]))

    slope, intercept = minimize(loss, [1., 0.], jac=True, method='BFGS').x
    return float(slope), float(intercept)


def fit_ellipses(squared: Float, log_width: Float) -> tuple[float, float]:
    """Factor exp(u) width^s on covariances with which 50 and 90 % ellipses hold that share.

    Distances have heavier tails than a Gaussian, so no factor serves both; this one minimises the
    sum of both check losses of log distances (composite quantile regression: Koenker and Bassett,
    Econometrica 1978; Zou and Yuan, Annals of Statistics 2008). Likelihood would follow the tails.
    One factor alone would have to be too small for cars and too large for pedestrians.

    Args:
        squared: (M,) Mahalanobis distances.
        log_width: (M,) of the boxes.

    Returns:
        u and s.
    """
    middle = float(log_width.mean())    # of centred widths both numbers are nearly independent
    distance, width = np.log(np.maximum(squared, 1e-12)), log_width - middle

    def loss(line: Float) -> float:
        total = 0.
        for percent, limit in ELLIPSES.items():
            rest = distance - np.log(limit) - line[0] - line[1] * width
            total += float(np.mean(np.maximum(int(percent) / 100 * rest,
                                              (int(percent) / 100 - 1) * rest)))
        return total

    found = minimize(loss, [0., 0.], method='Nelder-Mead', options={
        'xatol': 1e-4, 'fatol': 1e-9, 'initial_simplex': [[0., 0.], [1., 0.], [0., 1.]]}).x
    return float(found[0] - found[1] * middle), float(found[1])


def calibrated_threshold(observed: Sequence[Observed], calibration: Calibration,
                         threshold: float) -> float:
    """Threshold on probabilities that lets as many detections pass as `threshold` did on scores.

    One for all classes: which of two boxes is given out depends on how likely they are alone.

    Returns:
        Rounded to two digits.
    """
    passed = sum(int((one.score >= threshold).sum()) for one in observed)
    told = np.sort(np.concatenate([
        1 / (1 + np.exp(-scale * one.logit - shift)) for one, scale, shift in
        zip(observed, calibration.scale, calibration.shift, strict=True)]))
    return float(f'{told[-passed]:.2g}') if passed else threshold
