"""Every attribute that the adapter touches is in the real bindings of old and new versions.

The bindings come from PyPI without the libraries that they belong to. Those are replaced by a
stub with the nine functions that the bindings look for when they are imported; nothing is run.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any
import zipfile

from fake_tensorrt import FakeCuda
from fake_tensorrt import make_trt
import pytest

from eq_core.runtime.cuda import Cuda
from eq_core.runtime.cuda import CudaRuntime
from eq_core.runtime.tensorrt import OPTIONAL
from eq_core.runtime.tensorrt import REQUIRED

VERSIONS = {'10.3.0': '10', '10.16.1.11': '10', '11.4.0.106': '11'}
COMPILER = shutil.which('gcc') or shutil.which('cc') or shutil.which('g++')
FUNCTIONS = ('createInferBuilder_INTERNAL', 'createInferRefitter_INTERNAL',
             'createInferRuntime_INTERNAL', 'createNvOnnxParser_INTERNAL',
             'createNvOnnxParserRefitter_INTERNAL', 'getBuilderPluginRegistry',
             'getNvOnnxParserVersion', 'getPluginRegistry', 'initLibNvInferPlugins')
LIBRARIES = ('libnvinfer', 'libnvinfer_plugin', 'libnvonnxparser')
ASK = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
def missing(table):
    lost = []
    for path, names in table.items():
        owner = module
        for part in filter(None, path.split('.')):
            owner = getattr(owner, part, None)
        lost += [f'{path}.{name}' for name in names if not hasattr(owner, name)]
    return lost
print(json.dumps([missing(table) for table in json.loads(sys.argv[2])]))
"""
# What each has of that which the adapter asks for before it uses it.
RTX_ONLY = {'.ComputeCapability', '.CudaGraphStrategy', 'CudaGraphStrategy.WHOLE_GRAPH_CAPTURE',
            'IBuilderConfig.num_compute_capabilities', 'IBuilderConfig.set_compute_capability',
            'IRuntimeCache.deserialize', 'IRuntimeCache.serialize',
            'IRuntimeConfig.create_runtime_cache', 'IRuntimeConfig.cuda_graph_strategy',
            'IRuntimeConfig.set_runtime_cache'}
NEWER = {'OnnxParser.set_builder_config', 'ICudaEngine.create_runtime_config'}


def unpacked(cache: Path, package: str, version: str) -> Path:
    """Folder of a package from PyPI; the test is skipped where there is none to be had."""
    folder = cache / f'{package}-{version}'
    if not folder.exists():
        wheels = cache / f'{package}-{version}-wheel'
        done = subprocess.run(
            [sys.executable, '-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '-q',
             '--retries', '0', '--timeout', '15', '-d', str(wheels), f'{package}=={version}'],
            capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f'{package} {version} cannot be downloaded')
        wheel, = wheels.glob('*.whl')
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        shutil.rmtree(wheels)
    return folder


def stubbed(folder: Path, major: str) -> None:
    """Compiles what stands in for the libraries."""
    if COMPILER is None:
        pytest.skip('there is no C compiler')
    source = folder / 'stub.c'
    source.write_text(''.join(f'void *{name}(void) {{ return 0; }}\n' for name in FUNCTIONS))
    for name in LIBRARIES:
        library = f'{name}.so.{major}'
        subprocess.run([COMPILER, '-shared', '-fPIC', '-o', str(folder / library),
                        f'-Wl,-soname,{library}', str(source)], check=True)


def ask(module: str, tables: list[Any], *paths: Path) -> list[set[str]]:
    """What a module lacks of each table, asked in a process of its own."""
    found = os.pathsep.join(map(str, paths))
    done = subprocess.run(
        [sys.executable, '-c', ASK, module, json.dumps(tables)], capture_output=True, text=True,
        check=False, env={**os.environ, 'PYTHONPATH': found, 'LD_LIBRARY_PATH': found})
    assert done.returncode == 0, done.stderr
    return [set(lost) for lost in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.parametrize('version', VERSIONS)
def test_bindings_have_what_the_adapter_uses(
        request: pytest.FixtureRequest, tmp_path: Path, version: str) -> None:
    if not (sys.platform == 'linux' and os.uname().machine == 'x86_64'):
        pytest.skip('needs the bindings for x86-64 Linux')
    cache = request.config.cache
    folder = unpacked(Path(cache.mkdir('bindings')) if cache else tmp_path,
                      'tensorrt-cu12-bindings', version)
    stubbed(tmp_path, VERSIONS[version])
    required, optional = ask('tensorrt_bindings', [REQUIRED, OPTIONAL], folder, tmp_path)
    assert required == set()
    assert optional == (RTX_ONLY | NEWER if version == '10.3.0' else RTX_ONLY)


def test_tensorrt_rtx_has_all_of_it() -> None:
    pytest.importorskip('tensorrt_rtx', reason='tensorrt-rtx-cu13 is not installed')
    assert ask('tensorrt_rtx', [REQUIRED, OPTIONAL]) == [set(), set()]


@pytest.mark.parametrize('version', ['12.9.10', '13.5.0'])
def test_cuda_bindings_have_what_we_call(
        request: pytest.FixtureRequest, tmp_path: Path, version: str) -> None:
    cache = request.config.cache
    kept = Path(cache.mkdir('bindings')) if cache else tmp_path
    paths = [unpacked(kept, 'cuda-bindings', version), unpacked(kept, 'cuda-pathfinder', '1.3.3')]
    assert ask('cuda.bindings.runtime', [{'': CudaRuntime.USES}], *paths) == [set()]


@pytest.mark.parametrize('kind', ['10.3', '11.4', 'rtx'])
def test_the_table_names_all_that_the_adapter_uses(kind: str) -> None:
    """The other tests run the adapter on stand-ins, which have nothing that is not in it."""
    library = make_trt(FakeCuda(), kind)
    known = {*REQUIRED[''], *OPTIONAL['']}
    assert set(vars(library)) - {'world'} <= known
    for name in ('Builder', 'OnnxParser', 'Runtime', 'ILogger', 'IProgressMonitor'):
        public = {item for item in vars(getattr(library, name)) if not item.startswith('_')}
        assert public <= {*REQUIRED.get(name, ()), *OPTIONAL.get(name, ())}, name
    config = type(library.Builder(None).create_builder_config())
    public = {item for item in vars(config) if not item.startswith('_')}
    assert public <= {*REQUIRED['IBuilderConfig'], *OPTIONAL['IBuilderConfig']}


def test_the_stand_in_for_cuda_has_the_interface_of_the_real_one() -> None:
    names = {name for name in vars(Cuda) if not name.startswith('_')}
    for kind in (FakeCuda, CudaRuntime):
        for name in names:
            assert list(inspect.signature(getattr(kind, name)).parameters) == list(
                inspect.signature(getattr(Cuda, name)).parameters), (kind, name)
