"""Engines are found only where all they hang on is as it was, and are built once."""

from __future__ import annotations

from collections.abc import Callable
import json
import multiprocessing
import os
from pathlib import Path
import signal
import stat
import time
from typing import Any

import pytest

from eq_core.errors import BackendError
from eq_core.runtime.cache_folder import UNFINISHED
from eq_core.runtime.engine_cache import default_folder
from eq_core.runtime.engine_cache import Engine
from eq_core.runtime.engine_cache import EngineCache
from eq_core.runtime.engine_cache import key_of

PROCESSES = multiprocessing.get_context('fork')  # a test module cannot be imported by name
PATIENCE = 60.


def identity(**changes: Any) -> dict[str, Any]:
    """All that an engine hangs on, with changes such as ``gpu__name='B'``."""
    whole: dict[str, Any] = {
        'backend': {'name': 'tensorrt', 'version': '10.3.0'}, 'builder': {'level': 3},
        'cuda': {'driver': 12060, 'runtime': 12060}, 'gpu': {'name': 'A', 'sm': '8.6'},
        'model': {'name': 'tiny', 'file': 'model.onnx', 'sha256': '0' * 64},
        'platform': 'Linux x86_64', 'precision': 'fp32', 'tensors': [['x', 'float32', [1, 2]]]}
    for name, value in changes.items():
        part, _, leaf = name.partition('__')
        whole[part] = {**whole[part], leaf: value} if leaf else value
    return whole


class Builder:
    """Counts what it builds."""

    def __init__(self, data: bytes = b'engine') -> None:
        self.data, self.built = data, 0

    def __call__(self) -> bytes:
        self.built += 1
        return self.data


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'cache' / 'engines')


def file_of(cache: EngineCache, suffix: str = '.engine', **changes: Any) -> Path:
    return cache.files.path / f'{key_of(identity(**changes))}{suffix}'


def test_an_engine_is_built_once_and_found_again(cache: EngineCache) -> None:
    build = Builder()
    first = cache.obtain(identity(), build)
    again = EngineCache(cache.files.path).obtain(identity(), build, 'never')
    assert build.built == 1 and not first.cached and again.cached
    assert again.data == first.data == b'engine' and again.key == first.key
    assert again.seconds == first.seconds and first.notes == again.notes == ()
    assert cache.obtain(identity(), build, 'always').cached is False and build.built == 2


def test_the_side_car_tells_all_and_nobody_else_may_read(cache: EngineCache) -> None:
    cache.obtain(identity(), Builder())
    entry = json.loads(file_of(cache, '.json').read_text())
    assert entry['identity'] == identity()
    assert set(entry) == {'identity', 'engine_sha256', 'build_seconds', 'host'}
    assert stat.S_IMODE(cache.files.path.stat().st_mode) == 0o700
    assert all(not file.stat().st_mode & 0o077 for file in cache.files.path.iterdir())


@pytest.mark.parametrize(('change', 'words'), [
    ({'gpu__name': 'B'}, "gpu.name is 'A', that of the engine there is 'B'"),
    ({'gpu__sm': '8.9'}, "gpu.sm is '8.6'"),
    ({'backend__version': '10.13.3'}, 'backend.version'),
    ({'model__sha256': '1' * 64}, 'model.sha256'),
    ({'cuda__driver': 13000}, 'cuda.driver is 12060, that of the engine there is 13000'),
    ({'builder__level': 5}, 'builder.level'), ({'precision': 'fp16'}, 'precision'),
    ({'tensors': [['x', 'float32', [1, 3]]]}, 'tensors'), ({'platform': 'x'}, 'platform')])
def test_an_engine_for_anything_else_is_not_loaded_and_the_field_is_named(
        cache: EngineCache, change: dict[str, Any], words: str) -> None:
    cache.obtain(identity(**change), Builder(b'foreign'))
    build = Builder()
    with pytest.raises(BackendError, match='build_policy never') as refused:
        cache.obtain(identity(), build, 'never')
    assert words in str(refused.value) and build.built == 0
    engine = cache.obtain(identity(), build)
    assert engine.data == b'engine' and build.built == 1
    assert words in engine.notes[0] and 'built again' in engine.notes[0]
    assert cache.obtain(identity(**change), build, 'never').data == b'foreign'


