"""`eq bench runtime`: what is compared with what, and that it runs."""

from __future__ import annotations

import json
import time

from click.testing import CliRunner
import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnx')

from eq_core.runtime import Bundle
from eq_core.runtime.selection import BACKENDS
from eq_eval import runtime_comparison
from eq_eval.cli.main import load_command
from eq_eval.runtime_comparison import bundle_candidates
from eq_eval.runtime_comparison import Candidate
from eq_eval.runtime_comparison import measure
from eq_eval.runtime_comparison import ratios
from eq_eval.runtime_comparison import ROOFLINE


def candidate(network: str, backend: str = 'onnxruntime', precision: str = 'fp32',
              threads: int = 1, seconds: float = 0.) -> Candidate:
    return Candidate(network, backend, precision, threads, lambda: time.sleep(seconds))


def test_each_is_compared_with_its_peers_and_nothing_else() -> None:
    made = {'ours': candidate('ours'), 'peer': candidate('peer'), 'roof': candidate(ROOFLINE),
            'other': candidate('ours', 'other'), 'int8': candidate('ours', precision='int8'),
            'two': candidate('ours', threads=2)}
    # The machine is thrice as slow in the second round and ten times in the third.
    speed = np.array([1., 3., 10.])
    times = {made[name].key: value * speed for name, value in
             {'ours': 10., 'peer': 20., 'roof': 7., 'other': 5., 'int8': 2.5, 'two': 6.}.items()}
    assert ratios(list(made.values()), times) == pytest.approx({
        'peer / ours, 1 threads': 2., 'ours: other fp32 / onnxruntime fp32, 1 threads': .5,
        'ours: onnxruntime int8 / onnxruntime fp32, 1 threads': .25,
        'ours: onnxruntime fp32, 2 threads / 1': .6})


def test_candidates_run_in_turn_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    made = [Candidate(name, 'x', 'fp32', 1, lambda name=name: calls.append(name))
            for name in 'ab']
    times = measure(made, 3, 60.)
    assert calls == list('ab') * (3 + runtime_comparison.WARM_UP)
    assert {key: len(row) for key, row in times.items()} == {each.key: 3 for each in made}
    assert {len(row) for row in measure(made, 100, 0.).values()} == {1}


def test_every_engine_runs_a_bundle_or_says_why_not(loaded: Bundle) -> None:
    notes: list[str] = []
    made = list(bundle_candidates(loaded, 1, notes))
    assert 'onnxruntime' in {each.backend for each in made}
    for each in made:
        each.run()
    told = {note.removeprefix(f'{loaded.path.name}, ').split()[0] for note in notes}
    assert {each.backend for each in made} | told == set(BACKENDS)


def test_the_command_gives_ratios_and_the_twin_has_our_operations(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_comparison, 'ROOFLINE_SHAPE', (8, 16, 16))
    done = CliRunner().invoke(load_command('bench'), [
        'runtime', '--quick', '--json', '--threads', '1', '--rounds', '1', '--no-yardstick'])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    assert result['gmac']['plain twin'] == pytest.approx(result['gmac']['lidar_detector'])
    assert {'plain twin / lidar_detector, 1 threads',
            'panoptic_segmenter / lidar_detector, 1 threads'} <= set(result['ratios'])
    assert all(value > 0 for value in result['ratios'].values())
    assert result['roofline']['1'] > 0 and result['rounds'] == 1
