"""Calibration: recovered from what was made with a known one, and folded without a trace."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import sys

import numpy as np
import pytest
import torch

from eq_core.errors import ConfigError
from eq_core.geometry.points import Points
from eq_core.runtime.bundle import Bundle
from eq_core.runtime.bundle import write_bundle
from eq_eval.cli.calibrate import calibrate
from eq_eval.training import calibrated_bundle
from eq_eval.training.calibration import Calibration
from eq_eval.training.calibration import calibration_in
from eq_eval.training.calibration import fold
from eq_eval.training.calibration import take_trained
from eq_eval.training.calibration import uncalibrated_config
from eq_eval.training.calibration_fit import calibrated_threshold
from eq_eval.training.calibration_fit import fit_calibration
from eq_eval.training.calibration_fit import fit_ellipses
from eq_eval.training.calibration_fit import fit_logits
from eq_eval.training.calibration_fit import Observed
from eq_eval.training.calibration_fit import validation_scans
from eq_eval.training.detector import start_detector
from eq_eval.training.export import detector_signature
from eq_eval.training.export import equivariance_error
from eq_eval.training.export import export_detector
from eq_eval.training.recipe import Recipe
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector
from eq_perception.detection.model import BevDetector
from eq_perception.detection.postprocess import find_peaks

SMALL = DetectorConfig(point_cloud_range=12.8, max_pillars=2048, channels=(3, 4, 4, 6, 4),
                       depth=(1, 1, 1))
CHANGE = Calibration((2.5, .7, 1.3, 3.), (1.2, -.4, 0., .3), -.3, .9)
NAMES = SMALL.class_names


def network(seed: int = 0) -> BevDetector:
    """A network whose heads all say something, with scores around one half."""
    torch.manual_seed(seed)
    model = BevDetector(SMALL).eval()
    for name in ('heatmap', 'log_size', 'log_variance'):
        torch.nn.init.normal_(model.heads[name].bias, std=.5)
    return model


def cloud(seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    xyz = rng.uniform([-12, -12, -1.8], [12, 12, .5], (4000, 3))
    return Points.from_xyz(xyz, rng.random(len(xyz)))


def answer(model: BevDetector, precision: torch.dtype) -> dict[str, np.ndarray]:
    inputs = detector_signature(model, cloud()).inputs
    with torch.no_grad():
        fields = model(torch.from_numpy(inputs['pillar_points']).to(precision),
                       torch.from_numpy(inputs['pillar_index']))
    return {name: field.numpy() for name, field in fields.items()}


# --- folded into the weights ---------------------------------------------------------------

@pytest.mark.parametrize(('precision', 'error'), [(torch.float32, 3e-6), (torch.float64, 1e-13)])
def test_folded_scores_and_covariances_are_those_of_the_formula(
        precision: torch.dtype, error: float) -> None:
    model = network().to(precision)
    before = answer(model, precision)
    fold(model, CHANGE)
    after = answer(model, precision)
    scale, shift = (np.array(values)[:, None, None] for values in (CHANGE.scale, CHANGE.shift))
    wanted = 1 / (1 + np.exp(-(scale * before['heatmap'].astype(float) + shift)))
    np.testing.assert_allclose(1 / (1 + np.exp(-after['heatmap'].astype(float))), wanted,
                               atol=error)
    width = before['log_size'][:, 1:2].astype(float)
    np.testing.assert_allclose(after['log_variance'], before['log_variance']
                               + CHANGE.log_factor + CHANGE.width_exponent * width, atol=3 * error)
    for name in set(before) - {'heatmap', 'log_variance'}:
        np.testing.assert_array_equal(after[name], before[name])


def test_peaks_of_a_class_keep_their_places_and_order() -> None:
    model = network()
    config = replace(SMALL, score_threshold=1e-6, max_objects=10_000)
    peaks = []
    for change in (Calibration.identity(len(NAMES)), CHANGE):
        fold(model, change)
        label, cell, score = find_peaks(answer(model, torch.float32)['heatmap'][0], config)
        assert (np.diff(score) <= 0).all()
        peaks.append([cell[label == number] for number in range(len(NAMES))])
    for before, after in zip(*peaks, strict=True):
        assert len(before) > 5
        # Ones that are equal but for the last bit may change places.
        assert np.mean(before == after) > .98 and set(before) == set(after)


def test_the_law_holds_as_before() -> None:
    model = network()
    signature = detector_signature(model, cloud())
    fold(model, CHANGE)
    assert equivariance_error(model, signature, SMALL.group) < 1e-5


def test_a_calibration_is_taken_back_and_two_make_one() -> None:
    model, plain = network(), network()
    fold(model, CHANGE)
    second = Calibration((.5,) * 4, (.1, .2, .3, .4), .2, -.1)
    fold(model, second)
    fold(model, second.after(CHANGE).inverse())
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, atol=1e-5, rtol=1e-5)


def test_changes_that_would_turn_the_order_are_refused() -> None:
    with pytest.raises(ConfigError, match='must be positive'):
        Calibration((1., -1.), (0., 0.))
    with pytest.raises(ConfigError, match='a scale and a shift per class'):
        Calibration((1.,), (0., 0.))
    with pytest.raises(ConfigError, match='expected the calibration of'):
        Calibration.from_dict({'scale': {'car': 1.}}, NAMES)


# --- the fit -------------------------------------------------------------------------------

def seen(a: float, b: float, seed: int, count: int = 20_000, width: float = 1.) -> Observed:
    """Detections of a class whose true logit is a z + b, and whose covariances are too small."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1., 1.2, count)
    right = rng.random(count) < 1 / (1 + np.exp(-a * logit - b))
    log_width = np.log(width) + rng.normal(0, .1, int(right.sum()))
    squared = 2 * rng.exponential(size=int(right.sum())) * np.exp(-.5 + .8 * log_width)
    return Observed(1 / (1 + np.exp(-logit)), right, squared, log_width)