def test_the_nearest_engine_of_the_same_model_is_named(cache: EngineCache) -> None:
    cache.obtain(identity(gpu__name='B', backend__version='9'), Builder())
    cache.obtain(identity(model__name='other'), Builder())
    cache.obtain(identity(backend__version='11'), Builder())
    with pytest.raises(BackendError, match='backend.version') as refused:
        cache.obtain(identity(), Builder(), 'never')
    assert 'gpu' not in str(refused.value) and 'model.name' not in str(refused.value)
    with pytest.raises(BackendError, match='there is no engine of third in'):
        cache.obtain(identity(model__name='third'), Builder(), 'never')


def truncated(engine: Path, side_car: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:3])


def flipped(engine: Path, side_car: Path) -> None:
    engine.write_bytes(b'enginf')


def edited(name: str, value: Any) -> Callable[[Path, Path], None]:
    def edit(engine: Path, side_car: Path) -> None:
        entry = json.loads(side_car.read_text())
        part = entry['identity']['gpu'] if name == 'gpu' else entry
        part['name' if name == 'gpu' else name] = value
        side_car.write_text(json.dumps(entry))
    return edit


def renamed(engine: Path, side_car: Path) -> None:
    """Another GPU's engine under this one's name."""
    edited('gpu', 'B')(engine, side_car)


def torn(engine: Path, side_car: Path) -> None:
    side_car.write_bytes(side_car.read_bytes()[:20])


def alone(engine: Path, side_car: Path) -> None:
    side_car.unlink()


@pytest.mark.parametrize(('damage', 'words'), [
    (truncated, 'expected engine_sha256'), (flipped, 'expected engine_sha256'),
    (edited('engine_sha256', '0' * 64), 'expected engine_sha256'),
    (renamed, "gpu.name is 'A', that of the engine there is 'B'"),
    (edited('identity', 'x'), 'side-car is not one'), (edited('more', 1), 'side-car is not one'),
    (edited('build_seconds', 'x'), 'side-car is not one'), (torn, 'side-car is not one'),
    (alone, 'found one of them')])
def test_a_damaged_entry_is_refused_or_built_again(
        cache: EngineCache, damage: Callable[[Path, Path], None], words: str) -> None:
    cache.obtain(identity(), Builder())
    damage(file_of(cache), file_of(cache, '.json'))
    build = Builder()
    with pytest.raises(BackendError, match='build_policy never') as refused:
        cache.obtain(identity(), build, 'never')
    assert words in str(refused.value) and build.built == 0
    engine = cache.obtain(identity(), build)
    assert engine.data == b'engine' and not engine.cached and words in engine.notes[0]
    assert cache.obtain(identity(), build, 'never').cached and build.built == 1


