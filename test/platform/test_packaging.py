"""The package builds with plain colcon and installs with pip; ROS finds it in both."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import packages_distributions
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

EXECUTABLES = ('eq', 'graph_planner', 'lidar_detector', 'panoptic_segmenter', 'path_follower',
               'pick_place_policy', 'semantic_costmap')
# Records of what is installed, hooks of a workspace, and what Python compiles
OF_THE_INSTALLER = ('.egg-info/', '.dist-info/', '.pyc', 'share/colcon-core/',
                    'share/eq_stack/hook/')
MARKER = 'share/ament_index/resource_index/packages/eq_stack'


@pytest.fixture(scope='module')
def sources(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files under version control, so that no build touches the checkout."""
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=repository, capture_output=True,
                            text=True, check=False)
    if listed.returncode:
        pytest.skip('not a git checkout')
    folder = tmp_path_factory.mktemp('workspace') / 'src' / 'eq_stack'
    for name in filter(None, listed.stdout.split('\0')):
        if (repository / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, folder / name)
    return folder


def check_installed(prefix: Path, repository: Path) -> None:
    """Asserts what ament, ros2 run and launch look for under a prefix."""
    assert (prefix / MARKER).is_file()
    assert (prefix / 'share/eq_stack/package.xml').is_file()
    for name in EXECUTABLES:
        assert os.access(prefix / 'lib/eq_stack' / name, os.X_OK)
    for folder in ('config', 'gazebo', 'launch', 'models'):
        for path in (repository / folder).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                assert (prefix / 'share/eq_stack' / path.relative_to(repository)).is_file()
    packages = {path.parent.name for path in prefix.rglob('eq_*/__init__.py')}
    assert {'eq_bootstrap', 'eq_core', 'eq_eval', 'eq_manipulation', 'eq_navigation',
            'eq_perception', 'eq_ros'} <= packages


@pytest.fixture(scope='module')
def built(sources: Path) -> Path:
    """Where plain `colcon build` installs."""
    pytest.importorskip('colcon_ros')
    workspace = sources.parents[1]
    env = {name: value for name, value in os.environ.items() if name != 'AMENT_PREFIX_PATH'}
    done = subprocess.run([sys.executable, '-m', 'colcon', 'build'], cwd=workspace, env=env,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return workspace / 'install' / 'eq_stack'


@pytest.fixture(scope='module')
def installed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where plain `pip install` installs."""
    pytest.importorskip('setuptools')
    prefix = tmp_path_factory.mktemp('prefix')
    subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-index',
                    '--no-build-isolation', '--ignore-installed',
                    '--disable-pip-version-check', '--prefix', prefix, sources], check=True)
    return prefix


def test_plain_colcon_build(built: Path, repository: Path) -> None:
    check_installed(built, repository)


def test_pip_install(installed: Path, repository: Path) -> None:
    check_installed(installed, repository)
    site = next(installed.rglob('eq_core')).parent
    for script in EXECUTABLES:
        assert os.access(installed / 'bin' / script, os.X_OK)
    shown = subprocess.run([installed / 'bin' / 'eq', '--help'], capture_output=True, text=True,
                           env={**os.environ, 'PYTHONPATH': str(site)}, check=True)
    assert 'doctor' in shown.stdout
    metadata = next(installed.rglob('eq_stack-*.dist-info/METADATA')).read_text()
    # `colcon test` runs pytest only where it finds it here, else nothing, and calls that success
    assert re.search(r'^Requires-Dist: pytest; extra == .test.$', metadata, re.MULTILINE)


def test_colcon_and_pip_install_the_same(built: Path, installed: Path) -> None:
    """But for what each of them writes for itself: records, hooks, and starters of commands."""
    def digests(prefix: Path) -> dict[str, str]:
        paths = {str(path.relative_to(prefix)): path for path in prefix.rglob('*')
                 if path.is_file()}
        return {name: 'starter' if name.startswith('lib/eq_stack/') else
                sha256(path.read_bytes()).hexdigest() for name, path in paths.items()
                if not any(part in name for part in OF_THE_INSTALLER)
                and not re.fullmatch(r'bin/\w+|share/eq_stack/package\.(?!xml)\w+', name)}
    ours, theirs = digests(built), digests(installed)
    assert ours == theirs
    assert {f'lib/eq_stack/{name}' for name in EXECUTABLES} <= set(ours) and len(ours) > 500


def test_package_file_agrees_with_setup(repository: Path) -> None:
    package = pytest.importorskip('catkin_pkg.package')
    for folder in (repository, *sorted((repository / 'interfaces').iterdir())):
        package.parse_package(str(folder)).validate()
    root = ElementTree.parse(repository / 'package.xml').getroot()
    assert root.get('format') == '3'
    assert root.findtext('export/build_type') == 'ament_python'
    assert f"version='{root.findtext('version')}'" in (repository / 'setup.py').read_text()


def test_every_library_that_the_code_imports_is_required(repository: Path) -> None:
    required = {line.partition(';')[0].lower()
                for group in ('base', 'sim', 'train', 'oracle', 'ravens', 'view')
                for line in (repository / 'requirements' / f'{group}.in').read_text().splitlines()}
    imported = {name.partition('.')[0] for package in repository.glob('eq_*')
                for path in package.rglob('*.py') for name in imports(path.read_text())}
    distributions = packages_distributions()
    for name in imported & set(distributions):
        if not ros(name) and not name.startswith('eq_'):
            assert required & {re.sub('[-_.]+', '-', item).lower()
                               for item in distributions[name]}, name


def imports(source: str) -> Iterator[str]:
    """Names of the modules that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def ros(name: str) -> bool:
    """Whether a module comes with ROS, from apt or from wheels."""
    return name.endswith(('_msgs', '_interfaces')) or name in {'rclpy', 'launch', 'launch_ros',
                                                               'tf2_ros'}