def test_known_scales_shifts_and_factors_are_recovered() -> None:
    known = ((2.7, 1.1, 2.), (2.5, 0., .6), (1., 0., .7), (.6, -.5, 2.5))
    found = fit_calibration([seen(a, b, seed, width=width)
                             for seed, (a, b, width) in enumerate(known)], NAMES)
    np.testing.assert_allclose(found.scale, [row[0] for row in known], atol=.12)
    np.testing.assert_allclose(found.shift, [row[1] for row in known], atol=.12)
    assert found.log_factor == pytest.approx(-.5, abs=.05)
    assert found.width_exponent == pytest.approx(.8, abs=.05)


def test_few_wild_misses_move_ellipses_little() -> None:
    clean = seen(2., 0., 0)
    wild = clean.squared.copy()
    wild[:len(wild) // 50] *= 1e4
    first, second = (fit_ellipses(each, clean.log_width)[0] for each in (clean.squared, wild))
    assert abs(second - first) < .1


def test_classes_told_apart_perfectly_have_a_finite_fit() -> None:
    logit = np.array([-2., -1.5, -1., 1., 1.5, 2.])
    a, b = fit_logits(logit, logit > 0)
    assert 0 < a < 10 and abs(b) < .5


def test_what_cannot_be_fitted_is_refused_by_name() -> None:
    good = [seen(2., 0., seed, 500) for seed in range(3)]
    nothing = Observed(np.full(30, .3), np.zeros(30, bool), np.zeros(0), np.zeros(0))
    with pytest.raises(ConfigError, match="wrong detections of 'cyclist' are needed, got 0 and"):
        fit_calibration([*good, nothing], NAMES)
    with pytest.raises(ConfigError, match="scores of 'cyclist' are no evidence"):
        fit_calibration([*good, seen(-2., 0., 3, 500)], NAMES)


def test_as_many_detections_pass_the_new_threshold() -> None:
    observed = [seen(2.7, 1.1, 0), seen(2.5, 0., 1), seen(1., 0., 2), seen(.6, -.5, 3)]
    change = Calibration((2.7, 2.5, 1., .6), (1.1, 0., 0., -.5))
    threshold = calibrated_threshold(observed, change, .4)
    told = np.concatenate([1 / (1 + np.exp(-a * one.logit - b)) for one, a, b in
                           zip(observed, change.scale, change.shift, strict=True)])
    before = sum((one.score >= .4).sum() for one in observed)
    assert .9 < (told >= threshold).sum() / before < 1.1
    assert calibrated_threshold(observed, change, 1.) == 1.    # nothing passed


# --- bundles -------------------------------------------------------------------------------

@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """An untrained detector with a graph of lower precision."""
    made = export_detector(network(), tmp_path / 'bundle', cloud(), 'toy',
                           {'seed': 1, 'precisions': {'fp16': {}}},
                           '# toy\n- Precisions, mAP on 3 scans:\n  fp32 1.\n')
    fields = made.fields()
    fields['tolerance'] = {**fields['tolerance'], 'fp16': {'golden': .1, 'equivariance': .1}}
    return write_bundle(made.path, made.read('model.onnx'), made.weights(), *made.golden(), fields,
                        made.read('card.md').decode(), {'fp16': made.read('model.onnx')})


def test_the_command_writes_a_bundle_that_says_what_was_done(
        bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    known = ((2., 1., 2.), (2.5, 0., .6), (1., 0., .7), (.6, -.5, 2.5))
    asked: list[object] = []

    def observed(_: object, config: DetectorConfig, scans: object, progress: object
                 ) -> list[Observed]:
        asked.append(config.score_threshold)
        return [seen(a, b, seed, 2000, width) for seed, (a, b, width) in enumerate(known)]

    monkeypatch.setattr(calibrated_bundle, 'observe', observed)
    monkeypatch.setattr(calibrated_bundle, 'validation_scans', lambda *_: iter(()))
    before, examples = bundle.weights(), list(bundle.golden()[0].values())
    monkeypatch.setattr(sys, 'argv', ['eq', 'calibrate', 'toy'])
    calibrate(bundle.path, 6, 3, True)
    printed = capsys.readouterr()
    told = json.loads(printed.out.splitlines()[-1])
    assert told['dropped'] == ['fp16'] and 'eq quantize' in printed.err
    assert told['score_error']['car'][1] < .05 < told['score_error']['car'][0]
    new = Bundle.load(bundle.path)
    for one, other in zip(examples, new.golden()[0].values(), strict=True):
        np.testing.assert_array_equal(one, other)
    record = new.manifest.training['calibration']
    assert record['scans'] == 6 and record['seed'] == 3 and 'validation' in record['data']
    assert record['scale'] == told['scale'] and record['raw_score_threshold'] == .1
    assert 'precisions' not in new.manifest.training
    assert 'model.fp16.onnx' not in new.manifest.sha256
    assert new.manifest.config['score_threshold'] == told['score_threshold'] != .1
    card = new.read('card.md').decode()
    assert 'Precisions' not in card and card.count('- Calibrated on 6 simulated scans') == 1
    detector = Detector.from_bundle(bundle.path, ['onnxruntime'])    # golden example, turns
    assert detector.config.score_threshold == told['score_threshold']

    # Once more: the manifest tells both as one, so that both are taken back together.
    calibrate(bundle.path, 6, 3, True)
    again = Bundle.load(bundle.path)
    assert calibration_in(again).scale[0] == pytest.approx(record['scale']['car'] ** 2)
    assert asked == [.1, told['score_threshold']]
    assert uncalibrated_config(again).score_threshold == .1
    assert again.read('card.md').decode().count('Calibrated') == 1
    model = BevDetector(SMALL)
    take_trained(model, again)
    for name, weight in before.items():
        np.testing.assert_allclose(model.state_dict()[name], weight, atol=1e-5, rtol=1e-5)
    run = start_detector(Recipe(detector=uncalibrated_config(again), iterations=1), again)
    np.testing.assert_allclose(run.model.heads['heatmap'].bias.detach(),
                               before['heads.heatmap.bias'], atol=1e-5)


def test_other_models_are_refused(repository: Path) -> None:
    with pytest.raises(ConfigError, match='must be a model of lidar_detection'):
        calibrated_bundle.calibrate_bundle(repository / 'models/maze_planner', 3, 0, {})


def test_worlds_of_the_fit_are_of_the_split_validation() -> None:
    pytest.importorskip('open3d', reason='Open3D missing')
    scans = list(validation_scans(4, 5))
    assert len(scans) == 4 and {scan.sequence.split('_')[0] for scan in scans} == {'validation'}
    assert len({scan.sequence for scan in scans}) == 2
