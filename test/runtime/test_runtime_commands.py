"""`eq verify`, `eq bench` and the store of results tell the truth in the agreed form."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any

from click.testing import CliRunner
import numpy as np
import pytest

from eq_core.errors import ConfigError
from eq_core.errors import InputError
from eq_core.geometry.boxes3d import Boxes3D
from eq_core.geometry.points import Points
from eq_core.runtime import Bundle
from eq_eval import latency
from eq_eval import results
from eq_eval.cli.main import load_command

Make = Callable[..., Path]


def run(command: str, *arguments: object) -> tuple[int, dict[str, Any]]:
    """Runs a command with --json; returns exit code and result."""
    done = CliRunner().invoke(load_command(command), [*map(str, arguments), '--json'])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def test_verify_accepts_a_good_bundle(loaded: Bundle) -> None:
    code, result = run('verify', loaded.path)
    assert code == 0
    assert result['ok'] is True
    assert result['problems'] == []
    assert result['golden_error'] < 1e-6
    assert result['equivariance_error'] < 1e-6
    assert set(result['equivariance_by_output']) == {'height', 'offset', 'axis'}
    assert result['checksum'] == loaded.checksum
    assert result['files'] == dict(loaded.manifest.sha256)


def test_verify_refuses_a_broken_symmetry_and_gives_its_size(tiny_bundle: Make) -> None:
    code, result = run('verify', tiny_bundle(fault='not_equivariant'))
    assert code == 1
    assert result['ok'] is False
    assert result['equivariance_error'] > 1e-2
    assert 'equivariance error' in result['problems'][0]


def test_verify_measures_a_plain_network_too(tiny_bundle: Make) -> None:
    path = tiny_bundle(fault='not_equivariant', group={'name': 'C1', 'order': 1})
    code, result = run('verify', path)
    assert code == 0
    assert result['equivariance_error'] is None
    assert result['quarter_turn_error'] > 1e-2


@pytest.mark.parametrize('fault', ['altered', 'missing', 'nan', 'no such backend here'])
def test_verify_says_what_is_wrong(
        tiny_bundle: Make, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_bundle(fault='nan' if fault == 'nan' else '')
    if fault == 'altered':
        (path / 'model.onnx').write_bytes(b'other')
    elif fault == 'missing':
        (path / 'golden.npz').unlink()
    elif fault != 'nan':
        monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    code, result = run('verify', path)
    assert code == 1
    assert result['ok'] is False
    assert result['golden_error'] is None
    assert len(result['problems']) == 1
    assert '\n' not in result['problems'][0]


class FakeDetector:
    """Answers one box and says how long it took."""

    def __init__(self) -> None:
        self.class_names = ('car',)
        self.timing = {'preprocess': 1., 'inference': 2., 'postprocess': 3.}
        self.seen: list[int] = []

    def detect(self, points: Points) -> Boxes3D:
        self.seen.append(len(points))
        return Boxes3D(np.zeros((1, 3)), np.ones((1, 3)), np.zeros(1), np.zeros(1, np.int64),
                       frame_id=points.frame_id, stamp=points.stamp)


def no_ros() -> latency.Ros:
    return latency.Ros(lambda cloud: cloud, None, ('no ROS 2 here',))


@pytest.mark.parametrize('measured', [True, False])
def test_latency_covers_every_stage(measured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, 'reference_ms', lambda: 2.)
    monkeypatch.setattr(latency, '_scan', lambda world, points, seed: (
        latency.ring_cloud(900, seed), world))
    encoded: list[Boxes3D] = []
    ros = latency.Ros(lambda cloud: cloud, encoded.append, ()) if measured else no_ros()
    clouds = list(latency.make_clouds(3, 1000, 0, ros))
    assert [cloud.origin.split(',')[0] for cloud in clouds] == ['street', 'square', 'hall']
    detector, done = FakeDetector(), []
    result = latency.measure(latency.detector_work(detector, ros), clouds, 20, 60., done.append)
    assert result['runs'] == 20
    assert done == list(range(1, 21))
    assert set(detector.seen) == {1000}
    assert tuple(result['stages']) == latency.DETECTOR_STAGES
    assert result['stages']['inference'] == 2.
    assert result['stages']['decode'] > 0
    assert (result['stages']['encode'] is not None) == measured
    assert len(encoded) == (20 + latency.WARM_UP if measured else 0)
    assert result['p99_ms'] >= result['p50_ms'] > 0
    assert result['ratio'] == result['p50_ms'] / 2.


def test_latency_ends_when_its_time_is_spent() -> None:
    clouds = [latency.Cloud(latency.pointcloud2.encode(latency.ring_cloud(10, 0)), '')]
    work = latency.detector_work(FakeDetector(), no_ros())
    assert latency.measure(work, clouds, 1000, 0.)['runs'] == 1


@pytest.mark.parametrize('count', [1, 500, 1000, 2500])
def test_a_scan_is_brought_to_size(count: int) -> None:
    scan = latency.ring_cloud(1000, 1)
    sized, filled = latency.resize(scan, count, 0)
    assert len(sized) == count
    assert filled == max(0, count - 1000)
    assert np.isfinite(sized.xyz).all()
    if count >= 1000:
        np.testing.assert_array_equal(sized.xyz[:1000], scan.xyz)
        # Every added point lies near one that was measured.
        near = np.linalg.norm(sized.xyz[1000:, None] - scan.xyz[None], axis=2).min(1, initial=9.)
        assert (near < 0.2).all()


def test_real_messages_are_used_where_there_is_ros() -> None:
    pytest.importorskip('rclpy', reason='no ROS 2 here')
    ros = latency.find_ros(('car',))
    message = latency.pointcloud2.encode(latency.ring_cloud(50, 0))
    assert type(ros.make_message(message)).__name__ == 'PointCloud2'
    boxes = FakeDetector().detect(Points.from_xyz(np.zeros((1, 3), np.float32), None, 'lidar', 5))
    answer = ros.encode(boxes)
    assert type(answer).__name__ in ('Detection3DArray', 'MarkerArray')


def test_a_detector_that_fails_is_not_measured() -> None:
    def fail(points: Points) -> Boxes3D:
        raise InputError('no')
    clouds = [latency.Cloud(latency.pointcloud2.encode(latency.ring_cloud(10, 0)), '')]
    with pytest.raises(InputError):
        detector = SimpleNamespace(detect=fail, class_names=('car',), timing={})
        latency.measure(latency.detector_work(detector, no_ros()), clouds, 1, 1.)


def test_a_result_is_stored_with_all_that_made_it(tmp_path: Path, repository: Path) -> None:
    result = {'p50_ms': np.float32(1.5), 'runs': np.int64(3), 'curve': np.arange(3),
              'missing': float('nan'), 'model': repository / 'models' / 'x', 'none': None,
              'nested': {'list': [1, (2., '/tmp/somewhere/file.txt')]}, 'flag': True}
    command = ['eq', 'bench', 'detector', f'--model={repository}/models/x', '/tmp/other']
    path = results.store('bench_test', result, command, 7, tmp_path / 'results')
    record = json.loads(path.read_text())
    assert path.name == 'bench_test.json'
    assert [file.name for file in path.parent.iterdir()] == ['bench_test.json']
    assert set(record) == {'name', 'result', 'command', 'seed', 'commit', 'machine', 'date'}
    assert record['result'] == {
        'p50_ms': 1.5, 'runs': 3, 'curve': [0, 1, 2], 'missing': None, 'model': 'models/x',
        'none': None, 'nested': {'list': [1, [2., 'file.txt']]}, 'flag': True}
    assert record['command'] == 'eq bench detector --model=models/x other'
    assert record['seed'] == 7
    assert record['machine']['cores'] >= 1
    assert 'numpy' in record['machine']['libraries']
    assert str(repository) not in path.read_text()


@pytest.mark.parametrize(('text', 'expected'), [
    ('/lidar_detector/output/objects', '/lidar_detector/output/objects'),
    ('~/output/objects', '~/output/objects'), ('../shared/data', '../shared/data'),
    ('models/x', 'models/x'), ('https://example.org/usr/x', 'https://example.org/usr/x'),
    ('in /usr/lib/python3 it', 'in python3 it'), ('1/2', '1/2'), ('a /  b', 'a /  b')])
def test_only_paths_of_this_machine_are_shortened(text: str, expected: str) -> None:
    assert results.without_machine_paths(text) == expected


@pytest.mark.parametrize('name', ['', '../x', 'a/b', 'A', 'x.json'])
def test_the_name_of_a_result_is_plain(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='name of a result'):
        results.store(name, {}, [], None, tmp_path)


def test_without_git_the_commit_is_unknown(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, 'ROOT', tmp_path)
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    assert results.commit() is None
    monkeypatch.setenv('PATH', '')
    assert results.commit() is None