@pytest.mark.parametrize('how', ['below a file', 'a link', 'foreign', 'others write'])
def test_a_folder_that_cannot_be_used_or_trusted_keeps_nothing(
        tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'engines'
    if how == 'below a file':
        folder.write_text('')
        folder /= 'engines'
    else:
        EngineCache(folder).obtain(identity(), Builder(b'planted'))
    if how == 'a link':
        folder.rename(tmp_path / 'elsewhere')
        folder.symlink_to(tmp_path / 'elsewhere')
    elif how == 'others write':
        folder.chmod(0o770)
    elif how == 'foreign':
        monkeypatch.setattr(os, 'geteuid', lambda: folder.stat().st_uid + 1)
    cache, build = EngineCache(folder), Builder()
    for count in (1, 2):
        engine = cache.obtain(identity(), build)
        assert engine.data == b'engine' and build.built == count
        assert 'built at every start' in engine.notes[0] and str(folder) in engine.notes[0]
    with pytest.raises(BackendError, match=f'build_policy never.*{folder}'):
        cache.obtain(identity(), build, 'never')
    cache.keep_extra('x', '.runtime', b'data')
    assert cache.extra('x', '.runtime') == b'' and build.built == 2


def test_a_full_disk_costs_the_cache_only(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    engine = cache.obtain(identity(), Builder())
    assert engine.data == b'engine' and 'No space left on device' in engine.notes[0]
    assert [file.name for file in cache.files.path.iterdir()] == ['lock']


def test_a_build_that_fails_leaves_nothing_and_its_reason(cache: EngineCache) -> None:
    def fail() -> bytes:
        raise BackendError('no kernel for Conv_3')

    def broken_library() -> bytes:
        raise FileNotFoundError('libnvinfer_builder_resource.so')
    with pytest.raises(BackendError, match='Conv_3'):
        cache.obtain(identity(), fail)
    with pytest.raises(BackendError, match='builder_resource'):
        cache.obtain(identity(), broken_library)
    assert [file.name for file in cache.files.path.iterdir()] == ['lock']


def test_engines_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / 'engines', largest=30_000)
    for number, name in enumerate('ABC'):
        cache.obtain(identity(gpu__name=name), Builder(b'x' * 9_000))
        for file in cache.files.path.glob(f'{key_of(identity(gpu__name=name))}.*'):
            os.utime(file, (number, number))
    cache.keep_extra(key_of(identity(gpu__name='B')), '.runtime', b'extra')
    os.utime(file_of(cache, '.runtime', gpu__name='B'), (1, 1))
    assert isinstance(cache.find(identity(gpu__name='A')), Engine)  # used just now
    cache.obtain(identity(gpu__name='D'), Builder(b'x' * 9_000))
    kept = {name for name in 'ABCD' if isinstance(cache.find(identity(gpu__name=name)), Engine)}
    assert kept == {'A', 'C', 'D'} and not file_of(cache, '.runtime', gpu__name='B').exists()
    cache.obtain(identity(gpu__name='E'), Builder(b'x' * 90_000))
    assert len(list(cache.files.path.glob('*.engine'))) == 1
    assert isinstance(cache.find(identity(gpu__name='E')), Engine)


def test_an_extra_that_was_damaged_is_none(cache: EngineCache) -> None:
    assert cache.extra('x', '.runtime') == b''
    cache.keep_extra('x', '.runtime', b'kernels\nand more')
    assert cache.extra('x', '.runtime') == b'kernels\nand more'
    path = cache.files.path / 'x.runtime'
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.extra('x', '.runtime') == b''


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_folder() == tmp_path / 'eq_stack' / 'engines'
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative')  # to be ignored, says the XDG specification
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert default_folder() == tmp_path / 'home' / '.cache' / 'eq_stack' / 'engines'


# --- other processes -----------------------------------------------------------------------

def build_in_process(folder: Path, started: Path, go: Path, waits: Path) -> None:
    """Builds once `go` is there, and writes down every build."""
    def build() -> bytes:
        with started.open('a') as file:
            file.write('built\n')
        deadline = time.monotonic() + PATIENCE
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return b'engine'
    engine = EngineCache(folder).obtain(identity(), build, waiting=lambda: waits.touch())
    assert engine.data == b'engine'


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_two_processes_build_once(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ('engines', 'started', 'go', 'waits')]
    first, second = (PROCESSES.Process(target=build_in_process, args=paths) for _ in range(2))
    first.start()
    wait_for(paths[1])
    second.start()
    wait_for(paths[3])
    paths[2].touch()
    for process in (first, second):
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert paths[1].read_text() == 'built\n'


def test_a_builder_that_is_killed_leaves_no_lock_and_no_engine(tmp_path: Path) -> None:
    folder, started, go, waits = (tmp_path / name for name in ('engines', 'started', 'go', 'no'))
    process = PROCESSES.Process(target=build_in_process, args=(folder, started, go, waits))
    process.start()
    wait_for(started)
    (folder / f'{UNFINISHED}x').write_bytes(b'eng')  # as if it had been writing
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)
    cache, build = EngineCache(folder), Builder()
    assert cache.find(identity()) == ''
    engine = cache.obtain(identity(), build)
    assert build.built == 1 and engine.notes == ()
    assert not list(folder.glob(f'{UNFINISHED}*')) and cache.obtain(identity(), build).cached
