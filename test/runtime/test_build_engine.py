"""`eq build-engine`: what is built is told, and what is not has a reason."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import sys
from typing import Any

from click.testing import CliRunner
from fake_tensorrt import FakeCuda
from fake_tensorrt import make_trt
import pytest

from eq_core.errors import ConfigError
from eq_core.runtime import Bundle
from eq_core.runtime import PrepareSpec
from eq_eval.cli.build_engine import build_engines
from eq_eval.cli.main import load_command

Make = Callable[..., Path]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What fails in the TensorRT-RTX that this machine has now; it has no GPU."""
    faults: set[str] = set()
    library = make_trt(FakeCuda(None), 'rtx', faults)
    monkeypatch.setitem(sys.modules, 'tensorrt_rtx', library)
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    monkeypatch.setitem(sys.modules, 'cuda.bindings.runtime', None)
    return faults


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Runs the command with --json; returns exit code and result."""
    done = CliRunner().invoke(load_command('build-engine'), [*map(str, arguments), '--json'])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def test_an_engine_is_built_once_into_the_folder(
        faults: set[str], loaded: Bundle, tmp_path: Path) -> None:
    words = (loaded.path, '--compute-capability', '8.6', '--out', tmp_path / 'out')
    code, result = run(*words)
    assert code == 0 and result['built'] and result['problems'] == result['unsupported'] == []
    engine, = result['engines']
    assert result['bytes'] == (tmp_path / 'out' / f'{result["key"]}.engine').stat().st_size > 0
    assert engine['target'] == '8.6' and engine['part'] == 'tiny' and not engine['cached']
    code, again = run(*words)
    assert code == 0 and again['engines'][0]['cached'] and again['key'] == result['key']
    code, anew = run(*words, '--rebuild')
    assert code == 0 and not anew['engines'][0]['cached'] and anew['key'] == result['key']


def test_both_parts_of_a_policy_are_built_for_every_gpu(
        faults: set[str], tiny_bundle: Make, tmp_path: Path) -> None:
    for part in ('policy/crop', 'policy/scene'):
        (tmp_path / 'policy').mkdir(exist_ok=True)
        tiny_bundle(part)
    code, result = run(tmp_path / 'policy', '--compute-capability', '8.6',
                       '--compute-capability', '7.5', '--out', tmp_path / 'out')
    assert code == 0 and result['key'] is None
    assert [(each['part'], each['target']) for each in result['engines']] == [
        ('crop', '8.6'), ('crop', '7.5'), ('scene', '8.6'), ('scene', '7.5')]


def test_a_gpu_that_cannot_be_built_for_costs_that_engine_only(
        faults: set[str], loaded: Bundle, tmp_path: Path) -> None:
    code, result = run(loaded.path, '--compute-capability', '9.0', '--compute-capability', '8.6',
                       '--out', tmp_path / 'out')
    assert code == 1 and not result['built'] and len(result['engines']) == 1
    assert '9.0' in result['problems'][0] and '8.6' in result['problems'][0]


def test_nodes_that_are_unknown_are_named(
        faults: set[str], loaded: Bundle, tmp_path: Path) -> None:
    faults.add('parse')
    code, result = run(loaded.path, '--compute-capability', '8.6', '--out', tmp_path / 'out')
    assert code == 1 and result['unsupported'] == ['scatter_3'] and result['engines'] == []
    assert 'ScatterND' in result['problems'][0]


def test_without_a_gpu_all_are_built_for_that_need_none(
        faults: set[str], loaded: Bundle, tmp_path: Path) -> None:
    code, result = run(loaded.path, '--out', tmp_path / 'out')
    assert code == 0 and [each['target'] for each in result['engines']] == ['8.6']


@pytest.mark.parametrize(('words', 'reason'), [
    (('--backend', 'tensorrt'), 'tensorrt is not installed'),
    (('--precision', 'fp16', '--compute-capability', '8.6'), 'expected model.fp16.onnx')])
def test_what_cannot_be_done_here_is_said(
        faults: set[str], loaded: Bundle, tmp_path: Path, words: tuple[str, ...], reason: str
        ) -> None:
    code, result = run(loaded.path, *words, '--out', tmp_path / 'out')
    assert code == 1 and not result['built'] and reason in result['problems'][0]
    assert not list(tmp_path.glob('out/*.engine'))


def test_other_backends_build_no_engines(loaded: Bundle) -> None:
    with pytest.raises(ConfigError, match="backend must be one of .* got 'onnxruntime'"):
        build_engines(loaded.path, 'onnxruntime', PrepareSpec(), [])
