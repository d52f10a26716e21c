"""`eq eval detector` on a bag with a detector that knows the answer."""

from collections.abc import Callable
import json
from pathlib import Path
from types import MappingProxyType
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_eval.cli.eval import app
import eq_eval.results
import eq_eval.seen_scans
from eq_perception.detection.config import DetectorConfig
from eq_perception.detection.detector import Detector

START = 1_700_000_000_000_000_000


class Knowing:
    """Finds the box that the bag's writer put at (5, index, 0)."""

    class_names = ('car', 'truck', 'pedestrian', 'cyclist')
    session = SimpleNamespace(backend='none')
    heading = None
    config = DetectorConfig()
    timing = MappingProxyType({'inference': 1.})
    dropped_pillars = 0

    def detect(self, points: Points, *past: Points, poses=None) -> Boxes3D:
        index = (points.stamp - START) // 100_000_000
        return Boxes3D(center=[[5., index, 0]], size=[[4, 2, 1.5]], yaw=[.1], label=[0],
                       velocity=[[3., 0]], score=[.8])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., object]:
    monkeypatch.setattr(Detector, 'from_bundle', classmethod(
        lambda *arguments, **options: Knowing()))
    monkeypatch.setattr(eq_eval.seen_scans, 'refuse_seen', lambda *arguments: None)
    stored = eq_eval.results.store
    monkeypatch.setattr(eq_eval.results, 'store', lambda *arguments: stored(
        *arguments, folder=tmp_path / 'results'))
    return lambda *arguments: CliRunner().invoke(
        app, ['detector', '--model', 'model', *map(str, arguments)])


@pytest.fixture
def bag(write_bag: Callable[..., Path]) -> Path:
    path = write_bag('mcap', truth=True)
    truth = path / 'ground_truth.jsonl'
    truth.write_text(truth.read_text().replace('["car", "tram"]', '["tram", "car"]'))
    return path


def test_json_on_the_last_line_and_stored_result(run, bag: Path, tmp_path: Path) -> None:
    answer = run('--data', bag, '--json')
    assert answer.exit_code == 0, answer.output
    result = json.loads(answer.stdout.splitlines()[-1])
    assert result['mAP'] == pytest.approx(1) and result['AP'] == {'car': pytest.approx(1)}
    assert result['num_scans'] == 5 and result['lost'] == 0 and result['group'] == 'C4'
    stored = json.loads((tmp_path / 'results' / 'eval_detector_mcap.json').read_text())
    assert stored['result']['mAP'] == result['mAP']
    assert str(tmp_path) not in json.dumps(stored)


def test_quick_is_not_stored_and_scans_are_spread(run, bag: Path, tmp_path: Path) -> None:
    answer = run('--data', bag, '--quick', '--scans', 2, '--json')
    assert json.loads(answer.stdout.splitlines()[-1])['num_scans'] == 2
    assert not (tmp_path / 'results').exists()


def test_turning(run, bag: Path) -> None:
    """A detector that ignores how the world is turned falls from 1 to 0."""
    result = json.loads(run('--data', bag, '--quick', '--step', 90, '--json').stdout.splitlines()[
        -1])
    assert result['rotation_curve'] == {
        '0': pytest.approx(1), '90': 0, '180': 0, '270': 0}
    assert result['rotation_spread_90'] == result['rotation_spread_any'] == pytest.approx(1)


def test_a_detector_in_several_directions(run, bag: Path, tmp_path: Path) -> None:
    """One that ignores how the scan is turned contradicts itself, and its scores are divided."""
    result = json.loads(run('--data', bag, '--turns', 3, '--json').stdout.splitlines()[-1])
    assert result['turns'] == 3 and result['mAP'] < .5
    assert (tmp_path / 'results' / 'eval_detector_mcap_3_turns.json').exists()


def test_damaged_bag(run, bag: Path) -> None:
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 5', 'message_count: 7'))
    answer = run('--data', bag, '--quick', '--json')
    assert answer.exit_code != 0 and '2 of 7 messages are lost' in str(answer.exception)
    answer = run('--data', bag, '--quick', '--json', '--salvage')
    result = json.loads(answer.stdout.splitlines()[-1])
    assert result['num_scans'] == 5 and result['lost'] == 1
    assert '2 of 7' in result['lost_texts'][0]
